#include "stack/core/destination_cache.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::core {
namespace {

using namespace std::chrono_literals;

const IpAddress kA(192, 0, 2, 1);
const IpAddress kB(192, 0, 2, 2);
const IpAddress kC(192, 0, 2, 3);

class DestinationCacheTest : public ::testing::Test {
 protected:
  static tcp::PathEstimate with_rtt(Duration smoothed, Duration variation) {
    tcp::PathEstimate learned;
    learned.rtt = tcp::RttEstimate{smoothed, variation};
    return learned;
  }
  static tcp::PathEstimate with_ssthresh(std::uint64_t octets) {
    tcp::PathEstimate learned;
    learned.ssthresh_octets = octets;
    return learned;
  }

  SeededRandom random_{1};
  DestinationCache cache_{2, 10min, random_};
  Instant now_{1h};
};

TEST_F(DestinationCacheTest, KnowsNothingAtFirst) {
  EXPECT_EQ(cache_.find(kA, now_), tcp::PathEstimate{});
  EXPECT_EQ(cache_.size(), 0U) << "and asking leaves no trace";
}

TEST_F(DestinationCacheTest, WhatTeachesNothingLeavesNoTrace) {
  cache_.merge(kA, {}, now_);
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(DestinationCacheTest, GivesBackEveryFigure) {
  tcp::PathEstimate learned;
  learned.rtt = tcp::RttEstimate{100ms, 20ms};
  learned.ssthresh_octets = 30'000;
  learned.path_mtu_octets = 1400;
  learned.peer_mss_octets = 1300;
  learned.fast_open_cookie = wire::TcpFastOpenCookie{{1, 2, 3, 4}, 4};
  learned.fast_open_works = true;
  cache_.merge(kA, learned, now_);
  EXPECT_EQ(cache_.find(kA, now_), learned);
  EXPECT_EQ(cache_.find(kB, now_), tcp::PathEstimate{}) << "every peer has its own";
}

TEST_F(DestinationCacheTest, AveragesMeasurementsHalfAndHalf) {
  cache_.merge(kA, with_rtt(100ms, 20ms), now_);
  cache_.merge(kA, with_rtt(200ms, 60ms), now_);
  EXPECT_EQ(cache_.find(kA, now_).rtt, (tcp::RttEstimate{150ms, 40ms}));
  cache_.merge(kA, with_ssthresh(10'000), now_);
  cache_.merge(kA, with_ssthresh(30'000), now_);
  EXPECT_EQ(cache_.find(kA, now_).ssthresh_octets, 20'000U);
}

TEST_F(DestinationCacheTest, ReplacesWhatIsNoAverage) {
  tcp::PathEstimate learned;
  learned.path_mtu_octets = 1400;
  learned.peer_mss_octets = 1300;
  learned.fast_open_works = true;
  cache_.merge(kA, learned, now_);
  learned.path_mtu_octets = 1000;
  learned.peer_mss_octets = 900;
  learned.fast_open_works = false;
  cache_.merge(kA, learned, now_);
  EXPECT_EQ(cache_.find(kA, now_), learned);
}

TEST_F(DestinationCacheTest, ForgetsEachFigureAtItsOwnAge) {
  cache_.merge(kA, with_ssthresh(30'000), now_);
  cache_.merge(kA, with_rtt(100ms, 20ms), now_ + 5min);
  EXPECT_TRUE(cache_.find(kA, now_ + 10min - 1ns).ssthresh_octets);
  EXPECT_FALSE(cache_.find(kA, now_ + 10min).ssthresh_octets);
  EXPECT_TRUE(cache_.find(kA, now_ + 15min - 1ns).rtt);
  EXPECT_FALSE(cache_.find(kA, now_ + 15min).rtt);
}

TEST_F(DestinationCacheTest, DoesNotAverageWithWhatIsForgotten) {
  cache_.merge(kA, with_rtt(100ms, 20ms), now_);
  cache_.merge(kA, with_rtt(200ms, 60ms), now_ + 10min);
  EXPECT_EQ(cache_.find(kA, now_ + 10min).rtt, (tcp::RttEstimate{200ms, 60ms}));
}

TEST_F(DestinationCacheTest, TheEntryThatWasUsedTheLongestTimeAgoMakesRoom) {
  cache_.merge(kA, with_ssthresh(1), now_);
  cache_.merge(kB, with_ssthresh(2), now_);
  EXPECT_TRUE(cache_.find(kA, now_).ssthresh_octets);  // a use
  cache_.merge(kC, with_ssthresh(3), now_);
  EXPECT_EQ(cache_.size(), 2U);
  EXPECT_TRUE(cache_.find(kA, now_).ssthresh_octets);
  EXPECT_FALSE(cache_.find(kB, now_).ssthresh_octets);
  EXPECT_TRUE(cache_.find(kC, now_).ssthresh_octets);
}

TEST_F(DestinationCacheTest, WithoutEntriesRemembersNothing) {
  DestinationCache none(0, 10min, random_);
  none.merge(kA, with_ssthresh(1), now_);
  EXPECT_EQ(none.size(), 0U);
}

}  // namespace
}  // namespace runnel::core
