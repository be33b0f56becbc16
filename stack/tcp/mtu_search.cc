#include "stack/tcp/mtu_search.h"

#include <algorithm>
#include <cassert>

namespace runnel::tcp {

MtuSearch::MtuSearch(const TcpConfig& config) noexcept
    : attempts_limit_(std::max<std::uint8_t>(config.mtu_probe_attempts, 1)),
      probe_timeout_(std::max(config.mtu_probe_timeout, kShortestProbeTimeout)),
      raise_interval_(std::max(config.mtu_raise_interval, kShortestRaiseInterval)) {}

void MtuSearch::start(std::uint16_t low, std::uint16_t ceiling) noexcept {
  phase_ = Phase::Searching;
  low_ = low;
  high_ = ceiling_ = std::max(low, ceiling);
  is_ceiling_tried_ = false;
  attempts_ = 0;
  must_wait_ = false;
  probe_.reset();
  raised_.reset();
  if (low_ == ceiling_) phase_ = Phase::Complete;
}

void MtuSearch::rest(std::uint16_t low, std::uint16_t ceiling, Instant now) noexcept {
  start(low, ceiling);
  phase_ = Phase::Complete;
  completed_at_ = now;
}

std::optional<std::uint16_t> MtuSearch::probe_size(Instant now) noexcept {
  if (probe_) return std::nullopt;
  if (phase_ == Phase::Complete && low_ < ceiling_ && now - completed_at_ >= raise_interval_) {
    start(low_, ceiling_);  // the path may be another one by now
  }
  if (phase_ != Phase::Searching) return std::nullopt;
  // RFC 8899 section 5.1.1 would have PROBE_TIMER above its 15 seconds rather than at them.
  if (must_wait_ && now - probe_sent_at_ <= probe_timeout_) return std::nullopt;
  if (!is_ceiling_tried_) return high_;
  return static_cast<std::uint16_t>(low_ + (high_ - low_ + 1) / 2);
}

void MtuSearch::on_probe_sent(std::uint16_t octets, SeqNum begin, SeqNum end,
                              Instant now) noexcept {
  assert(low_ < octets && octets <= high_);
  probe_ = {octets, begin, end, std::nullopt};
  probe_sent_at_ = now;
}

bool MtuSearch::on_acknowledged(SeqNum ack, SeqNum nxt, Instant now) noexcept {
  if (raised_ && raised_->until <= ack) raised_.reset();
  if (!probe_ || ack < probe_->end) return false;
  raised_ = {low_, nxt + kVerifiedSegments * probe_->octets};
  low_ = probe_->octets;
  attempts_ = 0;
  must_wait_ = false;
  is_ceiling_tried_ = true;
  probe_.reset();
  complete_if_known(now);
  return true;
}

void MtuSearch::on_probe_lost(Instant now) noexcept {
  if (!probe_) return;
  const Probe lost = *probe_;
  probe_.reset();
  if (!lost.passes) {
    must_wait_ = true;
    if (++attempts_ >= attempts_limit_) give_up_size(lost.octets, now);
    return;
  }
  must_wait_ = false;
  const std::uint16_t passes = *lost.passes;
  give_up_size(passes > 0 ? static_cast<std::uint16_t>(passes + 1) : lost.octets, now);
  is_ceiling_tried_ = passes <= low_;  // the size that is said to pass comes next
}

void MtuSearch::on_probe_inconclusive() noexcept {
  probe_.reset();
  must_wait_ = true;
}

bool MtuSearch::on_probe_too_big(std::uint16_t octets) noexcept {
  if (!probe_ || octets >= probe_->octets) return false;
  probe_->passes = octets;
  return true;
}

void MtuSearch::on_retransmit(SeqNum begin, SeqNum end, Instant now) noexcept {
  if (!probe_ || probe_->end <= begin || end <= probe_->begin) return;
  if (is_probe_refused()) {
    on_probe_lost(now);
  } else {
    on_probe_inconclusive();
  }
}

bool MtuSearch::on_timeout(Instant now) noexcept {
  if (probe_) on_retransmit(probe_->begin, probe_->end, now);
  if (!raised_) return false;
  const std::uint16_t size = low_;
  low_ = raised_->from;
  raised_.reset();
  give_up_size(size, now);
  phase_ = Phase::Complete;
  completed_at_ = now;
  return true;
}

// Nothing of `octets` and above passes.
void MtuSearch::give_up_size(std::uint16_t octets, Instant now) noexcept {
  high_ = std::max(low_, static_cast<std::uint16_t>(octets - 1));
  attempts_ = 0;
  is_ceiling_tried_ = true;
  complete_if_known(now);
}

void MtuSearch::complete_if_known(Instant now) noexcept {
  if (high_ - low_ >= kResolutionOctets) return;
  phase_ = Phase::Complete;
  completed_at_ = now;
}

std::optional<std::uint16_t> BlackHoleDetector::on_timeout(std::uint16_t path_mtu,
                                                           std::uint16_t packet_octets) noexcept {
  if (timeouts_ < UINT8_MAX) ++timeouts_;
  if (timeouts_ < threshold_) return std::nullopt;
  std::uint16_t smaller = path_mtu > base_ ? base_ : static_cast<std::uint16_t>(path_mtu / 2);
  while (smaller >= packet_octets && smaller > floor_)
    smaller = static_cast<std::uint16_t>(smaller / 2);
  smaller = std::max(smaller, floor_);
  // A packet that is small already does not vanish for its size.
  if (smaller >= path_mtu || packet_octets <= smaller) return std::nullopt;
  return smaller;
}

}  // namespace runnel::tcp
