// What happens on each event, and in which order: draft-ietf-ccwg-bbr-06 section 5.2.
#include "stack/tcp/congestion/bbr/bbr.h"

#include <algorithm>

#include "stack/tcp/congestion/any_congestion_control.h"

namespace runnel::tcp {

namespace bbr {

std::string_view name_of(State state) noexcept {
  switch (state) {
    case State::Startup:
      return "Startup";
    case State::Drain:
      return "Drain";
    case State::ProbeBwDown:
      return "ProbeBW_DOWN";
    case State::ProbeBwCruise:
      return "ProbeBW_CRUISE";
    case State::ProbeBwRefill:
      return "ProbeBW_REFILL";
    case State::ProbeBwUp:
      return "ProbeBW_UP";
    case State::ProbeRtt:
      break;
  }
  return "ProbeRTT";
}

}  // namespace bbr

using namespace bbr;

// OnInit(); most of it is in the initializers of bbr::Variables.
Bbr::Bbr(const CongestionParameters& parameters) noexcept
    : dice_(parameters.seed), now_(parameters.now) {
  c_.smss = parameters.smss_octets;
  c_.cwnd = c_.initial_cwnd = parameters.initial_window_octets;
  c_.has_selective_acks = parameters.has_selective_acks;
  bbr_.min_rtt = parameters.smoothed_rtt.value_or(kForever);
  bbr_.min_rtt_stamp = now_;
  bbr_.probe_rtt_min_delay = bbr_.min_rtt;
  bbr_.probe_rtt_min_stamp = now_;
  bbr_.extra_acked_interval_start = now_;
  init_pacing_rate(parameters.smoothed_rtt);
  set_send_quantum();
  enter_startup();
}

void Bbr::on_transmit(const TransmitEvent& event) {
  now_ = event.now;
  handle_restart_from_idle(event);
  const std::uint64_t inflight = event.in_flight_before_octets + event.octets;
  if (c_.cwnd < inflight + c_.smss) uses_cwnd_in_round_ = true;
  inflight_reached_ = std::max(inflight_reached_, inflight);
}

// UpdateOnACK()
void Bbr::on_ack(const AckEvent& event) {
  read(event);
  update_model_and_state();
  // After the model: what is restored is bounded by it below.
  if (event.has_recovered) restore_cwnd();
  note_marks(event);
  update_control_parameters();
  inflight_reached_ = c_.inflight;
}

void Bbr::read(const AckEvent& event) noexcept {
  now_ = event.now;
  c_.inflight = event.in_flight_octets;
  (void)recent_inflight_.update(event.in_flight_before_octets, bbr_.round_count, 1);
  c_.delivered = event.delivered_octets;
  uses_cwnd_in_round_ = uses_cwnd_in_round_ || !event.app_limited;
  is_in_fast_recovery_ = event.in_recovery;  // or was until now
  is_in_recovery_ = (event.in_recovery || event.after_timeout) && !event.has_recovered;

  rs_ = {};
  rs_.newly_acked = event.newly_delivered_octets;
  rs_.rtt = event.rtt_sample;
  if (event.rate) {
    rs_.delivery_rate = std::min(event.rate->octets_per_second, kHighestRate);
    rs_.delivered = event.rate->delivered_octets;
    rs_.prior_delivered = event.rate->prior_delivered_octets;
    rs_.lost = event.rate->lost_octets;
    rs_.tx_in_flight = event.rate->tx_in_flight_octets;
    rs_.is_app_limited = event.rate->is_app_limited;
    // Of the newest octets: what an RTO wants to know of the oldest is longer by the time that the
    // receiver waited for more (section 5.5.7.1).
    if (event.rate->rtt) rs_.rtt = event.rate->rtt;
  }
  if (!has_seen_rtt_ && event.smoothed_rtt) init_pacing_rate(event.smoothed_rtt);
}

// UpdateModelAndState()
void Bbr::update_model_and_state() noexcept {
  update_latest_delivery_signals();
  update_congestion_signals();
  update_ack_aggregation();
  check_full_bw_reached();
  check_startup_done();
  check_drain_done();
  update_probe_bw_cycle_phase();
  update_min_rtt();
  check_probe_rtt();
  advance_latest_delivery_signals();
  bound_bw_for_model();
}

// UpdateControlParameters()
void Bbr::update_control_parameters() noexcept {
  set_pacing_rate_with_gain(bbr_.pacing_gain);
  set_send_quantum();
  set_cwnd();
}

void Bbr::set_window(std::uint64_t cwnd_octets, std::uint64_t) {
  c_.cwnd = std::max(cwnd_octets, min_pipe_cwnd());
}

void Bbr::on_smss_change(std::uint32_t smss_octets, bool scales_window) {
  if (scales_window && c_.smss != 0) {
    c_.cwnd = c_.cwnd * smss_octets / c_.smss;
    bbr_.prior_cwnd = bbr_.prior_cwnd * smss_octets / c_.smss;
  }
  c_.smss = smss_octets;
  set_send_quantum();
}

}  // namespace runnel::tcp
