// RFC 9293 section 3.10.7.3 (SYN-SENT), section 3.5 (handshake, simultaneous open), and what
// SYN-RECEIVED does.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using SynSent = TcpTester;
using SynReceived = TcpTester;

// --- 3.10.7.3, first: the ACK bit ---

TEST_F(SynSent, R_9293_3_10_7_3_ACK_WhatAcknowledgesNothingOfOursIsReset) {
  bring_to(TcpState::SynSent);
  for (const std::uint32_t bad : {iss(), iss() - 1, our(0) + 1, iss() + 0x7fffffff}) {
    send(segment().syn().seq(peer_iss).ack(bad).mss(1460));
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(bad), HasNoAckBit()));
    send(segment().seq(peer_iss).ack(bad));
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(bad), HasNoAckBit()));
    send(segment().rst().seq(peer_iss).ack(bad));
    EXPECT_THAT(next_sent(), IsNothing()) << "no RST for a RST";
  }
  EXPECT_EQ(name_of(state()), "SYN-SENT");
}

// --- second: the RST bit ---

TEST_F(SynSent,
       R_9293_3_10_7_3_RST__R_9293_3_10_7_3_RST5961__R_5961_3_2_SYNSENT_ARightAckMeansRefused) {
  bring_to(TcpState::SynSent);
  send(segment().rst().seq(0xdeadbeef).ack(our(0)));
  EXPECT_THAT(next_sent(), IsNothing());
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::connection_refused);
  EXPECT_TRUE(take_event(EventKind::Closed));
  advance(5min);
  EXPECT_THAT(next_sent(), IsNothing()) << "no more SYNs";
}

TEST_F(SynSent, R_9293_3_10_7_3_RST__R_5961_3_2_SYNSENT_WithoutAckIsIgnored) {
  bring_to(TcpState::SynSent);
  send(segment().rst().seq(0));
  send(segment().rst().seq(peer_iss));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_TRUE(take_events().empty());
  EXPECT_EQ(name_of(state()), "SYN-SENT");
}

// --- fourth: the SYN bit ---

TEST_F(SynSent, R_9293_3_10_7_3_SYNACK_EstablishesAndIsAcknowledgedAtOnce) {
  bring_to(TcpState::SynSent);
  send(segment().syn().seq(peer_iss).ack(our(0)).window(4000).mss(1000));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(0))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_TRUE(take_event(EventKind::Connected));
  EXPECT_EQ(info().send_window_octets, 4000U);
  EXPECT_EQ(info().send_mss_octets, 1000);
}

TEST_F(SynSent, R_9293_3_10_7_3_SYNACK_DataAndFinOnTheSynAckAreProcessed) {
  bring_to(TcpState::SynSent);
  send(segment().syn().fin().seq(peer_iss).ack(our(0)).mss(1460).payload("hi"));
  advance(40ms);
  bool has_acked_all = false;
  for (const SentSegment& sent : all_sent()) has_acked_all = sent.ack == their(3);
  if (!has_acked_all) send(ack_segment(0, 0).payload("hi").fin());  // left for a retransmission
  advance(40ms);
  EXPECT_EQ(read_all(), "hi");
  EXPECT_TRUE(reads_end_of_stream());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
}

TEST_F(SynSent, R_9293_MUST_10__R_9293_3_10_7_3_SIMOPEN_ASynIsAnsweredWithOurSynAgainAndItsAck) {
  ignore_timestamps_default();
  bring_to(TcpState::SynSent);
  const std::uint32_t first_iss = iss();
  send(segment().syn().seq(peer_iss).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(first_iss), HasAck(their(0)), HasMss(1460)));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
  // As the peer does the same, its SYN,ACK repeats its SYN.
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_TRUE(take_event(EventKind::Connected));
  forget_sent();
  send(ack_segment(0, 0).payload("hello"));
  EXPECT_EQ(read_all(), "hello");
  EXPECT_EQ(stack().connection_count(), 1U);
}

TEST_F(SynSent, R_9293_MUST_10_APlainAckCompletesASimultaneousOpenToo) {
  bring_to(TcpState::SynSent);
  send(segment().syn().seq(peer_iss).mss(1460).window(3000));
  send(ack_segment(0, 0).window(3000));
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_TRUE(take_event(EventKind::Connected));
  EXPECT_EQ(info().send_window_octets, 3000U);
}

// --- fifth: neither SYN nor RST ---

TEST_F(SynSent, R_9293_3_10_7_3_NEITHER_IsDropped) {
  bring_to(TcpState::SynSent);
  send(segment().seq(peer_iss).ack(our(0)));
  send(segment().seq(peer_iss).ack(our(0)).payload("data").fin());
  send(segment().seq(peer_iss).payload("data"));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "SYN-SENT");
}

TEST_F(SynSent, R_9293_3_10_7_3_SYNACK_TheSynIsNotSentAgainAfterwards) {
  bring_to(TcpState::SynSent);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  forget_sent();
  advance(5min);
  EXPECT_THAT(next_sent(), IsNothing());
}

// --- SYN-RECEIVED ---

TEST_F(SynReceived, R_9293_3_10_7_4_ACK_SYNRCVD_TheAckOfOurSynEstablishes) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  EXPECT_FALSE(stack().accept(listener()));
  send(ack_segment(0, 0).window(5000));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_TRUE(take_event(EventKind::Incoming));
  ASSERT_TRUE(accept());
  EXPECT_EQ(name_of(info().state), "ESTABLISHED");
  EXPECT_EQ(info().send_window_octets, 5000U);
  EXPECT_EQ(stack().syn_received_count(), 0U);
}

TEST_F(SynReceived, R_9293_3_10_7_4_ACK_SYNRCVD_AnyOtherAckIsResetAndTheStateIsKept) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    bring_to(TcpState::SynReceived, opening);
    for (const std::uint32_t bad : {iss(), our(0) + 1, iss() - 1000}) {
      send(segment().seq(their(0)).ack(bad));
      EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(bad), HasNoAckBit()));
    }
    EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
    send(ack_segment(0, 0));
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

TEST_F(SynReceived, R_9293_3_10_7_4_SYN_PASSIVE_TheSameSynGetsTheSameSynAck) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  const std::uint32_t first_iss = iss();
  send(segment().syn().seq(peer_iss).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(first_iss), HasAck(their(0))));
  EXPECT_EQ(stack().syn_received_count(), 1U);
}

TEST_F(SynReceived, R_9293_3_10_7_4_SYN_PASSIVE_AnotherSynIsChallengedAndTheHandshakeGoesOn) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  send(segment().syn().seq(their(500)).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(0))));
  send(ack_segment(0, 0));
  EXPECT_TRUE(accept());
}

TEST_F(SynReceived, R_9293_MUST_11__R_9293_3_10_7_4_RST_SYNRCVD_AfterAnActiveOpenAResetIsARefusal) {
  bring_to(TcpState::SynReceived, Opening::Active);
  send(segment().rst().seq(their(0)));
  EXPECT_THAT(next_sent(), IsNothing());
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::connection_refused);
  EXPECT_TRUE(take_event(EventKind::Closed));
  advance(5min);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(SynReceived, R_9293_3_10_7_4_FIN_EST_FinOnTheLastAckOfTheHandshakeGoesToCloseWait) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  send(ack_segment(0, 0).payload("only this").fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(10))));
  ASSERT_TRUE(accept());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  EXPECT_EQ(read_all(), "only this");
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(SynReceived, R_9293_3_10_7_4_SEQ_DataBeforeTheHandshakesAckIsNotDelivered) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  send(segment().seq(their(0)).payload("no ack"));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_FALSE(stack().accept(listener()));
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_error(), Errc::would_block);
}

TEST_F(SynReceived, R_9293_MUST_22_TheSynAckIsSentAgainAndThenForgotten) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  const std::uint32_t first_iss = iss();
  for (const Duration wait : {1s, 2s, 4s, 8s, 16s}) {
    advance(wait - 1ns);
    EXPECT_THAT(next_sent(), IsNothing()) << "too early";
    advance(1ns);
    EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(first_iss), HasAck(their(0))));
  }
  advance(3min);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
  EXPECT_EQ(name_of(state()), "LISTEN");
}

TEST_F(SynReceived, R_9293_MUST_10_TheSynAckOfASimultaneousOpenIsSentAgainToo) {
  bring_to(TcpState::SynReceived, Opening::Active);
  const std::uint32_t first_iss = iss();
  advance(3s);
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(first_iss), HasAck(their(0))));
}

}  // namespace
}  // namespace runnel::test
