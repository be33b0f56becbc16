// RFC 6298, rule by rule, with numbers worked out by hand.
#include "stack/tcp/rtt_estimator.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

// No bounds that could hide a formula.
TcpConfig unbounded() {
  TcpConfig config;
  config.rto_minimum = Duration{0};
  config.rto_maximum = 24h;
  return config;
}

TEST(RttEstimator, BeginsWithTheInitialTimeoutAndNoSample) {
  const RttEstimator rtt{TcpConfig{}};  // (2.1)
  EXPECT_EQ(rtt.timeout(), 1s);
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), Duration{0});
}

TEST(RttEstimator, TheFirstSampleGivesHalfOfItAsVariationAndThreeTimesItAsTimeout) {
  RttEstimator rtt{unbounded()};  // (2.2): R + 4 * R/2
  rtt.take_sample(100ms);
  EXPECT_TRUE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), 100ms);
  EXPECT_EQ(rtt.variation(), 50ms);
  EXPECT_EQ(rtt.timeout(), 300ms);
}

TEST(RttEstimator, LaterSamplesMoveTheVariationByAQuarterAndThenTheMeanByAnEighth) {
  RttEstimator rtt{unbounded()};  // (2.3)
  rtt.take_sample(100ms);
  rtt.take_sample(200ms);
  // 3/4 * 50 + 1/4 * |100 - 200|, with the mean from before this sample; 7/8 * 100 + 1/8 * 200.
  EXPECT_EQ(rtt.variation(), 62500us);
  EXPECT_EQ(rtt.smoothed(), 112500us);
  EXPECT_EQ(rtt.timeout(), 362500us);

  rtt.take_sample(100ms);               // below the mean: the distance counts, not its sign
  EXPECT_EQ(rtt.variation(), 50000us);  // 46.875 + 12.5 / 4
  EXPECT_EQ(rtt.smoothed(), 110937500ns);
  EXPECT_EQ(rtt.timeout(), 310937500ns);
}

TEST(RttEstimator, ManySamplesOfARoundTripShareTheWeightOfOne) {
  RttEstimator rtt{unbounded()};  // RFC 7323 appendix G: alpha / 4, beta / 4
  rtt.take_sample(100ms, 4);
  EXPECT_EQ(rtt.smoothed(), 100ms) << "the first one counts in full";
  rtt.take_sample(260ms, 4);
  EXPECT_EQ(rtt.smoothed(), 105ms);
  EXPECT_EQ(rtt.variation(), 50ms + 110'000us / 16);
}

TEST(RttEstimator, TheMinimumIsAFloorForTheTimeoutAlone) {
  TcpConfig config = unbounded();
  config.rto_minimum = 300ms;  // (2.4)
  for (const auto& [sample, timeout] : {std::pair{99ms, 300ms}, {100ms, 300ms}, {101ms, 303ms}}) {
    RttEstimator rtt{config};
    rtt.take_sample(sample);
    EXPECT_EQ(rtt.timeout(), timeout);
    EXPECT_EQ(rtt.smoothed(), sample);
  }
}

TEST(RttEstimator, TheMaximumIsACeiling) {
  for (const auto& [sample, timeout] : {std::pair{19s, 57s}, {20s, 60s}, {21s, 60s}}) {
    RttEstimator rtt{TcpConfig{}};  // (2.5)
    rtt.take_sample(sample);
    EXPECT_EQ(rtt.timeout(), timeout);
  }
}

TEST(RttEstimator, OnASteadyPathTheTimeoutStaysAboveTheRoundTrip) {
  RttEstimator rtt{unbounded()};  // (2.3): max(G, 4 * RTTVAR), G is not zero
  for (int i = 0; i < 1000; ++i) rtt.take_sample(100ms);
  EXPECT_GT(rtt.timeout(), 100ms);
  EXPECT_LT(rtt.timeout(), 101ms);
  EXPECT_GT(rtt.smoothed(), 99999us);
  EXPECT_LE(rtt.smoothed(), 100ms);
}

TEST(RttEstimator, BackOffDoublesUpToTheMaximum) {
  RttEstimator rtt{TcpConfig{}};  // (5.5)
  for (const Duration timeout : {2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    rtt.back_off();
    EXPECT_EQ(rtt.timeout(), timeout);
  }
}

TEST(RttEstimator, BackOffLastsUntilTheNextSample) {
  RttEstimator rtt{unbounded()};
  rtt.take_sample(100ms);
  rtt.back_off();
  rtt.back_off();
  EXPECT_EQ(rtt.timeout(), 1200ms);
  EXPECT_EQ(rtt.smoothed(), 100ms) << "a back-off is no measurement";
  rtt.take_sample(100ms);
  // 3/4 * 50 = 37.5; 100 + 4 * 37.5: nothing of the back-off is left.
  EXPECT_EQ(rtt.timeout(), 250ms);
}

TEST(RttEstimator, AfterALostSynDataBeginsWithThreeSeconds) {
  RttEstimator rtt{TcpConfig{}};  // (5.7)
  rtt.back_off();
  rtt.handshake_was_retransmitted();
  EXPECT_EQ(rtt.timeout(), 3s);
  rtt.take_sample(100ms);
  EXPECT_EQ(rtt.timeout(), 300ms);
}

TEST(RttEstimator, AfterManyLostSynsTooDataBeginsWithThreeSeconds) {
  RttEstimator rtt{TcpConfig{}};
  for (int i = 0; i < 6; ++i) rtt.back_off();
  rtt.handshake_was_retransmitted();
  EXPECT_EQ(rtt.timeout(), 3s);
}

TEST(RttEstimator, ASampleFromTheHandshakeIsWorthMoreThanThreeSeconds) {
  RttEstimator rtt{TcpConfig{}};
  rtt.take_sample(100ms);
  rtt.handshake_was_retransmitted();
  EXPECT_EQ(rtt.timeout(), 300ms);
}

TEST(RttEstimator, ARoundTripOfNothingIsASampleAndTheTimeoutIsTheMinimum) {
  RttEstimator rtt{TcpConfig{}};
  rtt.take_sample(Duration{0});
  EXPECT_TRUE(rtt.has_sample());
  EXPECT_EQ(rtt.timeout(), 200ms);
}

// --- What earlier connections have measured (RFC 9040) -------------------------------------------

TEST(RttEstimator, AKnownSlowPathLengthensTheFirstTimeout) {
  RttEstimator rtt{TcpConfig{}};
  rtt.begin_with({2s, 500ms});
  EXPECT_EQ(rtt.timeout(), 4s);
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), Duration{0});
  rtt.take_sample(100ms);  // sets the estimate as if nothing had been known
  EXPECT_EQ(rtt.smoothed(), 100ms);
  EXPECT_EQ(rtt.variation(), 50ms);
  EXPECT_EQ(rtt.timeout(), 300ms);
}

TEST(RttEstimator, AKnownFastPathDoesNotShortenIt) {
  RttEstimator rtt{TcpConfig{}};
  rtt.begin_with({10ms, 5ms});
  EXPECT_EQ(rtt.timeout(), 1s);
}

TEST(RttEstimator, WhatIsKnownIsBoundedAndOutlivesALostSyn) {
  RttEstimator rtt{TcpConfig{}};
  rtt.begin_with({100s, 10s});
  EXPECT_EQ(rtt.timeout(), 60s);
  rtt = RttEstimator{TcpConfig{}};
  rtt.begin_with({2s, 500ms});
  rtt.back_off();
  EXPECT_EQ(rtt.timeout(), 8s);
  rtt.handshake_was_retransmitted();
  EXPECT_EQ(rtt.timeout(), 4s) << "more than the 3 s of (5.7)";
}

TEST(RttEstimator, WhatIsKnownComesTooLateAfterASample) {
  RttEstimator rtt{TcpConfig{}};
  rtt.take_sample(100ms);
  rtt.begin_with({2s, 500ms});
  EXPECT_EQ(rtt.timeout(), 300ms);
}

}  // namespace
}  // namespace runnel::tcp
