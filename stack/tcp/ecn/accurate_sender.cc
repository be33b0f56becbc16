#include "stack/tcp/ecn/accurate_sender.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

constexpr std::uint64_t kAceModulus = 8;
constexpr std::uint32_t kCounterMask = 0xffffff;
constexpr std::uint32_t kHalfTheCounter = 0x800000;

}  // namespace

void AccurateEcnSender::on_first_option(const wire::TcpAccEcn& option) noexcept {
  const bool has_first = option.count >= 1;  // EE0B or EE1B, by order
  const bool has_last = option.count >= 3;
  if ((has_first && option.counters[0] == 0) || (has_last && option.counters[2] == 0)) {
    trusts_options_ = false;
  }
}

std::optional<AccurateEcnSender::Growth> AccurateEcnSender::read(
    const wire::TcpAccEcn& option) noexcept {
  const std::array<std::uint32_t*, 3> counters =
      option.is_order_1 ? std::array{&e1b_, &ceb_, &e0b_} : std::array{&e0b_, &ceb_, &e1b_};
  std::array<std::uint32_t, 3> growth{};
  for (std::size_t i = 0; i < option.count; ++i) {
    growth[i] = (option.counters[i] - *counters[i]) & kCounterMask;
    if (growth[i] >= kHalfTheCounter) return std::nullopt;
  }
  for (std::size_t i = 0; i < option.count; ++i) *counters[i] = option.counters[i] & kCounterMask;
  return Growth{growth[1], std::uint64_t{growth[0]} + growth[2]};
}

// How many packets were marked, of at most `packets`, when it is `least` or eight more, or eight
// more than that ... (section 3.2.2.5.2).
std::uint64_t AccurateEcnSender::safest_likely(std::uint64_t least, std::uint64_t packets,
                                               const std::optional<Growth>& growth,
                                               std::uint32_t smss_octets) const noexcept {
  if (packets < kAceModulus || packets < least) return least;
  const std::uint64_t most = packets - (packets - least) % kAceModulus;
  if (growth) {
    // Whole segments at most: so many packets there were at least.
    std::uint64_t marked = least;
    while (marked < most && marked * smss_octets < growth->ce) marked += kAceModulus;
    return marked;
  }
  if (least == 0 && !had_marks_) return 0;
  return most;
}

AccurateEcnSender::Marks AccurateEcnSender::on_ack(const Ack& ack) noexcept {
  const std::uint64_t delivered = ack.delivered_octets + unread_octets_;
  const std::uint64_t packets = (delivered + ack.smss_octets - 1) / ack.smss_octets;
  unread_octets_ = 0;
  // ACE begins above zero. It can have turned round to it only by three marks (section 3.2.2.4).
  if (is_first_ack_ && ack.ace == 0 && packets < 3) is_usable_ = false;
  is_first_ack_ = false;

  std::optional<Growth> growth;
  if (trusts_options_ && ack.option != nullptr && *ack.option) growth = read(**ack.option);
  const std::uint64_t least = (ack.ace - cep_) % kAceModulus;
  Marks marks;
  marks.packets = safest_likely(least, packets, growth, ack.smss_octets);
  cep_ += marks.packets;
  had_marks_ = marks.packets > 0;
  if (growth) {
    if (growth->ce > 0 && marks.packets == 0 && packets < kAceModulus) is_contradictory_ = true;
    marks.octets = growth->ce - std::min(growth->ce, estimated_octets_);
    estimated_octets_ -= std::min(growth->ce, estimated_octets_);
  } else {
    marks.octets = std::min(marks.packets * ack.smss_octets, delivered);
    if (trusts_options_) estimated_octets_ += marks.octets;
  }
  return marks;
}

}  // namespace runnel::tcp
