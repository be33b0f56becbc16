// RACK: RFC 8985 sections 4 to 6 and 9, as a peer sees it and as vectors for the algorithm itself.
#include "stack/tcp/loss/rack.h"

#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

using tcp::Rack;
using tcp::Scoreboard;
using tcp::SentRange;
using tcp::SeqNum;
using tcp::SeqRange;
using Fate = SentRange::Fate;

class RackOnTheWire : public SackPath {};

// --- What it needs ---

TEST_F(RackOnTheWire, R_8985_4_SACK_WithoutSackRecoveryIsByDuplicateAcks) {
  peer_sack = false;
  open_and_send(10);
  EXPECT_FALSE(info().has_sack);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::Retransmission) << "no tail loss probe";
  advance(kRoundTrip);
  acknowledge(0);
  acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{});
  acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{0});
}

TEST_F(RackOnTheWire, R_8985_4_SACK_WithSackThereIsAScoreboard) {
  open_and_send(10);
  EXPECT_TRUE(info().has_sack);
  advance(kRoundTrip);
  acknowledge(0, {{4, 6}});
  EXPECT_EQ(info().sacked_octets, 2 * kMss);
  EXPECT_EQ(info().in_flight_octets, 8 * kMss);
}

// Reordering by microseconds on a path of twenty: a clock coarser than a quarter of that would
// either declare everything lost or nothing.
TEST_F(RackOnTheWire, R_8985_4_GRAN_AQuarterOfTwentyMicrosecondsIsToldApart) {
  open_and_send(10, 20us);
  advance(20us);
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(info().reordering_window, 5us);
  advance(5us - 1ns);
  EXPECT_EQ(sent_segments(), Indices{});
  advance(1ns);
  EXPECT_EQ(sent_segments(), Indices{0});
}

TEST_F(RackOnTheWire, R_8985_4_GRAN_ReorderingWithinTheWindowIsNoLoss) {
  open_and_send(10, 20us);
  advance(20us);
  acknowledge(0, {{1, 2}});
  advance(4us);
  acknowledge(10);
  advance(1ms);
  EXPECT_EQ(counters().tcp_retrans_segs, 0U);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
}

TEST_F(RackOnTheWire, R_8985_6_2_1_MINRTT_TheLeastRoundTripAgesOut) {
  open_and_send(1, 10ms);
  advance(10ms);
  acknowledge(1);
  EXPECT_EQ(info().minimum_rtt, 10ms);
  for (std::uint32_t i = 1; i < 8; ++i) {  // 100 ms from now on, for more than the window
    advance(1min);
    ASSERT_TRUE(write_octets(kMss));
    advance(100ms);
    acknowledge(i + 1);
  }
  EXPECT_EQ(info().minimum_rtt, 100ms);
}

// --- Detection on the wire ---

TEST_F(RackOnTheWire, R_8985_6_2_4_WND_ThreeSegmentsBehindAGapAreEnoughWithoutReordering) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(sent_segments(), Indices{}) << "two are not";
  EXPECT_EQ(info().reordering_window, kRoundTrip / 4);
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(sent_segments(), Indices{0});
  EXPECT_EQ(info().reordering_window, Duration{0});
}

// ACKs were lost, so one of them tells of several holes at once, the newest block first.
TEST_F(RackOnTheWire, R_8985_6_2_3_REORD_SeveralNewBlocksOfOneAckAreNoReordering) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{7, 8}, {4, 5}, {2, 3}});
  EXPECT_EQ(info().reordering_window, Duration{0});
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  const Indices sent = sent_segments();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.front(), 0U);
}

TEST_F(RackOnTheWire, R_8985_6_2_3_REORD_ABlockThatComesLaterIs) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{7, 8}});
  acknowledge(0, {{4, 5}, {7, 8}});
  acknowledge(0, {{2, 3}, {4, 5}, {7, 8}});
  EXPECT_EQ(info().reordering_window, kRoundTrip / 4);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
}

// The echo of an ACK for something out of order is that of what came before the gap (RFC 7323
// section 4.3): it does not tell that a retransmission is the original.
TEST_F(RackOnTheWire, R_8985_6_2_2_UPDATE_TheEchoBelongsToWhatIsCumulativelyAcknowledged) {
  agree_on_timestamps();
  rebuild(rfc_profile());
  open(100ms);
  ASSERT_TRUE(write_octets(10 * 1448));
  forget_sent();
  advance(100ms);
  send(segment().seq(their(0)).ack(our(8 * 1448)));
  advance(200ms);
  ASSERT_EQ(info().tail_loss_probes, 1U);
  forget_sent();
  advance(100ms);
  send(segment().seq(their(0)).ack(our(8 * 1448)).sack(our(9 * 1448), our(10 * 1448)));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(8 * 1448))));
  EXPECT_EQ(info().retransmission_timeouts, 0U);
}

TEST_F(RackOnTheWire, R_8985_6_2_5_TIMER_WithoutFurtherAcksTheTimerFindsTheLoss) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::Reordering);
  // Sent at 0; RACK.rtt is 100 ms and the window 25 ms. The RTO would come at 300 ms.
  advance(25ms - 1ns);
  EXPECT_EQ(sent_segments(), Indices{});
  advance(1ns);
  EXPECT_EQ(sent_segments(), Indices{0});
  EXPECT_EQ(counters().tcp_retransmission_timeouts, 0U);
}

// After many round trips of 100 ms the retransmission timeout is 103 ms or so; what is reordered by
// less than a quarter of a round trip comes later than that.
TEST_F(RackOnTheWire, R_8985_8_ONETIMER_TheTimeoutWaitsForTheEndOfTheReorderingWindow) {
  TcpConfig config;
  config.rto_minimum = 10ms;
  rebuild(config);
  open();
  for (std::uint32_t i = 1; i <= 20; ++i) {
    ASSERT_TRUE(write_octets(kMss));
    advance(kRoundTrip);
    acknowledge(i);
  }
  forget_sent();
  ASSERT_LT(info().retransmission_timeout, 110ms);
  ASSERT_TRUE(write_octets(10 * kMss));
  forget_sent();
  advance(kRoundTrip);
  acknowledge(20, {{21, 22}});
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::Reordering);
  advance(25ms - 1ns);
  EXPECT_EQ(sent_segments(), Indices{});
  EXPECT_EQ(counters().tcp_retransmission_timeouts, 0U);
  advance(1ns);
  EXPECT_EQ(sent_segments(), Indices{20});
  EXPECT_EQ(counters().tcp_retransmission_timeouts, 0U);
  // Nothing is late any more, nothing comes: now it is the timeout's turn.
  advance(1s);
  EXPECT_GT(counters().tcp_retransmission_timeouts, 0U);
}

TEST_F(RackOnTheWire, R_8985_6_2_5_LOSS_ALostRetransmissionIsFoundWithoutATimeout) {
  open_and_send(20);
  advance(kRoundTrip);
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(sent_segments(), Indices{0});
  acknowledge(0, {{1, 10}});
  const Indices sent_meanwhile = sent_segments();  // new data, after the retransmission
  ASSERT_FALSE(sent_meanwhile.empty());
  advance(kRoundTrip);
  // They arrive: what was sent before them and has had its round trip is lost again.
  acknowledge(0, {{1, sent_meanwhile.back() + 1}});
  const Indices again = sent_segments();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front(), 0U);
  EXPECT_EQ(counters().tcp_lost_retransmissions, 1U);
  EXPECT_EQ(counters().tcp_retransmission_timeouts, 0U);
}

TEST_F(RackOnTheWire, R_8985_9_2_NO6675_SegmentsBehindAGapAreNotCountedOnceReorderingWasSeen) {
  open_and_send(20);
  advance(kRoundTrip);
  acknowledge(0, {{2, 3}});
  acknowledge(0, {{1, 3}});  // segment 1, sent once, behind segment 2: reordering
  EXPECT_EQ(info().reordering_window, kRoundTrip / 4);
  acknowledge(0, {{1, 9}});  // eight segments behind the gap
  for (const std::uint32_t index : sent_segments()) EXPECT_GE(index, 10U) << "new data at most";
  advance(25ms - 1ns);
  for (const std::uint32_t index : sent_segments()) EXPECT_GE(index, 10U);
  advance(1ns);
  EXPECT_EQ(sent_segments(), Indices{0});
}

TEST_F(RackOnTheWire, R_8985_9_3_CC_WhatIsLostWaitsForPrr) {
  open_and_send(20);
  advance(kRoundTrip);
  acknowledge(0, {{7, 10}});  // segments 0 to 6 of 10 are lost at once
  EXPECT_EQ(sent_segments(), (Indices{0, 1, 2})) << "as many as were delivered";
  EXPECT_EQ(info().lost_octets + info().in_flight_octets, 7 * kMss);
}

TEST_F(RackOnTheWire, R_8985_9_3_CC_ALostRetransmissionReducesTheWindowAgain) {
  peer_wscale = 7;
  open();
  ASSERT_TRUE(write_octets(200 * kMss));
  forget_sent();
  advance(kRoundTrip);
  acknowledge(10);  // slow start: 20 segments in flight
  forget_sent();
  advance(kRoundTrip);
  acknowledge(10, {{11, 30}});
  EXPECT_EQ(ssthresh_segments(), 10U);
  const Indices first = sent_segments();
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(first.front(), 10U);
  advance(kRoundTrip);
  acknowledge(10, {{11, first.back() + 1}});
  EXPECT_EQ(counters().tcp_lost_retransmissions, 1U);
  EXPECT_LE(ssthresh_segments(), 5U);
}

// --- The algorithm, by vectors ---

constexpr Instant kStart{10s};

class RackVectors : public ::testing::Test {
 protected:
  static SeqRange segment(std::uint32_t i) {
    return {SeqNum{1000 + i * 100}, SeqNum{1100 + i * 100}};
  }
  void transmit(std::uint32_t i, Duration when) {
    ASSERT_TRUE(board.on_transmit(segment(i), 100, kStart + when));
  }
  void retransmit(std::uint32_t i, Duration when) {
    board.on_retransmit(segment(i), 100, kStart + when);
    rack.on_retransmit(segment(i), kStart + when);
  }
  void sack(std::uint32_t i, Duration when, bool echoes_older = false) {
    board.sack(segment(i), [&](const SentRange& sent) {
      rack.on_delivered(sent, echoes_older, kStart + when);
    });
  }
  Rack::Losses detect(Duration when, bool in_recovery = false) {
    return rack.detect(board, in_recovery, 1s, kStart + when);
  }
  [[nodiscard]] Fate fate(std::uint32_t i) const { return board[i].fate; }

  Scoreboard board;
  Rack rack;
};

TEST_F(RackVectors, R_8985_6_1_TS_ARetransmissionIsRecordedInPlaceOfTheFirst) {
  transmit(0, 10ms);
  EXPECT_EQ(board[0].sent_at, kStart + 10ms);
  EXPECT_FALSE(board[0].is_retransmitted);
  board.set_fate(0, Fate::Lost);
  retransmit(0, 60ms);
  EXPECT_EQ(board[0].sent_at, kStart + 60ms);
  EXPECT_TRUE(board[0].is_retransmitted);
  EXPECT_EQ(fate(0), Fate::InFlight) << "no longer lost";
}

TEST_F(RackVectors, R_8985_6_2_2_UPDATE_AnOlderEchoMeansThatTheFirstTransmissionArrived) {
  transmit(0, 0ms);
  transmit(1, 0ms);
  sack(1, 40ms);
  EXPECT_EQ(rack.rtt(), 40ms);
  retransmit(0, 50ms);
  sack(0, 100ms, true);
  EXPECT_EQ(rack.rtt(), 40ms) << "not updated";
}

TEST_F(RackVectors, R_8985_6_2_2_UPDATE_TheEchoOfTheSecondTransmissionCounts) {
  transmit(0, 0ms);
  transmit(1, 0ms);
  sack(1, 40ms);
  retransmit(0, 50ms);
  sack(0, 100ms, false);
  EXPECT_EQ(rack.rtt(), 50ms);
}

TEST_F(RackVectors, R_8985_6_2_2_UPDATE_ATransmissionCannotArriveInLessThanTheLeastRoundTrip) {
  transmit(0, 0ms);
  transmit(1, 0ms);
  sack(1, 40ms);
  retransmit(0, 50ms);
  sack(0, 50ms + 40ms - 1ns);
  EXPECT_EQ(rack.rtt(), 40ms) << "that was the first transmission";
}

TEST_F(RackVectors, R_8985_6_2_2_UPDATE_OfSegmentsSentTogetherTheHighestIsTheLast) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(1, 40ms);
  EXPECT_EQ(detect(40ms, true).lost_octets, 100U) << "segment 0 left before, segment 2 did not";
  EXPECT_EQ(fate(0), Fate::Lost);
  EXPECT_EQ(fate(2), Fate::InFlight);
}

TEST_F(RackVectors, R_8985_6_2_3_REORD_AFirstTransmissionBehindAHigherOneIsReordering) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(2, 40ms);
  EXPECT_FALSE(rack.has_seen_reordering());
  sack(1, 41ms);
  EXPECT_TRUE(rack.has_seen_reordering());
}

TEST_F(RackVectors, R_8985_6_2_3_REORD_ARetransmissionBehindAHigherOneIsNot) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(2, 40ms);
  retransmit(1, 41ms);
  sack(1, 90ms);
  EXPECT_FALSE(rack.has_seen_reordering());
}

TEST_F(RackVectors, R_8985_6_2_4_WND_AQuarterOfTheLeastRoundTrip) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(1, 40ms);
  (void)detect(40ms);
  EXPECT_EQ(rack.reordering_window(), 10ms);
}

TEST_F(RackVectors, R_8985_6_2_4_WND_NoMoreThanTheSmoothedRoundTrip) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(1, 40ms);
  (void)rack.detect(board, false, 7ms, kStart + 40ms);
  EXPECT_EQ(rack.reordering_window(), 7ms);
}

TEST_F(RackVectors, R_8985_6_2_4_WND_NoneInRecoveryWithoutReordering) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(1, 40ms);
  (void)detect(40ms, true);
  EXPECT_EQ(rack.reordering_window(), Duration{0});
  sack(0, 41ms);  // reordering after all
  (void)detect(41ms, true);
  EXPECT_EQ(rack.reordering_window(), 10ms);
}

TEST_F(RackVectors, R_8985_6_2_4_DSACK_OneStepEachRoundTripAndBackAfterSixteenRecoveries) {
  transmit(0, 0ms);
  EXPECT_EQ(rack.window_multiplier(), 1U);
  const auto report = [&](std::uint32_t una, std::uint32_t nxt) {
    rack.on_duplicate_report(SeqNum{una}, SeqNum{nxt});
  };
  report(1000, 2000);
  EXPECT_EQ(rack.window_multiplier(), 2U);
  report(1999, 2500);
  EXPECT_EQ(rack.window_multiplier(), 2U) << "the same round trip";
  report(2000, 3000);
  report(3000, 4000);
  EXPECT_EQ(rack.window_multiplier(), 4U);
  for (int i = 0; i < 15; ++i) rack.on_recovered();
  EXPECT_EQ(rack.window_multiplier(), 4U);
  rack.on_recovered();
  EXPECT_EQ(rack.window_multiplier(), 1U);
}

TEST_F(RackVectors, R_8985_6_2_5_LOSS_LostWhenItHasHadItsTimeAndNotBefore) {
  transmit(0, 0ms);
  transmit(1, 5ms);
  transmit(2, 9ms);
  sack(2, 49ms);  // RACK.rtt 40 ms, window 10 ms
  EXPECT_EQ(detect(50ms - 1ns).lost_octets, 0U);
  EXPECT_EQ(detect(50ms - 1ns).look_again, kStart + 55ms) << "the latest of them";
  EXPECT_EQ(detect(50ms).lost_octets, 100U);
  EXPECT_EQ(fate(0), Fate::Lost);
  EXPECT_EQ(fate(1), Fate::InFlight);
  EXPECT_EQ(detect(55ms).lost_octets, 100U);
  EXPECT_EQ(fate(1), Fate::Lost);
}

TEST_F(RackVectors, R_8985_6_2_5_LOSS_NothingThatLeftLaterIsLost) {
  transmit(0, 0ms);
  transmit(1, 10ms);
  sack(0, 40ms);
  EXPECT_EQ(detect(10s).lost_octets, 0U);
  EXPECT_EQ(detect(10s).look_again, kNever);
}

TEST_F(RackVectors, R_8985_6_2_5_LOSS_RetransmissionsAreLostTheSameWay) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(1, 40ms);
  (void)detect(40ms, true);
  ASSERT_EQ(fate(0), Fate::Lost);
  retransmit(0, 40ms);
  transmit(3, 41ms);
  sack(3, 81ms);
  const Rack::Losses losses = detect(81ms, true);
  EXPECT_TRUE(losses.retransmission_lost);
  EXPECT_EQ(losses.last_retransmission_lost, kStart + 40ms);
  EXPECT_EQ(fate(0), Fate::Lost);
}

TEST_F(RackVectors, R_8985_6_3_RTO_TheFirstIsLostAndWhatHasHadItsTime) {
  transmit(0, 0ms);
  transmit(1, 0ms);
  transmit(2, 0ms);
  sack(2, 100ms);  // RACK.rtt 100 ms
  transmit(3, 950ms);
  EXPECT_EQ(rack.mark_on_timeout(board, kStart + 1000ms), 200U);
  EXPECT_EQ(fate(0), Fate::Lost);
  EXPECT_EQ(fate(1), Fate::Lost);
  EXPECT_EQ(fate(2), Fate::Sacked);
  EXPECT_EQ(fate(3), Fate::InFlight);
}

TEST_F(RackVectors, R_8985_6_3_RTO_TheFirstIsLostHoweverYoung) {
  transmit(0, 0ms);
  sack(0, 100ms);
  board.acknowledge(segment(1).begin, [](const SentRange&) {});
  transmit(1, 950ms);
  transmit(2, 951ms);
  EXPECT_EQ(rack.mark_on_timeout(board, kStart + 1000ms), 100U);
  EXPECT_EQ(fate(0), Fate::Lost);
  EXPECT_EQ(fate(1), Fate::InFlight);
}

}  // namespace
}  // namespace runnel::test
