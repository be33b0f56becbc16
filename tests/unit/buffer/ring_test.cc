#include "stack/buffer/ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <type_traits>
#include <utility>

namespace runnel::buffer {
namespace {

using Item = std::unique_ptr<int>;  // a leak or a double destruction shows under ASan

TEST(Ring, IsOnePointerAndOwnsNothingWhileEmpty) {
  EXPECT_EQ(sizeof(Ring<Item>), sizeof(void*));
  const Ring<Item> ring;
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.allocated_octets(), 0U);
}

TEST(Ring, CountsItsBlockUntilTheLastElementGoes) {
  Ring<Item> ring;
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(1)));
  EXPECT_GT(ring.allocated_octets(), 0U);
  ring.pop_front();
  EXPECT_EQ(ring.allocated_octets(), 0U);
  ASSERT_TRUE(ring.push_front(std::make_unique<int>(2)));
  ring.pop_back();
  EXPECT_EQ(ring.allocated_octets(), 0U);
}

TEST(Ring, GrowsOnlyBeyondWhatWasReserved) {
  Ring<Item> ring;
  ASSERT_TRUE(ring.reserve(8));
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(0)));
  const std::size_t allocated = ring.allocated_octets();
  for (int i = 1; i < 8; ++i) ASSERT_TRUE(ring.push_back(std::make_unique<int>(i)));
  EXPECT_EQ(ring.allocated_octets(), allocated);
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(8)));
  EXPECT_GT(ring.allocated_octets(), allocated);
}

TEST(Ring, RefusesMoreElementsThanItCanCount) {
  Ring<Item> ring;
  EXPECT_FALSE(ring.reserve((std::size_t{1} << 31U) + 1));
  EXPECT_EQ(ring.allocated_octets(), 0U);
}

TEST(Ring, HasItsFirstElementsInside) {
  Ring<Item, 2> ring;
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(1)));
  ASSERT_TRUE(ring.push_front(std::make_unique<int>(0)));
  EXPECT_EQ(ring.allocated_octets(), 0U);
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(2)));
  EXPECT_GT(ring.allocated_octets(), 0U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(*ring[i], static_cast<int>(i));
  ring.clear();
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(3)));
  EXPECT_EQ(ring.allocated_octets(), 0U);  // inside again
  ring.pop_front();
  ASSERT_TRUE(ring.push_back(std::make_unique<int>(4)));
  EXPECT_EQ(*ring.front(), 4);
}

template <typename RingOfItems>
void move_there_and_back(int count) {
  RingOfItems from;
  for (int i = 0; i < count; ++i) ASSERT_TRUE(from.push_front(std::make_unique<int>(i)));
  RingOfItems to(std::move(from));
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): documented to be empty
  ASSERT_EQ(to.count(), static_cast<std::size_t>(count));
  EXPECT_EQ(*to.back(), 0);
  ASSERT_TRUE(from.push_back(std::make_unique<int>(77)));  // goes with what it is in
  from = std::move(to);
  EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)
  ASSERT_EQ(from.count(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(*from[static_cast<std::size_t>(i)], count - 1 - i);
  }
  ASSERT_TRUE(to.push_back(std::make_unique<int>(8)));
  EXPECT_EQ(*to.front(), 8);
}

TEST(Ring, MovesItsElementsAlong) {
  for (const int count : {1, 2, 3, 5}) {
    move_there_and_back<Ring<Item>>(count);
    move_there_and_back<Ring<Item, 1>>(count);
    move_there_and_back<Ring<Item, 2>>(count);
    move_there_and_back<Ring<Item, 4>>(count);
  }
}

template <typename RingOfItems>
void compare_with_deque() {
  std::mt19937_64 random(1);
  RingOfItems ring;
  std::deque<int> model;
  for (int step = 0; step < 100'000; ++step) {
    const int value = step;
    switch (random() % 9) {
      case 0:
      case 1:
        ASSERT_TRUE(ring.push_back(std::make_unique<int>(value)));
        model.push_back(value);
        break;
      case 2:
      case 3:
        ASSERT_TRUE(ring.push_front(std::make_unique<int>(value)));
        model.push_front(value);
        break;
      case 4:
      case 5:
        if (model.empty()) break;
        ring.pop_front();
        model.pop_front();
        break;
      case 6:
      case 7:
        if (model.empty()) break;
        ring.pop_back();
        model.pop_back();
        break;
      default:
        if (random() % 64 == 0) {
          ring.clear();
          model.clear();
        }
    }
    ASSERT_EQ(ring.count(), model.size());
    if (model.empty()) continue;
    ASSERT_EQ(*ring.front(), model.front());
    ASSERT_EQ(*ring.back(), model.back());
    const std::size_t i = random() % model.size();
    ASSERT_EQ(*ring[i], model[i]);
  }
}

TEST(Ring, BehavesLikeADeque) {
  compare_with_deque<Ring<Item>>();
  compare_with_deque<Ring<Item, 1>>();
  compare_with_deque<Ring<Item, 4>>();
}

TEST(Ring, ErasesAnywhereAndKeepsTheOrder) {
  for (int victim = 0; victim < 9; ++victim) {
    Ring<int> ring;
    for (int i = 4; i < 9; ++i) ASSERT_TRUE(ring.push_back(int{i}));
    for (int i = 3; i >= 0; --i) ASSERT_TRUE(ring.push_front(int{i}));
    ring.erase(static_cast<std::size_t>(victim));
    ASSERT_EQ(ring.count(), 8U);
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(ring[static_cast<std::size_t>(i)], i < victim ? i : i + 1);
    }
  }
}

}  // namespace
}  // namespace runnel::buffer
