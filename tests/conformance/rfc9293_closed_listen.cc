// RFC 9293 sections 3.10.7.1 (CLOSED), 3.10.7.2 (LISTEN) and 3.5.2 (resets).
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using ClosedState = TcpTester;
using ListenState = TcpTester;

// --- 3.10.7.1 CLOSED ---

TEST_F(ClosedState, R_9293_3_10_7_1_RST__R_9293_3_5_2_RSTNONE_AResetIsNotAnswered) {
  send(segment().rst().seq(100));
  send(segment().rst().seq(100).ack(55));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(ClosedState, R_9293_3_10_7_1_NOACK_SynAndDataAndFinAreCountedInTheAcknowledgment) {
  send(segment().syn().seq(100).payload("0123456789"));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(0U), HasAck(111U)));
  send(segment().fin().seq(100));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(0U), HasAck(101U)));
  send(segment().syn().fin().seq(100).payload("abc"));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(0U), HasAck(105U)));
  send(segment().seq(0xffffffff).syn());
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(0U), HasAck(0U)));
}

TEST_F(ClosedState, R_9293_3_10_7_1_ACK_TheResetTakesItsSequenceNumberFromTheAck) {
  send(segment().seq(1).ack(5000));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(5000U), HasNoAckBit()));
  send(segment().syn().seq(1).ack(6000));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(6000U), HasNoAckBit()));
  send(segment().seq(1).ack(7000).payload("x").fin());
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(7000U), HasNoAckBit()));
}

TEST_F(ClosedState, R_9293_3_10_7_1_ACK_TheResetComesFromWhereTheSegmentWent) {
  send(segment().to_port(81).from_port(4242).seq(1).ack(5000));
  const auto rst = next_sent();
  ASSERT_THAT(rst, IsRst());
  EXPECT_EQ(rst->from, (Endpoint{kLocal.address, 81}));
  EXPECT_EQ(rst->to, (Endpoint{kPeer.address, 4242}));
}

// --- 3.10.7.2 LISTEN ---

TEST_F(ListenState, R_9293_3_10_7_2_RST_IsIgnored) {
  bring_to(TcpState::Listen);
  send(segment().rst().seq(100));
  send(segment().rst().seq(100).ack(5));
  EXPECT_THAT(next_sent(), IsNothing());
  establish_passive();
}

TEST_F(ListenState, R_9293_3_10_7_2_ACK_IsAnsweredWithAResetAtItsNumber) {
  bring_to(TcpState::Listen);
  send(segment().seq(3).ack(77));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(77U), HasNoAckBit()));
  send(segment().syn().seq(3).ack(78));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(78U), HasNoAckBit()));
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(name_of(state()), "LISTEN");
}

TEST_F(ListenState, R_9293_3_10_7_2_SYN_IsAnsweredWithSynAck) {
  ignore_timestamps_default();
  bring_to(TcpState::Listen);
  send(segment().syn().seq(9).mss(1460));
  const auto syn_ack = next_sent();
  EXPECT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(10U), HasMss(1460)));
  EXPECT_EQ(syn_ack->from, kLocal);
  EXPECT_EQ(syn_ack->to, kPeer);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().syn_received_count(), 1U);
  EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
}

TEST_F(ListenState, R_9293_3_10_7_2_SYN_OtherControlBitsDoNotMatter) {
  bring_to(TcpState::Listen);
  send(segment().syn().psh().urg(3).seq(9).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(10U)));
}

TEST_F(ListenState, R_9293_3_10_7_2_SYNDATA_DataOnTheSynIsDeliveredOnceAndNotBeforeTheHandshake) {
  bring_to(TcpState::Listen);
  send(segment().syn().seq(peer_iss).mss(1460).payload("twenty octets of data"));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  // Kept for later or left for the peer to send again: the ACK says which.
  const std::uint32_t taken = syn_ack->ack - their(0);
  EXPECT_TRUE(taken == 0 || taken == 21) << taken;
  EXPECT_FALSE(stack().accept(listener())) << "delivered before the handshake was complete";
  send(ack_segment(taken, 0).payload(taken == 0 ? "twenty octets of data" : ""));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "twenty octets of data");
}

TEST_F(ListenState, R_9293_3_10_7_2_OTHER_AnythingElseIsDropped) {
  bring_to(TcpState::Listen);
  send(segment().fin().seq(4));
  send(segment().seq(4).payload("data"));
  send(segment().urg(4).psh().seq(4));
  send(segment().seq(4));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "LISTEN");
}

TEST_F(ListenState, R_9293_MUST_11_AResetInSynReceivedReturnsToListenSilently) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  send(segment().rst().seq(their(0)));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "LISTEN");
  EXPECT_TRUE(take_events().empty()) << "the application is not told";
  advance(5min);
  EXPECT_THAT(next_sent(), IsNothing()) << "the retransmission queue is empty";
  establish_passive();
}

TEST_F(ListenState, R_9293_3_10_7_2_SYN_ALongListOfPeersIsToldApart) {
  bring_to(TcpState::Listen);
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    send(segment().from_port(port).syn().seq(port).mss(1460));
    const auto syn_ack = next_sent();
    ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(std::uint32_t{port} + 1)));
    EXPECT_EQ(syn_ack->to.port, port);
  }
  EXPECT_EQ(stack().syn_received_count(), 100U);
}

}  // namespace
}  // namespace runnel::test
