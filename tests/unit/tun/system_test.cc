#include "runnel/system.h"

#include <gtest/gtest.h>

#include <bit>
#include <ctime>
#include <set>

namespace runnel::tun {
namespace {

TEST(MonotonicNow, IsBetweenTwoReadingsOfTheSameClock) {
  const auto read = [] {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  };
  const Instant before = read();
  const Instant now = monotonic_now();
  const Instant after = read();
  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

TEST(WallClockNow, CountsFrom1970) {
  const auto now = wall_clock_now().time_since_epoch();
  EXPECT_LE(std::chrono::abs(now - std::chrono::system_clock::now().time_since_epoch()),
            std::chrono::seconds(5));
}

TEST(SystemRandom, NumbersDoNotRepeatAcrossManyRefills) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next());
  // The chance that any two of a thousand random 64-bit numbers are equal is below 1 in 10^13.
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(SystemRandom, EveryBitIsSetHalfOfTheTime) {
  SystemRandom random;
  constexpr int kNumbers = 4096;
  int set[64] = {};
  for (int i = 0; i < kNumbers; ++i) {
    const std::uint64_t number = random.next();
    for (unsigned bit = 0; bit < 64; ++bit) set[bit] += (number >> bit & 1U) != 0 ? 1 : 0;
  }
  // Standard deviation 32: seven of them, which 64 bits exceed less than once in 10^9 runs.
  for (const int count : set) EXPECT_NEAR(count, kNumbers / 2, 7 * 32);
}

TEST(SystemRandom, TwoSourcesGiveDifferentNumbers) {
  SystemRandom one;
  SystemRandom other;
  EXPECT_NE(one.next(), other.next());
}

}  // namespace
}  // namespace runnel::tun
