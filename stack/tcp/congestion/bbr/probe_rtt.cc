// The round trip without a queue: draft-ietf-ccwg-bbr-06 section 5.3.4.
#include <algorithm>

#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::tcp {

using namespace bbr;

// UpdateMinRTT(): the shortest round trip of 5 s says when to probe, that of 10 s goes into the
// model. So a probe knows the BDP from the one before.
void Bbr::update_min_rtt() noexcept {
  bbr_.probe_rtt_expired = now_ > bbr_.probe_rtt_min_stamp + kProbeRttInterval;
  if (rs_.rtt && (*rs_.rtt < bbr_.probe_rtt_min_delay || bbr_.probe_rtt_expired)) {
    bbr_.probe_rtt_min_delay = *rs_.rtt;
    bbr_.probe_rtt_min_stamp = now_;
  }
  const bool min_rtt_expired = now_ > bbr_.min_rtt_stamp + kMinRttFilterLen;
  if (bbr_.probe_rtt_min_delay < bbr_.min_rtt || min_rtt_expired) {
    bbr_.min_rtt = bbr_.probe_rtt_min_delay;
    bbr_.min_rtt_stamp = bbr_.probe_rtt_min_stamp;
  }
}

// CheckProbeRTT()
void Bbr::check_probe_rtt() noexcept {
  if (bbr_.state != State::ProbeRtt && bbr_.probe_rtt_expired && !bbr_.idle_restart) {
    enter_probe_rtt();
  }
  if (bbr_.state == State::ProbeRtt) handle_probe_rtt();
  if (rs_.delivered > 0) bbr_.idle_restart = false;
}

void Bbr::enter_probe_rtt() noexcept {
  save_cwnd();  // before the state says that the window is that of a probe
  enter(State::ProbeRtt, kUnityPacingGain, kProbeRttCwndGain);
  bbr_.probe_rtt_done_stamp.reset();
  bbr_.ack_phase = AckPhase::ProbeStopping;
  start_round();
}

// HandleProbeRTT(). That the samples of it are marked, see holds_back().
void Bbr::handle_probe_rtt() noexcept {
  if (!bbr_.probe_rtt_done_stamp) {
    if (c_.inflight > probe_rtt_cwnd()) return;
    // From here on 200 ms, and one round at least.
    bbr_.probe_rtt_done_stamp = now_ + kProbeRttDuration;
    bbr_.probe_rtt_round_done = false;
    start_round();
    return;
  }
  if (bbr_.round_start) bbr_.probe_rtt_round_done = true;
  if (bbr_.probe_rtt_round_done) check_probe_rtt_done();
}

// CheckProbeRTTDone()
void Bbr::check_probe_rtt_done() noexcept {
  if (!bbr_.probe_rtt_done_stamp || now_ <= *bbr_.probe_rtt_done_stamp) return;
  bbr_.probe_rtt_min_stamp = now_;  // the next one is due 5 s from now
  restore_cwnd();
  exit_probe_rtt();
}

// ExitProbeRTT(): the queue is empty already, so DOWN would have nothing to do.
void Bbr::exit_probe_rtt() noexcept {
  reset_short_term_model();
  if (!bbr_.full_bw_reached) return enter_startup();
  start_probe_bw_down();
  start_probe_bw_cruise();
}

// ProbeRTTCwnd()
std::uint64_t Bbr::probe_rtt_cwnd() const noexcept {
  return std::max(bdp_multiple(bbr_.bw, kProbeRttCwndGain), min_pipe_cwnd());
}

}  // namespace runnel::tcp
