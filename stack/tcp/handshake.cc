// The three-way handshake of a connection: SYN-SENT of RFC 9293 section 3.10.7.3, and what SYNs
// carry.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/header_writer.h"
#include "stack/tcp/reset.h"

namespace runnel::tcp {

void Connection::segment_arrives_syn_sent(Segment& seg, Instant now) {
  // First, check the ACK bit.
  const bool is_ack_acceptable = seg.flags.ack && snd_.iss < seg.ack && seg.ack <= snd_.nxt;
  if (seg.flags.ack && !is_ack_acceptable) {
    drop(DropReason::TcpUnacceptableAck);
    if (const auto reset = reset_answering(tuple_, seg)) {
      environment_.segments.send(tuple_, *reset, ip_fields_);
    }
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
  learn_from_syn(seg, now);
  if (!is_ack_acceptable) {  // simultaneous open: answer with SYN,ACK
    ecn_.syn_arrived(seg);
    set_state(State::SynReceived, now);
    is_handshake_pending_ = true;
    return;
  }
  ecn_.syn_ack_arrived(seg);
  snd_.wl1 = seg.seq;
  snd_.wl2 = seg.ack;
  is_handshake_pending_ = false;
  syn_acknowledged(seg);
  if (syn_sent_at_) {
    rtt_.take_sample(now - *syn_sent_at_);
    recovery_.on_handshake(now - *syn_sent_at_, now);
  }
  enter_established(now);
  if (ecn_.take_syn_was_marked()) respond_to_marks(congestion_->cwnd_octets(), now);
  acknowledge_now();
  process_urgent(seg);
  // Text and FIN that came with the SYN go through the seventh and eighth step.
  seg.trim_front(1);
  const std::uint32_t beyond = seg.len() - std::min(seg.len(), rcv_.wnd());
  if (beyond > 0) seg.trim_back(beyond);
  process_text(seg, now);
  process_fin(now);
}

void Connection::learn_from_syn(const Segment& seg, Instant now) {
  rcv_.irs = seg.seq;
  rcv_.nxt = seg.seq + 1;
  rcv_.edge = rcv_.nxt + syn_window(config_->receive_buffer_octets);
  snd_.wnd = snd_.max_wnd = seg.window;  // never scaled in a SYN
  if (seg.options.user_timeout) user_timeout_option_arrives(*seg.options.user_timeout, now);
  snd_.wl1 = seg.seq;
  snd_.wl2 = seg.flags.ack ? seg.ack : snd_.iss;
  // An option counts when both SYNs have it, and this side's had those that it is configured for.
  if (config_->window_scaling && seg.options.window_scale) {
    snd_.scale = clamped_scale(*seg.options.window_scale);
    rcv_.scale = offered_window_scale(*config_);
  }
  is_sack_permitted_ = config_->sack && seg.options.sack_permitted;
  if (config_->timestamps && seg.options.timestamps) {
    timestamps_.agree(seg.options.timestamps->value, rcv_.nxt, now);
  }
  peer_mss_ = seg.options.maximum_segment_size.value_or(kDefaultMssOctets);
  start_path_mtu_discovery(now);
  begin_congestion_control(retransmissions_, now);
}

// Our SYN,ACK was lost. A SYN that asks for another kind of ECN than the one before it is refused,
// because nobody could tell which of the two counts (RFC 9768 section 3.1.5).
void Connection::syn_arrives_again(const Segment& seg, Instant now) {
  if (ecn_.syn_again(seg)) {
    is_handshake_pending_ = true;
    return;
  }
  if (const auto reset = reset_answering(tuple_, seg)) {
    environment_.segments.send(tuple_, *reset, ip_fields_);
  }
  ++environment_.counters.tcp_attempt_fails;
  enter_closed(Errc::connection_reset, now);
}

void Connection::enter_established(Instant now) {
  if (retransmissions_ > 0) rtt_.handshake_was_retransmitted();
  retransmissions_ = 0;
  unanswered_since_ = kNever;
  timers_.cancel(TimerKind::Retransmission);
  recovery_.use_sack(is_sack_permitted_);
  set_state(State::Established, now);
  if (is_active_open_) report(EventKind::Connected);
  if (is_fin_queued_) set_state(State::FinWait1, now);  // closed while the handshake went on
  set_keepalive(keepalive_.is_enabled(), now);
  if (send_queue_.empty()) timers_.cancel(TimerKind::UserTimeout);
}

bool Connection::transmit_handshake(TxFrame& frame, Instant now) {
  if (!is_handshake_pending_) return false;
  is_handshake_pending_ = false;

  wire::TcpHeader header = header_for(tuple_);
  header.seq = snd_.iss;
  wire::TcpFlags& flags = header.flags;
  wire::TcpOptions& options = header.options;
  flags.syn = true;
  flags.ack = state_ != State::SynSent;
  options.maximum_segment_size = offered_mss(environment_.link.receive_mtu_octets);
  // In a SYN,ACK the others are answers to the peer's offers. Of the window scale's, rcv_.scale of
  // 0 with a large buffer would show nothing: both scales are 0 then, which is what leaving the
  // option out means too. Timestamps that are agreed upon are in every segment: emit() sees to
  // them.
  if (flags.ack ? snd_.scale > 0 || rcv_.scale > 0 : config_->window_scaling) {
    options.window_scale = offered_window_scale(*config_);
  }
  if (flags.ack && ecn_.has_syn_ack_option(retransmissions_)) options.acc_ecn = initial_acc_ecn();
  set_ecn_bits(flags,
               flags.ack ? ecn_.syn_ack_bits(retransmissions_) : ecn_.syn_bits(retransmissions_));
  if (user_timeout_.is_enabled()) options.user_timeout = user_timeout_.option();
  options.sack_permitted = flags.ack ? is_sack_permitted_ : config_->sack;
  if (!flags.ack && config_->timestamps) options.timestamps = timestamps_.option(false, now);
  std::uint32_t text_octets = 0;
  if (!is_syn_sent_) {
    is_syn_sent_ = true;
    text_octets = add_fast_open(options);
    syn_sent_at_ = now;
  } else {
    syn_sent_at_.reset();
    ++segments_retransmitted_;
    ++environment_.counters.tcp_retrans_segs;
  }
  snd_.nxt = max(snd_.nxt, snd_.iss + emit(frame, header, text_octets, now));
  frame.meta.ecn = ip_fields_.ecn_of(flags);
  restart_recovery_timer(now);
  return true;
}

}  // namespace runnel::tcp
