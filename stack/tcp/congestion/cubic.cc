#include "stack/tcp/congestion/cubic.h"

#include <algorithm>

#include "stack/base/mul_div.h"

namespace runnel::tcp {

using base::mul_div;

namespace {

constexpr std::uint64_t kMaximumWindow = CubicCurve::kMaximumWindow;

// beta, RFC 9438 section 4.6, and what fast convergence leaves of W_max: (1 + beta) / 2.
constexpr std::uint64_t kBetaNumerator = 7;
constexpr std::uint64_t kBetaDenominator = 10;
constexpr std::uint64_t kConvergenceNumerator = kBetaDenominator + kBetaNumerator;
constexpr std::uint64_t kConvergenceDenominator = 2 * kBetaDenominator;
// alpha, section 4.3: 3 (1 - beta) / (1 + beta) = 9/17 segments for a window of ACKs.
constexpr std::uint64_t kAlphaNumerator = 3 * (kBetaDenominator - kBetaNumerator);
constexpr std::uint64_t kAlphaDenominator = kBetaDenominator + kBetaNumerator;

constexpr std::uint64_t kFewestSegments = 2;

Duration between_zero_and_longest(Duration time) noexcept {
  return std::clamp(time, Duration{0}, CubicCurve::kLongestTime);
}

}  // namespace

// mul_div() is exact, and its result at most amount * 2^16 < 2^63.
void GrowingOctets::grow(std::uint64_t amount, std::uint64_t part, std::uint64_t whole) noexcept {
  constexpr unsigned kDigits = 16;
  const std::uint64_t sum = mul_div(amount << kDigits, part, whole) + fraction;
  octets += sum >> kDigits;
  fraction = static_cast<std::uint32_t>(sum & ((1U << kDigits) - 1));
}

Cubic::Cubic(std::uint32_t smss_octets, std::uint64_t initial_window_octets,
             bool uses_hystart) noexcept
    : smss_(std::max(smss_octets, 1U)),
      state_{.cwnd = {}, .stage = {}, .slow_start = SlowStart(uses_hystart)},
      undo_(state_) {
  set_cwnd(initial_window_octets);
}

// --- Growth --------------------------------------------------------------------------------------

void Cubic::on_ack(const AckEvent& event) {
  if (event.in_recovery || event.ce_marked_octets > 0) return;  // RFC 3168 section 6.1.2
  std::uint64_t acked = event.newly_acked_octets;
  if (state_.cwnd.octets < state_.ssthresh) {
    acked = start_slowly(event);
    if (state_.cwnd.octets < state_.ssthresh) return;
  }
  if (event.app_limited) {
    pause(event.now);
  } else {
    avoid_congestion(event, acked);
  }
}

std::uint64_t Cubic::start_slowly(const AckEvent& event) noexcept {
  const std::uint64_t cwnd = state_.cwnd.octets;
  const SlowStart::Step step = state_.slow_start.on_ack(event, smss_, state_.ssthresh - cwnd);
  set_cwnd(cwnd + std::min(step.growth_octets, kMaximumWindow));
  if (step.ends_here) state_.ssthresh = state_.cwnd.octets;
  return step.unused_octets;
}

void Cubic::avoid_congestion(const AckEvent& event, std::uint64_t acked_octets) noexcept {
  if (!state_.stage) begin_stage(event.now);
  Stage& stage = *state_.stage;
  stage.t =
      between_zero_and_longest(stage.t + between_zero_and_longest(event.now - stage.t_counts_from));
  stage.t_counts_from = std::max(event.now, stage.t_counts_from);

  GrowingOctets& cwnd = state_.cwnd;
  const std::uint64_t acked = std::min(acked_octets, cwnd.octets);
  // Section 4.3. Once it is back where it was, Reno would grow by whole segments.
  if (stage.w_est.octets < state_.cwnd_prior) {
    stage.w_est.grow(kAlphaNumerator * smss_, acked, kAlphaDenominator * cwnd.octets);
  } else {
    stage.w_est.grow(smss_, acked, cwnd.octets);
  }
  stage.w_est.octets = std::min(stage.w_est.octets, kMaximumWindow);

  if (stage.curve.at(stage.t) < stage.w_est.octets) {
    if (cwnd.octets < stage.w_est.octets) cwnd = stage.w_est;
    return;
  }
  const Duration rtt = between_zero_and_longest(event.smoothed_rtt.value_or(Duration{0}));
  const std::uint64_t most = std::min(cwnd.octets + cwnd.octets / 2, kMaximumWindow);
  const std::uint64_t target = std::clamp(stage.curve.at(stage.t + rtt), cwnd.octets, most);
  cwnd.grow(target - cwnd.octets, acked, cwnd.octets);
}

// After a timeout, and after a slow start that HyStart++ or an earlier connection's threshold has
// ended, no W_max is known: then it is here (sections 4.8 and 4.10).
void Cubic::begin_stage(Instant now) noexcept {
  const std::uint64_t cwnd = state_.cwnd.octets;
  if (state_.w_max == 0) state_.w_max = cwnd;
  if (state_.cwnd_prior == 0) state_.cwnd_prior = cwnd;
  state_.stage = Stage{CubicCurve(cwnd, state_.w_max, smss_), {cwnd, 0}, Duration{0}, now};
}

// --- Time that does not count --------------------------------------------------------------------

// The window is not what limits the sender: it does not grow, and the curve waits for it (section
// 4.2). Else it would have got far ahead, and the window would jump.
void Cubic::pause(Instant now) noexcept {
  if (state_.stage) state_.stage->t_counts_from = std::max(now, state_.stage->t_counts_from);
}

// Before this there was nothing in flight.
void Cubic::on_transmit(const TransmitEvent& event) {
  if (event.in_flight_before_octets == 0) pause(event.now);
}

// --- Congestion ----------------------------------------------------------------------------------

void Cubic::on_loss(const LossEvent& event) {
  if (!event.calls_for_response) return;
  undo_ = state_;
  const std::uint64_t cwnd = state_.cwnd.octets;
  const bool gives_way = cwnd < state_.w_max;  // fast convergence, section 4.7
  state_.w_max = gives_way ? cwnd * kConvergenceNumerator / kConvergenceDenominator : cwnd;
  // What a mark asks for may be less than two segments, or there would be no answer to marks at
  // that window (section 4.6).
  const bool is_mark = event.cause == LossEvent::Cause::EcnMark;
  const std::uint64_t floor = (is_mark ? 1 : kFewestSegments) * smss_;
  const std::uint64_t reduced = reduce_threshold(event.in_flight_before_octets);
  set_cwnd(std::max(floor, std::min(reduced, cwnd)));
}

void Cubic::on_retransmission_timeout(const LossEvent& event) {
  undo_ = state_;
  (void)reduce_threshold(event.in_flight_before_octets);
  state_.w_max = 0;  // section 4.8: what is remembered may be of another path
  set_cwnd(smss_);   // the loss window of RFC 5681
}

std::uint64_t Cubic::reduce_threshold(std::uint64_t flight_octets) noexcept {
  state_.slow_start.on_congestion();
  state_.stage.reset();
  state_.cwnd_prior = state_.cwnd.octets;
  const std::uint64_t reduced =
      std::min(mul_div(flight_octets, kBetaNumerator, kBetaDenominator), kMaximumWindow);
  state_.ssthresh = std::max(reduced, kFewestSegments * smss_);
  return reduced;
}

// Section 4.9. What was gained meanwhile is not taken away.
void Cubic::on_spurious_recovery(Instant) {
  if (state_.cwnd.octets < undo_.cwnd.octets) state_ = undo_;
}

// --- The window is changed from outside ----------------------------------------------------------

void Cubic::begin_with_ssthresh(std::uint64_t octets) {
  state_.ssthresh = std::max(octets, kFewestSegments * smss_);
}

void Cubic::on_idle_restart(Instant, std::uint64_t restart_window_octets) {
  if (state_.cwnd.octets <= restart_window_octets) return;
  set_cwnd(restart_window_octets);
  state_.stage.reset();
}

void Cubic::set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) {
  if (ssthresh_octets != state_.ssthresh) state_.slow_start.on_congestion();
  state_.ssthresh = ssthresh_octets;
  set_cwnd(cwnd_octets);
  state_.stage.reset();
}

// The curve counts in segments: a new one begins where the old one is.
void Cubic::on_smss_change(std::uint32_t smss_octets, bool scales_window) {
  const std::uint64_t before = smss_;
  smss_ = std::max(smss_octets, 1U);
  for (State* state : {&state_, &undo_}) {
    state->stage.reset();
    if (!scales_window) continue;
    for (std::uint64_t* octets : {&state->cwnd.octets, &state->w_max, &state->cwnd_prior}) {
      *octets = std::min(mul_div(*octets, smss_, before), kMaximumWindow);
    }
  }
}

void Cubic::set_cwnd(std::uint64_t octets) noexcept {
  state_.cwnd = {std::clamp(octets, std::uint64_t{1}, kMaximumWindow), 0};
}

// --- What the RFC's variables are ----------------------------------------------------------------

Duration Cubic::k() const noexcept {
  return state_.stage ? state_.stage->curve.k() : Duration{0};
}
Duration Cubic::t() const noexcept {
  return state_.stage ? state_.stage->t : Duration{0};
}
std::uint64_t Cubic::w_est_octets() const noexcept {
  return state_.stage ? state_.stage->w_est.octets : 0;
}

}  // namespace runnel::tcp
