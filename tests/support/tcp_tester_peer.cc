// TcpTester: the peer's timestamps, and the defaults of the whole program.
#include <algorithm>

#include "stack/wire/seq_num.h"
#include "stack/wire/tcp.h"
#include "tests/support/tcp_tester.h"
#include "tests/support/test_defaults.h"

namespace runnel::test {
namespace {

// Where the peer's clock stands at the beginning of time: it wraps a minute later.
constexpr std::uint32_t kPeerClock = 0xffffffff - 60'000;

bool is_at_or_before(std::uint32_t a, std::uint32_t b) {
  return wire::SeqNum{a} <= wire::SeqNum{b};
}

}  // namespace

void TcpTester::choose_timestamps(bool peer) {
  ignores_timestamps_default_ = true;
  peer_timestamps = peer;
  rebuild(Config{});
}

void TcpTester::apply_timestamps_default() {
  if (ignores_timestamps_default_) return;
  if (timestamps_by_default() == TimestampsByDefault::Off) config_.tcp.timestamps = false;
  if (makes_up_for_timestamps()) {
    config_.mtu_octets = static_cast<std::uint16_t>(std::min(config_.mtu_octets + 12, 65535));
  }
}

bool TcpTester::makes_up_for_timestamps() const {
  return !ignores_timestamps_default_ && config_.tcp.timestamps &&
         timestamps_by_default() == TimestampsByDefault::On;
}

std::uint32_t TcpTester::peer_tsval() const noexcept {
  return kPeerClock + static_cast<std::uint32_t>(now_.time_since_epoch() / 1ms);
}

// A peer acknowledges a segment when it arrives, so the echo of an ACK that moves on is the value
// of the segment at which it began, in its latest transmission.
SegmentBuilder TcpTester::with_timestamps(SegmentBuilder segment) {
  const wire::TcpFlags flags = segment.header().flags;
  const bool is_ours = segment.source() == kPeer && segment.destination() == kLocal;
  const std::uint32_t ack = segment.header().ack.value();
  if (is_ours && flags.ack && !is_at_or_before(ack, echo_.last_ack_sent)) {
    for (const PeerEcho::Received& text : echo_.text) {
      const bool holds_edge = is_at_or_before(text.begin, echo_.last_ack_sent) &&
                              !is_at_or_before(text.end, echo_.last_ack_sent);
      if (holds_edge) echo_.recent = text.value;
    }
    echo_.last_ack_sent = ack;
  }
  if (is_ours && flags.syn && makes_up_for_timestamps() && segment.may_be_given_timestamps()) {
    if (const auto mss = segment.header().options.maximum_segment_size) {
      segment.mss(static_cast<std::uint16_t>(std::min(*mss + 12, 65535)));
    }
  }
  const bool is_offer = flags.syn && !flags.ack;
  if (!peer_timestamps || peer_timestamp || !is_ours || !segment.may_be_given_timestamps())
    return segment;
  if (!is_offer && !echo_.is_agreed) return segment;
  return segment.timestamps(peer_tsval(), flags.ack ? echo_.recent : 0);
}

void TcpTester::note_timestamps(const SentSegment& segment) {
  if (segment.flags.syn) echo_.is_agreed = segment.options.timestamps.has_value();
  if (!segment.options.timestamps) return;
  const std::uint32_t value = segment.options.timestamps->value;
  if (segment.flags.syn) {
    echo_.recent = value;
    echo_.last_ack_sent = segment.seq;
  }
  if (segment.length() > 0) {
    echo_.text.push_back({segment.seq, segment.seq + segment.length(), value});
  } else if (is_at_or_before(segment.seq, echo_.last_ack_sent)) {
    echo_.recent = value;
  }
}

// Asks a stack of the same secrets at time zero.
Instant start_for_isn_near_wrap() {
  static const Instant start = [] {
    const IpAddress local(192, 0, 2, 2);
    SeededRandom random(kTesterSeed);
    Stack stack(Config{}, random);
    (void)stack.add_address({local, 24});
    (void)stack.listen({local, 7}, {});
    stack.receive(SegmentBuilder({IpAddress(192, 0, 2, 1), 50000}, {local, 7}).syn().build(),
                  Instant{});
    TxFrame frame;
    (void)stack.poll_transmit(frame, Instant{});
    std::vector<std::uint8_t> octets(frame.size());
    frame.copy_to(octets);
    const auto segment = SentSegment::parse(octets, frame.meta, Instant{});
    const std::uint32_t steps = kIsnNearWrap - (segment ? segment->seq : 0);
    return Instant{steps * 4us};
  }();
  return start;
}

}  // namespace runnel::test
