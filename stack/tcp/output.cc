// What to send now: retransmissions first, then new data as far as both windows allow, then
// probes, then a bare acknowledgment. RFC 9293 sections 3.7.4, 3.8.6 and 3.10.2.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

bool Connection::poll_transmit(TxFrame& frame, Instant now) {
  switch (state_) {
    case State::Closed:
    case State::Listen:
    case State::TimeWait:
      return false;
    case State::SynSent:
    case State::SynReceived:
      if (transmit_handshake(frame, now)) return true;
      if (transmit_new(frame, now)) return true;  // Fast Open
      break;
    case State::Established:
    case State::FinWait1:
    case State::FinWait2:
    case State::CloseWait:
    case State::Closing:
    case State::LastAck:
      if (is_handshake_pending_ && !is_syn_acked_ && transmit_handshake(frame, now)) return true;
      if (ack_now_ && ecn_.owes_handshake_ack()) break;  // before any data
      if (transmit_data(frame, now)) return true;
      recovery_.on_flight_sent(snd_.una, snd_.nxt);
      if (transmit_probe(frame, now)) return true;
      break;
  }
  if (!ack_now_ || state_ == State::SynSent) return false;
  (void)emit(frame, snd_.nxt, {.ack = true}, 0, now);
  return true;
}

// What is lost comes before what is new, except while F-RTO waits to see whether anything is.
bool Connection::transmit_data(TxFrame& frame, Instant now) {
  // Only the tail loss probe does not wait for the end of the pause: its timer has taken the place
  // of the retransmission timer, and nothing else would wake this connection.
  if (too_big_pause_.is_waiting()) return transmit_tail_loss_probe(frame, now);
  if (recovery_.wants_new_data()) {
    if (transmit_new(frame, now)) return true;
    if (recovery_.has_sent_new_data(snd_.nxt)) return false;
    recovery_.no_new_data();  // RFC 5682 section 2.1, step 2: nothing to find out with
  }
  return transmit_lost(frame, now) || transmit_tail_loss_probe(frame, now) ||
         transmit_new(frame, now);
}

// --- Retransmission ------------------------------------------------------------------------------

bool Connection::transmit_lost(TxFrame& frame, Instant now) {
  if (!recovery_.has_lost()) return false;
  const auto lost = recovery_.lost();
  std::uint32_t octets = std::min(lost->octets(), maximum_text_octets());
  // A peer that shrank its window has no use for what is behind its edge, yet is asked for news of
  // it by the oldest segment (RFC 9293 section 3.8.6, SHLD-16 and SHLD-17).
  const std::int32_t inside = (snd_.una + snd_.wnd) - lost->begin;
  if (inside > 0) {
    octets = std::min(octets, static_cast<std::uint32_t>(inside));
  } else if (lost->begin != snd_.una) {
    return false;
  }
  if (recovery_.must_retransmit()) {
    octets = std::min(octets, text_limit());
  } else {
    const std::uint32_t room = cwnd_room();
    if (room < std::min(octets, text_limit())) {
      is_cwnd_limited_ = true;
      return false;
    }
    if (room < octets) octets = room - room % text_limit();
    if (is_held_by_pacer(now)) return false;
  }
  send_again(frame, {lost->begin, lost->begin + octets}, now);
  too_big_pause_.on_sent();
  return true;
}

void Connection::send_again(TxFrame& frame, const SeqRange& range, Instant now) {
  const bool fin = is_fin_sent() && data_end() < range.end;
  const std::uint32_t text = range.octets() - (fin ? 1U : 0U);
  wire::TcpFlags flags{.fin = fin, .ack = true};
  flags.psh = text > 0 && range.begin + text == data_end();
  const std::uint32_t in_flight_before = in_flight();
  const SeqNum end = range.begin + emit(frame, range.begin, flags, text, now);
  const std::uint64_t segments =
      std::max<std::uint64_t>(1, (text + text_limit() - 1U) / text_limit());
  recovery_.on_retransmit({range.begin, end}, segment_octets_of(frame), now);
  mtu_search_.on_retransmit(range.begin, end, now);
  octets_retransmitted_ += text;
  segments_retransmitted_ += segments;
  environment_.counters.tcp_retrans_segs += segments;
  tell_controller_of(text, in_flight_before, true, now);
  validation_.on_retransmit({range.begin, end});
  const bool is_first_segment = range.begin == snd_.una;
  if (!is_recovery_timer_set() || (recovery_.restarts_timer() && is_first_segment)) {
    restart_recovery_timer(now);
  }
  trace_transmission(range.begin, frame.payload_octets(), true, now);
}

// The last of a flight had no answer: new data, or its last segment again, whatever the congestion
// window says (RFC 8985 section 7.3).
bool Connection::transmit_tail_loss_probe(TxFrame& frame, Instant now) {
  if (!probe_tail_now_) return false;
  probe_tail_now_ = false;
  if (!recovery_.wants_tail_loss_probe()) {  // an answer has come meanwhile, or a Too Big
    arm_recovery_timer();
    return false;
  }
  ++tail_loss_probes_;
  ++environment_.counters.tcp_tail_loss_probes;

  const std::uint32_t data = is_fin_sent() ? 0 : distance(snd_.nxt, data_end());
  Permission permission;
  permission.octets = std::min({data, usable_window(), text_limit()});
  permission.fin = is_fin_queued_ && !is_fin_sent() && permission.octets == data &&
                   usable_window() > permission.octets;
  if (may_send_data() && (permission.octets > 0 || permission.fin) &&
      send_new(frame, permission, now)) {
    recovery_.on_tail_loss_probe(snd_.nxt, std::nullopt);
  } else {
    const SentRange& last = recovery_.board().back();
    const SeqNum text_end = min(last.range.end, data_end());
    const std::uint32_t text =
        last.range.begin < text_end ? distance(last.range.begin, text_end) : 0;
    const std::uint32_t tail = text == 0 ? 0 : (text - 1) % text_limit() + 1;
    const SeqRange segment{text_end - tail, last.range.end};
    send_again(frame, segment, now);
    recovery_.on_tail_loss_probe(snd_.nxt, segment);
  }
  restart_recovery_timer(now);
  return true;
}

// --- New data ------------------------------------------------------------------------------------

bool Connection::transmit_new(TxFrame& frame, Instant now) {
  if (!may_send_data() || unsent() == 0 || timers_.is_set(TimerKind::EcnPause)) {
    pacer_.set_waiting(false);
    return false;
  }
  if (recovery_.has_lost() && !recovery_.wants_new_data()) return false;
  if (snd_.nxt == data_end() && state_ != State::SynReceived && usable_window() > 0) {
    return transmit_fin_alone(frame, now);
  }
  if (snd_.una == snd_.nxt) restart_congestion_window(now);
  forget_old_path_mtu(now);
  if (is_held_by_pacer(now)) return false;
  const MtuProbe mtu_probe = transmit_mtu_probe(frame, now);
  if (mtu_probe != MtuProbe::NotNow) return mtu_probe == MtuProbe::Sent;
  const Permission permission = new_data_permission();
  if (permission.octets == 0 && !permission.fin) {
    pacer_.set_waiting(false);  // something else than the pacer holds it back
    arm_persist_if_blocked(now);
    return false;
  }
  return send_new(frame, permission, now);
}

// It takes room in the peer's window only, and as nothing follows it the controller need not know.
bool Connection::transmit_fin_alone(TxFrame& frame, Instant now) {
  if (is_held_by_pacer(now)) return false;
  is_cwnd_limited_ = false;
  return send_new(frame, {.octets = 0, .fin = true}, now);
}

bool Connection::send_new(TxFrame& frame, const Permission& permission, Instant now) {
  const SeqNum seq = snd_.nxt;
  wire::TcpFlags flags{.fin = permission.fin, .ack = true};
  flags.psh = permission.octets > 0 && seq + permission.octets == data_end();
  flags.cwr = permission.octets > 0 && ecn_.owes_cwr();
  const std::uint32_t in_flight_before = in_flight();
  const SeqNum end = seq + emit(frame, seq, flags, permission.octets, now);
  if (!recovery_.on_transmit({seq, end}, segment_octets_of(frame), now)) {
    drop(DropReason::NoMemory);  // what cannot be remembered cannot be repaired: later
    acknowledge_now();
    timers_.set(TimerKind::Persist, now + config_->sws_override);
    return false;
  }
  if (permission.octets > 0) frame.meta.ecn = ecn_.data_codepoint();
  if (flags.cwr) ecn_.cwr_sent();
  snd_.nxt = end;
  override_sws_ = false;
  window_probe_.octet_counts();
  last_sent_ = now;
  payload_moved(now);
  if (permission.octets > 0) tell_controller_of(permission.octets, in_flight_before, false, now);
  probe_base_ = now;
  if (is_recovery_timer_set()) {
    arm_recovery_timer();
  } else {
    restart_recovery_timer(now);  // RFC 6298 (5.1)
  }
  trace_transmission(seq, frame.payload_octets(), false, now);
  return true;
}

void Connection::tell_controller_of(std::uint64_t octets, std::uint64_t in_flight_before,
                                    bool again, Instant now) {
  TransmitEvent event;
  event.now = now;
  event.octets = octets;
  event.in_flight_before_octets = in_flight_before;
  event.is_retransmission = again;
  event.is_app_limited = recovery_.delivery_rate().is_app_limited();
  congestion_->on_transmit(event);
  pacer_.on_transmit(octets, now);
}

// The octets of one segment of what `frame` carries.
std::uint16_t Connection::segment_octets_of(const TxFrame& frame) const noexcept {
  if (frame.meta.gso_size_octets > 0) return frame.meta.gso_size_octets;
  return static_cast<std::uint16_t>(std::clamp<std::size_t>(frame.payload_octets(), 1, UINT16_MAX));
}

// Octets of the usable window of RFC 9293 section 3.8.6.2.1: 0 also when the peer shrank it.
std::uint32_t Connection::usable_window() const noexcept {
  const std::int32_t usable = (snd_.una + snd_.wnd) - snd_.nxt;
  return usable > 0 ? static_cast<std::uint32_t>(usable) : 0;
}

// A window may be smaller than a segment when the path's MTU was raised. One segment may always
// leave when none is in flight, or nothing would ever again (the loss window of RFC 5681 section
// 3.1).
std::uint32_t Connection::cwnd_room() const noexcept {
  std::uint64_t cwnd = congestion_->cwnd_octets();
  if (!congestion_->governs_recovery()) cwnd = recovery_.window_octets(cwnd);
  const std::uint64_t flight = in_flight();
  if (flight == 0) cwnd = std::max<std::uint64_t>(cwnd, smss_);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(cwnd - std::min(cwnd, flight), INT32_MAX));
}

// One segment, or as many whole ones as a super-packet takes.
std::uint32_t Connection::maximum_text_octets() const noexcept {
  const LinkLimits& link = environment_.link;
  const std::uint32_t one = text_limit();
  // The pointer is right for one segment only: a link that cuts super-packets would repeat it.
  if (urgent_sender_.is_urgent(snd_.una)) return one;
  if (!link.segmentation_offload) return one;
  if (ecn_.owes_cwr()) return one;  // CWR belongs to one segment
  const std::size_t fits = link.gso_maximum_octets - kIpv4HeaderOctets - wire::kTcpMaxHeaderOctets;
  const std::size_t most = std::min<std::size_t>(fits, pacer_.quantum_octets());
  return static_cast<std::uint32_t>(std::max<std::size_t>(one, most - most % one));
}

Connection::Permission Connection::new_data_permission() {
  const std::uint32_t data = is_fin_sent() ? 0 : distance(snd_.nxt, data_end());
  const std::uint32_t usable = usable_window();
  const std::uint32_t room = cwnd_room();
  is_cwnd_limited_ = room < std::min(data, usable) || (data > 0 && room == 0);

  std::uint32_t octets = std::min({data, usable, room, maximum_text_octets()});
  const bool takes_everything = octets == data;
  // A close in SYN-RECEIVED waits for ESTABLISHED (RFC 9293 section 3.10.4).
  const bool fin =
      is_fin_queued_ && takes_everything && usable > octets && state_ != State::SynReceived;
  if (fin || octets == 0) return {octets, fin};

  const bool nagle = nagle_ && data_una() < snd_.nxt && !urgent_sender_.is_urgent(snd_.nxt);
  const std::uint32_t tail = octets % text_limit();
  if (tail == 0) return {octets, false};
  if (takes_everything) {
    // Nagle (RFC 9293 section 3.7.4): less than a segment waits while anything is unacknowledged.
    if (nagle && !is_fin_queued_) octets -= tail;
    return {octets, false};
  }
  // Something stays behind, so only whole segments leave (section 3.8.6.2.1) ...
  if (octets > tail) return {octets - tail, false};
  // ... unless the peer's window never was larger, or the override timer has run out.
  if (room <= octets) return {};
  if (nagle) return {};
  const bool is_half_the_largest_window = octets >= std::max(1U, snd_.max_wnd / 2);
  if (is_half_the_largest_window || override_sws_) return {octets, false};
  return {};
}

}  // namespace runnel::tcp
