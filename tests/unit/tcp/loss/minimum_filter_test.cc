#include "stack/tcp/loss/minimum_filter.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

TEST(MinimumFilter, HasNothingBeforeTheFirstSample) {
  EXPECT_EQ(MinimumFilter(10s).minimum(), std::nullopt);
}

TEST(MinimumFilter, KeepsTheLeast) {
  MinimumFilter filter(10s);
  filter.add(5ms, Instant{1s});
  filter.add(7ms, Instant{2s});
  EXPECT_EQ(filter.minimum(), 5ms);
  filter.add(3ms, Instant{3s});
  EXPECT_EQ(filter.minimum(), 3ms);
}

TEST(MinimumFilter, ASampleCountsForHalfAWindowAtLeastAndAWholeOneAtMost) {
  MinimumFilter filter(10s);
  filter.add(1ms, Instant{100s});  // a half begins
  filter.add(9ms, Instant{105s} - 1ns);
  EXPECT_EQ(filter.minimum(), 1ms);
  filter.add(9ms, Instant{105s});  // the next one
  EXPECT_EQ(filter.minimum(), 1ms) << "of the half before";
  filter.add(8ms, Instant{110s} - 1ns);
  EXPECT_EQ(filter.minimum(), 1ms);
  filter.add(9ms, Instant{110s});
  EXPECT_EQ(filter.minimum(), 8ms) << "and gone";
}

TEST(MinimumFilter, AfterALongSilenceOnlyTheNewSampleCounts) {
  MinimumFilter filter(10s);
  filter.add(1ms, Instant{100s});
  EXPECT_EQ(filter.minimum(), 1ms) << "as long as none follows";
  filter.add(9ms, Instant{200s});
  EXPECT_EQ(filter.minimum(), 9ms);
}

}  // namespace
}  // namespace runnel::tcp
