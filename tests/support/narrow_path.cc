#include "tests/support/narrow_path.h"

#include <algorithm>

#include "stack/wire/ipv4.h"

namespace runnel::test {

void NarrowPath::reset_path() {
  acks_.clear();
  errors_.clear();
  out_of_order_.clear();
  rcv_nxt_ = highest_ = 0;
  stream_end_ = written_ = 0;
  forget_packets();
}

void NarrowPath::open() {
  listen();
  SegmentBuilder syn = segment().syn().seq(peer_iss);
  if (peer_mss) syn.mss(*peer_mss);
  if (peer_sack) syn.sack_permitted();
  if (peer_wscale) syn.wscale(*peer_wscale);
  send(syn);
  forget_sent();
  advance(100ms);
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  ASSERT_EQ(state(), TcpState::Established);
  forget_sent();
}

void NarrowPath::run(Duration duration) {
  (void)run_until([] { return false; }, duration);
}

bool NarrowPath::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now() + limit;
  for (;;) {
    step();
    if (condition()) return true;
    if (now() >= end) return false;
    advance(std::min(std::max(next_event(), now() + 1us), end) - now());
  }
}

Instant NarrowPath::next_event() const {
  Instant next = stack().next_deadline();
  if (!errors_.empty()) next = std::min(next, errors_.front().first);
  if (!acks_.empty()) next = std::min(next, acks_.front().at);
  return next;
}

// One ACK at a time: what it sets free leaves at a time of its own.
void NarrowPath::step() {
  write_more();
  for (const SentSegment& segment : all_sent()) forward(segment);
  while (!errors_.empty() && errors_.front().first <= now()) {
    const SentSegment dropped = errors_.front().second;
    errors_.pop_front();
    send_icmp_error(wire::IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded,
                    dropped.octets, tells_size ? carries : std::uint16_t{0}, quoted);
  }
  if (!acks_.empty() && acks_.front().at <= now()) {
    const SegmentBuilder ack = acks_.front().segment;
    acks_.pop_front();
    send(ack);
  }
  for (const SentSegment& segment : all_sent()) forward(segment);
}

void NarrowPath::write_more() {
  while (written_ < stream_end_) {
    constexpr std::uint64_t kPiece = 65536;
    const auto octets = static_cast<std::size_t>(std::min(kPiece, stream_end_ - written_));
    const auto written = write(pattern(static_cast<std::size_t>(written_), octets));
    if (!written) return;
    written_ += *written;
  }
}

void NarrowPath::forward(const SentSegment& segment) {
  if (segment.payload.empty()) return;
  const auto headers = static_cast<std::uint16_t>(segment.octets.size() - segment.payload.size());
  const auto ip = wire::Ipv4View::parse(segment.octets);
  const std::size_t most =
      segment.gso_size_octets > 0 ? segment.gso_size_octets : segment.payload.size();
  for (std::size_t at = 0; at < segment.payload.size(); at += most) {
    PathPacket packet;
    packet.at = segment.at;
    packet.offset = segment.seq - our(0) + static_cast<std::uint32_t>(at);
    packet.text_octets = static_cast<std::uint32_t>(std::min(most, segment.payload.size() - at));
    packet.octets = static_cast<std::uint16_t>(headers + packet.text_octets);
    packet.is_new = packet.offset + packet.text_octets > highest_;
    packet.dont_fragment = ip->dont_fragment();
    packet.is_fragment = ip->is_fragment();
    highest_ = std::max(highest_, packet.offset + packet.text_octets);
    EXPECT_EQ(segment.payload.substr(at, packet.text_octets),
              pattern(packet.offset, packet.text_octets));
    forward(segment, packet);
  }
}

void NarrowPath::forward(const SentSegment& segment, const PathPacket& packet) {
  packets.push_back(packet);
  if (packet.octets > info().path_mtu_octets) probes_.push_back(packet);
  if (packet.octets > carries) {
    ++dropped_packets;
    if (!tells) return;
    // The router sees the packets that the link has made of a super-packet.
    SentSegment quote = segment;
    const std::uint32_t seq = our(packet.offset);
    for (unsigned i = 0; i < 4; ++i)
      quote.octets[24 + i] = static_cast<std::uint8_t>(seq >> (24 - 8 * i));
    quote.octets[2] = static_cast<std::uint8_t>(packet.octets >> 8U);
    quote.octets[3] = static_cast<std::uint8_t>(packet.octets & 0xffU);
    errors_.emplace_back(now() + round_trip / 2, quote);
    return;
  }
  if (loses && loses(packet)) {
    ++dropped_packets;
    return;
  }
  arrive(packet);
}

void NarrowPath::arrive(const PathPacket& packet) {
  std::uint32_t begin = packet.offset;
  std::uint32_t end = packet.offset + packet.text_octets;
  if (rcv_nxt_ < end) {
    if (begin <= rcv_nxt_) {
      rcv_nxt_ = end;
    } else {
      for (auto held = out_of_order_.begin(); held != out_of_order_.end();) {
        if (held->second < begin || end < held->first) {
          ++held;
          continue;
        }
        begin = std::min(begin, held->first);
        end = std::max(end, held->second);
        held = out_of_order_.erase(held);
      }
      out_of_order_[begin] = end;
    }
    while (!out_of_order_.empty() && out_of_order_.begin()->first <= rcv_nxt_) {
      rcv_nxt_ = std::max(rcv_nxt_, out_of_order_.begin()->second);
      out_of_order_.erase(out_of_order_.begin());
    }
  }
  if (!acknowledges) return;
  Instant at = now() + round_trip;
  if (!acks_.empty()) at = std::max(at, acks_.back().at + kAckSpacing);
  acks_.push_back({at, acknowledgment(packet.offset)});
}

// The block that holds what arrived last comes first.
SegmentBuilder NarrowPath::acknowledgment(std::uint32_t latest) const {
  SegmentBuilder ack = ack_segment(0, rcv_nxt_);
  if (!peer_sack) return ack;
  std::size_t blocks = 0;
  for (const auto& [begin, end] : out_of_order_) {
    if (latest < begin || end <= latest) continue;
    ack.sack(our(begin), our(end));
    ++blocks;
  }
  for (const auto& [begin, end] : out_of_order_) {
    if ((begin <= latest && latest < end) || blocks >= 3) continue;
    ack.sack(our(begin), our(end));
    ++blocks;
  }
  return ack;
}

}  // namespace runnel::test
