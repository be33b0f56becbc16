#include "runnel/random.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace runnel {
namespace {

TEST(SeededRandom, FollowsTheReferenceAlgorithm) {
  // xoshiro256** with its state filled by splitmix64 from the seed 0.
  SeededRandom random{0};
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4U);
  EXPECT_EQ(random.next(), 0xbf6e1f784956452aU);
  EXPECT_EQ(random.next(), 0x1a5f849d4933e6e0U);
}

TEST(SeededRandom, TheSameSeedGivesTheSameNumbers) {
  SeededRandom a{42};
  SeededRandom b{42};
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(a.next(), b.next());
}

TEST(SeededRandom, NeighbouringSeedsGiveDifferentNumbers) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) first.insert(SeededRandom{seed}.next());
  EXPECT_EQ(first.size(), 1000U);
}

TEST(SeededRandom, BelowStaysBelow) {
  SeededRandom random{1};
  for (const std::uint64_t bound : {1ULL, 2ULL, 3ULL, 1000ULL, 1ULL << 63U, ~0ULL}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below(bound), bound);
  }
}

TEST(SeededRandom, BelowIsUniform) {
  SeededRandom random{7};
  constexpr int kDraws = 100'000;
  std::array<int, 10> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[random.below(counts.size())];
  // Six standard deviations of a binomial: sqrt(100000 * 0.1 * 0.9) is 95.
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 10, 570);
}

TEST(SeededRandom, BelowIsUniformWhereTheModuloWouldNotBe) {
  // Of 2^64 numbers modulo 3 * 2^62, the lowest third comes twice as often as the rest.
  SeededRandom random{8};
  constexpr std::uint64_t kThird = std::uint64_t{1} << 62U;
  int lowest = 0;
  for (int i = 0; i < 30'000; ++i) lowest += random.below(3 * kThird) < kThird ? 1 : 0;
  EXPECT_NEAR(lowest, 10'000, 490);
}

}  // namespace
}  // namespace runnel
