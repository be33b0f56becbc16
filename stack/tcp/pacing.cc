// How fast what the windows permit may leave.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

namespace {

// Of the rate that a window fills a round trip with, in percent, as Linux has them: slow start
// needs twice of it to double, and then a fifth more keeps the window in use.
constexpr std::uint64_t kSlowStartPercent = 200;
constexpr std::uint64_t kAvoidancePercent = 120;

std::uint64_t rate_of(std::uint64_t octets, Duration time) noexcept {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max<Duration::rep>(1, time.count()));
  constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
  if (octets <= UINT64_MAX / kNanosecondsPerSecond) {
    return std::max<std::uint64_t>(1, octets * kNanosecondsPerSecond / nanoseconds);
  }
  return UINT64_MAX / kNanosecondsPerSecond;
}

}  // namespace

// From the first measured round trip on, and not on a path so short that the timers would cost more
// than bursts do.
bool Connection::is_pacing_worth_it() const noexcept {
  return config_->pacing && rtt_.has_sample() && rtt_.smoothed() >= config_->pacing_minimum_rtt;
}

// A controller that has a rate of its own is paced by it. The others are paced by their window, but
// not while it is one that any connection may begin with: spread, its last segment, and with it the
// news of what was lost, would only come later.
void Connection::update_pacing_rate() noexcept {
  if (!is_pacing_worth_it()) {
    pacer_.set_rate(0, smss_);
    return;
  }
  if (const auto rate = congestion_->pacing_rate()) {
    pacer_.set_rate(*rate, smss_);
    return;
  }
  const std::uint64_t cwnd = std::max<std::uint64_t>(congestion_->cwnd_octets(), in_flight());
  if (cwnd <= start_window_.initial_octets(smss_)) {
    pacer_.set_rate(0, smss_);
    return;
  }
  const bool is_slow_start = congestion_->cwnd_octets() < congestion_->ssthresh_octets() / 2;
  const std::uint64_t percent = is_slow_start ? kSlowStartPercent : kAvoidancePercent;
  pacer_.set_rate(rate_of(cwnd / 100 * percent + cwnd % 100 * percent / 100, rtt_.smoothed()),
                  smss_);
}

// Whether the next octets have to wait, although the windows permit them; the timer is set then.
// The first window needs no pacing: it is as small as that because nothing is known (RFC 6928).
bool Connection::is_held_by_pacer(Instant now) noexcept {
  if (!pacer_.holds(now)) return false;
  if (offset_of(snd_.nxt) < start_window_.initial_octets(smss_)) return false;
  timers_.set(TimerKind::Pacing, pacer_.release_at());
  pacer_.set_waiting(true);
  // While a window is growing faster than it is filled, it is what limits the sender all the same.
  const std::uint64_t cwnd = congestion_->cwnd_octets();
  const bool is_slow_start = cwnd < congestion_->ssthresh_octets();
  if (!congestion_->pacing_rate() && is_slow_start && in_flight() >= cwnd / 2) {
    is_cwnd_limited_ = true;
  }
  return true;
}

// Nothing is in the send queue that could leave, although there is room for it: samples of the
// delivery rate say less than the path can do (draft-ietf-ccwg-bbr-06 section 4.1.2). What the
// peer's window holds back says as little about the path: a hole that takes two round trips to
// repair fills the window, and the pause would pass for a path that has become slow. Linux looks at
// the send queue alone.
void Connection::note_app_limited() noexcept {
  if (!is_syn_acked_ || recovery_.lost_octets() > 0) return;
  const bool has_none_to_send = std::min(unsent(), usable_window()) < smss_;
  if (has_none_to_send && (in_flight() == 0 || cwnd_room() > 0)) {
    recovery_.on_app_limited(snd_.una, snd_.nxt);
  }
}

}  // namespace runnel::tcp
