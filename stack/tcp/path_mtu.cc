#include "stack/tcp/path_mtu.h"

#include <algorithm>
#include <array>

namespace runnel::tcp {

std::uint16_t plateau_below(std::uint16_t octets) noexcept {
  // RFC 1191 table 7-1.
  constexpr std::array<std::uint16_t, 11> kPlateaus = {65535, 32000, 17914, 8166, 4352, 2002,
                                                       1492,  1006,  508,   296,  68};
  for (const std::uint16_t plateau : kPlateaus) {
    if (plateau < octets) return plateau;
  }
  return kPlateaus.back();
}

PathMtu::PathMtu(std::uint16_t limit, std::uint16_t floor) noexcept
    : limit_(limit), floor_(std::min(floor, limit)), octets_(limit) {}

void PathMtu::on_sent(SeqNum begin, SeqNum end, std::uint16_t packet_octets) noexcept {
  largest_sent_ = std::max(largest_sent_, packet_octets);
  if (probation_) {
    std::optional<SeqNum>& until = probation_->resent_until;
    const SeqNum next = until.value_or(probation_->message.quoted_seq);
    const bool goes_on = begin <= next && next < end;
    if (goes_on) until = end;
  }
  // Octets that are sent again in smaller packets measure the large one no more.
  if (measured_ && end <= measured_->end && packet_octets < measured_->octets) measured_.reset();
  if (packet_octets <= largest_acked_) return;
  if (measured_ && packet_octets <= measured_->octets) return;
  measured_ = {end, packet_octets};
}

bool PathMtu::on_acknowledged(SeqNum ack) noexcept {
  if (measured_ && measured_->end <= ack) {
    largest_acked_ = std::max(largest_acked_, measured_->octets);
    measured_.reset();
  }
  if (held_ && held_->quoted_seq < ack) held_.reset();  // it did arrive
  return end_probation(ack);
}

bool PathMtu::end_probation(SeqNum ack) noexcept {
  if (!probation_ || ack <= probation_->message.quoted_seq) return false;
  const Probation ended = *probation_;
  probation_.reset();
  if (ended.resent_until && ack <= *ended.resent_until) {
    is_confirmed_ = true;
    return false;
  }
  octets_ = std::max(octets_, ended.before);
  largest_acked_ = std::max(largest_acked_, std::min(ended.message.quoted_octets, octets_));
  lowered_at_.reset();
  return true;
}

PathMtu::Verdict PathMtu::on_too_big(std::uint16_t next_hop_mtu, std::uint16_t quoted_octets,
                                     SeqNum quoted_seq, Instant now) noexcept {
  // A router may quote a length that it has changed already, so the estimate bounds it (RFC 1191
  // section 5).
  const std::uint16_t claimed =
      next_hop_mtu != 0 ? next_hop_mtu : plateau_below(std::min(quoted_octets, octets_));
  if (claimed >= octets_ || claimed >= largest_sent_) return Verdict::Stale;
  if (std::max(claimed, floor_) >= octets_) return Verdict::Stale;
  const TooBig message{claimed, quoted_octets, quoted_seq};
  if (claimed < largest_acked_) {
    held_ = message;
    return Verdict::Held;
  }
  believe(message, now);
  return Verdict::Lowered;
}

bool PathMtu::on_timeout(Instant now) noexcept {
  if (!held_) return false;
  const std::uint16_t before = octets_;
  believe(TooBig(*held_), now);
  return octets_ < before;
}

void PathMtu::believe(const TooBig& message, Instant now) noexcept {
  const std::uint16_t before = octets_;
  lower_to(message.octets);
  lowered_at_ = now;
  probation_ = {message, before, std::nullopt};
}

void PathMtu::begin_with(std::uint16_t octets, Instant now) noexcept {
  lower_to(octets);
  if (octets_ < limit_) lowered_at_ = now;
}

void PathMtu::return_to(std::uint16_t octets) noexcept {
  lower_to(octets);
  lowered_at_.reset();
}

void PathMtu::lower_to(std::uint16_t octets) noexcept {
  octets_ = std::min(octets_, std::max(octets, floor_));
  largest_sent_ = 0;
  largest_acked_ = std::min(largest_acked_, octets_);
  is_confirmed_ = false;
  measured_.reset();
  held_.reset();
  probation_.reset();
}

void PathMtu::raise_to(std::uint16_t octets) noexcept {
  octets_ = std::clamp(octets, octets_, limit_);
  lowered_at_.reset();
  probation_.reset();
}

bool PathMtu::forget_if_older_than(Duration age, Instant now) noexcept {
  if (!lowered_at_ || now - *lowered_at_ < age) return false;
  lowered_at_.reset();
  const bool is_raised = octets_ < limit_;
  octets_ = limit_;
  return is_raised;
}

}  // namespace runnel::tcp
