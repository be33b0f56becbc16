#include "stack/tcp/congestion/new_reno.h"

#include <algorithm>

namespace runnel::tcp {

void NewReno::begin_with_ssthresh(std::uint64_t octets) {
  ssthresh_ = std::max(octets, 2 * smss_);
}

void NewReno::on_transmit(const TransmitEvent&) {}

void NewReno::on_ack(const AckEvent& event) {
  if (event.in_recovery || event.app_limited || event.ce_marked_octets > 0) return;
  std::uint64_t acked = event.newly_acked_octets;
  if (cwnd_ < ssthresh_) {
    // DEVIATES: 5681-3.1-SS. The RFC allows one SMSS for each ACK. One ACK here may stand for a
    // super-packet of 44 segments, so every acknowledged octet counts, as in Linux, unless
    // configured otherwise. After a timeout a cumulative ACK may cover octets that arrived long
    // ago: then one SMSS, as RFC 3465 section 2.2 has it.
    const bool counts_once = event.after_timeout || event.counts_once;
    const std::uint64_t growth = counts_once ? std::min(acked, smss_) : acked;
    const std::uint64_t used = std::min(growth, ssthresh_ - cwnd_);
    cwnd_ += used;
    acked -= std::min(acked, used);
    if (counts_once || cwnd_ < ssthresh_) return;
  }
  acked_in_round_ += acked;
  if (acked_in_round_ >= cwnd_) {  // RFC 5681 section 3.1, equation 3 by octets
    acked_in_round_ -= cwnd_;
    cwnd_ += smss_;
  }
}

void NewReno::on_loss(const LossEvent& event) {
  if (!event.calls_for_response) return;
  reduce(event.in_flight_before_octets);
  cwnd_ = ssthresh_;
  // Marks, unlike losses, may take the window down to one segment (RFC 3168 section 6.1.2).
  if (event.cause == LossEvent::Cause::EcnMark) {
    cwnd_ = std::min(prior_cwnd_, std::max(event.in_flight_before_octets / 2, smss_));
  }
}

void NewReno::on_retransmission_timeout(const LossEvent& event) {
  reduce(event.in_flight_before_octets);
  cwnd_ = smss_;  // the loss window
}

void NewReno::on_spurious_recovery(Instant) {
  cwnd_ = std::max(cwnd_, prior_cwnd_);
  ssthresh_ = prior_ssthresh_;
}

void NewReno::on_idle_restart(Instant, std::uint64_t restart_window_octets) {
  cwnd_ = std::min(cwnd_, restart_window_octets);
}

void NewReno::set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) {
  cwnd_ = cwnd_octets;
  ssthresh_ = ssthresh_octets;
  acked_in_round_ = 0;
}

void NewReno::on_smss_change(std::uint32_t smss_octets, bool scales_window) {
  if (scales_window) {
    cwnd_ = cwnd_ * smss_octets / smss_;
    prior_cwnd_ = prior_cwnd_ * smss_octets / smss_;
  }
  smss_ = smss_octets;
}

void NewReno::reduce(std::uint64_t flight_octets) noexcept {
  prior_cwnd_ = cwnd_;
  prior_ssthresh_ = ssthresh_;
  ssthresh_ = std::max(flight_octets / 2, 2 * smss_);  // RFC 5681 section 3.1, equation 4
  acked_in_round_ = 0;
}

}  // namespace runnel::tcp
