#include "stack/base/mul_div.h"

#include <gtest/gtest.h>

#include <random>

namespace runnel::base {
namespace {

static_assert(mul_div(7, 6, 4) == 10);

TEST(MulDiv, RoundsDown) {
  EXPECT_EQ(mul_div(0, 5, 3), 0U);
  EXPECT_EQ(mul_div(2, 4, 3), 2U);
  EXPECT_EQ(mul_div(3, 4, 3), 4U);
}

TEST(MulDiv, ProductsOfMoreThan64BitsAreExact) {
  constexpr std::uint64_t kMost = UINT64_MAX;
  EXPECT_EQ(mul_div(kMost, kMost, kMost), kMost);
  EXPECT_EQ(mul_div(kMost, kMost - 1, kMost), kMost - 1);
  EXPECT_EQ(mul_div(std::uint64_t{1} << 63U, 6, 12), std::uint64_t{1} << 62U);
  EXPECT_EQ(mul_div(1'000'000'007, 1'000'000'000'000'000'003, 1'000'000'000),
            1'000'000'007'000'000'003U);
}

TEST(MulDiv, WhatIsTooLargeIsTheLargest) {
  EXPECT_EQ(mul_div(UINT64_MAX, 2, 1), UINT64_MAX);
  EXPECT_EQ(mul_div(UINT64_MAX, UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(mul_div(std::uint64_t{1} << 32U, std::uint64_t{1} << 32U, 1), UINT64_MAX);
}

// q = floor(a b / c) if and only if q c <= a b < (q + 1) c, which is checked modulo 2^64: the
// remainder a b - q c has to be below c.
TEST(MulDiv, TheRemainderIsBelowTheDivisor) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t a = random() >> (random() % 64);
    const std::uint64_t b = random() >> (random() % 64);
    const std::uint64_t c = std::max<std::uint64_t>(std::max(a, b) >> (random() % 8), 1);
    const std::uint64_t quotient = mul_div(a, b, c);
    if (quotient == UINT64_MAX) continue;  // saturated
    EXPECT_LT(a * b - quotient * c, c) << a << " * " << b << " / " << c;
    const double about = static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(c);
    EXPECT_NEAR(static_cast<double>(quotient), about, 1 + about * 1e-9);
  }
}

}  // namespace
}  // namespace runnel::base
