// The cycle of probes for bandwidth: draft-ietf-ccwg-bbr-06 section 5.3.3.
#include <algorithm>

#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::tcp {

using namespace bbr;

// --- Entering the states (section 5.3.3.9) -------------------------------------------------------

void Bbr::enter_probe_bw() noexcept {
  start_probe_bw_down();
}

void Bbr::start_probe_bw_down() noexcept {
  reset_congestion_signals();
  bbr_.probe_up_acked_per_inc = kInfinity;  // inflight_longterm does not grow
  pick_probe_wait();
  bbr_.cycle_stamp = now_;
  bbr_.ack_phase = AckPhase::ProbeStopping;
  start_round();
  enter(State::ProbeBwDown, kProbeDownPacingGain, kDefaultCwndGain);
}

void Bbr::start_probe_bw_cruise() noexcept {
  enter(State::ProbeBwCruise, kUnityPacingGain, kDefaultCwndGain);
}

void Bbr::start_probe_bw_refill() noexcept {
  reset_short_term_model();
  bbr_.bw_probe_up_rounds = 0;
  bbr_.bw_probe_up_acked = 0;
  bbr_.prev_probe_precautionary = false;
  bbr_.ack_phase = AckPhase::Refilling;
  start_round();
  enter(State::ProbeBwRefill, kUnityPacingGain, kDefaultCwndGain);
}

void Bbr::start_probe_bw_up() noexcept {
  bbr_.ack_phase = AckPhase::ProbeStarting;
  start_round();
  reset_full_bw();
  bbr_.full_bw = rs_.delivery_rate;
  enter(State::ProbeBwUp, kProbeUpPacingGain, kProbeUpCwndGain);
  raise_inflight_longterm_slope();
}

bool Bbr::is_in_a_probe_bw_state() const noexcept {
  return State::ProbeBwDown <= bbr_.state && bbr_.state <= State::ProbeBwUp;
}

// IsProbingBW()
bool Bbr::is_probing_bw() const noexcept {
  return bbr_.state == State::Startup || bbr_.state == State::ProbeBwRefill ||
         bbr_.state == State::ProbeBwUp;
}

// --- The state machine ---------------------------------------------------------------------------

// UpdateProbeBWCyclePhase()
void Bbr::update_probe_bw_cycle_phase() noexcept {
  if (!bbr_.full_bw_reached) return;
  if (adapt_long_term_model()) return;  // which has decided on the next state
  switch (bbr_.state) {
    case State::ProbeBwDown:
      if (!is_time_to_probe_bw() && is_time_to_cruise()) start_probe_bw_cruise();
      break;
    case State::ProbeBwCruise:
      (void)is_time_to_probe_bw();
      break;
    case State::ProbeBwRefill:
      if (bbr_.round_start) {  // one round of it
        bbr_.is_bw_probe_sample = true;
        start_probe_bw_up();
      }
      break;
    case State::ProbeBwUp:
      if (is_time_to_go_down()) {
        bbr_.prev_probe_too_high = false;
        start_probe_bw_down();
      }
      break;
    case State::Startup:
    case State::Drain:
    case State::ProbeRtt:
      break;
  }
}

// IsTimeToCruise()
bool Bbr::is_time_to_cruise() const noexcept {
  const std::uint64_t estimated_bdp = quantization_budget(bdp_multiple(bbr_.max_bw, Percent{100}));
  return c_.inflight <= inflight_with_headroom() && c_.inflight <= estimated_bdp;
}

// IsTimeToGoDown()
bool Bbr::is_time_to_go_down() noexcept {
  // The last probe went too high: this one only tries whether that level is safe by now. It was
  // reached when the last whole segment below it had left; the ACK of now has made room again.
  if (bbr_.prev_probe_too_high && add(inflight_reached_, c_.smss) > bbr_.inflight_longterm) {
    bbr_.prev_probe_precautionary = true;
    return true;
  }
  if (c_.is_cwnd_limited && c_.cwnd >= bbr_.inflight_longterm) {
    reset_full_bw();  // inflight_longterm is what limits the bandwidth
    bbr_.full_bw = rs_.delivery_rate;
    return false;
  }
  return bbr_.full_bw_now;
}

// --- When to probe (section 5.3.3.8) -------------------------------------------------------------

// IsTimeToProbeBW()
bool Bbr::is_time_to_probe_bw() noexcept {
  if (!has_elapsed_in_phase(bbr_.bw_probe_wait) && !is_reno_coexistence_probe_time()) return false;
  start_probe_bw_refill();
  return true;
}

// PickProbeWait()
void Bbr::pick_probe_wait() noexcept {
  bbr_.rounds_since_probe_up = dice_.coin() ? 1 : 0;
  bbr_.bw_probe_wait = kShortestProbeWait + dice_.below(kProbeWaitSpread);
}

// IsRenoCoexistenceProbeTime(): Reno would have filled a queue of a BDP by now.
bool Bbr::is_reno_coexistence_probe_time() const noexcept {
  const std::uint64_t reno_rounds = target_inflight() / std::max<std::uint64_t>(1, c_.smss);
  return bbr_.rounds_since_probe_up >= std::min(reno_rounds, kMostProbeWaitRounds);
}

bool Bbr::has_elapsed_in_phase(Duration interval) const noexcept {
  return now_ > bbr_.cycle_stamp + interval;
}

// TargetInflight()
std::uint64_t Bbr::target_inflight() const noexcept {
  return std::min(bdp_multiple(bbr_.bw, Percent{100}), c_.cwnd);
}

// --- The long-term bound of what is in flight ----------------------------------------------------

// InflightWithHeadroom()
std::uint64_t Bbr::inflight_with_headroom() const noexcept {
  if (bbr_.inflight_longterm == kInfinity) return kInfinity;
  const std::uint64_t headroom = std::max(c_.smss, kHeadroom * bbr_.inflight_longterm);
  return std::max(subtract(bbr_.inflight_longterm, headroom), min_pipe_cwnd());
}

// RaiseInflightLongtermSlope()
void Bbr::raise_inflight_longterm_slope() noexcept {
  constexpr std::uint32_t kMostRounds = 30;
  const std::uint64_t growth_this_round = std::uint64_t{1} << bbr_.bw_probe_up_rounds;
  bbr_.bw_probe_up_rounds = std::min(bbr_.bw_probe_up_rounds + 1, kMostRounds);
  bbr_.probe_up_acked_per_inc = std::max(c_.cwnd / growth_this_round, c_.smss);
}

// ProbeInflightLongtermUpward()
void Bbr::probe_inflight_longterm_upward() noexcept {
  if (!c_.is_cwnd_limited || c_.cwnd < bbr_.inflight_longterm) return;  // it is not in full use
  bbr_.bw_probe_up_acked += rs_.newly_acked;
  if (bbr_.bw_probe_up_acked >= bbr_.probe_up_acked_per_inc) {
    const std::uint64_t delta = bbr_.bw_probe_up_acked / bbr_.probe_up_acked_per_inc;
    bbr_.bw_probe_up_acked -= delta * bbr_.probe_up_acked_per_inc;
    bbr_.inflight_longterm = add(bbr_.inflight_longterm, delta * c_.smss);
  }
  if (bbr_.round_start) raise_inflight_longterm_slope();
}

// AdaptLongTermModel(): follows the ACKs of a probe. Returns whether it has decided on a state.
bool Bbr::adapt_long_term_model() noexcept {
  if (bbr_.ack_phase == AckPhase::ProbeStarting && bbr_.round_start) {
    bbr_.ack_phase = AckPhase::ProbeFeedback;
  }
  if (bbr_.ack_phase == AckPhase::ProbeStopping && bbr_.round_start) {
    bbr_.is_bw_probe_sample = false;
    bbr_.ack_phase = AckPhase::Init;
    if (is_in_a_probe_bw_state() && !rs_.is_app_limited) advance_max_bw_filter();
    // The cautious probe has lost nothing: a bolder one follows at once (section 5.3.3.6).
    if (is_in_a_probe_bw_state() && bbr_.prev_probe_precautionary && !bbr_.prev_probe_too_high) {
      start_probe_bw_refill();
      return true;
    }
  }
  if (is_inflight_too_high(rs_.lost, rs_.tx_in_flight)) return false;
  if (bbr_.inflight_longterm == kInfinity) return false;
  bbr_.inflight_longterm = std::max(bbr_.inflight_longterm, rs_.tx_in_flight);
  if (bbr_.state == State::ProbeBwUp) probe_inflight_longterm_upward();
  return false;
}

}  // namespace runnel::tcp
