// A timer expires: RFC 9293 section 3.10.8, RFC 6298 section 5, and the timers of section 3.8.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::timeouts(Instant now) {
  const auto take = [&](TimerKind kind) {
    if (!timers_.is_due(kind, now)) return false;
    timers_.cancel(kind);
    return true;
  };
  note_app_limited();
  (void)take(TimerKind::Pacing);  // poll_transmit() goes on
  if (take(TimerKind::UserTimeout)) user_timeout(now);
  if (take(TimerKind::Reordering)) reordering_timeout(now);
  if (take(TimerKind::TailLossProbe)) probe_tail_now_ = true;
  if (take(TimerKind::Retransmission)) retransmission_timeout(now);
  (void)take(TimerKind::EcnPause);  // poll_transmit() goes on
  if (take(TimerKind::Persist)) persist_timeout(now);
  if (take(TimerKind::DelayedAck)) acknowledge_now();
  if (take(TimerKind::Keepalive)) keepalive_timeout(now);
  if (take(TimerKind::Linger)) linger_timeout(now);
  if (take(TimerKind::FinWait2)) enter_closed({}, now);  // the peer had its time to end too
  if (take(TimerKind::Inactivity)) inactivity_timeout(now);
}

// --- User timeout --------------------------------------------------------------------------------

// Octets have been unacknowledged for as long as the application allows.
void Connection::user_timeout(Instant now) {
  send_reset(snd_.nxt, now);
  enter_closed(soft_error_ ? soft_error_ : make_error_code(Errc::timed_out), now);
}

void Connection::restart_user_timeout(Instant now) noexcept {
  const Duration timeout = user_timeout_in_force();
  if (timeout <= Duration{0} || timeout == kForever || timers_.is_set(TimerKind::UserTimeout)) {
    return;
  }
  if (snd_.una == snd_.nxt && unsent() == 0) return;
  timers_.set(TimerKind::UserTimeout, now + timeout);
}

// RFC 5482 section 3.1: the peer may move the timeout while the application has not set one.
void Connection::user_timeout_option_arrives(const wire::TcpUserTimeout& option,
                                             Instant now) noexcept {
  const Duration before = user_timeout_in_force();
  if (!user_timeout_.arrives(option) || user_timeout_in_force() == before) return;
  timers_.cancel(TimerKind::UserTimeout);
  restart_user_timeout(now);
}

// --- Linger --------------------------------------------------------------------------------------

// The application has closed, and does not want to wait any longer for what is unacknowledged.
void Connection::linger_timeout(Instant now) {
  if (snd_.una == snd_.nxt && unsent() == 0) return;
  send_reset(snd_.nxt, now);
  enter_closed({}, now);
}

// --- Retransmission ------------------------------------------------------------------------------

void Connection::retransmission_timeout(Instant now) {
  if (snd_.una == snd_.nxt) return;
  const bool is_handshake = !is_syn_acked_;
  if (give_up_if_unanswered(is_handshake ? config_->r2_syn : config_->r2, now)) return;
  if (is_handshake && give_up_fast_open(now)) return;

  ++timeouts_count_;
  ++environment_.counters.tcp_retransmission_timeouts;
  ++retransmissions_;
  if (retransmissions_ == config_->r1_retransmissions) {  // R1: the application hears of it
    report_once(EventKind::SoftError, Errc::timed_out);
  }
  rtt_.back_off();  // (5.5)
  if (is_handshake) {
    is_handshake_pending_ = true;
    fast_open_.syn_timed_out();
    return;
  }
  path_timed_out(now);
  // Another timeout of the same octets is no new sign of congestion (RFC 5681 section 3.1).
  if (retransmissions_ == 1) respond_to_timeout(now);
  const std::uint64_t reneges = recovery_.reneges();
  (void)recovery_.on_timeout(snd_.una, snd_.nxt, now);  // (5.4): the earliest is sent again
  environment_.counters.tcp_sack_reneges += recovery_.reneges() - reneges;
  look_again_ = kNever;
  restart_recovery_timer(now);  // (5.6)
}

// What was merely late has had its time (RFC 8985 section 6.2, step 5).
void Connection::reordering_timeout(Instant now) {
  const RecoveryPhase phase_before = recovery_.phase();
  base::OptionalDuration srtt;
  if (rtt_.has_sample()) srtt = rtt_.smoothed();
  const AckFindings findings = recovery_.on_reordering_timeout(snd_.una, snd_.nxt, srtt, now);
  path_probe_lost(findings, now);
  respond_to(findings, phase_before, {}, now);
  look_again_at(findings.look_again, now);
  arm_recovery_timer();
}

// R2 of RFC 9293 section 3.8.3: gives the connection up when nothing has been heard for `limit`
// since the first retransmission or probe. Returns whether it did.
bool Connection::give_up_if_unanswered(Duration limit, Instant now) {
  // What the application or the peer has chosen takes the place of R2 (MUST-21).
  if (user_timeout_in_force() > Duration{0}) limit = kForever;
  if (unanswered_since_ == kNever) {
    unanswered_since_ = now;
    return false;
  }
  if (now - unanswered_since_ < limit) return false;
  if (!is_syn_acked_) {
    ++environment_.counters.tcp_attempt_fails;
  } else {
    send_reset(snd_.nxt, now);
  }
  enter_closed(soft_error_ ? soft_error_ : make_error_code(Errc::timed_out), now);
  return true;
}

// --- Inactivity ----------------------------------------------------------------------------------

void Connection::inactivity_timeout(Instant now) {
  if (inactivity_ <= Duration{0}) return;
  if (now - last_moved_ >= inactivity_) {
    last_moved_ = now;
    report_once(EventKind::Timeout);
  }
  timers_.set(TimerKind::Inactivity, last_moved_ + inactivity_);
}

}  // namespace runnel::tcp
