// RFC 9293 section 3.10.7.4, steps six to eight: urgent pointer, text and FIN. Section 3.6,
// closing.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Text = TcpTester;
using Fin = TcpTester;

// --- Sixth: the urgent pointer ---

TEST_F(Text, R_9293_3_10_7_4_URG_UrgentDataStaysInTheStream) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("normal"));
  send(ack_segment(6, 0).urg(3).payload("!!!and more"));
  EXPECT_EQ(read_all(), "normal!!!and more");
}

TEST_F(Text, R_9293_3_10_7_4_URG_APointerBeyondTheDataOrBehindFinIsHarmless) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).urg(65535).payload("x"));
  EXPECT_EQ(read_all(), "x");
  send(ack_segment(1, 0).fin());
  send(ack_segment(2, 0).urg(9));
  EXPECT_TRUE(reads_end_of_stream());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
}

// --- Seventh: the text ---

TEST_F(Text, R_9293_3_10_7_4_TEXT_IsDeliveredAndAcknowledgedAndTheEdgeDoesNotMoveLeft) {
  bring_to(TcpState::Established);
  const std::uint32_t edge = announced_edge();
  send(ack_segment(0, 0).payload(pattern(0, 1000)));
  advance(500ms);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(1000))));
  EXPECT_GE(static_cast<std::int32_t>(announced_edge() - edge), 0);
  EXPECT_EQ(read_all(), pattern(0, 1000));
}

TEST_F(Text, R_9293_SHLD_14_TheRightEdgeNeverMovesLeft) {
  for (const std::size_t buffer : {std::size_t{3000}, std::size_t{40000}, std::size_t{1} << 20U}) {
    TcpConfig config;
    config.receive_buffer_octets = buffer;
    rebuild(config);
    peer_wscale = 3;
    establish_passive();
    SeededRandom dice(buffer);
    std::uint32_t edge = announced_edge();
    std::uint32_t next = 0;
    for (int i = 0; i < 2000; ++i) {
      const std::uint32_t room = announced_edge() - their(next);
      const auto length =
          std::min<std::uint32_t>(static_cast<std::uint32_t>(dice.below(1461)), room);
      send(ack_segment(next, 0).payload(pattern(next, length)));
      next += length;
      if (dice.below(3) == 0) {
        std::vector<std::uint8_t> out(dice.below(5000) + 1);
        (void)stack().read(id(), out);
        pump();
      }
      if (dice.below(4) == 0) advance(50ms);
      ASSERT_GE(static_cast<std::int32_t>(announced_edge() - edge), 0) << "after segment " << i;
      edge = announced_edge();
    }
    forget_sent();
  }
}

TEST_F(
    Text,
    R_9293_SHLD_31__R_9293_MAY_13__R_5681_3_2_DUPACKRX_OutOfOrderTextIsKeptAndAcknowledgedAtOnce) {
  bring_to(TcpState::Established);
  send(ack_segment(1460, 0).payload(pattern(1460, 1460)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0))));
  EXPECT_EQ(read_error(), Errc::would_block);
  send(ack_segment(0, 0).payload(pattern(0, 1460)));
  EXPECT_EQ(read_all(), pattern(0, 2920));
}

TEST_F(Text, R_5681_3_2_FILLRX_FillingAGapIsAcknowledgedAtOnce) {
  bring_to(TcpState::Established);
  send(ack_segment(100, 0).payload(pattern(100, 100)));
  send(ack_segment(300, 0).payload(pattern(300, 100)));
  forget_sent();
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(200)))) << "a part of the gap";
  send(ack_segment(200, 0).payload(pattern(200, 100)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(400)))) << "the rest";
  EXPECT_EQ(read_all(), pattern(0, 400));
}

TEST_F(Text, R_9293_3_10_TRIM_TheFirstCopyOfAnOctetIsKept) {
  bring_to(TcpState::Established);
  send(ack_segment(100, 0).payload(std::string(100, 'A')));
  send(ack_segment(50, 0).payload(std::string(200, 'B')));
  send(ack_segment(0, 0).payload(std::string(60, 'C')));
  // 0-59 came last but fill a gap up to 49; 50-99 came with B, 100-199 with A first.
  EXPECT_EQ(read_all(), std::string(50, 'C') + std::string(50, 'B') + std::string(100, 'A') +
                            std::string(50, 'B'));
}

TEST_F(Text, R_9293_MUST_58__R_9293_MUST_59_ABatchIsAcknowledgedOnce) {
  bring_to(TcpState::Established);
  std::vector<SegmentBuilder> batch;
  for (std::uint32_t i = 0; i < 6; ++i) {
    batch.push_back(ack_segment(i * 1460, 0).payload(pattern(i * 1460, 1460)));
  }
  send_batch(batch);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(6 * 1460))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Text, R_9293_3_10_7_4_TEXT_LATE_TextBehindTheFinIsIgnored) {
  for (const TcpState there : {TcpState::CloseWait, TcpState::Closing, TcpState::LastAck}) {
    rebuild(Config{});
    bring_to(there);
    send(ack_segment(1, 0).payload("too late"));
    EXPECT_EQ(name_of(state()), name_of(there));
    EXPECT_TRUE(reads_end_of_stream());
  }
}

// --- Eighth: FIN ---

TEST_F(Fin, R_9293_3_10_7_4_FIN__R_9293_3_10_7_4_FIN_EST_IsAcknowledgedAtOnceAndEndsReading) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(1))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  EXPECT_TRUE(take_event(EventKind::Ended));
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(Fin, R_9293_3_10_7_4_FIN_ActsOnlyInSequence) {
  bring_to(TcpState::Established);
  send(ack_segment(100, 0).payload(pattern(100, 50)).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0))));
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(take_event(EventKind::Ended));
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(151))));
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  EXPECT_EQ(read_all(), pattern(0, 150));
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(Fin, R_9293_3_10_7_4_ACK_FW1__R_9293_3_10_7_4_ACK_FW2_OnlyTheAckOfFinLeadsToFinWait2) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("abc"));
  EXPECT_TRUE(shutdown_write());
  send(ack_segment(0, 3));
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
  send(ack_segment(0, 4));
  EXPECT_EQ(name_of(state()), "FIN-WAIT-2");
  send(ack_segment(0, 4).payload("still open"));
  EXPECT_EQ(read_all(), "still open");
}

TEST_F(Fin, R_9293_3_10_7_4_FIN_FW1_WithTheAckOfOursToTimeWaitElseToClosing) {
  bring_to(TcpState::FinWait1, Opening::Active);
  send(ack_segment(0, 1).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(1)), HasAck(their(1))));
  EXPECT_EQ(name_of(state()), "TIME-WAIT");

  rebuild(Config{});
  bring_to(TcpState::FinWait1, Opening::Active);
  send(ack_segment(0, 0).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(1)), HasAck(their(1))));
  EXPECT_EQ(name_of(state()), "CLOSING");
}

TEST_F(Fin, R_9293_3_10_7_4_FIN_FW2_OnlyTheTimeWaitTimerRemains) {
  bring_to(TcpState::FinWait2, Opening::Active);
  EXPECT_TRUE(stack().set_keepalive(id(), true));
  send(ack_segment(0, 1).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(1)), HasAck(their(1))));
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
  EXPECT_EQ(stack().timer_count(), 1U);
  EXPECT_TRUE(close());
  EXPECT_EQ(stack().connection_count(), 0U) << "a small record is enough";
  EXPECT_EQ(stack().time_wait_count(), 1U);
}

TEST_F(Fin, R_9293_3_10_7_4_ACK_CLOSING_TheFinIsSentAgainUntilItsAckLeadsToTimeWait) {
  bring_to(TcpState::Closing, Opening::Active);
  advance(200ms);
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(our(0)), HasAck(their(1))));
  send(ack_segment(1, 0));
  EXPECT_EQ(name_of(state()), "CLOSING");
  send(ack_segment(1, 1));
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Fin, R_9293_3_10_7_4_ACK_LASTACK_OnlyTheAckOfOurFinDeletesTheTcb) {
  bring_to(TcpState::CloseWait, Opening::Active);
  EXPECT_TRUE(write("abc"));
  EXPECT_TRUE(close());
  send(ack_segment(1, 3));
  EXPECT_EQ(name_of(state()), "LAST-ACK");
  send(ack_segment(1, 4));
  EXPECT_EQ(name_of(state()), "CLOSED");
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(Fin, R_9293_3_10_7_4_FIN_DUP_ARetransmittedFinIsAcknowledgedAndNothingElse) {
  for (const TcpState there : {TcpState::CloseWait, TcpState::Closing, TcpState::LastAck}) {
    rebuild(Config{});
    bring_to(there);
    for (int i = 0; i < 2; ++i) {
      send(ack_segment(0, 0).fin());
      EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(1))));
    }
    EXPECT_EQ(name_of(state()), name_of(there));
    EXPECT_FALSE(take_event(EventKind::Ended)) << "the end is told once";
  }
}

TEST_F(Fin, R_9293_3_6_FINRETX_DataAndFinAreSentAgainUntilAcknowledged) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(3000));
  EXPECT_TRUE(close());
  std::vector<SentSegment> first = all_sent();
  ASSERT_FALSE(first.empty());
  ASSERT_TRUE(first.back().flags.fin);
  const std::uint32_t fin_seq = first.back().seq + first.back().length() - 1;
  EXPECT_EQ(fin_seq, our(3000));
  send(ack_segment(0, 3000));
  forget_sent();
  for (int i = 0; i < 4; ++i) {
    advance(60s);
    const auto fin = next_sent();
    ASSERT_THAT(fin, IsFin());
    EXPECT_EQ(fin->seq + fin->length() - 1, fin_seq);
    forget_sent();
  }
}

TEST_F(Fin, R_9293_3_6_CLOSERX_AfterShutdownReadingGoesOn) {
  for (const TcpState there : {TcpState::FinWait1, TcpState::FinWait2}) {
    rebuild(Config{});
    bring_to(there);
    const std::uint32_t ours = there == TcpState::FinWait1 ? 0 : 1;
    std::string received;
    for (std::uint32_t at = 0; at < 5000; at += 1000) {
      send(ack_segment(at, ours).payload(pattern(at, 1000)));
      received += read_all();
    }
    EXPECT_EQ(received, pattern(0, 5000));
    advance(40ms);
    std::uint32_t acknowledged = 0;
    for (const SentSegment& sent : all_sent()) acknowledged = sent.ack;
    EXPECT_EQ(acknowledged, their(5000));
    send(ack_segment(5000, 1).fin());
    EXPECT_TRUE(reads_end_of_stream());
    EXPECT_EQ(name_of(state()), "TIME-WAIT");
  }
}

TEST_F(Fin, R_9293_A_2_SEQVAL_CrossingFinsWithDataEndInTimeWaitOnBothSides) {
  bring_to(TcpState::Established, Opening::Active);
  EXPECT_TRUE(write("ours"));
  EXPECT_TRUE(shutdown_write());
  forget_sent();
  send(ack_segment(0, 0).payload("theirs").fin());
  const auto ack = next_sent();
  ASSERT_THAT(ack, AllOf(IsPureAck(), HasAck(their(7))));
  EXPECT_EQ(name_of(state()), "CLOSING");
  // The peer is in CLOSING, too, and sees our retransmission: it acknowledges.
  send(ack_segment(7, 5));
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
  EXPECT_THAT(next_sent(), IsNothing()) << "no loop of ACKs";
}

TEST_F(Fin, R_9293_MAY_1__R_9293_SHLD_3_UnreadDataAtCloseIsAnsweredWithReset) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  forget_sent();
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(0))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().connection_count(), 0U);
}

TEST_F(Fin, R_9293_MAY_1__R_9293_SHLD_3_DataAfterCloseIsAnsweredWithReset) {
  for (const std::uint32_t ours : {0U, 1U}) {  // FIN-WAIT-1 and FIN-WAIT-2
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(close());
    forget_sent();
    send(ack_segment(0, ours).payload("nobody reads this"));
    EXPECT_THAT(next_sent(), IsRst());
    EXPECT_EQ(stack().connection_count(), 0U);
  }
}

TEST_F(Fin, R_9293_SHLD_3_ReadEverythingThenCloseSendsFin) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  EXPECT_EQ(read_all(), pattern(0, 100));
  forget_sent();
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasAck(their(100))));
}

TEST_F(Fin, FinWait2IsKeptForEverUnderTheRfcsProfile) {
  rebuild(rfc_profile());
  bring_to(TcpState::Established);
  EXPECT_TRUE(close());
  send(ack_segment(0, 1));
  advance(24h);
  EXPECT_EQ(name_of(state()), "FIN-WAIT-2");
  send(ack_segment(0, 1).fin());
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
}

TEST_F(Fin, FinWait2IsKeptOnlySoLongAfterClose) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(close());
  send(ack_segment(0, 1));
  forget_sent();
  advance(60s - 1ns);
  EXPECT_EQ(stack().connection_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().connection_count(), 0U);
}

TEST_F(Fin, R_9293_3_10_7_4_ACK_FW2_AfterShutdownAloneFinWait2HasNoLimit) {
  bring_to(TcpState::FinWait2);
  advance(24h);
  EXPECT_EQ(name_of(state()), "FIN-WAIT-2");
  send(ack_segment(0, 1).payload("a day later"));
  EXPECT_EQ(read_all(), "a day later");
}

}  // namespace
}  // namespace runnel::test
