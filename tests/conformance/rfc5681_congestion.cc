// Congestion control and loss recovery as a peer sees them: RFC 5681, RFC 6582, RFC 3042, RFC 6928.
// Segments here are 1,460 octets, windows are counted in segments.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

constexpr std::uint32_t kMss = 1460;

class Congestion : public TcpTester {
 protected:
  // Established, with ten segments in flight and plenty behind them.
  void fill_initial_window() {
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(200'000));
    ASSERT_EQ(all_sent().size(), 10U);
  }
  void duplicate_acks(int count, std::uint32_t at = 0) {
    for (int i = 0; i < count; ++i) send(ack_segment(0, at));
  }
  // Acknowledges segment by segment until `segments` are, sending more as permitted.
  void acknowledge_up_to(std::uint32_t segments, std::uint32_t from = 0) {
    for (std::uint32_t i = from + 1; i <= segments; ++i) send(ack_segment(0, i * kMss));
    forget_sent();
  }
};

// --- Windows ---

TEST_F(Congestion, R_5681_3_1_SSTHRESH0_TheFirstThresholdIsHigh) {
  bring_to(TcpState::Established);
  EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U);
}

TEST_F(Congestion, R_6928_2_IW10_TheInitialWindowDependsOnTheSegmentSize) {
  struct Case {
    std::uint16_t mss;
    std::uint64_t window;
  };
  for (const Case& c : {Case{536, 5360}, Case{1460, 14600}, Case{8960, 17920}}) {
    Config config;
    config.mtu_octets = 9000;
    rebuild(config);
    peer_mss = c.mss;
    bring_to(TcpState::Established);
    EXPECT_EQ(info().congestion_window_octets, c.window) << c.mss;
  }
}

TEST_F(Congestion, R_5681_3_1_SS_AnAckOfAFewOctetsGrowsTheWindowByAsMany) {
  fill_initial_window();
  send(ack_segment(0, 100));
  EXPECT_EQ(info().congestion_window_octets, 10 * kMss + 100);
  send(ack_segment(0, 200));
  EXPECT_EQ(info().congestion_window_octets, 10 * kMss + 200);
}

TEST_F(Congestion, R_9293_MUST_19__R_5681_3_LIMIT_SlowStartDoublesEachRoundTrip) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(500'000));
  std::uint32_t end = 0;
  std::size_t last = 0;
  for (int round = 0; round < 3; ++round) {
    const std::vector<SentSegment> sent = all_sent();
    if (last > 0) {
      EXPECT_EQ(sent.size(), 2 * last);
    }
    last = sent.size();
    for (const SentSegment& segment : sent) {
      EXPECT_EQ(segment.seq, our(end));
      end += segment.length();
    }
    if (round == 2) break;
    for (std::uint32_t at = end - static_cast<std::uint32_t>(last) * kMss + kMss; at <= end;
         at += kMss) {
      send(ack_segment(0, at));
    }
  }
}

TEST_F(Congestion, R_5681_3_1_CA_AboveTheThresholdOneSegmentEachRoundTrip) {
  fill_initial_window();
  duplicate_acks(3);
  send(ack_segment(0, 12 * kMss));  // everything: the recovery ends
  forget_sent();
  std::uint64_t cwnd = info().congestion_window_octets;
  ASSERT_LE(cwnd, 5 * kMss + kMss);
  std::uint32_t acknowledged = 12;
  // First back up to the threshold, in case the recovery ended below.
  while (info().congestion_window_octets < info().slow_start_threshold_octets) {
    send(ack_segment(0, ++acknowledged * kMss));
  }
  for (int round = 0; round < 4; ++round) {
    cwnd = info().congestion_window_octets;
    const std::uint32_t segments = static_cast<std::uint32_t>(cwnd / kMss);
    for (std::uint32_t i = 0; i < segments; ++i) send(ack_segment(0, ++acknowledged * kMss));
    EXPECT_LE(info().congestion_window_octets, cwnd + kMss);
  }
  EXPECT_GE(info().congestion_window_octets, cwnd) << "but it grows";
}

TEST_F(Congestion, R_5681_4_1_IDLE__R_6928_2_RW_AfterAnIdleTimeNoMoreThanTheInitialWindow) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(30 * kMss));
  acknowledge_up_to(30);
  EXPECT_GE(info().congestion_window_octets, 20 * kMss);
  advance(10s);
  EXPECT_TRUE(write_octets(50 * kMss));
  EXPECT_EQ(all_sent().size(), 10U);
}

TEST_F(Congestion, R_6928_2_SYNLOSS_OneLostSynChangesNothingTwoMeanOneSegment) {
  connect();
  advance(1s);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_EQ(info().congestion_window_octets, 10 * kMss);
  rebuild(Config{});
  connect();
  advance(3s);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_EQ(info().congestion_window_octets, kMss);
}

// --- Duplicate ACKs ---

TEST_F(
    Congestion,
    R_5681_3_2_LT__R_3042_2_LT__R_5681_3_2_FR__R_6582_1_INIT_TwoLetNewSegmentsGoTheThirdRetransmits) {
  fill_initial_window();
  const std::uint64_t cwnd = info().congestion_window_octets;
  duplicate_acks(1);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(10 * kMss)), HasPayloadOctets(1460)));
  duplicate_acks(1);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(11 * kMss)), HasPayloadOctets(1460)));
  EXPECT_EQ(info().congestion_window_octets, cwnd);
  duplicate_acks(1);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(0)), HasPayload(pattern(0, kMss))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(info().fast_retransmits, 1U);
}

TEST_F(Congestion, R_5681_3_2_LT_ThePeersWindowHoldsLimitedTransmitBackToo) {
  peer_window = 10 * kMss;
  fill_initial_window();
  duplicate_acks(2);
  EXPECT_THAT(next_sent(), IsNothing());
  duplicate_acks(1);
  EXPECT_THAT(next_sent(), HasSeq(our(0)));
}

TEST_F(Congestion, R_5681_3_2_SSTHRESH__R_5681_3_1_FLIGHT_TheThresholdIsHalfOfWhatWasInFlight) {
  fill_initial_window();
  duplicate_acks(3);
  EXPECT_EQ(info().slow_start_threshold_octets, 5 * kMss)
      << "what limited transmit sent does not count";
}

TEST_F(Congestion, R_5681_3_1_FLIGHT_NotHalfOfAWindowThatWasNotUsed) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(40 * kMss));
  acknowledge_up_to(40);
  EXPECT_TRUE(write_octets(6 * kMss));
  ASSERT_EQ(all_sent().size(), 6U);
  duplicate_acks(3, 40 * kMss);
  EXPECT_EQ(info().slow_start_threshold_octets, 3 * kMss);
}

TEST_F(Congestion, R_5681_3_2_INFLATE_EachFurtherDuplicateStandsForASegmentThatHasLeft) {
  fill_initial_window();
  duplicate_acks(3);
  forget_sent();
  // 12 segments are out and 5 permitted: at the eighth duplicate the first new one may go.
  duplicate_acks(4);
  EXPECT_THAT(next_sent(), IsNothing());
  duplicate_acks(1);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(12 * kMss))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Congestion, R_5681_3_2_CAPINFL_ForgedDuplicatesDoNotPermitAFlood) {
  fill_initial_window();
  duplicate_acks(1000);
  std::size_t sent = 0;
  for (const SentSegment& segment : all_sent()) sent += segment.payload.empty() ? 0U : 1U;
  // RFC 5681: at most as many inflations as segments were outstanding, 12, above a window of 5.
  EXPECT_LE(sent, 12U + 5U);
}

TEST_F(Congestion, R_5681_3_2_DEFLATE__R_6582_3_FULL_AFullAckEndsTheRecoveryAtTheThreshold) {
  fill_initial_window();
  duplicate_acks(3);
  forget_sent();
  send(ack_segment(0, 12 * kMss));
  EXPECT_LE(info().congestion_window_octets, 5 * kMss);
  EXPECT_LE(all_sent().size(), 5U);
}

TEST_F(Congestion, R_6582_3_PARTIAL_APartialAckRetransmitsTheNextHole) {
  fill_initial_window();
  duplicate_acks(3);
  forget_sent();
  send(ack_segment(0, 3 * kMss));
  const auto again = next_sent();
  EXPECT_THAT(again, AllOf(IsData(), HasSeq(our(3 * kMss)), HasPayload(pattern(3 * kMss, kMss))));
  send(ack_segment(0, 7 * kMss));
  bool is_next_hole_sent = false;
  for (const SentSegment& sent : all_sent()) {
    is_next_hole_sent = is_next_hole_sent || sent.seq == our(7 * kMss);
  }
  EXPECT_TRUE(is_next_hole_sent);
  EXPECT_EQ(info().fast_retransmits, 1U) << "one recovery";
}

TEST_F(Congestion, R_6582_3_TIMER_OnlyTheFirstPartialAckRestartsTheTimer) {
  TcpConfig config;
  config.rto_minimum = 1s;
  rebuild(config);
  fill_initial_window();
  duplicate_acks(3);
  send(ack_segment(0, 2 * kMss));
  const Instant first = now();
  advance(400ms);
  send(ack_segment(0, 4 * kMss));
  forget_sent();
  const Duration rto = info().retransmission_timeout;
  advance(first + rto - now() - 1ns);
  EXPECT_EQ(info().retransmission_timeouts, 0U);
  advance(1ns);
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

TEST_F(Congestion, R_5681_2_DUPACKDEF_WindowUpdatesAndDataAreNoDuplicates) {
  fill_initial_window();
  for (std::uint16_t i = 1; i <= 5; ++i) {
    send(ack_segment(0, 0).window(static_cast<std::uint16_t>(peer_window - i)));
  }
  EXPECT_EQ(info().fast_retransmits, 0U);
  std::uint32_t at = 0;
  for (int i = 0; i < 5; ++i) {
    send(ack_segment(at, 0).window(static_cast<std::uint16_t>(peer_window - 5)).payload("data"));
    at += 4;
  }
  EXPECT_EQ(info().fast_retransmits, 0U);
}

TEST_F(Congestion, R_5681_2_DUPACKDEF_WithNothingOutstandingThereAreNone) {
  bring_to(TcpState::Established);
  duplicate_acks(10);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(info().fast_retransmits, 0U);
}

TEST_F(Congestion, R_6582_2_CHECK__R_6582_4_RTO_AfterATimeoutOldDuplicatesMeanNothing) {
  fill_initial_window();
  advance(250ms);
  EXPECT_EQ(info().retransmission_timeouts, 1U);
  send(ack_segment(0, kMss));
  forget_sent();
  duplicate_acks(6, kMss);
  EXPECT_EQ(info().fast_retransmits, 0U);
}

TEST_F(Congestion, R_5681_4_3_TWICE_ALostRetransmissionReducesTheWindowAgain) {
  fill_initial_window();
  duplicate_acks(3);
  const std::uint64_t threshold = info().slow_start_threshold_octets;
  advance(10s);
  EXPECT_GT(info().retransmission_timeouts, 0U);
  EXPECT_EQ(info().congestion_window_octets, info().send_mss_octets);
  EXPECT_LE(info().slow_start_threshold_octets, threshold + kMss);
}

TEST_F(Congestion, R_5681_3_1_SYNCWND_TheHandshakeDoesNotGrowTheWindow) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    establish(opening);
    EXPECT_EQ(info().congestion_window_octets, 10 * kMss);
  }
}

}  // namespace
}  // namespace runnel::test
