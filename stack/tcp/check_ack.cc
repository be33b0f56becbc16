// The fifth step of RFC 9293 section 3.10.7.4: what an acknowledgment brings.
#include <algorithm>
#include <cassert>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

Connection::Verdict Connection::check_ack(const Segment& seg, Instant now) {
  if (!seg.flags.ack) {
    drop(DropReason::TcpNoAck);
    return Verdict::Discard;
  }
  if (state_ == State::SynReceived) {
    if (check_ack_syn_received(seg, now) == Verdict::Discard) return Verdict::Discard;
  }
  // Acknowledges what was never sent, or is older than any window of ours (RFC 5961 section 5.2):
  // the segment is not from our peer, or not of this connection. Never silent for data.
  const bool is_too_new = snd_.nxt + window_probe_.outstanding_octets() < seg.ack;
  const bool is_too_old = seg.ack < snd_.una - snd_.max_wnd;
  if (is_too_new || is_too_old) {
    drop(DropReason::TcpUnacceptableAck);
    if (seg.text.empty()) {
      send_challenge_ack(now);
    } else {
      acknowledge_now();
    }
    return Verdict::Discard;
  }

  if (snd_.nxt < seg.ack) {  // the probe's octet was taken after all
    snd_.nxt = seg.ack;
    window_probe_.octet_counts();
  }
  const bool says_nothing = says_nothing_new(seg);
  if (snd_.wnd == 0) unanswered_since_ = kNever;  // the peer lives, its window is closed
  update_send_window(seg, now);
  if (concerns_no_data(seg)) {
    process_acknowledgment_of_no_data(seg, now);
  } else {
    process_acknowledgment(seg, says_nothing, now);
  }
  advance_state_by_ack(now);
  return state_ == State::Closed || state_ == State::TimeWait ? Verdict::Discard
                                                              : Verdict::Continue;
}

// SYN-RECEIVED: the ACK of our SYN completes the handshake, any other is answered with RST.
Connection::Verdict Connection::check_ack_syn_received(const Segment& seg, Instant now) {
  if (!(snd_.una < seg.ack && seg.ack <= snd_.nxt)) {
    drop(DropReason::TcpUnacceptableAck);
    send_reset(seg.ack, now);
    return Verdict::Discard;
  }
  is_handshake_pending_ = false;
  take_back_syn_data(seg.ack);
  enter_established(now);
  // SND.WND <- SEG.WND, from here on with its scale
  snd_.wnd = std::uint32_t{seg.window} << snd_.scale;
  snd_.max_wnd = std::max(snd_.max_wnd, snd_.wnd);
  snd_.wl1 = seg.header_seq;
  snd_.wl2 = seg.ack;
  return Verdict::Continue;
}

// Nothing in the segment, nothing new in ACK or window: while data are outstanding a duplicate ACK
// (RFC 5681 section 2).
bool Connection::says_nothing_new(const Segment& seg) const noexcept {
  return seg.ack == snd_.una && seg.len() == 0 &&
         (std::uint32_t{seg.window} << snd_.scale) == snd_.wnd;
}

// Loss detection sees every acceptable ACK, also one that moves nothing: it may carry SACK blocks.
void Connection::process_acknowledgment(const Segment& seg, bool says_nothing, Instant now) {
  const RecoveryPhase phase_before = recovery_.phase();
  note_app_limited();
  LossRecovery::Ack ack;
  ack.now = now;
  ack.una = snd_.una;
  ack.ack = seg.ack;
  ack.nxt = snd_.nxt;
  ack.sack = &seg.options.sack;
  ack.is_duplicate = says_nothing && snd_.una < snd_.nxt;
  ack.says_nothing = says_nothing;
  const auto since_echoed = time_since_echoed(seg, now);
  if (since_echoed) ack.echoed_before = Timestamps::end_of_tick(now) - *since_echoed;
  if (rtt_.has_sample()) ack.srtt = rtt_.smoothed();
  ack.smss_octets = smss_;
  const AckFindings findings = recovery_.on_ack(ack);

  for (std::uint32_t i = 0; i < findings.bad_sack_blocks; ++i) drop(DropReason::TcpBadSack);
  if (findings.dsack) {
    ++duplicates_reported_;
    ++environment_.counters.tcp_dsacks_received;
  }
  take_rtt_sample(seg, findings, since_echoed, now);
  path_probe_lost(findings, now);
  if (findings.newly_acked_octets > 0) {
    release_acknowledged(seg.ack);
    path_acknowledged(now);
  }
  const auto delivered =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, findings.delivered_octets));
  const auto marks = ecn_.on_ack(seg, ack.una, snd_.una, delivered, smss_);
  respond_to(findings, phase_before, marks, now);
  make_progress(findings, now);
  trace_acknowledgment(findings, now);
}

// Octets that were sent once tell their round trip by themselves (Karn's rule). The echo of a
// timestamp tells it of octets that were sent again too, but in whole ticks: where both agree, the
// stack's own time is the finer clock.
void Connection::take_rtt_sample(const Segment& seg, const AckFindings& findings,
                                 base::OptionalDuration since_echoed, Instant now) noexcept {
  base::OptionalDuration sample = findings.rtt_sample;
  if (!is_syn_acked_ && syn_sent_at_ && snd_.una < seg.ack) {
    sample = now - *syn_sent_at_;
    recovery_.on_handshake(*sample, now);
  }
  if (timestamps_.is_agreed() && seg.options.timestamps && snd_.una < seg.ack) {
    // The ACK of a SYN,ACK that came twice echoes the first, however long ago that was: the second
    // was out of the window (RFC 7323 section 4.3).
    if (!is_syn_acked_ && is_syn_ack_repeated_) return;
    const bool agrees = sample && since_echoed && *since_echoed < *sample + Timestamps::kTick &&
                        *sample < *since_echoed + Timestamps::kTick;
    if (!agrees) sample = since_echoed;
  }
  if (!sample) return;
  rtt_.take_sample(*sample, expected_rtt_samples(seg.ack));
  recovery_.on_rtt_sample();
}

// Every ACK that advances SND.UNA gives a sample: as many in a round trip as the peer acknowledges
// pairs of segments (RFC 7323 appendix G). One that covers more, as it does where ACKs are merged
// on their way or thinned out by the receiver, stands for so many of the samples: counted as one
// among pairs, SRTT would follow the path several round trips late.
std::uint32_t Connection::expected_rtt_samples(SeqNum ack) const noexcept {
  const std::uint32_t covered = snd_.una < ack ? distance(snd_.una, ack) : 0;
  const std::uint32_t per_ack = std::max(2U * smss_, covered);
  const std::uint32_t flight = distance(snd_.una, snd_.nxt);
  if (flight <= per_ack) return 1;
  return flight / per_ack + (flight % per_ack != 0 ? 1U : 0U);
}

base::OptionalDuration Connection::time_since_echoed(const Segment& seg,
                                                     Instant now) const noexcept {
  if (!timestamps_.is_agreed() || !seg.options.timestamps) return std::nullopt;
  return timestamps_.elapsed_since(seg.options.timestamps->echo_reply, now);
}

// The peer is alive and the path works: whatever counted towards giving up begins anew.
void Connection::make_progress(const AckFindings& findings, Instant now) {
  look_again_at(findings.look_again, now);
  if (findings.newly_acked_octets == 0) {
    arm_recovery_timer();
    return;
  }
  retransmissions_ = 0;
  unanswered_since_ = kNever;
  window_probe_.answered();
  probe_base_ = now;
  // Of the partial ACKs of a recovery without SACK only the first begins the timer anew (RFC 6582
  // section 4); else every ACK of new data does (RFC 6298, 5.3).
  if (findings.keeps_timer) {
    arm_recovery_timer();
  } else {
    restart_recovery_timer(now);
  }
  timers_.cancel(TimerKind::UserTimeout);
  restart_user_timeout(now);
  make_room_for_writer();
}

// Gives up what is acknowledged.
void Connection::release_acknowledged(SeqNum ack) noexcept {
  if (!is_syn_acked_) {
    is_syn_acked_ = true;
    snd_.una += 1;
  }
  // FIN is one octet of sequence space behind the data, and not in the queue.
  const bool acks_fin = !is_fin_acked_ && is_fin_sent() && ack == data_end() + 1;
  const std::uint32_t data = distance(snd_.una, ack) - (acks_fin ? 1U : 0U);
  send_queue_.release_until(send_queue_.begin_offset() + data);
  snd_.una = ack;
  if (acks_fin) is_fin_acked_ = true;
  if (data > 0) payload_moved(last_heard_);
}

// SND.WND follows the segments in the order in which they were sent, not in which they came: see
// `window_by_new_ack`.
void Connection::update_send_window(const Segment& seg, Instant now) {
  if (seg.ack < snd_.una) return;
  const SeqNum sent_at = seg.header_seq;
  const bool is_newer = (config_->window_by_new_ack && snd_.una < seg.ack) || snd_.wl1 < sent_at ||
                        (snd_.wl1 == sent_at && snd_.wl2 <= seg.ack);
  if (!is_newer) return;
  const bool was_closed = snd_.wnd == 0;
  snd_.wnd = std::uint32_t{seg.window} << snd_.scale;
  snd_.max_wnd = std::max(snd_.max_wnd, snd_.wnd);
  snd_.wl1 = sent_at;
  snd_.wl2 = seg.ack;
  if (snd_.wnd == 0) return;
  timers_.cancel(TimerKind::Persist);
  window_probe_.opened();
  if (was_closed && snd_.una < snd_.nxt) restart_recovery_timer(now);
}

// What the ACK of our FIN means in each state.
void Connection::advance_state_by_ack(Instant now) {
  if (!is_fin_acked_) return;
  switch (state_) {
    case State::FinWait1:
      set_state(State::FinWait2, now);
      if (is_given_up_) limit_fin_wait_2(now);
      break;
    case State::Closing:
      enter_time_wait(now);
      break;
    case State::LastAck:
      enter_closed({}, now);
      break;
    case State::Closed:
    case State::Listen:
    case State::SynSent:
    case State::SynReceived:
    case State::Established:
    case State::FinWait2:
    case State::CloseWait:
    case State::TimeWait:
      break;
  }
}

}  // namespace runnel::tcp
