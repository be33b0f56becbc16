#include "stack/tcp/congestion/new_reno.h"

#include <algorithm>

#include "stack/base/mul_div.h"

namespace runnel::tcp {

void NewReno::begin_with_ssthresh(std::uint64_t octets) {
  ssthresh_ = std::max(octets, 2 * smss_);
}

void NewReno::on_transmit(const TransmitEvent&) {}

void NewReno::on_ack(const AckEvent& event) {
  if (event.in_recovery || event.ce_marked_octets > 0) return;  // RFC 3168 section 6.1.2
  std::uint64_t acked = event.app_limited ? 0 : event.newly_acked_octets;
  if (cwnd_ < ssthresh_) {
    const SlowStart::Step step = slow_start_.on_ack(event, smss_, ssthresh_ - cwnd_);
    cwnd_ += step.growth_octets;
    if (step.ends_here) ssthresh_ = cwnd_;
    acked = step.unused_octets;
  }
  if (acked == 0) return;
  acked_in_round_ += acked;
  if (acked_in_round_ >= cwnd_) {  // RFC 5681 section 3.1, equation 3 by octets
    acked_in_round_ -= cwnd_;
    cwnd_ += smss_;
  }
}

void NewReno::on_loss(const LossEvent& event) {
  if (!event.calls_for_response) return;
  const std::uint64_t half = event.in_flight_before_octets / 2;  // RFC 5681 section 3.1, equation 4
  if (event.cause == LossEvent::Cause::EcnMark) {
    answer_mark_with(half);
  } else {
    reduce_threshold(half);
    cwnd_ = ssthresh_;
  }
}

void NewReno::answer_mark_with(std::uint64_t octets) noexcept {
  reduce_threshold(octets);
  cwnd_ = std::min(cwnd_, std::max(octets, smss_));
}

void NewReno::on_retransmission_timeout(const LossEvent& event) {
  reduce_threshold(event.in_flight_before_octets / 2);
  cwnd_ = smss_;  // the loss window
}

void NewReno::on_spurious_recovery(Instant) {
  cwnd_ = std::max(cwnd_, prior_cwnd_);
  ssthresh_ = prior_ssthresh_;
  slow_start_ = prior_slow_start_;
}

void NewReno::on_idle_restart(Instant, std::uint64_t restart_window_octets) {
  cwnd_ = std::min(cwnd_, restart_window_octets);
  acked_in_round_ = 0;
}

void NewReno::set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) {
  if (ssthresh_octets != ssthresh_) slow_start_.on_congestion();
  cwnd_ = cwnd_octets;
  ssthresh_ = ssthresh_octets;
  acked_in_round_ = 0;
}

void NewReno::on_smss_change(std::uint32_t smss_octets, bool scales_window) {
  if (scales_window) {
    cwnd_ = base::mul_div(cwnd_, smss_octets, smss_);
    prior_cwnd_ = base::mul_div(prior_cwnd_, smss_octets, smss_);
  }
  smss_ = smss_octets;
}

void NewReno::reduce_threshold(std::uint64_t octets) noexcept {
  prior_cwnd_ = cwnd_;
  prior_ssthresh_ = ssthresh_;
  prior_slow_start_ = slow_start_;
  slow_start_.on_congestion();
  ssthresh_ = std::max(octets, 2 * smss_);
  acked_in_round_ = 0;
}

}  // namespace runnel::tcp
