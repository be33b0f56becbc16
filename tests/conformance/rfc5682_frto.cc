// Was it a loss at all? F-RTO (RFC 5682), the Eifel detection (RFC 3522) and D-SACK (RFC 3708), and
// what follows when it was none (RFC 4015).
//
// The path takes 100 ms, so the retransmission timeout is 300 ms. Ten segments of twenty are out
// when it comes.
#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

class ForwardRto : public SackPath {
 protected:
  // Without SACK and timestamps, as the basic algorithm is written. Ends with the timeout.
  void time_out() {
    ignore_timestamps_default();
    peer_sack = false;
    open_and_send(20);
    advance(300ms);
    ASSERT_EQ(info().retransmission_timeouts, 1U);
    ASSERT_EQ(sent_segments(), Indices{0});
    ASSERT_EQ(cwnd_segments(), 1U);
    ASSERT_EQ(ssthresh_segments(), 5U);
  }
  // With SACK: a tail loss probe goes first, 200 ms after the flight, and then the timeout 300 ms
  // after that. The peer's window leaves the probe no new data.
  void time_out_with_sack() {
    peer_window = 10 * kMss;
    open_and_send(20);
    advance(500ms);
    ASSERT_EQ(info().tail_loss_probes, 1U);
    ASSERT_EQ(info().retransmission_timeouts, 1U);
    ASSERT_EQ(sent_segments(), (Indices{9, 0}));
    peer_window = 40 * kMss;
  }
};

// --- Step 1 ---

TEST_F(ForwardRto, R_5682_2_1_1_TheFirstSegmentGoesAgainAndNothingElse) {
  time_out();
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Timeout);
  advance(100ms);
  EXPECT_EQ(sent_segments(), Indices{});
  EXPECT_EQ(info().spurious_recoveries, 0U) << "nothing is decided yet";
}

TEST_F(ForwardRto, R_5682_2_1_1_ASecondTimeoutInTheSameRecoveryMeansLoss) {
  time_out();
  advance(600ms);
  ASSERT_EQ(info().retransmission_timeouts, 2U);
  EXPECT_EQ(sent_segments(), Indices{0});
  advance(100ms);
  acknowledge(1);
  EXPECT_EQ(sent_segments(), (Indices{1, 2})) << "no step 2: slow start";
  acknowledge(2);
  EXPECT_EQ(info().spurious_recoveries, 0U);
}

// --- Step 2 ---

TEST_F(ForwardRto, R_5682_2_1_2_AfterTheFirstAckTwoNewSegmentsGoInPlaceOfRetransmissions) {
  time_out();
  advance(50ms);
  acknowledge(1);
  EXPECT_EQ(sent_segments(), (Indices{10, 11}));
  EXPECT_EQ(info().segments_retransmitted, 1U);
}

TEST_F(ForwardRto, R_5682_2_1_2_ADuplicateAckMeansLoss) {
  time_out();
  acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{});
  advance(100ms);
  acknowledge(1);
  EXPECT_EQ(sent_segments(), (Indices{1, 2}));
  acknowledge(2);
  EXPECT_EQ(info().spurious_recoveries, 0U);
}

TEST_F(ForwardRto, R_5682_2_1_2_AnAckOfEverythingDecidesNothing) {
  time_out();
  advance(100ms);
  acknowledge(10);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(info().spurious_recoveries, 0U);
  EXPECT_EQ(ssthresh_segments(), 5U);
}

TEST_F(ForwardRto, R_5682_2_1_2_WithoutNewDataTheRetransmissionsGoOn) {
  ignore_timestamps_default();
  peer_sack = false;
  open_and_send(10);
  advance(300ms);
  ASSERT_EQ(sent_segments(), Indices{0});
  advance(100ms);
  acknowledge(1);
  EXPECT_EQ(sent_segments(), (Indices{1, 2}));
}

TEST_F(ForwardRto, R_5682_2_1_2_NorWhenThePeersWindowIsFull) {
  peer_window = 10 * kMss;
  time_out();
  advance(100ms);
  send(acknowledgment(1).window(9 * kMss));
  EXPECT_EQ(sent_segments(), (Indices{1, 2}));
}

// --- Step 3 ---

TEST_F(ForwardRto, R_5682_2_1_3__R_5682_4_RESP_ASecondAckThatAdvancesShowsThatNothingWasLost) {
  time_out();
  advance(50ms);
  acknowledge(1);
  ASSERT_EQ(sent_segments(), (Indices{10, 11}));
  acknowledge(2);
  EXPECT_EQ(info().spurious_recoveries, 1U);
  EXPECT_EQ(counters().tcp_spurious_recoveries, 1U);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_GE(cwnd_segments(), 10U) << "as before the timeout";
  EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U);
  for (std::uint32_t una = 3; una <= 10; ++una) acknowledge(una);
  for (const std::uint32_t index : sent_segments()) EXPECT_GE(index, 12U) << "sent again";
  EXPECT_EQ(info().segments_retransmitted, 1U);
}

// "Set the congestion window to no more than 3 * MSS": two new segments are out, and so one
// retransmission may follow at once.
TEST_F(ForwardRto, R_5682_2_1_3_ADuplicateAckMeansLossAndTheRetransmissionsGoOn) {
  time_out();
  advance(100ms);
  acknowledge(1);
  ASSERT_EQ(sent_segments(), (Indices{10, 11}));
  acknowledge(1);
  EXPECT_LE(cwnd_segments(), 3U);
  EXPECT_EQ(sent_segments(), Indices{1});
  acknowledge(1);
  EXPECT_EQ(sent_segments(), Indices{});
  EXPECT_EQ(info().spurious_recoveries, 0U);
  EXPECT_EQ(ssthresh_segments(), 5U);
  advance(100ms);
  acknowledge(2);
  const Indices again = sent_segments();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front(), 2U);
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

// --- With SACK ---

TEST_F(ForwardRto, R_5682_3_1_SACK_AnOriginalThatArrivesShowsThatNothingWasLost) {
  time_out_with_sack();
  acknowledge(0, {{1, 2}});  // sent once, 500 ms ago
  EXPECT_EQ(info().spurious_recoveries, 1U);
  EXPECT_GE(cwnd_segments(), 10U);
  EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U);
}

TEST_F(ForwardRto, R_5682_3_1_SACK_SoDoesTheAckOfOne) {
  time_out_with_sack();
  acknowledge(2);
  EXPECT_EQ(info().spurious_recoveries, 1U);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(info().lost_octets, 0U) << "what was declared lost is in flight after all";
}

TEST_F(ForwardRto, R_5682_3_1_SACK_TheSackOfWhatWasSentAgainDoesNot) {
  time_out_with_sack();
  acknowledge(0, {{9, 10}});  // the probe, or its original: nobody knows
  EXPECT_EQ(info().spurious_recoveries, 0U);
  acknowledge(1, {{9, 10}});
  EXPECT_EQ(info().spurious_recoveries, 0U);
}

TEST_F(ForwardRto, R_5682_3_1_SACK_TheSackOfNewDataMeansLoss) {
  time_out_with_sack();
  advance(100ms);
  acknowledge(1);
  const Indices fresh = sent_segments();
  ASSERT_EQ(fresh, (Indices{10, 11}));
  advance(100ms);
  acknowledge(1, {{10, 11}});
  EXPECT_EQ(info().spurious_recoveries, 0U);
  const Indices again = sent_segments();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front(), 1U);
}

// In a recovery SACKs of originals arrive anyhow.
TEST_F(ForwardRto, R_5682_3_1_SACK_NotWhenARecoveryWasGoingOn) {
  open_and_send(10);
  advance(100ms);
  acknowledge(0, {{1, 4}});
  ASSERT_EQ(sent_segments(), Indices{0});
  ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  const std::uint64_t threshold = info().slow_start_threshold_octets;
  advance(info().retransmission_timeout);
  ASSERT_EQ(info().retransmission_timeouts, 1U);
  forget_sent();
  acknowledge(0, {{1, 5}});  // segment 4, sent once
  EXPECT_EQ(info().spurious_recoveries, 0U);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Timeout);
  EXPECT_LE(info().slow_start_threshold_octets, threshold);
}

// --- The response ---

TEST_F(ForwardRto, R_5682_4_RESP_WithUndoSwitchedOffTheWindowFollowsRfc5681) {
  TcpConfig config;
  config.undo_spurious_recovery = false;
  ignore_timestamps_default();
  rebuild(config);
  peer_sack = false;
  open_and_send(20);
  advance(300ms);
  ASSERT_EQ(sent_segments(), Indices{0});
  advance(50ms);
  acknowledge(1);
  EXPECT_EQ(sent_segments(), (Indices{1, 2}));
  EXPECT_EQ(cwnd_segments(), 2U);
  acknowledge(2);
  EXPECT_EQ(cwnd_segments(), 3U);
  EXPECT_EQ(ssthresh_segments(), 5U);
  EXPECT_EQ(info().spurious_recoveries, 0U);
}

TEST_F(ForwardRto, R_5682_4_RESP_NorIsAnythingTakenBackByTimestampsOrDsacksThen) {
  TcpConfig config;
  config.undo_spurious_recovery = false;
  agree_on_timestamps();
  rebuild(config);
  open(100ms);
  ASSERT_TRUE(write_octets(10 * 1448));
  const auto first = next_sent();
  advance(500ms);
  ASSERT_EQ(info().retransmission_timeouts, 1U);
  send(segment().seq(their(0)).ack(our(1448)).timestamps(peer_tsval(),
                                                         first->options.timestamps->value));
  EXPECT_EQ(info().spurious_recoveries, 0U);
  EXPECT_EQ(info().slow_start_threshold_octets, 5U * 1448U);
}

// The first ACK after the timeout echoes the timestamp of the first transmission.
TEST_F(ForwardRto, R_5682_4_RESP_AnOlderEchoTakesTheResponseBackAtOnce) {
  for (const bool is_older : {true, false}) {
    agree_on_timestamps();
    peer_sack = false;
    open(100ms);
    ASSERT_TRUE(write_octets(10 * 1448));
    const auto first = next_sent();
    forget_sent();
    advance(300ms);
    const auto second = next_sent();
    ASSERT_TRUE(first && second && second->seq == first->seq);
    ASSERT_EQ(info().retransmission_timeouts, 1U);
    advance(50ms);
    const auto echo = (is_older ? first : second)->options.timestamps->value;
    send(segment().seq(their(0)).ack(our(1448)).timestamps(peer_tsval(), echo));
    EXPECT_EQ(info().spurious_recoveries, is_older ? 1U : 0U);
    EXPECT_EQ(info().slow_start_threshold_octets >= (std::uint64_t{1} << 30U), is_older);
  }
}

// Reordering by more than three segments and a quarter of a round trip: a fast retransmission in
// vain, which the D-SACK for it shows.
TEST_F(ForwardRto, R_5682_4_RESP_ADsackOfEveryRetransmissionTakesTheResponseBack) {
  open_and_send(10);
  advance(100ms);
  acknowledge(0, {{1, 4}});
  ASSERT_EQ(sent_segments(), Indices{0});
  ASSERT_EQ(ssthresh_segments(), 5U);
  acknowledge(10);  // it was late: everything arrives
  EXPECT_EQ(cwnd_segments(), 5U);
  advance(100ms);
  send(acknowledgment(10).sack(at(0), at(1)));  // and now once more
  EXPECT_EQ(info().spurious_recoveries, 1U);
  EXPECT_GE(cwnd_segments(), 10U);
  EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U);
}

TEST_F(ForwardRto, R_5682_4_RESP_ADsackOfSomeOfThemDoesNot) {
  open_and_send(10);
  advance(100ms);
  acknowledge(0, {{2, 6}});
  ASSERT_EQ(sent_segments(), Indices{0});
  acknowledge(0, {{2, 7}});
  ASSERT_EQ(sent_segments(), Indices{1});
  advance(100ms);
  acknowledge(10);
  send(acknowledgment(10).sack(at(0), at(1)));
  EXPECT_EQ(info().spurious_recoveries, 0U);
  EXPECT_EQ(ssthresh_segments(), 5U);
}

}  // namespace
}  // namespace runnel::test
