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
  const bool is_too_new = snd_.nxt + (is_probing_ ? 1U : 0U) < seg.ack;
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
    is_probing_ = false;
  }
  const bool is_duplicate = is_duplicate_ack(seg);
  if (snd_.wnd == 0) unanswered_since_ = kNever;  // the peer lives, its window is closed
  update_send_window(seg, now);
  if (snd_.una < seg.ack) {
    process_new_ack(seg, now);
  } else if (is_duplicate) {
    process_duplicate_ack(now);
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
  enter_established(now);
  // SND.WND <- SEG.WND, from here on with its scale
  snd_.wnd = std::uint32_t{seg.window} << snd_.scale;
  snd_.max_wnd = std::max(snd_.max_wnd, snd_.wnd);
  snd_.wl1 = seg.header_seq;
  snd_.wl2 = seg.ack;
  return Verdict::Continue;
}

// RFC 5681 section 2: outstanding data, nothing in the segment, nothing new in ACK or window.
bool Connection::is_duplicate_ack(const Segment& seg) const noexcept {
  return snd_.una < snd_.nxt && seg.ack == snd_.una && seg.len() == 0 &&
         (std::uint32_t{seg.window} << snd_.scale) == snd_.wnd;
}

void Connection::process_new_ack(const Segment& seg, Instant now) {
  const std::uint32_t acked = distance(snd_.una, seg.ack);
  AckEvent event;
  event.now = now;
  event.newly_acked_octets = acked;
  event.in_flight_before_octets = in_flight();
  event.after_timeout = recovery_.phase() == DupackRecovery::Phase::Timeout;
  event.in_recovery = recovery_.phase() == DupackRecovery::Phase::FastRecovery;
  event.app_limited = !is_cwnd_limited_;
  event.rtt_sample = take_rtt_sample(seg, now);
  if (event.rtt_sample) rtt_.take_sample(*event.rtt_sample, expected_rtt_samples());

  release_acknowledged(seg.ack);
  const DupackRecovery::Finding finding = recovery_.on_new_ack(seg.ack, acked, smss_);
  congestion_->on_ack(event);
  restart_timers_after_new_ack(finding, now);
  if (wants_to_write_ && writable_octets() >= config_->send_buffer_octets / 2) {
    wants_to_write_ = false;
    report_once(EventKind::Writable);
  }
}

// The peer is alive and the path works: whatever counted towards giving up begins anew.
void Connection::restart_timers_after_new_ack(DupackRecovery::Finding finding, Instant now) {
  retransmissions_ = 0;
  unanswered_since_ = kNever;
  persist_back_off_ = 0;
  // Of the partial ACKs of a recovery only the first restarts the timer (RFC 6582 section 4).
  const bool is_later_partial_ack =
      finding == DupackRecovery::Finding::PartialAck && !recovery_.is_first_partial_ack();
  if (snd_.una == snd_.nxt) {
    timers_.cancel(TimerKind::Retransmission);  // RFC 6298 (5.2)
  } else if (!is_later_partial_ack) {
    arm_retransmission(now);  // RFC 6298 (5.3)
  }
  timers_.cancel(TimerKind::UserTimeout);
  restart_user_timeout(now);
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

// The echo tells which transmission is acknowledged, a retransmission too; where the time of the
// one segment that is measured agrees with it, that is the finer clock.
std::optional<Duration> Connection::take_rtt_sample(const Segment& seg, Instant now) noexcept {
  std::optional<Duration> sample;
  if (rtt_sent_at_ && rtt_end_ <= seg.ack) {
    sample = now - *rtt_sent_at_;
    rtt_sent_at_.reset();
  }
  if (!timestamps_.is_agreed() || !seg.options.timestamps) return sample;
  const auto echoed = timestamps_.elapsed_since(seg.options.timestamps->echo_reply, now);
  const bool agrees = sample && echoed && *echoed < *sample + Timestamps::kTick &&
                      *sample < *echoed + Timestamps::kTick;
  return agrees ? sample : echoed;
}

// Every ACK that advances SND.UNA gives a sample by its echo: as many in a round trip as the peer
// acknowledges pairs of segments (RFC 7323 appendix G).
std::uint32_t Connection::expected_rtt_samples() const noexcept {
  if (!timestamps_.is_agreed()) return 1;
  return std::max(1U, (distance(snd_.una, snd_.nxt) + 2U * smss_ - 1) / (2U * smss_));
}

void Connection::process_duplicate_ack(Instant now) {
  if (recovery_.on_duplicate_ack(snd_.una, snd_.nxt, smss_) == DupackRecovery::Finding::Loss) {
    begin_loss_recovery(recovery_.flight_before_duplicates(snd_.una), now);
  }
}

void Connection::begin_loss_recovery(std::uint32_t in_flight_before, Instant now) {
  ++fast_retransmits_;
  ++environment_.counters.tcp_fast_retransmits;
  rtt_sent_at_.reset();  // Karn's rule: a retransmission is coming
  congestion_->on_loss({now, smss_, in_flight_before});
}

// SND.WND follows the segments in the order in which they were sent, not in which they came.
// DEVIATES: RFC 9293 tells the order by SND.WL1 and SND.WL2 alone. A retransmission has an old SEQ
// and yet, with an ACK above SND.UNA, is newer than all before it; Linux takes its window too.
void Connection::update_send_window(const Segment& seg, Instant now) {
  if (seg.ack < snd_.una) return;
  const SeqNum sent_at = seg.header_seq;
  const bool is_newer =
      snd_.una < seg.ack || snd_.wl1 < sent_at || (snd_.wl1 == sent_at && snd_.wl2 <= seg.ack);
  if (!is_newer) return;
  const bool was_closed = snd_.wnd == 0;
  snd_.wnd = std::uint32_t{seg.window} << snd_.scale;
  snd_.max_wnd = std::max(snd_.max_wnd, snd_.wnd);
  snd_.wl1 = sent_at;
  snd_.wl2 = seg.ack;
  if (snd_.wnd == 0) return;
  timers_.cancel(TimerKind::Persist);
  persist_back_off_ = 0;
  probe_now_ = false;
  if (was_closed && snd_.una < snd_.nxt) arm_retransmission(now);
}

// What the ACK of our FIN means in each state.
void Connection::advance_state_by_ack(Instant now) {
  if (!is_fin_acked_) return;
  switch (state_) {
    case State::FinWait1:
      set_state(State::FinWait2, now);
      if (is_given_up_) timers_.set(TimerKind::FinWait2, now + config_->fin_wait_2);
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
