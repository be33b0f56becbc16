#include "stack/tcp/congestion/hystart.h"

namespace runnel::tcp {

std::uint64_t HyStart::growth(std::uint64_t acked_octets, std::uint64_t smss_octets,
                              bool is_paced) const noexcept {
  const std::uint64_t counted =
      is_paced ? acked_octets : std::min(acked_octets, kSegmentsOfOneAck * smss_octets);
  return phase_ == Phase::ConservativeSlowStart ? counted / kCssGrowthDivisor : counted;
}

bool HyStart::on_ack(wire::SeqNum una, wire::SeqNum nxt, base::OptionalDuration rtt,
                     bool is_paced) noexcept {
  if (is_over()) return false;
  // A round needs something in flight, and the first one is the first flight. An empty one before
  // it, of the handshake's ACK, would have it compared with its own first packet, which did not
  // queue up behind the others.
  if (!is_in_round_) {
    if (nxt <= una && rounds_ == 0) return false;
    begin_round(nxt);
  }
  if (rtt) take_sample(*rtt, is_paced);
  if (una < window_end_) return false;

  if (phase_ == Phase::ConservativeSlowStart && ++css_rounds_ >= kCssRounds) {
    stop();
    return true;
  }
  is_in_round_ = false;
  if (una < nxt) begin_round(nxt);
  return false;
}

void HyStart::begin_round(wire::SeqNum nxt) noexcept {
  ++rounds_;
  is_in_round_ = true;
  window_end_ = nxt;
  last_round_minimum_ = round_minimum_;
  round_minimum_ = kNone;
  round_samples_ = 0;
  late_in_a_row_ = 0;
}

void HyStart::take_sample(Duration rtt, bool is_paced) noexcept {
  round_minimum_ = std::min(round_minimum_, rtt);
  ++round_samples_;
  late_in_a_row_ = is_late(rtt) ? late_in_a_row_ + 1 : 0;
  if (round_samples_ < kRttSamples) return;
  if (phase_ == Phase::ConservativeSlowStart) {
    if (round_minimum_ < css_baseline_) phase_ = Phase::SlowStart;
    return;
  }
  // DEVIATES: 9406-4.2-EXIT. The RFC looks at the shortest of the round alone. Linux's HyStart does
  // not do that either: it also ends slow start by the length of a train of ACKs.
  const bool is_filling = is_paced && late_in_a_row_ >= kRttSamples;
  if (!is_late(round_minimum_) && !is_filling) return;
  phase_ = Phase::ConservativeSlowStart;
  css_baseline_ = round_minimum_;
  css_rounds_ = 0;  // the rest of this round will count as the first
}

bool HyStart::is_late(Duration rtt) const noexcept {
  return last_round_minimum_ != kNone &&
         rtt >= last_round_minimum_ + rtt_threshold(last_round_minimum_);
}

}  // namespace runnel::tcp
