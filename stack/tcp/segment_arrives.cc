// A segment arrives: RFC 9293 section 3.10.7, to be read beside it. The branches for CLOSED,
// LISTEN and TIME-WAIT are core's, which has no connection then; SYN-SENT is in handshake.cc.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/reset.h"

namespace runnel::tcp {

void Connection::segment_arrives(Segment& seg, Instant now) {
  switch (state_) {
    case State::Closed:
    case State::Listen:
    case State::TimeWait:
      return;
    case State::SynSent:
      segment_arrives_syn_sent(seg, now);
      return;
    case State::SynReceived:
    case State::Established:
    case State::FinWait1:
    case State::FinWait2:
    case State::CloseWait:
    case State::Closing:
    case State::LastAck:
      segment_arrives_otherwise(seg, now);
      return;
  }
}

void Connection::segment_arrives_otherwise(Segment& seg, Instant now) {
  // Simultaneous open: the peer's SYN,ACK repeats the SYN that came before and adds the ACK that
  // completes the handshake (RFC 9293 figure 7).
  if (state_ == State::SynReceived && seg.flags.syn && seg.flags.ack && seg.seq == rcv_.irs) {
    seg.trim_front(1);
    seg.had_syn = false;
  }
  if (check_timestamps(seg, now) == Verdict::Discard) return;       // RFC 7323 section 5.3: R1
  if (check_sequence_number(seg, now) == Verdict::Discard) return;  // first; cuts to the window
  if (check_rst(seg, now) == Verdict::Discard) return;              // second
  // third: security and compartment are not implemented (RFC 9293 appendix A.1)
  if (check_syn(seg, now) == Verdict::Discard) return;  // fourth
  if (seg.options.timestamps) {
    timestamps_.on_acceptable(seg.header_seq, *seg.options.timestamps, now);  // R3
  }
  last_heard_ = now;
  keepalive_.heard();
  if (check_ack(seg, now) == Verdict::Discard) return;  // fifth
  note_marks(seg, now);
  if (seg.options.user_timeout) user_timeout_option_arrives(*seg.options.user_timeout, now);
  process_urgent(seg);     // sixth
  process_text(seg, now);  // seventh
  process_fin(now);        // eighth
}

// PAWS: what has an older timestamp than segments before it was sent before them, perhaps a whole
// turn of the sequence numbers ago.
Connection::Verdict Connection::check_timestamps(const Segment& seg, Instant now) {
  if (!timestamps_.is_agreed() || seg.flags.rst) return Verdict::Continue;
  if (!seg.options.timestamps) {
    if (config_->accept_missing_timestamps) return Verdict::Continue;
    drop(DropReason::TcpMissingTimestamp);  // silently: RFC 7323 section 3.2
    return Verdict::Discard;
  }
  if (!timestamps_.is_old(*seg.options.timestamps, now)) return Verdict::Continue;
  drop(DropReason::TcpPaws);
  if (!seg.text.empty() || seg.flags.fin) {
    acknowledge_now();
  } else {
    send_challenge_ack(now);
  }
  return Verdict::Discard;
}

// First step. An acceptable segment is cut to the part that is new and inside the window.
Connection::Verdict Connection::check_sequence_number(Segment& seg, Instant now) {
  if (!is_acceptable(seg.seq, seg.len(), rcv_.nxt, rcv_.wnd())) {
    // With the window closed, RST and ACK of what comes at RCV.NXT still count (MUST-66).
    if (rcv_.wnd() == 0 && seg.seq == rcv_.nxt) {
      drop(DropReason::TcpBeyondWindow);
      seg.flags.fin = false;
      seg.text = {};
      acknowledge_now();
      return Verdict::Continue;
    }
    drop(seg.flags.rst ? DropReason::TcpResetOutOfWindow : DropReason::TcpUnacceptableSequence);
    if (seg.flags.rst) return Verdict::Discard;
    // Data and FINs, window probes among them, are always answered; what carries nothing only as
    // often as challenge ACKs are, so that two confused ends do not answer each other for ever.
    if (state_ == State::SynReceived && seg.flags.syn && seg.seq == rcv_.irs && !seg.flags.ack) {
      syn_arrives_again(seg, now);
    } else if (!seg.text.empty() || seg.flags.fin) {
      report_duplicate(seg.seq, min(seg.end(), rcv_.nxt));
      acknowledge_now();
    } else {
      send_challenge_ack(now);
      const bool is_syn_ack = seg.flags.syn && seg.flags.ack && seg.seq == rcv_.irs;
      if (is_syn_ack && ack_now_) ecn_.syn_ack_again(seg);
    }
    return Verdict::Discard;
  }
  if (seg.seq < rcv_.nxt) {
    report_duplicate(seg.seq, rcv_.nxt);
    if (!seg.text.empty()) drop(DropReason::TcpDuplicateData);
    seg.trim_front(distance(seg.seq, rcv_.nxt));
    seg.is_trimmed = true;
  }
  if (rcv_.edge < seg.end()) {
    drop(DropReason::TcpBeyondWindow);
    seg.trim_back(distance(rcv_.edge, seg.end()));
    seg.is_trimmed = true;
  }
  return Verdict::Continue;
}

// Second step, as RFC 5961 section 3.2 tightens it: only the exact sequence number resets.
Connection::Verdict Connection::check_rst(const Segment& seg, Instant now) {
  if (!seg.flags.rst) return Verdict::Continue;
  if (seg.seq != rcv_.nxt) {
    drop(DropReason::TcpResetChallenged);
    send_challenge_ack(now);
    return Verdict::Discard;
  }
  switch (state_) {
    case State::SynReceived:
      ++environment_.counters.tcp_attempt_fails;
      enter_closed(is_active_open_ ? Errc::connection_refused : Errc::connection_reset, now);
      break;
    case State::Established:
    case State::FinWait1:
    case State::FinWait2:
    case State::CloseWait:
      ++environment_.counters.tcp_estab_resets;
      enter_closed(Errc::connection_reset, now);
      break;
    case State::Closing:
    case State::LastAck:
      enter_closed({}, now);
      is_path_report_due_ = false;
      break;
    case State::Closed:
    case State::Listen:
    case State::SynSent:
    case State::TimeWait:
      break;
  }
  return Verdict::Discard;
}

// Fourth step: a SYN never resets, it is challenged, wherever it lies (RFC 5961 section 4.2).
Connection::Verdict Connection::check_syn(const Segment& seg, Instant now) {
  if (!seg.had_syn) return Verdict::Continue;
  // The peer repeats its SYN, with data that were not taken the first time.
  if (!is_syn_acked_ && seg.header_seq == rcv_.irs && !seg.flags.ack) {
    syn_arrives_again(seg, now);
    return Verdict::Discard;
  }
  drop(DropReason::TcpSynChallenged);
  send_challenge_ack(now);
  return Verdict::Discard;
}

// Eighth step: the peer's FIN, once everything before it was received.
void Connection::process_fin(Instant now) {
  if (!peer_fin_ || is_fin_received_ || *peer_fin_ != rcv_.nxt) return;
  rcv_.nxt += 1;
  is_fin_received_ = true;
  environment_.window_share.forget(counted_round_);
  if (rcv_.edge < rcv_.nxt) rcv_.edge = rcv_.nxt;
  acknowledge_now();
  if (!is_given_up_) {
    report_once(EventKind::Readable);
    report(EventKind::Ended);
  }
  switch (state_) {
    case State::SynReceived:
    case State::Established:
      set_state(State::CloseWait, now);
      break;
    case State::FinWait1:  // our FIN is not acknowledged: else this would be FIN-WAIT-2
      set_state(State::Closing, now);
      break;
    case State::FinWait2:
      enter_time_wait(now);
      break;
    case State::Closed:
    case State::Listen:
    case State::SynSent:
    case State::CloseWait:
    case State::Closing:
    case State::LastAck:
    case State::TimeWait:
      break;
  }
}

// An ACK built from the TCB (RFC 5961 section 7: no more than a few a second).
void Connection::send_challenge_ack(Instant now) {
  if (!challenge_acks_.allow(now)) {
    drop(DropReason::TcpChallengeRateLimited);
    return;
  }
  ++environment_.counters.tcp_challenge_acks;
  acknowledge_now();
}

}  // namespace runnel::tcp
