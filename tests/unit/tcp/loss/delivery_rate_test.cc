// The arithmetic of delivery rate samples, draft-ietf-ccwg-bbr-06 section 4.1.
#include "stack/tcp/loss/delivery_rate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>

#include "stack/tcp/loss/scoreboard.h"

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSegment = 1250;
constexpr Instant kStart{10s};

// Sends segments and has them delivered, at times of the test's choosing.
class DeliveryRateTest : public ::testing::Test {
 protected:
  void send(Duration at, int segments = 1) {
    for (int i = 0; i < segments; ++i) {
      SentRange sent;
      sent.range = {next_, next_ + kSegment};
      sent.sent_at = kStart + at;
      sent.segment_octets = kSegment;
      sent.delivery = rate.on_transmit(in_flight(), kSegment, kStart + at);
      sent_.push_back(sent);
      next_ += kSegment;
    }
  }
  std::optional<RateSample> deliver(Duration at, int segments = 1,
                                    std::optional<Duration> minimum_rtt = std::nullopt) {
    for (int i = 0; i < segments; ++i) {
      rate.on_delivered(sent_.front(), kStart + at);
      sent_.pop_front();
    }
    std::optional<RateSample> sample;
    rate.take_sample(minimum_rtt, sample);
    return sample;
  }
  [[nodiscard]] std::uint64_t in_flight() const { return sent_.size() * kSegment; }

  DeliveryRate rate;

 private:
  std::deque<SentRange> sent_;
  SeqNum next_{0xfffffff0U};
};

TEST_F(DeliveryRateTest, WithoutADeliveryThereIsNoSample) {
  send(0ms);
  std::optional<RateSample> sample;
  rate.take_sample(std::nullopt, sample);
  EXPECT_EQ(sample, std::nullopt);
}

TEST_F(DeliveryRateTest, ASteadyPathIsMeasuredExactly) {
  // 10 Mbit/s: a segment a millisecond, 40 ms of round trip.
  for (int i = 0; i < 40; ++i) send(i * 1ms);
  std::optional<RateSample> sample;
  for (int i = 0; i < 200; ++i) {
    sample = deliver((40 + i) * 1ms);
    send((40 + i) * 1ms);
  }
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->octets_per_second, 1'250'000U);
  EXPECT_EQ(sample->interval, 40ms);
  EXPECT_EQ(sample->delivered_octets, 40U * kSegment);
  EXPECT_EQ(sample->tx_in_flight_octets, 40U * kSegment);
  EXPECT_FALSE(sample->is_app_limited);
}

TEST_F(DeliveryRateTest, AnAckThatComesForManyDoesNotLookFast) {
  send(0ms);
  for (int i = 1; i < 40; ++i) send(i * 1ms);
  (void)deliver(40ms);
  const auto sample = deliver(79ms, 39);  // all the others at once
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->interval, 79ms) << "of ACKs: from the start of the flight to now";
  EXPECT_EQ(sample->octets_per_second, 40U * kSegment * 1'000 / 79);
}

TEST_F(DeliveryRateTest, ABurstOfDataDoesNotLookFast) {
  send(0ms, 10);  // sent at no time at all
  const auto sample = deliver(50ms, 10);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->interval, 50ms);
  EXPECT_EQ(sample->octets_per_second, 10U * kSegment * 20);
}

TEST_F(DeliveryRateTest, AnIntervalBelowTheMinimumRoundTripGivesNoRate) {
  send(0ms, 2);
  const auto shorter = deliver(20ms, 1, 20ms + 1ns);
  ASSERT_TRUE(shorter) << "it still tells which round it belongs to";
  EXPECT_EQ(shorter->octets_per_second, 0U);
  const auto equal = deliver(20ms, 1, 20ms);
  ASSERT_TRUE(equal);
  EXPECT_GT(equal->octets_per_second, 0U);
}

TEST_F(DeliveryRateTest, NothingDividesByNoTime) {
  send(0ms);
  const auto sample = deliver(0ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->octets_per_second, 0U);
}

TEST_F(DeliveryRateTest, WhatIsSentWhileTheApplicationIsSilentIsMarked) {
  send(0ms, 2);
  rate.on_app_limited(in_flight());
  EXPECT_TRUE(rate.is_app_limited());
  send(10ms, 2);
  EXPECT_FALSE(deliver(40ms, 2)->is_app_limited) << "these left before";
  EXPECT_TRUE(rate.is_app_limited()) << "the bubble is behind them";
  EXPECT_TRUE(deliver(50ms, 1)->is_app_limited);
  EXPECT_FALSE(rate.is_app_limited());
  send(50ms);
  EXPECT_TRUE(deliver(50ms, 1)->is_app_limited);
  EXPECT_FALSE(deliver(90ms, 1)->is_app_limited);
}

TEST_F(DeliveryRateTest, AnEmptyPipeBeginsBothIntervalsAnew) {
  send(0ms);
  (void)deliver(40ms);
  send(10s);
  const auto sample = deliver(10s + 40ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->interval, 40ms);
}

TEST_F(DeliveryRateTest, CountsWhatWasLostSinceTheNewestWasSent) {
  rate.on_lost(500);
  send(0ms);
  rate.on_lost(2 * kSegment);
  const auto sample = deliver(40ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->lost_octets, 2U * kSegment);
  EXPECT_EQ(rate.lost_octets(), 500U + 2 * kSegment);
}

TEST_F(DeliveryRateTest, OfSeveralTheOneThatLeftLastCounts) {
  send(0ms);
  send(30ms);
  const auto sample = deliver(60ms, 2);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->tx_in_flight_octets, 2U * kSegment) << "of the second";
}

}  // namespace
}  // namespace runnel::tcp
