#include "stack/base/memory_budget.h"

#include <limits>

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

TEST(MemoryBudget, ChargesUpToItsLimitAndNoFurther) {
  MemoryBudget budget{100};
  EXPECT_TRUE(budget.try_charge(60));
  EXPECT_FALSE(budget.try_charge(41));
  EXPECT_EQ(budget.used_octets(), 60U) << "a refused charge must not count";
  EXPECT_TRUE(budget.try_charge(40));
  EXPECT_EQ(budget.used_octets(), budget.limit_octets());
  EXPECT_FALSE(budget.try_charge(1));
  EXPECT_TRUE(budget.try_charge(0));
}

TEST(MemoryBudget, WhatIsReleasedCanBeChargedAgain) {
  MemoryBudget budget{10};
  ASSERT_TRUE(budget.try_charge(10));
  budget.release(4);
  EXPECT_EQ(budget.used_octets(), 6U);
  EXPECT_FALSE(budget.try_charge(5));
  EXPECT_TRUE(budget.try_charge(4));
}

TEST(MemoryBudget, AHugeChargeDoesNotWrap) {
  MemoryBudget budget{10};
  ASSERT_TRUE(budget.try_charge(5));
  EXPECT_FALSE(budget.try_charge(std::numeric_limits<std::size_t>::max()));
  EXPECT_FALSE(budget.try_charge(std::numeric_limits<std::size_t>::max() - 4));
  EXPECT_EQ(budget.used_octets(), 5U);
}

}  // namespace
}  // namespace runnel::base
