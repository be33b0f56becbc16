// The retransmission timer, RFC 6298, to the nanosecond.
#include <map>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class RetransmissionTimer : public TcpTester {
 protected:
  // An active open whose SYN-ACK arrives after `rtt`.
  void establish_with_rtt(Duration rtt) {
    connect();
    advance(rtt);
    send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
    forget_sent();
  }

  // Writes one segment, and acknowledges it after `rtt`.
  void exchange(std::uint32_t& at, Duration rtt) {
    EXPECT_TRUE(write_octets(100));
    advance(rtt);
    at += 100;
    send(ack_segment(0, at));
    forget_sent();
  }

  void expect_retransmission_after(Duration rto, std::uint32_t seq) {
    advance(rto - 1ns);
    EXPECT_THAT(next_sent(), IsNothing()) << "retransmitted too early";
    advance(1ns);
    EXPECT_THAT(next_sent(), AllOf(HasSeq(seq))) << "not retransmitted on time";
    EXPECT_THAT(next_sent(), IsNothing());
  }
};

TEST_F(RetransmissionTimer, R_6298_2_1_INIT__R_9293_MUST_19_TheSynIsRepeatedAfter1And3And7Seconds) {
  ignore_timestamps_default();
  connect();
  ASSERT_THAT(next_sent(), IsSyn());
  for (const Duration rto : {1s, 2s, 4s, 8s}) {
    advance(rto - 1ns);
    EXPECT_THAT(next_sent(), IsNothing()) << "too early";
    advance(1ns);
    EXPECT_THAT(next_sent(), AllOf(IsSyn(), HasSeq(iss()), HasMss(1460)));
  }
}

TEST_F(RetransmissionTimer, R_6298_2_2_FIRST__R_9293_MUST_18_TheFirstSampleGivesThreeTimesItself) {
  rebuild(rfc_profile());
  establish_with_rtt(400ms);
  EXPECT_EQ(info().smoothed_rtt, 400ms);
  EXPECT_EQ(info().rtt_variation, 200ms);
  EXPECT_EQ(info().retransmission_timeout, 1200ms);
  EXPECT_TRUE(write("x"));
  forget_sent();
  expect_retransmission_after(1200ms, our(0));
}

TEST_F(RetransmissionTimer, R_6298_2_3_NEXT_VariationFirstThenTheMean) {
  rebuild(rfc_profile());
  establish_with_rtt(400ms);
  std::uint32_t at = 0;
  exchange(at, 600ms);
  EXPECT_EQ(info().rtt_variation, 200ms);
  EXPECT_EQ(info().smoothed_rtt, 425ms);
  EXPECT_EQ(info().retransmission_timeout, 1225ms);
}

TEST_F(RetransmissionTimer, R_6298_2_4_MIN_TheFloorIsConfigurable) {
  rebuild(rfc_profile());
  establish_with_rtt(10ms);
  EXPECT_EQ(info().retransmission_timeout, 1s);
  rebuild(Config{});
  establish_with_rtt(10ms);
  EXPECT_EQ(info().retransmission_timeout, 200ms);
}

TEST_F(RetransmissionTimer,
       R_6298_2_5_MAX__R_6298_5_5_BACKOFF__R_9293_MUST_19_GapsDoubleUpToTheCeiling) {
  rebuild(rfc_profile());
  establish_with_rtt(100ms);
  EXPECT_TRUE(write("x"));
  forget_sent();
  for (const Duration gap : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    expect_retransmission_after(gap, our(0));
  }
}

TEST_F(RetransmissionTimer, R_6298_3_KARN__R_9293_MUST_18_ARetransmittedSegmentGivesNoSample) {
  ignore_timestamps_default();  // they would tell the transmissions apart
  establish_with_rtt(100ms);
  EXPECT_TRUE(write("x"));
  advance(300ms);
  ASSERT_EQ(all_sent().size(), 2U);
  advance(50ms);
  send(ack_segment(0, 1));
  EXPECT_EQ(info().smoothed_rtt, 100ms);
  EXPECT_EQ(info().rtt_variation, 50ms);
}

TEST_F(RetransmissionTimer, R_6298_5_5_BACKOFF_TheBackedOffValueStaysUntilNewDataIsMeasured) {
  ignore_timestamps_default();  // the echo would be the measurement
  rebuild(rfc_profile());
  establish_with_rtt(100ms);
  EXPECT_TRUE(write("x"));
  advance(3s);  // 1 s and 2 s: two retransmissions, the timeout is 4 s now
  forget_sent();
  send(ack_segment(0, 1));
  EXPECT_TRUE(write("y"));
  forget_sent();
  expect_retransmission_after(4s, our(1));
}

TEST_F(RetransmissionTimer, R_6298_3_ONEPERRTT_OnASteadyPathEveryRoundTripIsMeasured) {
  establish_with_rtt(50ms);
  std::uint32_t at = 0;
  // From 50 ms to 80 ms: after n samples SRTT is 80 - 30 (7/8)^n.
  for (int i = 0; i < 100; ++i) exchange(at, 80ms);
  EXPECT_GT(info().smoothed_rtt, 79ms);
  EXPECT_LT(info().rtt_variation, 1ms);
}

TEST_F(RetransmissionTimer, R_6298_4_G_TheTimeoutIsLongerThanAConstantRoundTrip) {
  TcpConfig config;
  config.rto_minimum = 1ms;
  rebuild(config);
  establish_with_rtt(50ms);
  std::uint32_t at = 0;
  for (int i = 0; i < 300; ++i) exchange(at, 50ms);
  EXPECT_GT(info().retransmission_timeout, 50ms);
}

TEST_F(RetransmissionTimer, R_6298_5_1_START_TheFirstSegmentStartsItAndTheNextDoesNotMoveIt) {
  rebuild(rfc_profile());
  establish_with_rtt(100ms);
  EXPECT_TRUE(stack().set_nagle(id(), false));
  EXPECT_TRUE(write("a"));
  advance(500ms);
  EXPECT_TRUE(write("b"));
  forget_sent();
  expect_retransmission_after(500ms, our(0));
}

TEST_F(RetransmissionTimer, R_6298_5_2_STOP_WhenEverythingIsAcknowledgedNothingHappens) {
  establish_with_rtt(100ms);
  EXPECT_TRUE(write("a"));
  send(ack_segment(0, 1));
  forget_sent();
  EXPECT_EQ(stack().next_deadline(), kNever);
  advance(10min);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(RetransmissionTimer, R_6298_5_3_RESTART__R_6928_9_RTORESTART_NewDataAcknowledgedRestartsIt) {
  rebuild(rfc_profile());
  establish_with_rtt(100ms);
  EXPECT_TRUE(write_octets(4380));
  forget_sent();
  advance(900ms);
  send(ack_segment(0, 1460));
  forget_sent();
  const Duration rto = info().retransmission_timeout;
  expect_retransmission_after(rto, our(1460));
}

TEST_F(RetransmissionTimer, R_6298_5_3_RESTART_ADuplicateAckDoesNot) {
  rebuild(rfc_profile());
  establish_with_rtt(100ms);
  EXPECT_TRUE(write_octets(4380));
  forget_sent();
  advance(900ms);
  send(ack_segment(0, 0));
  forget_sent();
  expect_retransmission_after(100ms, our(0));
}

TEST_F(RetransmissionTimer, R_6298_5_4_FIRST__R_9293_3_10_8_RTO_OnlyTheEarliestSegmentIsSentAgain) {
  establish_with_rtt(100ms);
  EXPECT_TRUE(write_octets(14600));
  ASSERT_EQ(all_sent().size(), 10U);
  advance(300ms);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(0)), HasPayload(pattern(0, 1460))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(RetransmissionTimer, R_5681_3_1_LW__R_5681_3_1_RTO_SSTHRESH_AfterATimeoutOneSegmentAtATime) {
  establish_with_rtt(100ms);
  EXPECT_TRUE(write_octets(14600));
  forget_sent();
  advance(300ms);
  EXPECT_EQ(all_sent().size(), 1U);
  EXPECT_EQ(info().congestion_window_octets, 1460U);
  EXPECT_EQ(info().slow_start_threshold_octets, 7300U);
  // Twice the same segment: the threshold stays.
  advance(600ms);
  EXPECT_EQ(all_sent().size(), 1U);
  EXPECT_EQ(info().slow_start_threshold_octets, 7300U);
  send(ack_segment(0, 1460));
  EXPECT_EQ(all_sent().size(), 2U) << "slow start";
}

TEST_F(RetransmissionTimer, R_6298_5_7_SYN3S_AfterALostSynTheTimeoutIsThreeSeconds) {
  connect();
  advance(1s);
  ASSERT_EQ(all_sent().size(), 2U);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  forget_sent();
  EXPECT_TRUE(write("x"));
  forget_sent();
  expect_retransmission_after(3s, our(0));
}

TEST_F(RetransmissionTimer, R_6298_5_NOEARLY_NeverEarlierThanTheTimeoutAfterTheLastTransmission) {
  establish_with_rtt(100ms);
  SeededRandom dice(5);
  std::map<std::uint32_t, Instant> last_sent;
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(write_octets(100));
    advance(Duration(static_cast<Duration::rep>(dice.below(400'000'000))));
    for (const SentSegment& sent : all_sent()) {
      if (sent.payload.empty()) continue;
      const auto [entry, is_first] = last_sent.try_emplace(sent.seq, sent.at);
      if (!is_first) {
        EXPECT_GE(sent.at - entry->second, 200ms) << sent;
      }
      entry->second = sent.at;
    }
    if (dice.below(2) == 0) {
      const TcpInfo status = info();
      send(ack_segment(0, static_cast<std::uint32_t>(status.octets_sent)));
    }
  }
}

}  // namespace
}  // namespace runnel::test
