// The window that is offered: scaling and its rounding, silly windows, when an ACK leaves.
#include <gtest/gtest.h>

#include "runnel/random.h"
#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

LoneConnectionOptions with_buffer(std::size_t octets, bool scales) {
  LoneConnectionOptions options;
  options.config.receive_buffer_octets = octets;
  if (scales) options.peer_scale = 0;
  return options;
}

// The right edge as the peer computes it.
std::int64_t edge_of(const Sent& sent, std::uint8_t scale) {
  return std::int64_t{sent.ack.value()} + (std::int64_t{sent.window} << scale);
}

TEST(ReceiveWindow, ScaledNeverMovesItsRightEdgeLeft) {
  // RFC 9293 section 3.8.6.2.2, SHLD-14; RFC 7323 section 2.4 on what rounding does to it.
  SeededRandom random(7);
  for (const std::size_t buffer : {std::size_t{70'000}, std::size_t{100'001}, std::size_t{1} << 20U,
                                   (std::size_t{3} << 20U) + 17}) {
    LoneConnection host(with_buffer(buffer, true));
    host.establish();
    const std::uint8_t scale = host.tcp.rcv().scale;
    ASSERT_GT(scale, 0);
    std::uint32_t next = 0;
    std::int64_t edge = 0;
    for (int i = 0; i < 3000; ++i) {
      const auto octets = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(1 + random.below(2000), host.tcp.rcv().wnd()));
      if (octets > 0) host.arrive(host.text(next, LoneConnection::pattern(next, octets)));
      next += octets;
      if (random.below(4) == 0) {
        std::vector<std::uint8_t> out(static_cast<std::size_t>(random.below(8000)));
        (void)host.tcp.read(out, host.now);
        host.pump();
      }
      host.advance(40ms);
      for (const Sent& one : host.take_sent()) {
        ASSERT_GE(edge_of(one, scale), edge) << "buffer " << buffer << ", step " << i;
        edge = edge_of(one, scale);
        ASSERT_LE(std::size_t{one.window} << scale, buffer);
        ASSERT_LE(edge, std::int64_t{host.tcp.rcv().edge.value()}) << "announced is acceptable";
      }
    }
  }
}

TEST(ReceiveWindow, OfThePeerThatDoesNotScaleIsAtMost65535) {
  LoneConnection host(with_buffer(std::size_t{1} << 20U, false));
  host.establish();
  for (std::uint32_t at = 0; at < 20'000; at += 2000) {
    host.arrive(host.text(at, LoneConnection::pattern(at, 2000)));
  }
  ASSERT_FALSE(host.sent.empty());
  EXPECT_EQ(host.sent.back().window, 65535);
}

TEST(ReceiveWindow, ClosesWhenNobodyReadsAndOpensByASegmentAtLeast) {
  LoneConnection host(with_buffer(10'000, false));
  host.establish();
  for (std::uint32_t at = 0; at < 10'000; at += 1000) {
    host.arrive(host.text(at, LoneConnection::pattern(at, 1000)));
  }
  host.advance(40ms);
  EXPECT_EQ(host.sent.back().window, 0);
  EXPECT_EQ(host.sent.back().ack.value(), host.their(10'000));
  host.forget_sent();

  std::vector<std::uint8_t> out(999);  // full-sized segments have been 1,000 octets
  EXPECT_TRUE(host.tcp.read(out, host.now));
  host.pump();
  EXPECT_TRUE(host.sent.empty()) << "less than a segment is no window";
  out.resize(1);
  EXPECT_TRUE(host.tcp.read(out, host.now));
  host.pump();
  ASSERT_EQ(host.sent.size(), 1U);
  EXPECT_EQ(host.sent[0].window, 1000);
}

TEST(ReceiveWindow, OfASmallBufferOpensByHalfOfIt) {
  LoneConnection host(with_buffer(1000, false));
  host.establish();
  host.arrive(host.text(0, LoneConnection::pattern(0, 1000)));
  host.advance(40ms);
  host.forget_sent();
  std::vector<std::uint8_t> out(499);
  EXPECT_TRUE(host.tcp.read(out, host.now));
  host.pump();
  EXPECT_TRUE(host.sent.empty());
  out.resize(1);
  EXPECT_TRUE(host.tcp.read(out, host.now));
  host.pump();
  ASSERT_EQ(host.sent.size(), 1U);
  EXPECT_EQ(host.sent[0].window, 500);
}

TEST(ReceiveWindow, AProbeOfAClosedWindowIsAnsweredWithAClosedWindow) {
  LoneConnection host(with_buffer(1000, false));
  host.establish();
  host.arrive(host.text(0, LoneConnection::pattern(0, 1000)));
  host.advance(40ms);
  std::vector<std::uint8_t> out(100);
  EXPECT_TRUE(host.tcp.read(out, host.now));  // too little to be announced
  host.forget_sent();
  host.arrive(host.text(1000, "?"));
  ASSERT_EQ(host.sent.size(), 1U);
  EXPECT_EQ(host.sent[0].window, 0);
  EXPECT_EQ(host.sent[0].ack.value(), host.their(1000));
}

// Other connections leave less than a segment to this one. What it announces is a whole one, and it
// acknowledges each at once: the peer cannot send a second one that would be acknowledged with it.
TEST(ReceiveWindow, OfTheSmallestShareIsASegmentThatIsAcknowledgedAtOnce) {
  constexpr std::uint32_t kSegment = 1460;
  LoneConnection host(with_buffer(10 * kSegment + 700, false));
  host.environment.window_share = WindowShare(1000);
  host.establish();
  std::uint32_t at = 0;
  const auto segment_arrives = [&] {
    host.arrive(host.text(at, LoneConnection::pattern(at, kSegment)));
    at += kSegment;
    (void)host.read_all();
  };
  // What was announced before stays announced, and is not added to.
  for (int i = 0; i < 9; ++i) segment_arrives();
  EXPECT_EQ(host.tcp.rcv().wnd(), kSegment + 700);
  host.forget_sent();
  // Less than a segment is left of it: a whole one is announced, though the step is a small one.
  for (int i = 0; i < 10; ++i) {
    segment_arrives();
    const auto sent = host.take_sent();
    ASSERT_FALSE(sent.empty()) << i;
    EXPECT_EQ(sent.back().ack.value(), host.their(at)) << i;
    EXPECT_EQ(sent.back().window, kSegment) << i;
  }
  // Also when nobody reads, as long as there is room.
  host.arrive(host.text(at, LoneConnection::pattern(at, kSegment)));
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].window, kSegment);
}

TEST(ReceiveWindow, OfASmallShareIsWholeSegments) {
  constexpr std::uint32_t kSegment = 1460;
  LoneConnection host(with_buffer(10 * kSegment, false));
  host.environment.window_share = WindowShare(3 * kSegment - 1);
  host.establish();
  for (std::uint32_t at = 0; at < 20 * kSegment; at += kSegment) {
    host.arrive(host.text(at, LoneConnection::pattern(at, kSegment)));
    (void)host.read_all();
  }
  EXPECT_LE(host.tcp.rcv().wnd(), 2 * kSegment);
  EXPECT_EQ(host.sent.back().window % kSegment, 0U);
}

TEST(DelayedAck, IsDueAfterTwoFullSegmentsOrFortyMilliseconds) {
  LoneConnection host;
  host.establish();
  const std::string segment = LoneConnection::pattern(0, 1460);
  host.arrive(host.text(0, segment));
  host.arrive(host.text(1460, segment));
  EXPECT_EQ(host.take_sent().size(), 1U);
  host.arrive(host.text(2920, segment));
  EXPECT_TRUE(host.take_sent().empty());
  host.advance(40ms - 1ns);
  EXPECT_TRUE(host.take_sent().empty());
  host.advance(1ns);
  EXPECT_EQ(host.take_sent().size(), 1U);
}

TEST(DelayedAck, ASuperPacketIsAcknowledgedAtOnce) {
  LoneConnection host;
  host.establish();
  host.arrive(host.text(0, LoneConnection::pattern(0, 1460)));
  host.arrive(host.text(1460, LoneConnection::pattern(1460, 1460)));
  host.forget_sent();
  const std::string text = LoneConnection::pattern(2920, 2 * 1460);
  Segment super = host.text(2920, text);
  super.segment_count = 2;
  host.arrive(super);
  EXPECT_EQ(host.take_sent().size(), 1U);
  // It stands for two segments of 1,460 octets, not for a larger kind of segment.
  host.arrive(host.text(5840, LoneConnection::pattern(5840, 1460)));
  host.arrive(host.text(7300, LoneConnection::pattern(7300, 1460)));
  EXPECT_EQ(host.take_sent().size(), 1U);
}

TEST(DelayedAck, OneAnswerForABatch) {
  LoneConnection host;  // RFC 9293 section 3.10, MUST-58 and MUST-59
  host.establish();
  for (std::uint32_t i = 0; i < 10; ++i) {
    host.arrive_without_answer(host.text(i * 1460, LoneConnection::pattern(i * 1460, 1460)));
  }
  host.pump();
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].ack.value(), host.their(14'600));
}

}  // namespace
}  // namespace runnel::tcp
