// What the receiver says back: delayed ACKs and window updates. RFC 9293 sections 3.8.6.2.2 and
// 3.8.6.3; RFC 5681 section 4.2; RFC 7323 section 2.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using DelayedAck = TcpTester;
using WindowUpdate = TcpTester;
using WindowScale = TcpTester;

// --- Delayed ACK ---

TEST_F(DelayedAck, R_9293_SHLD_18__R_9293_MUST_40_OneSegmentIsAcknowledgedAfter40Milliseconds) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 1460)));
  EXPECT_THAT(next_sent(), IsNothing());
  advance(40ms - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(1460))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(DelayedAck, R_9293_SHLD_19__R_5681_4_2_ACK2_EverySecondFullSegmentIsAcknowledgedAtOnce) {
  bring_to(TcpState::Established);
  std::size_t acks = 0;
  for (std::uint32_t i = 0; i < 10; ++i) {
    send(ack_segment(i * 1460, 0).payload(pattern(i * 1460, 1460)));
    while (const auto sent = next_sent()) {
      EXPECT_THAT(sent, AllOf(IsPureAck(), HasAck(their((i + 1) * 1460))));
      ++acks;
    }
  }
  EXPECT_EQ(acks, 5U);
}

TEST_F(DelayedAck, R_9293_SHLD_18_TheAckRidesOnTheAnswer) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("request"));
  EXPECT_EQ(read_all(), "request");
  EXPECT_TRUE(write("answer"));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasAck(their(7)), HasPayload("answer")));
  forget_sent();
  advance(41ms);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(DelayedAck, R_9293_MUST_40_TheDelayCountsFromTheFirstOctetThatWaits) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("a"));
  advance(30ms);
  send(ack_segment(1, 0).payload("b"));
  advance(10ms);
  EXPECT_THAT(next_sent(), HasAck(their(2)));
}

TEST_F(DelayedAck, R_5681_4_2_NOEXTRA_NoMoreAcksThanSegments) {
  bring_to(TcpState::Established);
  std::size_t acks = 0;
  for (std::uint32_t i = 0; i < 50; ++i) {
    send(ack_segment(i * 100, 0).payload(pattern(i * 100, 100)));
    acks += all_sent().size();
  }
  advance(500ms);
  acks += all_sent().size();
  EXPECT_LE(acks, 50U);
  EXPECT_GE(acks, 1U);
}

// --- The receive window ---

TEST_F(WindowUpdate, R_9293_MUST_39_NoUpdateBeforeASegmentOrHalfTheBufferIsFree) {
  TcpConfig config;
  config.receive_buffer_octets = 4380;
  rebuild(config);
  bring_to(TcpState::Established);
  for (std::uint32_t at = 0; at < 4380; at += 1460) {
    send(ack_segment(at, 0).payload(pattern(at, 1460)));
  }
  advance(40ms);
  EXPECT_EQ(announced_window(), 0U);
  forget_sent();
  std::vector<std::uint8_t> out(1459);
  ASSERT_EQ(stack().read(id(), MutableBytes(out).first(10)).value_or(0), 10U);
  pump();
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing());
  ASSERT_EQ(stack().read(id(), MutableBytes(out).first(1449)).value_or(0), 1449U);
  pump();
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing());
  ASSERT_EQ(stack().read(id(), MutableBytes(out).first(1)).value_or(0), 1U);
  pump();
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(4380))));
  EXPECT_GE(announced_window(), 1460U);
}

TEST_F(WindowUpdate, R_9293_MUST_39_HalfOfASmallBufferIsEnough) {
  TcpConfig config;
  config.receive_buffer_octets = 1000;
  rebuild(config);
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 1000)));
  advance(40ms);
  ASSERT_EQ(announced_window(), 0U);
  forget_sent();
  std::vector<std::uint8_t> out(499);
  ASSERT_EQ(stack().read(id(), out).value_or(0), 499U);
  pump();
  EXPECT_THAT(next_sent(), IsNothing());
  ASSERT_EQ(stack().read(id(), MutableBytes(out).first(1)).value_or(0), 1U);
  pump();
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasWindow(500)));
}

TEST_F(WindowUpdate, R_9293_MUST_39_AProbeSeesTheClosedWindowNotASillyOne) {
  TcpConfig config;
  config.receive_buffer_octets = 4380;
  rebuild(config);
  bring_to(TcpState::Established);
  for (std::uint32_t at = 0; at < 4380; at += 1460) {
    send(ack_segment(at, 0).payload(pattern(at, 1460)));
  }
  advance(40ms);
  std::vector<std::uint8_t> out(100);
  ASSERT_TRUE(stack().read(id(), out));
  pump();
  forget_sent();
  send(ack_segment(4380, 0).payload("p"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(4380)), HasWindow(0)));
}

TEST_F(WindowUpdate, R_9293_MUST_36__R_9293_MAY_8_EveryProbeOfAPeerIsAnswered) {
  TcpConfig config;
  config.receive_buffer_octets = 1000;
  rebuild(config);
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 1000)));
  advance(40ms);
  forget_sent();
  for (int i = 0; i < 50; ++i) {
    send(ack_segment(1000, 0).payload("p"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(1000)), HasWindow(0)));
    advance(1s);
  }
}

// --- Window scale ---

TEST_F(WindowScale, R_7323_2_2_SYNUNSCALED_TheWindowOfASynIsNotScaled) {
  connect();
  const auto syn = next_sent();
  ASSERT_TRUE(syn);
  EXPECT_TRUE(syn->options.window_scale);
  EXPECT_EQ(syn->window, 65535) << "one mebibyte of buffer";
  rebuild(Config{});
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).wscale(2));
  const auto syn_ack = next_sent();
  ASSERT_TRUE(syn_ack);
  EXPECT_TRUE(syn_ack->options.window_scale);
  EXPECT_EQ(syn_ack->window, 65535);
}

TEST_F(WindowScale, R_7323_2_2_WSNEG_WithoutThePeersOfferNothingIsScaled) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  EXPECT_FALSE(next_sent()->options.window_scale) << "only as an answer to an offer";
  rebuild(Config{});
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).window(1000).payload("x"));
  advance(40ms);
  EXPECT_GE(next_sent()->window, 65534) << "as many octets as fit into the field";
  EXPECT_EQ(info().send_window_octets, 1000U);
  EXPECT_EQ(info().send_window_scale, 0);
  EXPECT_EQ(info().receive_window_scale, 0);
}

TEST_F(WindowScale, R_7323_2_3_SHIFT_BothWaysWhenBothOffer) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    peer_wscale = 7;
    bring_to(TcpState::Established, opening);
    send(ack_segment(0, 0).window(1000).payload(pattern(0, 100)));
    advance(40ms);
    const auto ack = next_sent();
    ASSERT_TRUE(ack);
    EXPECT_EQ(info().send_window_octets, 128000U);
    EXPECT_EQ(info().send_window_scale, 7);
    const std::size_t buffer = info().receive_buffer_octets;
    EXPECT_GT(announced_window(), buffer / 2);
    EXPECT_LE(announced_window(), buffer);
  }
}

TEST_F(WindowScale, R_7323_2_3_SHIFT_TheFirstAckOfAnActiveOpenIsScaled) {
  peer_wscale = 7;
  connect();
  const auto syn = next_sent();
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460).wscale(7));
  const auto ack = next_sent();
  ASSERT_TRUE(syn && ack);
  const std::uint32_t shift = *syn->options.window_scale;
  EXPECT_LE(std::uint32_t{ack->window} << shift, info().receive_buffer_octets);
}

TEST_F(WindowScale, R_7323_2_3_MAX14_ALargerShiftCountsAs14) {
  peer_wscale = 15;
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).window(1));
  EXPECT_EQ(info().send_window_octets, 16384U);
}

TEST_F(WindowScale, R_7323_2_2_WSNONSYN_OutsideASynTheOptionMeansNothing) {
  peer_wscale = 2;
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).wscale(9).window(100));
  EXPECT_EQ(info().send_window_octets, 400U);
}

TEST_F(WindowScale, R_7323_2_4_RETRACT_WhatWasOnceInsideTheWindowIsTaken) {
  TcpConfig config;
  config.receive_buffer_octets = 300000;
  rebuild(config);
  peer_wscale = 7;
  bring_to(TcpState::Established);
  // Odd amounts make the scaled field round; the last octet that was ever offered must stay good.
  std::uint32_t next = 0;
  std::uint32_t edge = announced_edge() - their(0);
  for (int i = 0; i < 40; ++i) {
    send(ack_segment(next, 0).payload(pattern(next, 333)));
    next += 333;
    advance(50ms);
    edge = std::max(edge, announced_edge() - their(0));
  }
  for (std::uint32_t at = next; at < edge; at += 1460) {
    const std::uint32_t length = std::min<std::uint32_t>(1460, edge - at);
    send(ack_segment(at, 0).payload(pattern(at, length)));
  }
  EXPECT_EQ(read_all(), pattern(0, edge));
}

}  // namespace
}  // namespace runnel::test
