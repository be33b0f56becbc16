// What the path is like: draft-ietf-ccwg-bbr-06 sections 5.5.1 to 5.5.9.
#include <algorithm>
#include <utility>

#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::tcp {

using namespace bbr;

// --- Packet-timed round trips (section 5.5.1) ----------------------------------------------------

// UpdateRound(): was what is acknowledged now sent after the present round began?
void Bbr::update_round() noexcept {
  bbr_.round_start = rs_.prior_delivered >= bbr_.next_round_delivered;
  c_.is_cwnd_limited = uses_cwnd_in_round_ || used_cwnd_in_round_;
  if (!bbr_.round_start) return;
  used_cwnd_in_round_ = std::exchange(uses_cwnd_in_round_, false);
  start_round();
  ++bbr_.round_count;
  ++bbr_.rounds_since_probe_up;
}

void Bbr::start_round() noexcept {
  bbr_.next_round_delivered = c_.delivered;
}

// --- Bandwidth (sections 5.5.2 to 5.5.6) ---------------------------------------------------------

// UpdateMaxBw(). A sample from a time when the application had nothing to send counts if it is
// high.
void Bbr::update_max_bw() noexcept {
  update_round();
  if (rs_.delivery_rate == 0) return;
  if (rs_.delivery_rate < bbr_.max_bw && rs_.is_app_limited) return;
  max_bw_filter_.update(rs_.delivery_rate);
  bbr_.max_bw = max_bw_filter_.max();
}

void Bbr::advance_max_bw_filter() noexcept {
  max_bw_filter_.advance();
  bbr_.max_bw = max_bw_filter_.max();
}

// BoundBWForModel()
void Bbr::bound_bw_for_model() noexcept {
  bbr_.bw = std::min(bbr_.max_bw, bbr_.bw_shortterm);
}

// --- Aggregation of ACKs (section 5.5.9) ---------------------------------------------------------

// UpdateACKAggregation(): how far the ACKs run ahead of the rate at which they should come. In the
// pauses between such bursts so much more has to be in flight.
void Bbr::update_ack_aggregation() noexcept {
  std::uint64_t expected_delivered = octets_in(bbr_.bw, now_ - bbr_.extra_acked_interval_start);
  if (bbr_.extra_acked_delivered <= expected_delivered) {  // the burst is over
    bbr_.extra_acked_delivered = 0;
    bbr_.extra_acked_interval_start = now_;
    expected_delivered = 0;
  }
  bbr_.extra_acked_delivered += rs_.newly_acked;
  const std::uint64_t extra =
      std::min(subtract(bbr_.extra_acked_delivered, expected_delivered), c_.cwnd);
  const std::uint64_t filter_len =
      bbr_.full_bw_reached ? kExtraAckedFilterLen : kExtraAckedFilterLenInStartup;
  bbr_.extra_acked = extra_acked_filter_.update(extra, bbr_.round_count, filter_len);
}

// --- Volumes (sections 5.5.8 and 5.6.4.2) --------------------------------------------------------

// BDPMultiple()
std::uint64_t Bbr::bdp_multiple(std::uint64_t bw, Percent gain) const noexcept {
  if (bbr_.min_rtt == kForever) return c_.initial_cwnd;
  return gain * octets_in(bw, bbr_.min_rtt);
}

// QuantizationBudget(): what offload keeps back at either end comes on top of what the path holds.
std::uint64_t Bbr::quantization_budget(std::uint64_t inflight_cap) const noexcept {
  const std::uint64_t offload_budget = kOffloadBudgetQuanta * c_.send_quantum;
  inflight_cap = std::max({inflight_cap, offload_budget, min_pipe_cwnd()});
  return bbr_.state == State::ProbeBwUp ? add(inflight_cap, 2 * c_.smss) : inflight_cap;
}

std::uint64_t Bbr::inflight(Percent gain) const noexcept {
  return quantization_budget(bdp_multiple(bbr_.bw, gain));
}

// UpdateMaxInflight()
void Bbr::update_max_inflight() noexcept {
  const std::uint64_t inflight_cap = add(bdp_multiple(bbr_.bw, bbr_.cwnd_gain), bbr_.extra_acked);
  bbr_.max_inflight = quantization_budget(inflight_cap);
}

}  // namespace runnel::tcp
