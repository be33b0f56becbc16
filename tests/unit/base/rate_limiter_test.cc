#include "stack/base/rate_limiter.h"

#include <limits>

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

using namespace std::chrono_literals;

int allowed_at(RateLimiter& limiter, Instant now, int attempts) {
  int allowed = 0;
  for (int i = 0; i < attempts; ++i) allowed += limiter.allow(now) ? 1 : 0;
  return allowed;
}

TEST(RateLimiter, AllowsASecondsWorthAtOnce) {
  RateLimiter limiter{10};
  EXPECT_EQ(allowed_at(limiter, Instant{5s}, 100), 10);
}

TEST(RateLimiter, ATokenComesBackExactlyWhenItIsDue) {
  RateLimiter limiter{10};
  const Instant start{5s};
  ASSERT_EQ(allowed_at(limiter, start, 100), 10);
  EXPECT_FALSE(limiter.allow(start + 100ms - 1ns));
  EXPECT_TRUE(limiter.allow(start + 100ms));
  EXPECT_FALSE(limiter.allow(start + 100ms));
}

TEST(RateLimiter, ManySmallStepsLoseNoCredit) {
  RateLimiter limiter{1000};
  Instant now{0s};
  ASSERT_EQ(allowed_at(limiter, now, 2000), 1000);
  int allowed = 0;
  for (int i = 0; i < 100'000; ++i) {  // 7 ms in steps of 70 ns
    now += 70ns;
    allowed += limiter.allow(now) ? 1 : 0;
  }
  EXPECT_EQ(allowed, 7);
}

TEST(RateLimiter, AQuietHourEarnsOneSecondsWorth) {
  RateLimiter limiter{10};
  ASSERT_EQ(allowed_at(limiter, Instant{1s}, 100), 10);
  EXPECT_EQ(allowed_at(limiter, Instant{3601s}, 100), 10);
}

TEST(RateLimiter, TimeThatStandsStillOrGoesBackEarnsNothing) {
  RateLimiter limiter{1};
  ASSERT_TRUE(limiter.allow(Instant{10s}));
  EXPECT_FALSE(limiter.allow(Instant{10s}));
  EXPECT_FALSE(limiter.allow(Instant{1s}));
  EXPECT_FALSE(limiter.allow(Instant{11s - 1ns}));
  EXPECT_TRUE(limiter.allow(Instant{11s}));
}

TEST(RateLimiter, ARateOfZeroAllowsNothing) {
  RateLimiter limiter{0};
  EXPECT_FALSE(limiter.allow(Instant{0s}));
  EXPECT_FALSE(limiter.allow(Instant{3600s}));
}

TEST(RateLimiter, TheLargestRateDoesNotOverflow) {
  RateLimiter limiter{std::numeric_limits<std::uint32_t>::max()};
  EXPECT_EQ(allowed_at(limiter, Instant{1s}, 1000), 1000);
  EXPECT_EQ(allowed_at(limiter, Instant::max(), 1000), 1000);
}

}  // namespace
}  // namespace runnel::base
