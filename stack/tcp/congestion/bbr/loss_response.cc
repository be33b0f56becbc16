// Losses, marks, and losses that were none: draft-ietf-ccwg-bbr-06 sections 5.5.10 and 5.5.11.
#include <algorithm>
#include <utility>

#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::tcp {

using namespace bbr;

namespace {

// InflightAtLoss(): how much was in flight at the octet with which losses crossed BBR.LossThresh.
// It is within the range that is lost, which may be a super-packet of many segments.
std::uint64_t inflight_at_loss(std::uint64_t size, std::uint64_t tx_in_flight,
                               std::uint64_t lost) noexcept {
  const std::uint64_t inflight_prev = subtract(tx_in_flight, size);
  const std::uint64_t lost_prev = subtract(lost, size);
  const std::uint64_t budget = subtract(kLossThresh * inflight_prev, lost_prev);
  const std::uint64_t lost_prefix = budget * 100 / (100 - kLossThresh.value);
  return add(inflight_prev, lost_prefix);
}

// Whether so much was lost that the mean is above `tolerated`. Of segments that are lost by chance,
// about the square root of their number more or less is usual.
bool exceeds_by_more_than_chance(std::uint64_t lost, std::uint64_t tolerated,
                                 std::uint64_t smss) noexcept {
  if (lost <= tolerated) return false;
  const std::uint64_t excess = (lost - tolerated) / std::max<std::uint64_t>(1, smss);
  return multiply(excess, excess) >= tolerated / std::max<std::uint64_t>(1, smss);
}

}  // namespace

// --- Losses of any kind --------------------------------------------------------------------------

void Bbr::on_loss(const LossEvent& event) {
  now_ = event.now;
  if (event.calls_for_response) save_state_upon_loss();
  note_loss(event.delivered_octets);
  if (event.cause == LossEvent::Cause::EcnMark) {
    is_mark_news_ = true;
    return;
  }
  note_lost_range(event);
  if (event.calls_for_response) is_in_recovery_ = true;
  handle_lost_packet(event);
}

// OnEnterRTO(): one segment may leave. What is lost is not known one by one then.
void Bbr::on_retransmission_timeout(const LossEvent& event) {
  now_ = event.now;
  save_state_upon_loss();
  note_loss(event.delivered_octets);
  is_in_recovery_ = true;
  c_.cwnd = c_.smss;
}

// NoteLoss(). The state is not saved here but by the caller, once a recovery: of a round trip in
// the middle of one it would be what the recovery itself has reduced.
void Bbr::note_loss(std::uint64_t delivered) noexcept {
  if (!bbr_.is_loss_in_round) bbr_.loss_round_delivered = delivered;
  bbr_.is_loss_in_round = true;
}

// Counts ranges with something delivered between them: pieces of one hole are one.
void Bbr::note_lost_range(const LossEvent& event) noexcept {
  if (lost_until_ != event.begin) ++lost_ranges_in_round_;
  lost_until_ = event.end;
}

// --- In a probe for bandwidth (section 5.5.10.2) -------------------------------------------------

// IsInflightTooHigh().
// DEVIATES: BBR-LOSS. The draft compares with BBR.LossThresh alone; here losses have to exceed it
// by more than chance explains, or every probe of a lossy path is too high: see README.md. Linux's
// BBRv3 does as the draft, BBRv1 has no such limit.
bool Bbr::is_inflight_too_high(std::uint64_t lost, std::uint64_t tx_in_flight) const noexcept {
  if (!c_.has_selective_acks) return lost > 0;  // one loss a round trip is all that it can see
  return exceeds_by_more_than_chance(lost, kLossThresh * flight_of_losses(tx_in_flight), c_.smss);
}

// What was lost until now was sent up to two round trips ago. If little is in flight by now, less
// than half, because a window or the application held the rest back, the losses of all that was are
// among that little: they are a part of the larger flight.
//
// DEVIATES: BBR-LOSS. The draft takes what was in flight when the octets of the sample left.
std::uint64_t Bbr::flight_of_losses(std::uint64_t tx_in_flight) const noexcept {
  const std::uint64_t recently = recent_inflight_.max();
  return tx_in_flight < recently / 2 ? recently : tx_in_flight;
}

// HandleLostPacket(), but for NoteLoss()
void Bbr::handle_lost_packet(const LossEvent& event) noexcept {
  if (!bbr_.is_bw_probe_sample || !event.sent) return;
  const std::uint64_t lost = subtract(event.total_lost_octets, event.sent->lost_octets);
  const std::uint64_t tx_in_flight = event.sent->in_flight_octets;
  if (!is_inflight_too_high(lost, tx_in_flight)) return;
  handle_inflight_too_high(inflight_at_loss(event.lost_octets, tx_in_flight, lost),
                           event.sent->is_app_limited);
}

// HandleInflightTooHigh()
void Bbr::handle_inflight_too_high(std::uint64_t tx_in_flight, bool is_app_limited) noexcept {
  bbr_.prev_probe_too_high = true;
  bbr_.is_bw_probe_sample = false;  // once a probe
  if (!is_app_limited) bbr_.inflight_longterm = std::max(tx_in_flight, kBeta * target_inflight());
  if (bbr_.state != State::ProbeBwUp) return;
  bbr_.undo_state = State::ProbeBwUp;
  start_probe_bw_down();
}

// --- Marks (section 3.7) -------------------------------------------------------------------------

// The draft has no response of its own to ECN, but wants marks to be congestion. So what was marked
// counts as lost: on_loss() has noted the round, and here it goes into the loss rate of a probe. A
// mark that says nothing about how much was marked is like a loss without SACK.
void Bbr::note_marks(const AckEvent& event) noexcept {
  marked_in_round_ += event.ce_marked_octets;
  if (std::exchange(is_mark_news_, false) && event.ce_marked_octets == 0) {
    has_uncounted_mark_ = true;
  }
  if (!bbr_.is_bw_probe_sample) return;
  if (has_uncounted_mark_ || is_inflight_too_high(marked_in_round_, rs_.tx_in_flight)) {
    handle_inflight_too_high(rs_.tx_in_flight, rs_.is_app_limited);
  }
}

// --- Outside of probes (section 5.5.10.3) --------------------------------------------------------

void Bbr::update_latest_delivery_signals() noexcept {
  bbr_.loss_round_start = false;
  bbr_.bw_latest = std::max(bbr_.bw_latest, rs_.delivery_rate);
  bbr_.inflight_latest = std::max(bbr_.inflight_latest, rs_.delivered);
  if (rs_.prior_delivered < bbr_.loss_round_delivered) return;
  bbr_.loss_round_delivered = c_.delivered;
  bbr_.loss_round_start = true;
}

void Bbr::advance_latest_delivery_signals() noexcept {
  if (!bbr_.loss_round_start) return;
  bbr_.bw_latest = rs_.delivery_rate;
  bbr_.inflight_latest = rs_.delivered;
}

void Bbr::reset_congestion_signals() noexcept {
  bbr_.is_loss_in_round = false;
  bbr_.bw_latest = 0;
  bbr_.inflight_latest = 0;
}

// UpdateCongestionSignals()
void Bbr::update_congestion_signals() noexcept {
  update_max_bw();
  if (!bbr_.loss_round_start) return;
  adapt_lower_bounds_from_congestion();
  bbr_.is_loss_in_round = false;
}

bool Bbr::is_round_congested() const noexcept {
  if (marked_in_round_ > 0 || has_uncounted_mark_) return true;
  return is_inflight_too_high(rs_.lost, rs_.tx_in_flight);
}

// AdaptLowerBoundsFromCongestion(), with InitLowerBounds() and LossLowerBounds().
// DEVIATES: BBR-LOSS. The draft lowers the bounds after a round with any loss; here the loss rate
// has to be above BBR.LossThresh, as in a probe: see README.md.
void Bbr::adapt_lower_bounds_from_congestion() noexcept {
  if (is_probing_bw() || !bbr_.is_loss_in_round) return;
  if (!is_round_congested()) return;
  if (bbr_.bw_shortterm == kInfinity) bbr_.bw_shortterm = bbr_.max_bw;
  // After a timeout the window is one segment, and says nothing about the path; the one before
  // does.
  if (bbr_.inflight_shortterm == kInfinity) {
    bbr_.inflight_shortterm = is_in_recovery_ ? std::max(c_.cwnd, bbr_.prior_cwnd) : c_.cwnd;
  }
  bbr_.bw_shortterm = std::max(bbr_.bw_latest, kBeta * bbr_.bw_shortterm);
  bbr_.inflight_shortterm = std::max(bbr_.inflight_latest, kBeta * bbr_.inflight_shortterm);
}

void Bbr::reset_short_term_model() noexcept {
  bbr_.bw_shortterm = kInfinity;
  bbr_.inflight_shortterm = kInfinity;
}

// --- Losses that were none (section 5.5.11) ------------------------------------------------------

// SaveStateUponLoss()
void Bbr::save_state_upon_loss() noexcept {
  save_cwnd();
  bbr_.undo_state.reset();
  bbr_.undo_bw_shortterm = bbr_.bw_shortterm;
  bbr_.undo_inflight_shortterm = bbr_.inflight_shortterm;
  bbr_.undo_inflight_longterm = bbr_.inflight_longterm;
}

// HandleSpuriousLossDetection()
void Bbr::on_spurious_recovery(Instant now) {
  now_ = now;
  restore_cwnd();
  bbr_.is_loss_in_round = false;
  reset_full_bw();
  bbr_.bw_shortterm = std::max(bbr_.bw_shortterm, bbr_.undo_bw_shortterm);
  bbr_.inflight_shortterm = std::max(bbr_.inflight_shortterm, bbr_.undo_inflight_shortterm);
  bbr_.inflight_longterm = std::max(bbr_.inflight_longterm, bbr_.undo_inflight_longterm);
  if (bbr_.undo_state == State::Startup && bbr_.state != State::Startup) {
    bbr_.full_bw_reached = false;
    if (bbr_.state != State::ProbeRtt) enter_startup();
  } else if (bbr_.undo_state == State::ProbeBwUp && bbr_.state != State::ProbeBwUp) {
    if (bbr_.state != State::ProbeRtt) start_probe_bw_refill();
  }
  bbr_.undo_state.reset();
}

}  // namespace runnel::tcp
