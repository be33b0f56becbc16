// The seventh step of RFC 9293 section 3.10.7.4: text in order, text out of order.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::process_text(Segment& seg, Instant now) {
  if (seg.is_trimmed) acknowledge_now();  // the peer does not know what has arrived
  switch (state_) {
    case State::Established:
    case State::FinWait1:
    case State::FinWait2:
      break;
    case State::Closed:
    case State::Listen:
    case State::SynSent:
    case State::SynReceived:
    case State::CloseWait:
    case State::Closing:
    case State::LastAck:
    case State::TimeWait:
      if (seg.text.empty()) return;
      drop(DropReason::TcpBeyondWindow);  // the peer has ended its stream: no text is behind it
      acknowledge_now();
      return;
  }
  note_fin(seg);
  const bool is_behind_gap = rcv_.nxt < seg.seq;
  if (is_behind_gap && (!seg.text.empty() || seg.flags.fin)) {
    acknowledge_now();  // tell the peer where the gap is (RFC 5681 section 4.2)
    delayed_ack_.gap_seen();
  }
  if (seg.text.empty()) return;

  if (is_given_up_) {  // nobody will read it, and the peer is to know (RFC 9293 section 3.6.1)
    drop(DropReason::TcpDataAfterClose);
    send_reset(snd_.nxt, now);
    enter_closed({}, now);
    return;
  }
  if (!make_room_for(seg)) {
    drop(DropReason::NoMemory);
    acknowledge_now();
    return;
  }
  payload_moved(now);
  urgent_receiver_.text_arrives(receive_offset_of(seg.seq), seg.text);
  if (is_behind_gap) {
    accept_out_of_order(seg);
  } else {
    accept_in_order(seg, now);
  }
}

// Remembers where the peer's stream ends. Text behind the FIN that was seen first is not text.
void Connection::note_fin(Segment& seg) {
  if (seg.flags.fin && !peer_fin_) peer_fin_ = seg.end() - 1;
  if (!peer_fin_ || seg.seq + static_cast<std::uint32_t>(seg.text.size()) <= *peer_fin_) return;
  drop(DropReason::TcpBeyondWindow);
  seg.text = seg.text.first(*peer_fin_ < seg.seq ? 0 : distance(seg.seq, *peer_fin_));
}

// Text at RCV.NXT, and what waited behind it.
void Connection::accept_in_order(const Segment& seg, Instant now) {
  std::size_t octets = 0;
  if (out_of_order_.empty()) {
    octets = receive_queue_.keep(seg.block, seg.text);
    if (octets < seg.text.size()) {
      drop(DropReason::NoMemory);
      acknowledge_now();
    }
  } else {
    // Part or all of a gap is filled (RFC 5681 section 4.2). Octets that came before, out of
    // order, are not replaced by this segment's.
    acknowledge_now();
    accept_out_of_order(seg);
    octets = out_of_order_.pop_contiguous(received_offset_, receive_queue_);
  }
  received_offset_ += octets;
  rcv_.nxt += static_cast<std::uint32_t>(octets);
  receive_buffer_.rtt().text_arrived(received_offset_, received_offset_ + rcv_.wnd(),
                                     time_since_echoed(seg, now), now);
  if (seg.text.size() >= delayed_ack_.full_segment()) {
    environment_.window_share.count(counted_round_, now);
  } else if (received_offset_ == octets) {
    environment_.window_share.forget(counted_round_);  // the first text, and short
  }
  acknowledge_text(seg, now);
  skip_urgent_octet();
  if (octets > 0 && !receive_queue_.empty()) report_once(EventKind::Readable);
}

// Whether there is memory for the text. Text in order may have that of octets further on, so that
// the stream always goes on.
bool Connection::make_room_for(const Segment& seg) {
  const bool is_in_order = seg.seq == rcv_.nxt;
  const std::size_t limit = 2 * receive_buffer_.octets();
  const auto has_room = [&] {
    return out_of_order_.charged_octets() < limit &&
           environment_.pool.budget().receive_room_octets() >= seg.text.size();
  };
  while (is_in_order && !out_of_order_.empty() && !has_room()) {
    out_of_order_.drop_highest();
    drop(DropReason::TcpReassemblyFull);
  }
  return has_room();
}

void Connection::accept_out_of_order(const Segment& seg) {
  const std::uint64_t begin = receive_offset_of(seg.seq);
  const std::uint64_t end = begin + seg.text.size();
  if (const auto held = out_of_order_.first_overlapping(begin, end)) {
    const std::uint64_t first = std::max(begin, held->begin);
    const std::uint64_t last = std::min(end, held->end);
    report_duplicate(seg.seq + static_cast<std::uint32_t>(first - begin),
                     seg.seq + static_cast<std::uint32_t>(last - begin));
  }
  const auto outcome = out_of_order_.add(begin, seg.slice());
  sack_reporter_.on_out_of_order(begin, out_of_order_);
  if (outcome.duplicate_octets > 0) drop(DropReason::TcpDuplicateData);
  if (outcome.refused_octets > 0 || outcome.evicted_octets > 0) {
    drop(DropReason::TcpReassemblyFull);
  }
}

// Only of what can be a duplicate: sequence numbers of this stream, since it began.
void Connection::report_duplicate(SeqNum left, SeqNum right) noexcept {
  if (!is_sack_permitted_ || right <= left) return;
  const std::uint64_t received = received_offset_ + (is_fin_received_ ? 1U : 0U);
  if (left < rcv_.nxt && distance(left, rcv_.nxt) > received) return;
  sack_reporter_.on_duplicate(left, right);
}

// The 64-bit offset of `seq` in the incoming stream. REQUIRES: RCV.NXT <= seq.
std::uint64_t Connection::receive_offset_of(SeqNum seq) const noexcept {
  return received_offset_ + distance(rcv_.nxt, seq);
}

}  // namespace runnel::tcp
