// Pacing rate, quantum and window: draft-ietf-ccwg-bbr-06 section 5.6, and restarting from idle,
// section 5.4.
#include <algorithm>

#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::tcp {

using namespace bbr;

// --- Pacing rate (section 5.6.2) -----------------------------------------------------------------

// InitPacingRate(): the initial window in a round trip.
void Bbr::init_pacing_rate(base::OptionalDuration smoothed_rtt) noexcept {
  const bool is_known = smoothed_rtt && *smoothed_rtt > Duration{0};
  const Duration rtt = is_known ? *smoothed_rtt : kNominalRtt;
  const std::uint64_t nominal_bandwidth = std::min(rate_of(c_.initial_cwnd, rtt), kHighestRate);
  c_.pacing_rate = std::max<std::uint64_t>(1, kStartupPacingGain * nominal_bandwidth);
  has_seen_rtt_ = is_known;
}

// SetPacingRateWithGain(). Until the pipe was full the rate only rises: samples of a sender that
// had nothing to send must not slow it down.
void Bbr::set_pacing_rate_with_gain(Percent gain) noexcept {
  const std::uint64_t rate = kAfterPacingMargin * (gain * bbr_.bw);
  if (rate != 0 && (bbr_.full_bw_reached || rate > c_.pacing_rate)) c_.pacing_rate = rate;
}

// --- Quantum (section 5.6.3) ---------------------------------------------------------------------

void Bbr::set_send_quantum() noexcept {
  const std::uint64_t quantum = std::min(octets_in(c_.pacing_rate, kQuantumTime), kLargestQuantum);
  c_.send_quantum = std::max(quantum, kSmallestQuantumSegments * c_.smss);
}

// --- Window (section 5.6.4) ----------------------------------------------------------------------

std::uint64_t Bbr::min_pipe_cwnd() const noexcept {
  return kMinPipeCwndSegments * c_.smss;
}

// SetCwnd()
void Bbr::set_cwnd() noexcept {
  update_max_inflight();
  if (bbr_.full_bw_reached) {
    c_.cwnd = std::min(add(c_.cwnd, rs_.newly_acked), bbr_.max_inflight);
  } else if (c_.cwnd < bbr_.max_inflight || c_.delivered < c_.initial_cwnd) {
    c_.cwnd = add(c_.cwnd, rs_.newly_acked);
  }
  c_.cwnd = std::max(c_.cwnd, min_pipe_cwnd());
  if (bbr_.state == State::ProbeRtt) c_.cwnd = std::min(c_.cwnd, probe_rtt_cwnd());
  bound_cwnd_for_model();
}

// BoundCwndForModel()
void Bbr::bound_cwnd_for_model() noexcept {
  std::uint64_t cap = kInfinity;
  if (bbr_.state == State::ProbeRtt || bbr_.state == State::ProbeBwCruise) {
    cap = inflight_with_headroom();
  } else if (is_in_a_probe_bw_state()) {
    cap = bbr_.inflight_longterm;
  }
  cap = std::max(std::min(cap, bbr_.inflight_shortterm), min_pipe_cwnd());
  c_.cwnd = std::min(c_.cwnd, cap);
}

// SaveCwnd(): the last window that neither a recovery nor a probe for the round trip has cut.
void Bbr::save_cwnd() noexcept {
  const bool is_modulated = is_in_recovery_ || bbr_.state == State::ProbeRtt;
  bbr_.prior_cwnd = is_modulated ? std::max(bbr_.prior_cwnd, c_.cwnd) : c_.cwnd;
}

void Bbr::restore_cwnd() noexcept {
  c_.cwnd = std::max(c_.cwnd, bbr_.prior_cwnd);
}

// --- Restarting from idle (section 5.4) ----------------------------------------------------------

// HandleRestartFromIdle(): at exactly the rate of the path, which fills it within one round trip.
void Bbr::handle_restart_from_idle(const TransmitEvent& event) noexcept {
  if (event.in_flight_before_octets != 0 || !event.is_app_limited) return;
  bbr_.idle_restart = true;
  bbr_.extra_acked_interval_start = now_;
  if (is_in_a_probe_bw_state()) {
    set_pacing_rate_with_gain(kUnityPacingGain);
  } else if (bbr_.state == State::ProbeRtt) {
    check_probe_rtt_done();
  }
}

}  // namespace runnel::tcp
