// When to look after what is in flight: RFC 6298 section 5, RFC 8985 sections 6.2, 7.2 and 8.
//
// Three timers watch over it, and only the next to come is armed; the persist timer takes over when
// nothing is in flight. So there is one at a time, as RFC 8985 section 8 asks. A look at what is
// late comes first also where the retransmission timer would run out before it: that timer knows
// nothing of reordering, and would take the window for what is on its way.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::restart_recovery_timer(Instant now) noexcept {
  rto_started_at_ = now;
  arm_recovery_timer();
}

// When something that is late will be lost; kNever when nothing is late.
void Connection::look_again_at(Instant when, Instant now) noexcept {
  const bool is_decided = look_again_ != kNever && when == kNever;
  look_again_ = when;
  // A retransmission timeout that had to wait for this gives what follows from it its time.
  if (is_decided && rto_started_at_ + rtt_.timeout() <= now) rto_started_at_ = now;
}

void Connection::arm_recovery_timer() noexcept {
  timers_.cancel(TimerKind::Retransmission);
  timers_.cancel(TimerKind::TailLossProbe);
  timers_.cancel(TimerKind::Reordering);
  if (snd_.una == snd_.nxt) return;  // RFC 6298 (5.2)
  timers_.cancel(TimerKind::Persist);

  if (look_again_ != kNever) {
    timers_.set(TimerKind::Reordering, look_again_);
    return;
  }
  const Instant timeout = rto_started_at_ + rtt_.timeout();
  if (is_syn_acked_ && recovery_.wants_tail_loss_probe()) {
    base::OptionalDuration srtt;
    if (rtt_.has_sample()) srtt = rtt_.smoothed();
    const Instant probe = probe_base_ + recovery_.tail_loss_timeout(srtt);
    timers_.set(TimerKind::TailLossProbe, std::min(probe, timeout));
    return;
  }
  timers_.set(TimerKind::Retransmission, timeout);
}

RecoveryTimer Connection::recovery_timer() const noexcept {
  if (timers_.is_set(TimerKind::Retransmission)) return RecoveryTimer::Retransmission;
  if (timers_.is_set(TimerKind::TailLossProbe)) return RecoveryTimer::TailLossProbe;
  if (timers_.is_set(TimerKind::Reordering)) return RecoveryTimer::Reordering;
  if (timers_.is_set(TimerKind::Persist)) return RecoveryTimer::Persist;
  return RecoveryTimer::None;
}

bool Connection::is_recovery_timer_set() const noexcept {
  const RecoveryTimer armed = recovery_timer();
  return armed != RecoveryTimer::None && armed != RecoveryTimer::Persist;
}

}  // namespace runnel::tcp
