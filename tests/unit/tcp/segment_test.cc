// Segments: their length and end, cutting them, and the acceptability test of RFC 9293 section 3.4.
#include "stack/tcp/segment.h"

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::tcp {
namespace {

Segment segment_with(wire::TcpFlags flags, std::string_view text, std::uint32_t seq = 100) {
  Segment seg;
  seg.seq = SeqNum{seq};
  seg.flags = flags;
  seg.text = as_bytes(text);
  return seg;
}

TEST(Segment, SynAndFinCountOneOctetEach) {
  EXPECT_EQ(segment_with({}, "").len(), 0U);
  EXPECT_EQ(segment_with({}, "abc").len(), 3U);
  EXPECT_EQ(segment_with({.syn = true}, "abc").len(), 4U);
  EXPECT_EQ(segment_with({.fin = true}, "abc").len(), 4U);
  EXPECT_EQ(segment_with({.fin = true, .syn = true}, "abc").len(), 5U);
  EXPECT_EQ(segment_with({.rst = true, .psh = true, .ack = true, .urg = true}, "").len(), 0U);
}

TEST(Segment, EndsBehindItsLastOctetModulo32Bits) {
  EXPECT_EQ(segment_with({.fin = true}, "abc").end().value(), 104U);
  EXPECT_EQ(segment_with({}, "abc", 0xfffffffe).end().value(), 1U);
}

TEST(Segment, TrimmingTheFrontTakesSynFirst) {
  Segment seg = segment_with({.fin = true, .syn = true}, "abc");
  seg.trim_front(0);
  EXPECT_TRUE(seg.flags.syn);
  seg.trim_front(1);
  EXPECT_FALSE(seg.flags.syn);
  EXPECT_EQ(seg.seq.value(), 101U);
  EXPECT_EQ(as_text(seg.text), "abc");
  seg.trim_front(2);
  EXPECT_EQ(seg.seq.value(), 103U);
  EXPECT_EQ(as_text(seg.text), "c");
  EXPECT_EQ(seg.end().value(), 105U) << "the end stays";
  seg.trim_front(1);
  EXPECT_TRUE(seg.text.empty());
  EXPECT_TRUE(seg.flags.fin);
  EXPECT_EQ(seg.seq.value(), 104U);
}

TEST(Segment, TrimmingTheFrontThroughSynIntoText) {
  Segment seg = segment_with({.syn = true}, "abc", 0xffffffff);
  seg.trim_front(2);
  EXPECT_FALSE(seg.flags.syn);
  EXPECT_EQ(seg.seq.value(), 1U);
  EXPECT_EQ(as_text(seg.text), "bc");
}

TEST(Segment, TrimmingTheBackTakesFinFirst) {
  Segment seg = segment_with({.fin = true}, "abc");
  seg.trim_back(0);
  EXPECT_TRUE(seg.flags.fin);
  seg.trim_back(1);
  EXPECT_FALSE(seg.flags.fin);
  EXPECT_EQ(as_text(seg.text), "abc");
  seg.trim_back(2);
  EXPECT_EQ(as_text(seg.text), "a");
  EXPECT_EQ(seg.seq.value(), 100U);
  EXPECT_EQ(seg.end().value(), 101U);
  seg.trim_back(1);
  EXPECT_EQ(seg.len(), 0U);
}

TEST(Segment, IsReadFromItsView) {
  wire::TcpHeader header;
  header.seq = SeqNum{0x01020304};
  header.ack = SeqNum{0x05060708};
  header.flags = {.psh = true, .ack = true};
  header.window = 4711;
  header.options.maximum_segment_size = 1200;
  std::vector<std::uint8_t> octets(header.octets());
  header.write(octets);
  octets.insert(octets.end(), {'h', 'i'});
  const Segment seg = Segment::from(*wire::TcpView::parse(octets));
  EXPECT_EQ(seg.seq, header.seq);
  EXPECT_EQ(seg.ack, header.ack);
  EXPECT_EQ(seg.flags, header.flags);
  EXPECT_EQ(seg.window, 4711);
  EXPECT_EQ(seg.options.maximum_segment_size, 1200);
  EXPECT_EQ(as_text(seg.text), "hi");
  EXPECT_EQ(seg.segment_count, 1U);
  EXPECT_FALSE(seg.block);
}

// --- Acceptability -------------------------------------------------------------------------------
// RCV.NXT = 1000 and RCV.WND = 100, shifted so that the boundaries lie at the wrap, too.

class Acceptability : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  // `seq` relative to RCV.NXT.
  [[nodiscard]] static bool accepts(std::int64_t seq, std::uint32_t len, std::uint32_t wnd) {
    const SeqNum rcv_nxt{GetParam()};
    return is_acceptable(rcv_nxt + static_cast<std::uint32_t>(seq), len, rcv_nxt, wnd);
  }
};

TEST_P(Acceptability, EmptySegmentAndClosedWindowOnlyAtRcvNxt) {
  EXPECT_FALSE(accepts(-1, 0, 0));
  EXPECT_TRUE(accepts(0, 0, 0));
  EXPECT_FALSE(accepts(1, 0, 0));
}

TEST_P(Acceptability, EmptySegmentAnywhereInAnOpenWindow) {
  EXPECT_FALSE(accepts(-1, 0, 100));
  EXPECT_TRUE(accepts(0, 0, 100));
  EXPECT_TRUE(accepts(99, 0, 100));
  EXPECT_FALSE(accepts(100, 0, 100));
}

TEST_P(Acceptability, NothingWithLengthInAClosedWindow) {
  EXPECT_FALSE(accepts(-1, 1, 0));
  EXPECT_FALSE(accepts(-1, 2, 0));
  EXPECT_FALSE(accepts(0, 1, 0));
  EXPECT_FALSE(accepts(1, 1, 0));
}

TEST_P(Acceptability, FirstOrLastOctetInAnOpenWindow) {
  EXPECT_FALSE(accepts(-10, 10, 100)) << "ends just before the window";
  EXPECT_TRUE(accepts(-10, 11, 100)) << "its last octet is the first of the window";
  EXPECT_TRUE(accepts(-10, 110, 100)) << "its last octet is the last of the window";
  EXPECT_TRUE(accepts(0, 100, 100));
  EXPECT_TRUE(accepts(99, 1, 100));
  EXPECT_TRUE(accepts(99, 50, 100)) << "begins in the window";
  EXPECT_FALSE(accepts(100, 1, 100));
}

TEST_P(Acceptability, ASegmentThatCoversTheWholeWindow) {
  EXPECT_TRUE(accepts(-10, 111, 100));
  EXPECT_TRUE(accepts(-1, 102, 100));
  EXPECT_TRUE(accepts(-1, 65535, 100));
  EXPECT_TRUE(accepts(0, 101, 100));
}

TEST_P(Acceptability, NothingHalfASequenceSpaceAwayCoversTheWindow) {
  // From there RCV.NXT seems to lie ahead and the window's right edge behind.
  for (std::int64_t away = 0x80000000 - 110; away < 0x80000000 + 110; ++away) {
    for (const std::uint32_t len : {1U, 2U, 1000U}) {
      ASSERT_FALSE(accepts(away, len, 100)) << away << ", " << len;
    }
  }
}

TEST_P(Acceptability, AWindowOfOneOctet) {
  EXPECT_FALSE(accepts(-1, 1, 1));
  EXPECT_TRUE(accepts(-1, 2, 1));
  EXPECT_TRUE(accepts(0, 1, 1));
  EXPECT_FALSE(accepts(1, 1, 1));
}

TEST_P(Acceptability, TheLargestWindowOfAll) {
  constexpr std::uint32_t kLargest = 65535U << 14U;
  EXPECT_TRUE(accepts(kLargest - 1, 1, kLargest));
  EXPECT_FALSE(accepts(kLargest, 1, kLargest));
  EXPECT_FALSE(accepts(-1, 1, kLargest));
  EXPECT_FALSE(accepts(INT32_MIN, 0, kLargest));
}

TEST_P(Acceptability, IsThatAnyOctetLiesInTheWindow) {
  // The rule behind the table, octet by octet.
  SeededRandom random(GetParam());
  for (int i = 0; i < 20'000; ++i) {
    const auto wnd = static_cast<std::uint32_t>(random.below(20));
    const auto len = static_cast<std::uint32_t>(random.below(40));
    const std::int64_t seq = static_cast<std::int64_t>(random.below(80)) - 40;
    bool expected = len == 0 && seq == 0;
    for (std::int64_t octet = seq; octet < seq + std::max(len, 1U); ++octet) {
      if (0 <= octet && octet < std::int64_t{wnd}) expected = true;
    }
    ASSERT_EQ(accepts(seq, len, wnd), expected) << seq << " " << len << " " << wnd;
  }
}

INSTANTIATE_TEST_SUITE_P(RcvNxt, Acceptability,
                         ::testing::Values(1000U, 0U, 5U, 0xffffffffU, 0xffffffffU - 50,
                                           0x7fffffffU, 0x80000000U - 50));

}  // namespace
}  // namespace runnel::tcp
