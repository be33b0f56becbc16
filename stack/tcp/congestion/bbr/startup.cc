// Startup, the search for a full pipe, and Drain: draft-ietf-ccwg-bbr-06 sections 5.3.1 and 5.3.2.
#include <algorithm>

#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::tcp {

using namespace bbr;

void Bbr::enter(State state, Percent pacing_gain, Percent cwnd_gain) noexcept {
  bbr_.state = state;
  bbr_.pacing_gain = pacing_gain;
  bbr_.cwnd_gain = cwnd_gain;
}

// --- Startup (section 5.3.1) ---------------------------------------------------------------------

void Bbr::enter_startup() noexcept {
  enter(State::Startup, kStartupPacingGain, kDefaultCwndGain);
}

// CheckStartupDone()
void Bbr::check_startup_done() noexcept {
  check_startup_high_loss();
  if (bbr_.state == State::Startup && bbr_.full_bw_reached) enter_drain();
}

// --- A plateau of the bandwidth (section 5.3.1.2) ------------------------------------------------

void Bbr::reset_full_bw() noexcept {
  bbr_.full_bw = 0;
  bbr_.full_bw_count = 0;
  bbr_.full_bw_now = false;
}

// CheckFullBWReached()
void Bbr::check_full_bw_reached() noexcept {
  if (bbr_.full_bw_now || !bbr_.round_start || rs_.is_app_limited) return;
  if (rs_.delivery_rate >= kFullBwGrowth * bbr_.full_bw) {  // still growing
    reset_full_bw();
    bbr_.full_bw = rs_.delivery_rate;
    return;
  }
  ++bbr_.full_bw_count;
  bbr_.full_bw_now = bbr_.full_bw_count >= kFullBwCount;
  if (bbr_.full_bw_now) bbr_.full_bw_reached = true;
}

// --- Losses (section 5.3.1.3) --------------------------------------------------------------------

// Whether the round trip that ends with this ACK has lost so much, in so many places, that it was
// the queue. Recovery began a round trip ago at least: a round that counts losses starts with one.
bool Bbr::is_startup_loss_too_high() const noexcept {
  if (!bbr_.loss_round_start) return false;
  // A queue marks, nothing else does: there is no noise to be filtered out (see note_marks()).
  if (has_uncounted_mark_ || is_inflight_too_high(marked_in_round_, rs_.tx_in_flight)) return true;
  if (!is_in_fast_recovery_) return false;
  if (!c_.has_selective_acks) return lost_ranges_in_round_ > 0;
  return lost_ranges_in_round_ >= kStartupFullLossCnt &&
         is_inflight_too_high(rs_.lost, rs_.tx_in_flight);
}

// CheckStartupHighLoss()
void Bbr::check_startup_high_loss() noexcept {
  if (!bbr_.full_bw_reached && is_startup_loss_too_high()) {
    bbr_.undo_state = State::Startup;
    bbr_.full_bw_now = bbr_.full_bw_reached = true;
    bbr_.inflight_longterm = std::max(bdp_multiple(bbr_.bw, Percent{100}), bbr_.inflight_latest);
  }
  if (bbr_.loss_round_start) {
    lost_ranges_in_round_ = 0;
    lost_until_.reset();
    marked_in_round_ = 0;
    has_uncounted_mark_ = false;
  }
}

// --- Drain (section 5.3.2) -----------------------------------------------------------------------

void Bbr::enter_drain() noexcept {
  enter(State::Drain, kDrainPacingGain, kDefaultCwndGain);
  bbr_.drain_start_round = bbr_.round_count;
}

// CheckDrainDone()
void Bbr::check_drain_done() noexcept {
  if (bbr_.state != State::Drain) return;
  if (c_.inflight <= inflight(Percent{100}) ||
      bbr_.round_count > bbr_.drain_start_round + kDrainRounds) {
    enter_probe_bw();
  }
}

}  // namespace runnel::tcp
