// Asking a peer that says nothing: whether its window has opened (RFC 9293 section 3.8.6.1), and
// whether it is still there (section 3.8.4).
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

bool Connection::transmit_probe(TxFrame& frame, Instant now) {
  if (window_probe_.take_due() && unsent() > 0) {
    // One octet of the data that wait, or FIN, though the window has no room for it.
    window_probe_.sent();
    const bool fin = data_una() == data_end();
    (void)emit(frame, snd_.nxt, {.fin = fin, .ack = true}, fin ? 0U : 1U, now);
    ++environment_.counters.tcp_zero_window_probes;
    timers_.set(TimerKind::Persist, now + persist_interval());
    return true;
  }
  if (keepalive_.take_due()) {
    ++environment_.counters.tcp_keepalive_probes;
    const std::uint32_t octets = config_->keepalive_with_octet ? 1 : 0;  // MAY-6
    (void)emit(frame, snd_.nxt - 1, {.ack = true}, octets, now);
    return true;
  }
  return false;
}

// --- The peer's window ---------------------------------------------------------------------------

// Nothing in flight, so no ACK will come by itself, and the window keeps data here: the persist
// timer takes over, or the override of silly-window avoidance.
void Connection::arm_persist_if_blocked(Instant now) {
  if (snd_.una < snd_.nxt) return;
  if (usable_window() == 0) window_probe_.blocked(now);
  if (timers_.is_set(TimerKind::Persist) || window_probe_.is_due()) return;
  const Duration wait = usable_window() > 0 ? config_->sws_override : persist_interval();
  timers_.set(TimerKind::Persist, now + wait);
}

void Connection::persist_timeout(Instant now) {
  if (unsent() == 0) return;
  if (usable_window() > 0) {
    override_sws_ = true;
    return;
  }
  // A peer that answers may keep its window closed for ever (MUST-37); each answer clears
  // unanswered_since_.
  if (give_up_if_unanswered(config_->r2, now)) return;
  window_probe_.timed_out(rtt_.timeout(), config_->rto_maximum);
}

Duration Connection::persist_interval() const noexcept {
  return window_probe_.interval(rtt_.timeout(), config_->rto_maximum);
}

// --- The peer itself -----------------------------------------------------------------------------

void Connection::set_keepalive(bool enabled, Instant now) noexcept {
  keepalive_.enable(enabled);
  if (!enabled) {
    timers_.cancel(TimerKind::Keepalive);
  } else if (is_synchronized(state_) && state_ != State::TimeWait) {
    timers_.set(TimerKind::Keepalive, std::max(now, last_heard_ + keepalive_idle()));
  }
}

void Connection::keepalive_timeout(Instant now) {
  if (!keepalive_.is_enabled() || !is_synchronized(state_)) return;
  const Keepalive::Step step = keepalive_.timed_out(
      {keepalive_idle(), config_->keepalive_interval, config_->keepalive_probes}, last_heard_,
      snd_.una < snd_.nxt, now);
  if (step.decision == Keepalive::Decision::GiveUp) {
    send_reset(snd_.nxt, now);
    enter_closed(Errc::timed_out, now);
    return;
  }
  timers_.set(TimerKind::Keepalive, step.again);
}

// With the user timeout option the first probe comes after a user timeout (RFC 5482 section 4.2):
// the peer was promised that much.
Duration Connection::keepalive_idle() const noexcept {
  const Duration user_timeout = user_timeout_in_force();
  if (!user_timeout_.is_enabled() || user_timeout == kForever) return config_->keepalive_idle;
  return std::max(config_->keepalive_idle, user_timeout + std::chrono::seconds(1));
}

}  // namespace runnel::tcp
