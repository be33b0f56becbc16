// The small parts of BBR: arithmetic, filters, dice.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "runnel/random.h"
#include "stack/tcp/congestion/bbr/arithmetic.h"
#include "stack/tcp/congestion/bbr/constants.h"
#include "stack/tcp/congestion/bbr/dice.h"
#include "stack/tcp/congestion/bbr/filters.h"

namespace runnel::tcp::bbr {
namespace {

using namespace std::chrono_literals;

TEST(BbrArithmetic, TakesParts) {
  EXPECT_EQ(Percent{277} * 1000, 2770U);
  EXPECT_EQ(Percent{50} * 3, 1U);
  EXPECT_EQ(Percent{99} * 101, 99U);
  EXPECT_EQ(Percent{0} * 1000, 0U);
}

TEST(BbrArithmetic, InfinityStaysWhatItIs) {
  EXPECT_EQ(Percent{15} * kInfinity, kInfinity);
  EXPECT_EQ(add(kInfinity, 1), kInfinity);
  EXPECT_EQ(add(kInfinity - 1, 1), kInfinity);
  EXPECT_EQ(multiply(kInfinity / 2, 3), kInfinity);
  EXPECT_EQ(subtract(1, 2), 0U);
  EXPECT_EQ(subtract(2, 1), 1U);
}

TEST(BbrArithmetic, OctetsOfARate) {
  EXPECT_EQ(octets_in(1'000'000'000, 1ns), 1U);
  EXPECT_EQ(octets_in(999'999'999, 1ns), 0U);
  EXPECT_EQ(octets_in(12'500'000, 40ms), 500'000U);
  EXPECT_EQ(octets_in(12'500'000, 0ns), 0U);
  EXPECT_EQ(octets_in(12'500'000, -1ns), 0U);
  EXPECT_EQ(octets_in(1, 1s - 1ns), 0U);
  EXPECT_EQ(octets_in(1, 1s), 1U);
}

TEST(BbrArithmetic, FourHundredGigabitAndAHundredSecondsDoNotOverflow) {
  constexpr std::uint64_t kRate = 50'000'000'000;
  EXPECT_EQ(octets_in(kRate, 100s), 5'000'000'000'000U);
  EXPECT_EQ(octets_in(kRate + 1, 100s + 1ns), 5'000'000'000'150U);
  EXPECT_EQ(rate_of(5'000'000'000'000, 100s), kRate);
  EXPECT_EQ(Percent{277} * kRate, 138'500'000'000U);
  EXPECT_LT(Percent{277} * kHighestRate, kInfinity);
  EXPECT_EQ(octets_in(kHighestRate, kForever), kInfinity) << "but does not wrap around either";
}

TEST(BbrArithmetic, RateOfOctets) {
  EXPECT_EQ(rate_of(14'600, 100ms), 146'000U);
  EXPECT_EQ(rate_of(1, 3ns), 333'333'333U);
  EXPECT_EQ(rate_of(10, 3ns), 3'333'333'333U);
  EXPECT_EQ(rate_of(1000, 0ns), 0U);
  // Above 18 s it is exact to a part in 10^10 at least.
  EXPECT_EQ(rate_of(19'000'000'000, 20s), 950'000'000U);
}

TEST(BbrMaxBwFilter, HoldsTheCycleAndTheOneBefore) {
  MaxBwFilter filter;
  EXPECT_EQ(filter.max(), 0U);
  filter.update(10);
  filter.update(7);
  EXPECT_EQ(filter.max(), 10U);
  filter.advance();
  filter.update(5);
  EXPECT_EQ(filter.max(), 10U);
  filter.advance();
  EXPECT_EQ(filter.max(), 5U);
}

TEST(BbrMaxBwFilter, ACycleWithoutSamplesMakesNothingForgotten) {
  MaxBwFilter filter;
  filter.update(10);
  for (int i = 0; i < 5; ++i) filter.advance();
  EXPECT_EQ(filter.max(), 10U);
}

TEST(BbrWindowedMaxFilter, ANewMaximumCountsAtOnce) {
  WindowedMaxFilter filter;
  EXPECT_EQ(filter.update(5, 0, 10), 5U);
  EXPECT_EQ(filter.update(9, 1, 10), 9U);
  EXPECT_EQ(filter.update(3, 2, 10), 9U);
  EXPECT_EQ(filter.max(), 9U);
}

TEST(BbrWindowedMaxFilter, AMaximumIsForgottenBehindTheWindow) {
  WindowedMaxFilter filter;
  (void)filter.update(9, 0, 10);
  for (std::uint64_t time = 1; time <= 10; ++time) EXPECT_EQ(filter.update(4, time, 10), 9U);
  EXPECT_EQ(filter.update(4, 11, 10), 4U);
}

TEST(BbrWindowedMaxFilter, EverythingIsForgottenAfterASilence) {
  WindowedMaxFilter filter;
  (void)filter.update(9, 0, 10);
  EXPECT_EQ(filter.update(1, 100, 10), 1U);
}

// Never less than what came last, never more than the true maximum of the window, and that exactly
// while it is the newest or falls monotonically.
TEST(BbrWindowedMaxFilter, StaysWithinTheTrueMaximum) {
  SeededRandom random(7);
  WindowedMaxFilter filter;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> samples;
  std::uint64_t time = 0;
  for (int i = 0; i < 20'000; ++i) {
    time += random.below(3);
    const std::uint64_t value = random.below(1000);
    samples.emplace_back(time, value);
    while (samples.front().first + 10 < time) samples.pop_front();
    std::uint64_t largest = 0;
    for (const auto& sample : samples) largest = std::max(largest, sample.second);
    const std::uint64_t got = filter.update(value, time, 10);
    ASSERT_LE(got, largest);
    ASSERT_GE(got, value);
  }
}

TEST(BbrDice, AreReproducibleAndFair) {
  Dice one(42);
  Dice same(42);
  Dice other(43);
  int heads = 0;
  bool differs = false;
  for (int i = 0; i < 10'000; ++i) {
    const Duration thrown = one.below(1s);
    EXPECT_EQ(thrown, same.below(1s));
    differs = differs || thrown != other.below(1s);
    EXPECT_GE(thrown, 0s);
    EXPECT_LT(thrown, 1s);
    heads += one.coin() ? 1 : 0;
    (void)same.coin();
  }
  EXPECT_TRUE(differs);
  EXPECT_NEAR(heads, 5000, 300);
}

}  // namespace
}  // namespace runnel::tcp::bbr
