// The three-way handshake of a connection: SYN-SENT of RFC 9293 section 3.10.7.3, and what SYNs
// carry.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/reset.h"

namespace runnel::tcp {

void Connection::segment_arrives_syn_sent(Segment& seg, Instant now) {
  // First, check the ACK bit.
  const bool is_ack_acceptable = seg.flags.ack && snd_.iss < seg.ack && seg.ack <= snd_.nxt;
  if (seg.flags.ack && !is_ack_acceptable) {
    drop(DropReason::TcpUnacceptableAck);
    if (const auto reset = reset_answering(tuple_, seg)) environment_.segments.send(tuple_, *reset);
    return;
  }
  // Second, check the RST bit. One without an ACK could be anybody's guess.
  if (seg.flags.rst) {
    if (!is_ack_acceptable) {
      drop(DropReason::TcpResetOutOfWindow);
      return;
    }
    ++environment_.counters.tcp_attempt_fails;
    enter_closed(Errc::connection_refused, now);
    return;
  }
  // Third: security and compartment are not implemented (RFC 9293 appendix A.1).
  // Fourth, check the SYN bit. Fifth, without SYN or RST, drop the segment.
  if (!seg.flags.syn) {
    drop(DropReason::TcpNoSyn);
    return;
  }
  last_heard_ = now;
  learn_from_syn(seg);
  if (!is_ack_acceptable) {  // simultaneous open: answer with SYN,ACK
    set_state(State::SynReceived, now);
    is_handshake_pending_ = true;
    return;
  }
  snd_.wl1 = seg.seq;
  snd_.wl2 = seg.ack;
  snd_.una = seg.ack;
  is_syn_acked_ = true;
  is_handshake_pending_ = false;
  if (const auto rtt = take_rtt_sample(seg.ack, now)) rtt_.take_sample(*rtt);
  enter_established(now);
  acknowledge_now();
  // Text and FIN that came with the SYN go through the seventh and eighth step.
  seg.trim_front(1);
  const std::uint32_t beyond = seg.len() - std::min(seg.len(), rcv_.wnd());
  if (beyond > 0) seg.trim_back(beyond);
  process_text(seg, now);
  process_fin(now);
}

void Connection::learn_from_syn(const Segment& seg) {
  rcv_.irs = seg.seq;
  rcv_.nxt = seg.seq + 1;
  rcv_.edge = rcv_.nxt + syn_window(config_->receive_buffer_octets);
  snd_.wnd = snd_.max_wnd = seg.window;  // never scaled in a SYN
  snd_.wl1 = seg.seq;
  snd_.wl2 = seg.flags.ack ? seg.ack : snd_.iss;
  if (seg.options.window_scale) {  // this side always offers it in a SYN
    snd_.scale = clamped_scale(*seg.options.window_scale);
    rcv_.scale = offered_window_scale(config_->receive_buffer_octets);
  }
  smss_ = send_mss(seg.options.maximum_segment_size, environment_.link.mtu_octets,
                   config_->minimum_mss_octets);
  congestion_ = AnyCongestionControl(
      smss_, initial_window_segments(config_->initial_window_segments, retransmissions_));
}

void Connection::enter_established(Instant now) {
  if (retransmissions_ > 0) rtt_.handshake_was_retransmitted();
  retransmissions_ = 0;
  unanswered_since_ = kNever;
  timers_.cancel(TimerKind::Retransmission);
  set_state(State::Established, now);
  if (is_active_open_) report(EventKind::Connected);
  if (is_fin_queued_) set_state(State::FinWait1, now);  // closed while the handshake went on
  set_keepalive(keepalive_, now);
  if (send_queue_.empty()) timers_.cancel(TimerKind::UserTimeout);
}

bool Connection::transmit_handshake(TxFrame& frame, Instant now) {
  if (!is_handshake_pending_) return false;
  is_handshake_pending_ = false;

  wire::TcpFlags flags;
  flags.syn = true;
  flags.ack = state_ != State::SynSent;
  wire::TcpOptions options;
  options.maximum_segment_size = offered_mss(environment_.link.mtu_octets);
  // In a SYN,ACK only as an answer to the peer's offer, which rcv_.scale of 0 with a large buffer
  // would not show: both scales are 0 then, which is what leaving the option out means too.
  if (!flags.ack || snd_.scale > 0 || rcv_.scale > 0) {
    options.window_scale = offered_window_scale(config_->receive_buffer_octets);
  }
  if (retransmissions_ == 0) {
    rtt_sent_at_ = now;
    rtt_end_ = snd_.nxt;
  } else {
    rtt_sent_at_.reset();
    ++segments_retransmitted_;
    ++environment_.counters.tcp_retrans_segs;
  }
  (void)emit(frame, snd_.iss, flags, 0, options);
  arm_retransmission(now);
  return true;
}

}  // namespace runnel::tcp
