// The application's calls: RFC 9293 sections 3.10.1 (OPEN) to 3.10.5 (ABORT).
#include <algorithm>

#include "stack/buffer/buffer_access.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"

namespace runnel::tcp {

// --- OPEN ----------------------------------------------------------------------------------------

void Connection::open_active(SeqNum iss, Instant now, std::uint32_t timestamp_offset) {
  is_active_open_ = true;
  snd_.iss = snd_.una = iss;
  snd_.nxt = iss + 1;
  timestamps_ = Timestamps(timestamp_offset);
  recovery_.begin(iss);
  recovery_.allow_undo(config_->undo_spurious_recovery);
  is_handshake_pending_ = true;
  last_heard_ = last_moved_ = now;
  ++environment_.counters.tcp_active_opens;
  set_state(State::SynSent, now);
  restart_user_timeout(now);
}

// The passive OPEN was the listener's; its record of the handshake becomes a connection here.
void Connection::open_passive(const PassiveOpen& open, Instant now) {
  snd_.iss = snd_.una = open.iss;
  snd_.nxt = open.iss + 1;
  snd_.wnd = snd_.max_wnd = open.peer_window;
  snd_.wl1 = open.irs;
  snd_.wl2 = open.iss;
  rcv_.irs = open.irs;
  rcv_.nxt = open.irs + 1;
  rcv_.edge = open.rcv_edge;
  if (open.peer_scale) {
    snd_.scale = clamped_scale(*open.peer_scale);
    rcv_.scale = offered_window_scale(*config_);
  }
  is_sack_permitted_ = open.is_sack_permitted;
  timestamps_ = open.timestamps;
  ecn_.begin_passive(open.ecn, open.syn_ack_retransmissions);
  peer_mss_ = open.peer_mss_octets;
  start_path_mtu_discovery(now);
  begin_congestion_control(open.syn_ack_retransmissions, now);
  recovery_.begin(open.iss);
  recovery_.allow_undo(config_->undo_spurious_recovery);
  if (open.syn_ack_sent_at) {
    syn_sent_at_ = open.syn_ack_sent_at;
  } else if (open.syn_ack_retransmissions > 0) {
    is_syn_ack_repeated_ = true;
    rtt_.handshake_was_retransmitted();
  }
  environment_.window_share.count(counted_round_, now);
  last_heard_ = last_moved_ = now;
  state_ = State::SynReceived;  // the record's moves, CLOSED to here, were traced with it
}

// --- SEND ----------------------------------------------------------------------------------------

std::error_code Connection::write_refusal() const noexcept {
  if (error_) return error_;
  if (is_fin_queued_ || is_given_up_) return Errc::broken_pipe;
  if (state_ == State::Closed || state_ == State::TimeWait) return Errc::not_connected;
  return {};
}

Result<std::size_t> Connection::write(Bytes data, Instant now) {
  if (const auto refusal = write_refusal()) return refusal;
  const std::size_t memory = environment_.pool.budget().send_room_octets();
  const std::size_t wanted = std::min({data.size(), writable_octets(), memory});
  const bool was_idle = send_queue_.empty();
  if (wanted > 0) note_app_limited();
  return written(send_queue_.append(data.first(wanted), environment_.pool), data.size(), was_idle,
                 now);
}

// Octets that are in blocks of this stack already cost its budget nothing more, so the memory that
// writers may take does not limit them: an echo goes on when the budget is spent on what is to be
// echoed.
Result<std::size_t> Connection::write(Buffer& data, Instant now) {
  if (const auto refusal = write_refusal()) return refusal;
  const std::size_t room = writable_octets();
  const std::size_t given = data.size();
  const bool was_idle = send_queue_.empty();
  if (room > 0 && given > 0) note_app_limited();
  const buffer::SendQueue::Allowance allowance{2 * send_buffer_.octets(),
                                               environment_.pool.budget().send_room_octets()};
  const std::size_t taken = send_queue_.append(data, room, allowance, environment_.pool);
  data.remove_prefix(taken);
  return written(taken, given, was_idle, now);
}

Result<std::size_t> Connection::written(std::size_t taken, std::size_t given, bool was_idle,
                                        Instant now) {
  if (taken < given) wants_to_write_ = true;
  if (taken > 0) {
    payload_moved(now);
    if (was_idle) restart_user_timeout(now);
    return taken;
  }
  if (given == 0) return std::size_t{0};
  return writable_octets() == 0 ? Errc::would_block : Errc::no_buffer_space;
}

// A writer is woken when an eighth of the first size is free: not for every ACK, and yet before the
// peer's window has waited for data for long, where that is as large as the buffer.
void Connection::make_room_for_writer() {
  send_buffer_.follow(congestion_->cwnd_octets(), congestion_->governs_recovery());
  const std::size_t enough = std::max<std::size_t>(1, config_->send_buffer_octets / 8);
  if (!wants_to_write_ || writable_octets() < enough) return;
  wants_to_write_ = false;
  report_once(EventKind::Writable);
}

// --- RECEIVE -------------------------------------------------------------------------------------

Result<Bytes> Connection::peek() const {
  if (!receive_queue_.empty()) {
    const Bytes front = receive_queue_.front();
    return front.first(std::min(front.size(), octets_before_gap()));
  }
  if (is_given_up_) return Errc::broken_pipe;
  if (error_) return error_;  // before the end: what was flushed must not look like a whole stream
  if (is_fin_received_) return Bytes{};
  if (state_ == State::Closed) return Errc::not_connected;
  return Errc::would_block;
}

Result<std::size_t> Connection::read(MutableBytes out, Instant now) {
  if (const auto view = peek(); !view) return view.error();
  std::size_t octets = receive_queue_.read(out.first(std::min(out.size(), octets_before_gap())));
  if (skip_urgent_octet()) {  // it is left out between two parts
    out = out.subspan(octets);
    octets += receive_queue_.read(out.first(std::min(out.size(), octets_before_gap())));
  }
  if (octets > 0) application_has_read(octets, now);
  return octets;
}

Result<Buffer> Connection::share(std::size_t most) const {
  const auto view = peek();
  if (!view) return view.error();
  if (view->empty()) return Buffer();
  if (most == 0) return Errc::would_block;
  return buffer::BufferAccess::make(receive_queue_.front_slice(std::min(most, view->size())));
}

Result<Buffer> Connection::take(std::size_t most, Instant now) {
  const auto view = peek();
  if (!view) return view.error();
  if (view->empty()) return Buffer();
  if (most == 0) return Errc::would_block;
  buffer::Slice slice = receive_queue_.take_front(std::min(most, view->size()));
  skip_urgent_octet();
  application_has_read(slice.length, now);
  return buffer::BufferAccess::make(std::move(slice));
}

Result<void> Connection::consume(std::size_t octets, Instant now) {
  if (octets > readable_octets()) return Errc::invalid_argument;
  const std::size_t before_gap = std::min(octets, octets_before_gap());
  receive_queue_.consume(before_gap);
  skip_urgent_octet();
  receive_queue_.consume(octets - before_gap);
  if (octets > 0) application_has_read(octets, now);
  return {};
}

// --- CLOSE ---------------------------------------------------------------------------------------

Result<void> Connection::shutdown_write(Instant now) {
  if (error_) return error_;
  if (is_fin_queued_) return Errc::broken_pipe;
  switch (state_) {
    case State::SynSent:  // FIN follows the data that is queued, once the SYN is acknowledged
      break;
    case State::SynReceived:  // with data to send first, the close waits for ESTABLISHED
      if (send_queue_.empty()) set_state(State::FinWait1, now);
      break;
    case State::Established:
      set_state(State::FinWait1, now);
      break;
    case State::CloseWait:
      set_state(State::LastAck, now);
      break;
    case State::Closed:
    case State::Listen:
    case State::FinWait1:
    case State::FinWait2:
    case State::Closing:
    case State::LastAck:
    case State::TimeWait:
      return Errc::not_connected;
  }
  is_fin_queued_ = true;
  restart_user_timeout(now);
  return {};
}

void Connection::close(Instant now) {
  if (is_given_up_) return;
  if (state_ == State::SynSent) {
    is_given_up_ = true;
    ++environment_.counters.tcp_attempt_fails;
    enter_closed({}, now);
    return;
  }
  // Octets that nobody will read are lost, and the peer is to know (RFC 9293 section 3.6.1, and
  // RFC 2525 section 2.17).
  const bool gives_up_at_once = linger_ && *linger_ <= Duration{0};
  if ((!receive_queue_.empty() || gives_up_at_once) && state_ != State::Closed &&
      state_ != State::TimeWait) {
    abort(now);
    return;
  }
  is_given_up_ = true;
  receive_queue_.clear();
  if (!is_fin_queued_ && state_ != State::Closed && state_ != State::TimeWait) {
    (void)shutdown_write(now);
  }
  if (linger_ && *linger_ != kForever && state_ != State::Closed && state_ != State::TimeWait) {
    timers_.set(TimerKind::Linger, now + *linger_);
  }
  if (state_ == State::FinWait2) limit_fin_wait_2(now);
}

// Nobody is there to wait for the peer's FIN.
void Connection::limit_fin_wait_2(Instant now) noexcept {
  if (config_->fin_wait_2 != kForever) {
    timers_.set(TimerKind::FinWait2, now + config_->fin_wait_2);
  }
}

// --- ABORT ---------------------------------------------------------------------------------------

void Connection::abort(Instant now) {
  is_given_up_ = true;
  switch (state_) {
    case State::SynReceived:
    case State::Established:
    case State::FinWait1:
    case State::FinWait2:
    case State::CloseWait:
      send_reset(snd_.nxt, now);
      break;
    case State::Closed:
    case State::Listen:
    case State::SynSent:
    case State::Closing:
    case State::LastAck:
    case State::TimeWait:
      break;
  }
  receive_queue_.clear();
  if (state_ != State::TimeWait) enter_closed({}, now);
}

void Connection::shed(Instant now) {
  ++environment_.counters.tcp_persist_aborts;
  send_reset(snd_.nxt, now);
  receive_queue_.clear();
  enter_closed(Errc::no_buffer_space, now);
}

// --- Options -------------------------------------------------------------------------------------

void Connection::set_user_timeout(Duration timeout, Instant now) noexcept {
  user_timeout_.set(timeout);
  timers_.cancel(TimerKind::UserTimeout);
  restart_user_timeout(now);
}

void Connection::set_inactivity_timeout(Duration inactivity, Instant now) noexcept {
  inactivity_ = inactivity;
  payload_moved(now);
  if (inactivity > Duration{0} && state_ != State::Closed && state_ != State::TimeWait) {
    timers_.set(TimerKind::Inactivity, now + inactivity);
  } else {
    timers_.cancel(TimerKind::Inactivity);
  }
}

}  // namespace runnel::tcp
