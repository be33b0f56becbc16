// When data leaves: Nagle, PSH, silly windows and window probes. RFC 9293 sections 3.7.4, 3.8.6 and
// 3.9.1.2; RFC 5681 section 2; RFC 6928.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Sending = TcpTester;

class ZeroWindow : public TcpTester {
 protected:
  // Carries an octet of new data, or makes the peer answer without.
  static bool is_probe(const SentSegment& sent, std::uint32_t una) {
    const bool has_new_octet = sent.seq == una && sent.payload.size() == 1;
    const bool forces_an_ack = sent.seq == una - 1 && sent.payload.size() <= 1;
    return has_new_octet || forces_an_ack;
  }
};

// --- Nagle ---

TEST_F(Sending, R_9293_SHLD_7_NagleHoldsAShortSegmentWhileDataIsOutstanding) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("0123456789"));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayloadOctets(10)));
  EXPECT_TRUE(write("abcde"));
  EXPECT_TRUE(write("fghij"));
  EXPECT_THAT(next_sent(), IsNothing());
  send(ack_segment(0, 10));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload("abcdefghij")));
}

TEST_F(Sending, R_9293_SHLD_7_AFullSegmentDoesNotWait) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  forget_sent();
  EXPECT_TRUE(write_octets(1459));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_TRUE(write("y"));
  EXPECT_THAT(next_sent(), HasPayloadOctets(1460));
}

TEST_F(Sending, R_9293_MUST_17_NagleCanBeSwitchedOff) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_nagle(id(), false));
  EXPECT_TRUE(write("0123456789"));
  EXPECT_TRUE(write("0123456789"));
  EXPECT_THAT(next_sent(), HasPayloadOctets(10));
  EXPECT_THAT(next_sent(), HasPayloadOctets(10));
}

TEST_F(Sending, R_9293_SHLD_7_AFinDoesNotWaitForNagle) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("first"));
  forget_sent();
  EXPECT_TRUE(write("last"));
  EXPECT_TRUE(shutdown_write());
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasPayload("last")));
}

// --- PSH and segment sizes ---

TEST_F(Sending, R_9293_MUST_61__R_9293_SHLD_28_FullSegmentsWithPushOnTheLast) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_nagle(id(), false));
  EXPECT_TRUE(write_octets(3000));
  EXPECT_THAT(next_sent(), AllOf(HasPayload(pattern(0, 1460)), Not(HasPush())));
  EXPECT_THAT(next_sent(), AllOf(HasPayload(pattern(1460, 1460)), Not(HasPush())));
  EXPECT_THAT(next_sent(), AllOf(HasPayload(pattern(2920, 80)), HasPush()));
}

TEST_F(Sending, R_9293_MUST_60_NothingIsHeldForEver) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  EXPECT_THAT(next_sent(), AllOf(HasPayload("x"), HasPush()));
}

TEST_F(Sending, R_9293_SHLD_27_WritesAreMergedWhileTheWindowIsClosed) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write(pattern(0, 500)));
  EXPECT_TRUE(write(pattern(500, 500)));
  EXPECT_THAT(next_sent(), IsNothing());
  peer_window = 60000;
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), AllOf(HasPayload(pattern(0, 1000)), HasPush()));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Sending, R_6928_2_IW10__R_5681_3_1_SYNCWND__R_9293_SHLD_28_TheInitialWindowIsTenSegments) {
  bring_to(TcpState::Established);
  EXPECT_EQ(info().congestion_window_octets, 14600U);
  EXPECT_TRUE(write_octets(20000));
  std::size_t octets = 0;
  for (const SentSegment& sent : all_sent()) octets += sent.payload.size();
  EXPECT_EQ(octets, 14600U);
}

TEST_F(Sending, R_5681_3_LIMIT__R_5681_3_1_SS_EachAckLetsTwoSegmentsGoInSlowStart) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(60000));
  forget_sent();
  send(ack_segment(0, 1460));
  EXPECT_EQ(all_sent().size(), 2U);
  EXPECT_EQ(info().congestion_window_octets, 16060U);
  EXPECT_EQ(info().in_flight_octets, 16060U);
}

TEST_F(Sending, R_5681_3_LIMIT_ThePeersWindowIsNeverExceeded) {
  peer_window = 3000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(20000));
  std::uint32_t end = our(0);
  for (const SentSegment& sent : all_sent()) end = sent.seq + sent.length();
  EXPECT_LE(end - our(0), 3000U);
  EXPECT_GE(end - our(0), 1460U);
}

// --- Silly windows ---

TEST_F(Sending, R_9293_MUST_38_ASmallWindowIsUsedOnlyAfterTheOverrideTimeout) {
  peer_window = 1000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  EXPECT_THAT(next_sent(), HasPayloadOctets(1000)) << "all of the largest window there was";
  send(ack_segment(0, 1000).window(100));
  EXPECT_THAT(next_sent(), IsNothing());
  advance(200ms - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(1000)), HasPayloadOctets(100)));
}

TEST_F(Sending, R_9293_MUST_38_HalfOfTheLargestWindowIsUsedAtOnce) {
  peer_window = 1000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  forget_sent();
  send(ack_segment(0, 1000).window(499));
  EXPECT_THAT(next_sent(), IsNothing());
  send(ack_segment(0, 1000).window(500));
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(1000)), HasPayloadOctets(500)));
}

TEST_F(Sending, R_9293_MUST_38_EverythingThatIsLeftMayGoIntoASmallWindow) {
  peer_window = 1000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1050));
  forget_sent();
  send(ack_segment(0, 1000).window(60));
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(1000)), HasPayloadOctets(50), HasPush()));
}

// --- Zero windows ---

TEST_F(ZeroWindow, R_9293_MUST_36__R_9293_SHLD_29_TheFirstProbeComesAfterOneTimeout) {
  TcpConfig config;
  config.rto_minimum = 1s;
  rebuild(config);
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  const auto probe = next_sent();
  ASSERT_TRUE(probe);
  EXPECT_TRUE(is_probe(*probe, our(0))) << *probe;
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(ZeroWindow, R_9293_SHLD_30_TheGapsBetweenProbesDouble) {
  TcpConfig config;
  config.rto_minimum = 1s;
  rebuild(config);
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  for (const Duration gap : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    advance(gap - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    const auto probe = next_sent();
    ASSERT_TRUE(probe) << "after a gap of " << gap.count() << " ns";
    EXPECT_TRUE(is_probe(*probe, our(0))) << *probe;
    send(ack_segment(0, 0));
    EXPECT_THAT(next_sent(), IsNothing()) << "an answer is not an invitation";
  }
}

TEST_F(ZeroWindow, R_9293_MUST_37__R_9293_MAY_8_APeerThatAnswersMayKeepItShutForADay) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  for (Duration waited{}; waited < 24h; waited += 10s) {
    advance(10s);
    while (next_sent()) send(ack_segment(0, 0));
  }
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(take_event(EventKind::Error));
}

TEST_F(ZeroWindow, R_9293_MUST_20_APeerThatDoesNotAnswerProbesIsGivenUp) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  advance(17min);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::timed_out);
}

TEST_F(ZeroWindow, R_9293_MUST_36_WhenItOpensDataFlowsInOrder) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  advance(10s);
  // The peer may have kept the octets of probes, or not: it did not.
  forget_sent();
  peer_window = 65535;
  send(ack_segment(0, 0));
  std::string text;
  for (int round = 0; round < 10 && text.size() < 5000; ++round) {
    for (const SentSegment& sent : all_sent()) {
      const std::uint32_t at = sent.seq - our(0);
      if (at > text.size()) continue;
      text.resize(at);
      text += sent.payload;
    }
    send(ack_segment(0, static_cast<std::uint32_t>(text.size())));
    advance(1s);
  }
  EXPECT_EQ(text, pattern(0, 5000));
}

TEST_F(ZeroWindow, R_9293_MUST_36_AnOctetOfAProbeThatWasTakenIsNotSentTwice) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  advance(10s);
  const auto probe = next_sent();
  ASSERT_TRUE(probe);
  forget_sent();
  const std::uint32_t taken = probe->seq == our(0) ? 1 : 0;
  peer_window = 65535;
  send(ack_segment(0, taken));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(taken)), HasPayloadOctets(1460)));
}

TEST_F(ZeroWindow, R_9293_MUST_35_AWindowThatShrinksToZeroIsProbedToo) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  forget_sent();
  send(ack_segment(0, 1460).window(0));
  advance(2min);
  bool is_probed = false;
  for (const SentSegment& sent : all_sent()) {
    if (sent.seq == our(1460) || sent.seq == our(1459)) is_probed = true;
  }
  EXPECT_TRUE(is_probed);
}

TEST_F(ZeroWindow, R_9293_3_10_4_CLOSE_EST_AFinAloneIsBlockedByAZeroWindowAndProbed) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_TRUE(shutdown_write());
  advance(2min);
  bool has_fin = false;
  for (const SentSegment& sent : all_sent()) has_fin = has_fin || sent.flags.fin;
  EXPECT_TRUE(has_fin) << "sent at once or as a probe, but sent";
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
}

}  // namespace
}  // namespace runnel::test
