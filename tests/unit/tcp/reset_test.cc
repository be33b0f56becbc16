// The shapes of RSTs: RFC 9293 section 3.5.2, and section 3.10.7.1 for CLOSED.
#include "stack/tcp/reset.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

constexpr FourTuple kTuple{{IpAddress{192, 0, 2, 2}, 80}, {IpAddress{192, 0, 2, 1}, 50000}};

Segment segment_with(wire::TcpFlags flags, std::string_view text = {}) {
  Segment seg;
  seg.seq = SeqNum{1000};
  seg.ack = SeqNum{7000};
  seg.flags = flags;
  seg.window = 4000;
  seg.text = as_bytes(text);
  return seg;
}

void expect_from_us(const wire::TcpHeader& header) {
  EXPECT_EQ(header.source_port, 80);
  EXPECT_EQ(header.destination_port, 50000);
  EXPECT_EQ(header.window, 0);
  EXPECT_EQ(header.options, wire::TcpOptions{});
}

TEST(Reset, AnswersAnAckWithItsNumberAndNoAckOfItsOwn) {
  for (const wire::TcpFlags flags :
       {wire::TcpFlags{.ack = true}, {.syn = true, .ack = true}, {.fin = true, .ack = true}}) {
    const auto reset = reset_answering(kTuple, segment_with(flags, "abc"));
    ASSERT_TRUE(reset);
    EXPECT_EQ(reset->seq.value(), 7000U);
    EXPECT_EQ(reset->flags, wire::TcpFlags{.rst = true});
    EXPECT_EQ(reset->ack.value(), 0U);
    expect_from_us(*reset);
  }
}

TEST(Reset, AnswersASegmentWithoutAckByAcknowledgingAllOfIt) {
  struct Case {
    wire::TcpFlags flags;
    std::string_view text;
    std::uint32_t ack;
  };
  for (const Case& c :
       {Case{{}, "", 1000}, Case{{.syn = true}, "", 1001}, Case{{}, "abc", 1003},
        Case{{.fin = true}, "", 1001}, Case{{.fin = true, .syn = true}, "abc", 1005}}) {
    const auto reset = reset_answering(kTuple, segment_with(c.flags, c.text));
    ASSERT_TRUE(reset);
    EXPECT_EQ(reset->seq.value(), 0U);
    EXPECT_EQ(reset->flags, (wire::TcpFlags{.rst = true, .ack = true}));
    EXPECT_EQ(reset->ack.value(), c.ack);
    expect_from_us(*reset);
  }
}

TEST(Reset, TheAcknowledgmentWraps) {
  Segment seg = segment_with({.syn = true});
  seg.seq = SeqNum{0xffffffff};
  EXPECT_EQ(reset_answering(kTuple, seg)->ack.value(), 0U);
}

TEST(Reset, IsNeverAnsweredWithAReset) {
  EXPECT_FALSE(reset_answering(kTuple, segment_with({.rst = true})));
  EXPECT_FALSE(reset_answering(kTuple, segment_with({.rst = true, .ack = true})));
  EXPECT_FALSE(reset_answering(kTuple, segment_with({.syn = true, .rst = true})));
}

TEST(Reset, ThatEndsAConnectionStandsAtSndNxtWithoutAck) {
  const wire::TcpHeader reset = reset_at(kTuple, SeqNum{4711});
  EXPECT_EQ(reset.seq.value(), 4711U);
  EXPECT_EQ(reset.flags, wire::TcpFlags{.rst = true});
  EXPECT_EQ(reset.ack.value(), 0U);
  expect_from_us(reset);
}

}  // namespace
}  // namespace runnel::tcp
