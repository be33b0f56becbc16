// RFC 9293 section 3.10.7.4, step five: the ACK field and the send window.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Acknowledgment = TcpTester;

TEST_F(Acknowledgment, R_9293_3_10_7_4_NOACK_ASegmentWithoutTheBitIsDropped) {
  bring_to(TcpState::Established);
  send(segment().seq(their(0)).payload("data"));
  send(segment().seq(their(0)).fin());
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(read_error(), Errc::would_block);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_ACK_NEW_MovesSndUnaAlsoIntoTheMiddleOfASegment) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1000));
  forget_sent();
  send(ack_segment(0, 400));
  EXPECT_EQ(info().octets_acknowledged, 400U);
  EXPECT_EQ(info().send_queue_octets, 600U);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1s);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(400)), HasPayload(pattern(400, 600))));
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_ACK_DUP_IsNoNewsButItsDataCounts) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1000));
  send(ack_segment(0, 1000));
  forget_sent();
  send(ack_segment(0, 500).payload("still good"));
  EXPECT_EQ(info().octets_acknowledged, 1000U);
  EXPECT_EQ(read_all(), "still good");
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_ACK_FUTURE_WhatWasNotSentCannotBeAcknowledged) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("abc"));
  forget_sent();
  send(ack_segment(0, 4).payload("not delivered"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(3)), HasAck(their(0))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(read_error(), Errc::would_block);
  EXPECT_EQ(info().octets_acknowledged, 0U);
  send(ack_segment(0, 3).payload("delivered"));
  EXPECT_EQ(read_all(), "delivered");
}

TEST_F(Acknowledgment,
       R_9293_MAY_12__R_9293_3_10_7_4_ACK5961__R_5961_5_2_ACK_AnAckOlderThanAWindowIsRefused) {
  peer_window = 500;
  bring_to(TcpState::Established);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(write_octets(500));
    send(ack_segment(0, static_cast<std::uint32_t>(i + 1) * 500));
  }
  forget_sent();
  send(ack_segment(0, 2000 - 501).payload("refused"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(2000)), HasAck(their(0))));
  EXPECT_EQ(read_error(), Errc::would_block);
  send(ack_segment(0, 2000 - 500).payload("taken"));
  EXPECT_EQ(read_all(), "taken");
}

TEST_F(Acknowledgment, R_5961_5_2_MAXWND_TheLargestWindowEverSeenCounts) {
  peer_window = 1000;
  bring_to(TcpState::Established);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(write_octets(500));
    send(ack_segment(0, static_cast<std::uint32_t>(i + 1) * 500).window(500));
  }
  forget_sent();
  send(ack_segment(0, 1000).window(500).payload("taken"));
  EXPECT_EQ(read_all(), "taken");
}

// --- The send window ---

TEST_F(Acknowledgment, R_9293_3_10_7_4_WND_APureWindowUpdateCounts) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).window(0));
  EXPECT_EQ(info().send_window_octets, 0U);
  send(ack_segment(0, 0).window(5000));
  EXPECT_EQ(info().send_window_octets, 5000U);
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_WND_AnOlderSegmentDoesNotChangeTheWindow) {
  bring_to(TcpState::Established);
  send(ack_segment(10, 0).window(6000).payload("KLMNO"));
  EXPECT_EQ(info().send_window_octets, 6000U);
  // SEG.SEQ < SND.WL1: sent before, arrives later.
  send(ack_segment(0, 0).window(5000).payload("ABCDEFGHIJ"));
  EXPECT_EQ(info().send_window_octets, 6000U);
  EXPECT_EQ(read_all(), "ABCDEFGHIJKLMNO");
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_WND_AnOlderAckOfTheSameSegmentDoesNotChangeTheWindow) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1000));
  send(ack_segment(0, 1000).window(6000));
  send(ack_segment(0, 500).window(10));
  EXPECT_EQ(info().send_window_octets, 6000U);
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_WND_AnAckOfNewDataBringsItsWindowAlsoOnARetransmission) {
  // By default; RFC 9293 goes by SEG.SEQ first. When the peer retransmits, that is low though the
  // segment is new, as its ACK proves.
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1000));
  send(ack_segment(10, 0).window(5000));
  EXPECT_EQ(info().send_window_octets, 5000U);
  send(ack_segment(0, 1000).window(0).payload("ABCDEFGHIJ"));
  EXPECT_EQ(info().send_window_octets, 0U);
}

TEST_F(Acknowledgment, R_9293_3_10_7_4_WND_TheOrderIsToldByWl1AndWl2AloneUnderTheRfcsProfile) {
  rebuild(rfc_profile());
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1000));
  send(ack_segment(10, 0).window(5000).payload("KLMNO"));
  send(ack_segment(0, 1000).window(0).payload("ABCDEFGHIJ"));
  EXPECT_EQ(info().octets_acknowledged, 1000U) << "the ACK counts, the window does not";
  EXPECT_EQ(info().send_window_octets, 5000U);
}

TEST_F(Acknowledgment, R_9293_MUST_1_TheWindowFieldIsUnsigned) {
  peer_window = 65535;
  bring_to(TcpState::Established);
  EXPECT_EQ(info().send_window_octets, 65535U);
}

TEST_F(Acknowledgment, R_9293_REC_1_WindowsAreKeptIn32Bits) {
  peer_wscale = 14;
  bring_to(TcpState::Established);
  EXPECT_EQ(info().send_window_octets, 65535ULL << 14U);
}

TEST_F(Acknowledgment, R_9293_MUST_34__R_9293_SHLD_15_AShrunkWindowStopsNewData) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10000));
  forget_sent();
  send(ack_segment(0, 1460).window(2000));
  EXPECT_TRUE(write_octets(5000));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(info().send_window_octets, 2000U);
}

TEST_F(Acknowledgment, R_9293_SHLD_16__R_9293_MAY_7_WhatIsInsideAShrunkWindowIsRetransmitted) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10000));
  send(ack_segment(0, 1460).window(2000));
  forget_sent();
  advance(1s);
  const auto again = next_sent();
  EXPECT_THAT(again, AllOf(IsData(), HasSeq(our(1460))));
  EXPECT_LE(again->payload.size(), 2000U);
}

TEST_F(Acknowledgment, R_9293_SHLD_17_DataRightOfAShrunkWindowDoesNotEndTheConnection) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10000));
  // Everything inside the window is acknowledged, for ten minutes, probe by probe.
  for (int i = 0; i < 60; ++i) {
    send(ack_segment(0, 1460).window(0));
    advance(10s);
  }
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(take_event(EventKind::Error));
}

}  // namespace
}  // namespace runnel::test
