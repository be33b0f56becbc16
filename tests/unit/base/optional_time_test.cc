#include "stack/base/optional_time.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::base {
namespace {

using namespace std::chrono_literals;

TEST(OptionalTime, IsAsSmallAsATime) {
  EXPECT_EQ(sizeof(OptionalDuration), sizeof(Duration));
  EXPECT_EQ(sizeof(OptionalInstant), sizeof(Instant));
}

TEST(OptionalTime, HasNothingAtFirst) {
  OptionalDuration none;
  EXPECT_FALSE(none.has_value());
  EXPECT_FALSE(none);
  EXPECT_EQ(none, std::nullopt);
  EXPECT_EQ(none.value_or(3ms), 3ms);
}

TEST(OptionalTime, ZeroAndNegativeTimesAndTheGreatestAreTimes) {
  for (const Duration time : {0ns, -1ns, Duration::min() + 1ns, Duration::max()}) {
    const OptionalDuration some = time;
    ASSERT_TRUE(some);
    EXPECT_EQ(*some, time);
    EXPECT_EQ(some.value_or(3ms), time);
  }
  EXPECT_EQ(*OptionalInstant(kNever), kNever);
}

TEST(OptionalTime, ForgetsAndIsSetAnew) {
  OptionalDuration time = 5ms;
  time.reset();
  EXPECT_FALSE(time);
  time = 6ms;
  EXPECT_EQ(time, 6ms);
  time = std::nullopt;
  EXPECT_FALSE(time);
}

TEST(OptionalTime, GoesToAStandardOptionalAndBack) {
  const std::optional<Duration> none = OptionalDuration();
  EXPECT_EQ(none, std::nullopt);
  EXPECT_FALSE(OptionalDuration(none));
  const std::optional<Duration> some = OptionalDuration(7ms);
  EXPECT_EQ(some, 7ms);
  EXPECT_EQ(OptionalDuration(some), 7ms);
}

}  // namespace
}  // namespace runnel::base
