// A window that is not used: RFC 7661, as `idle_restart` = Rfc7661 has it. Everything is counted in
// segments of 1,460 octets; the path takes 100 ms.
#include "tests/support/sack_path.h"
#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

constexpr Duration kNonValidatedPeriod = 5min;
constexpr Duration kSamplingPeriod = 1s;  // max(3 RTT, 1 s)

class WindowValidation : public SackPath {
 protected:
  WindowValidation() {
    ignore_timestamps_default();
    peer_wscale = 7;
    use(IdleRestart::Rfc7661);
  }
  void use(IdleRestart restart) {
    TcpConfig config;
    config.idle_restart = restart;
    rebuild(config);
    una_ = 0;
  }

  // Writes so many segments, which all leave at once, and acknowledges them a round trip later.
  void round(std::uint32_t segments) {
    forget_sent();
    ASSERT_TRUE(write_octets(std::size_t{segments} * kMss));
    ASSERT_EQ(sent_segments().size(), segments);
    advance(kRoundTrip);
    acknowledge_more(segments);
  }
  // Rounds for longer than any sample counts.
  void rounds_of(std::uint32_t segments) {
    for (int i = 0; i < 11; ++i) round(segments);
  }
  void acknowledge_more(std::uint32_t segments) {
    una_ += segments;
    acknowledge(una_);
  }
  // Open, with a window of `cwnd` segments that were all in use a moment ago; between 10 and 40.
  void grow_to(std::uint32_t cwnd) {
    open();
    // Slow start: what is written beside the window keeps it in full use.
    ASSERT_TRUE(write_octets(std::size_t{cwnd - 10 + cwnd} * kMss));
    forget_sent();
    for (int i = 0; i < 10 && cwnd_segments() < cwnd; ++i) {
      advance(kRoundTrip);
      const auto in_flight = static_cast<std::uint32_t>(in_flight_segments());
      acknowledge_more(std::min(in_flight, cwnd - static_cast<std::uint32_t>(cwnd_segments())));
    }
    advance(kRoundTrip);
    acknowledge_more(static_cast<std::uint32_t>(in_flight_segments()));
    ASSERT_EQ(cwnd_segments(), cwnd);
    ASSERT_EQ(in_flight_segments(), 0U);
    forget_sent();
  }
  // How many segments leave at once when there is plenty to send.
  [[nodiscard]] std::size_t burst() {
    forget_sent();
    EXPECT_TRUE(write_octets(100 * kMss));
    return sent_segments().size();
  }
  // Sends a flight of which the first segments are lost, up to when that is known.
  void lose(std::uint32_t lost, std::uint32_t flight) {
    forget_sent();
    ASSERT_TRUE(write_octets(std::size_t{flight} * kMss));
    ASSERT_EQ(sent_segments().size(), flight);
    advance(kRoundTrip);
    acknowledge(una_, {{una_ + lost, una_ + flight}});
    advance(kRoundTrip / 2);  // the reordering window
    ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  }

  std::uint32_t una_ = 0;
};

// --- Section 4.2: pipeACK ---

TEST_F(WindowValidation, R_7661_4_2_PIPEACK_TheLargestOfTheRoundTripsOfTheSamplingPeriod) {
  grow_to(40);
  rounds_of(2);
  round(5);
  round(8);
  round(3);
  lose(1, 6);
  EXPECT_EQ(ssthresh_segments(), 4U) << "half of 8";
}

TEST_F(WindowValidation, R_7661_4_2_PIPEACK_ASampleCountsForASecond) {
  grow_to(40);
  round(8);
  rounds_of(2);
  lose(1, 6);
  EXPECT_EQ(ssthresh_segments(), 3U) << "8 is forgotten: half of the 6 in flight";
}

TEST_F(WindowValidation, R_7661_4_2_PIPEACK_RecoveriesAreNotMeasured) {
  grow_to(40);
  rounds_of(4);
  lose(1, 20);  // validated by nothing: max(4, 20) / 2, less one segment at the end
  advance(kRoundTrip);
  acknowledge_more(20);
  EXPECT_EQ(info().congestion_window_octets, 19 * kMss / 2);
  // Had the twenty been measured, they would count now: half of 20. But pipeACK is undefined.
  forget_sent();
  lose(1, 6);
  EXPECT_EQ(ssthresh_segments(), 3U);
}

// --- Section 4.3 and 4.4: the non-validated phase ---

TEST_F(WindowValidation, R_7661_4_4_NVP_AnUnusedWindowIsKeptAsItIs) {
  grow_to(40);
  for (int i = 0; i < 100; ++i) {
    round(5);
    ASSERT_EQ(cwnd_segments(), 40U);
  }
  advance(10s);  // idle, for much longer than the retransmission timeout
  EXPECT_EQ(burst(), 40U);
}

TEST_F(WindowValidation, R_7661_4_4_NVP_WithoutItTheSameSenderBeginsWithTheRestartWindow) {
  use(IdleRestart::Rfc5681);
  grow_to(40);
  rounds_of(5);
  advance(10s);
  EXPECT_EQ(burst(), 10U);
}

TEST_F(WindowValidation, R_7661_4_4_NVP_ItGrowsWhenItIsWhatLimitsTheSender) {
  grow_to(40);
  rounds_of(5);
  EXPECT_EQ(burst(), 40U);
  advance(kRoundTrip);
  acknowledge_more(2);
  EXPECT_EQ(cwnd_segments(), 42U);
}

// --- Section 4.4.3: five minutes ---

TEST_F(WindowValidation, R_7661_4_4_5MIN_AfterFiveIdleMinutesHalfOfTheWindowIsLeft) {
  for (const auto& [idle, left] : {std::pair{kNonValidatedPeriod - 1ns, 40U},
                                   {kNonValidatedPeriod, 20U},
                                   {2 * kNonValidatedPeriod - 1ns, 20U},
                                   {2 * kNonValidatedPeriod, 10U},
                                   {10 * kNonValidatedPeriod, 10U}}) {
    use(IdleRestart::Rfc7661);
    grow_to(40);
    advance(kSamplingPeriod + idle);
    EXPECT_EQ(burst(), left) << idle.count();
  }
}

TEST_F(WindowValidation, R_7661_4_4_5MIN_NotLessThanTheInitialWindow) {
  grow_to(16);
  advance(kSamplingPeriod + kNonValidatedPeriod);
  EXPECT_EQ(burst(), 10U);
}

TEST_F(WindowValidation, R_7661_4_4_5MIN_AlsoWhenLittleIsSentAllTheTime) {
  grow_to(40);
  const Instant begun = now() + kSamplingPeriod;
  while (now() + kRoundTrip < begun + kNonValidatedPeriod) {
    round(5);
    ASSERT_EQ(cwnd_segments(), 40U);
  }
  round(5);
  EXPECT_EQ(cwnd_segments(), 20U);
}

TEST_F(WindowValidation, R_7661_4_4_5MIN_TheThresholdRemembersThreeQuarters) {
  grow_to(40);
  lose(1, 40);
  advance(kRoundTrip);
  acknowledge_more(40);
  ASSERT_EQ(ssthresh_segments(), 20U);
  ASSERT_TRUE(write_octets(700 * kMss));
  for (int i = 0; i < 40 && cwnd_segments() < 40; ++i) {  // congestion avoidance
    advance(kRoundTrip);
    acknowledge_more(static_cast<std::uint32_t>(in_flight_segments()));
  }
  for (int i = 0; i < 40 && in_flight_segments() > 0; ++i) {
    advance(kRoundTrip);
    acknowledge_more(static_cast<std::uint32_t>(in_flight_segments()));
  }
  const std::uint64_t cwnd = info().congestion_window_octets;
  ASSERT_EQ(ssthresh_segments(), 20U);
  advance(kSamplingPeriod + kNonValidatedPeriod);
  (void)burst();
  EXPECT_EQ(info().congestion_window_octets, cwnd / 2);
  EXPECT_EQ(info().slow_start_threshold_octets, cwnd / 4 * 3);
}

// --- Section 4.4.1: losses ---

TEST_F(WindowValidation, R_7661_4_4_1_LOSS_HalfOfWhatWasInUseAndLessWhatWasLostAtTheEnd) {
  grow_to(40);
  rounds_of(10);
  lose(2, 6);
  EXPECT_EQ(cwnd_segments(), 5U) << "max(10, 6) / 2";
  advance(kRoundTrip);
  acknowledge_more(6);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(cwnd_segments(), 4U) << "(10 - 2) / 2";
  EXPECT_EQ(ssthresh_segments(), 4U);
}

TEST_F(WindowValidation, R_7661_4_4_1_LOSS_WhatIsInFlightCountsWhenItIsMore) {
  grow_to(40);
  rounds_of(10);
  lose(2, 30);
  EXPECT_EQ(cwnd_segments(), 15U);
  advance(kRoundTrip);
  acknowledge_more(30);
  EXPECT_EQ(cwnd_segments(), 14U);
}

TEST_F(WindowValidation, R_7661_4_4_1_LOSS_NotLessThanOneSegment) {
  grow_to(40);
  rounds_of(1);
  lose(4, 5);
  for (std::uint32_t i = 1; i <= 3; ++i) {  // each ACK lets the next one be sent again
    advance(kRoundTrip);
    acknowledge(una_ + i, {{una_ + 4, una_ + 5}});
  }
  advance(kRoundTrip);
  acknowledge_more(5);
  ASSERT_EQ(info().recovery_phase, RecoveryPhase::Open);
  ASSERT_EQ(info().segments_retransmitted, 4U);
  EXPECT_EQ(info().congestion_window_octets, kMss);
}

TEST_F(WindowValidation, R_7661_4_4_1_LOSS_WithoutSackToo) {
  peer_sack = false;
  use(IdleRestart::Rfc7661);
  grow_to(40);
  rounds_of(10);
  ASSERT_TRUE(write_octets(6 * kMss));
  forget_sent();
  advance(kRoundTrip);
  for (int i = 0; i < 4; ++i) acknowledge(una_);
  ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  EXPECT_EQ(cwnd_segments(), 5U);
  advance(kRoundTrip);
  acknowledge_more(2);  // the third segment was lost as well
  advance(kRoundTrip);
  acknowledge_more(4);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(cwnd_segments(), 4U);
}

TEST_F(WindowValidation, R_7661_4_4_1_LOSS_AValidatedWindowIsHalvedAsEver) {
  grow_to(40);
  round(30);
  lose(2, 30);
  EXPECT_EQ(cwnd_segments(), 15U);
  advance(kRoundTrip);
  acknowledge_more(30);
  EXPECT_EQ(ssthresh_segments(), 15U);
}

TEST_F(WindowValidation, R_7661_4_4_1_LOSS_ATimeoutIsAnsweredAsEver) {
  grow_to(40);
  rounds_of(10);
  forget_sent();
  ASSERT_TRUE(write_octets(6 * kMss));
  advance(1s);  // before a black hole is suspected, and segments are smaller
  EXPECT_GE(info().retransmission_timeouts, 1U);
  EXPECT_EQ(cwnd_segments(), 1U);
  EXPECT_EQ(ssthresh_segments(), 3U);
}

TEST_F(WindowValidation, AControllerWithAModelOfThePathIsLeftAlone) {
  grow_to(40);
  ASSERT_TRUE(stack().set_congestion_control(id(), CongestionAlgorithm::Bbr));
  const std::uint64_t before = cwnd_segments();
  ASSERT_GE(before, 40U);
  advance(kNonValidatedPeriod + 1min);
  (void)burst();
  EXPECT_EQ(cwnd_segments(), before);
}

// Losses of every kind, with and without SACK: whatever the window does, everything arrives.
TEST(WindowValidationOnABadPath, EverythingArrives) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    HostPairOptions options;
    options.seed = seed;
    options.one_way_delay = 20ms;
    options.loss_per_mille = 20;
    options.reordering_per_mille = 20;
    options.duplicates_per_mille = 10;
    options.check_with_libtins = false;
    options.server.tcp.idle_restart = options.client.tcp.idle_restart = IdleRestart::Rfc7661;
    options.server.tcp.congestion_control = options.client.tcp.congestion_control =
        seed % 4 < 2 ? CongestionAlgorithm::NewReno : CongestionAlgorithm::Cubic;
    options.server.tcp.sack = seed % 2 == 0;
    options.server.tcp.initial_window =
        seed % 3 == 0 ? InitialWindow::Rfc3390 : InitialWindow::Rfc6928;
    HostPair pair(options);
    transfer_and_expect_everything(pair, 300'000, 200'000);
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace runnel::test
