#include "stack/base/pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "runnel/random.h"

namespace runnel::base {
namespace {

struct Counting {
  explicit Counting(int n, int& alive) : number(n), count(alive) { ++count; }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() { --count; }
  int number;
  int& count;
};

TEST(Pool, ObjectsStayWhereTheyAreUnderAnyOrderOfCreatingAndErasing) {
  int alive = 0;
  {
    Pool<Counting> pool;
    std::map<std::uint32_t, Counting*> expected;
    SeededRandom random(3);
    for (int i = 0; i < 20'000; ++i) {
      const bool grows = (i / 2500) % 2 == 0;
      if (expected.empty() || random.below(10) < (grows ? 7U : 3U)) {
        const std::uint32_t index =
            pool.create([&](void* storage, std::uint32_t) { new (storage) Counting(i, alive); });
        ASSERT_TRUE(expected.emplace(index, &pool.at(index)).second) << "was in use";
        ASSERT_EQ(pool.at(index).number, i);
      } else {
        auto victim = expected.lower_bound(static_cast<std::uint32_t>(random.below(4000)));
        if (victim == expected.end()) victim = expected.begin();
        pool.erase(victim->first);
        expected.erase(victim);
      }
      ASSERT_EQ(pool.size(), expected.size());
      ASSERT_EQ(static_cast<std::size_t>(alive), expected.size());
    }
    std::map<std::uint32_t, Counting*> visited;
    pool.for_each([&](std::uint32_t index, Counting& object) { visited.emplace(index, &object); });
    EXPECT_EQ(visited, expected);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Pool, WhatWasErasedLastIsUsedNext) {
  Pool<std::uint64_t> pool;
  const auto add = [&] {
    return pool.create([](void* storage, std::uint32_t) { new (storage) std::uint64_t(0); });
  };
  for (int i = 0; i < 64 * 5; ++i) (void)add();
  for (const std::uint32_t index : {7U, 300U, 64U}) {
    pool.erase(index);
    EXPECT_EQ(add(), index);
  }
}

TEST(Pool, IndicesAreLowAgainWhenEverythingWasErased) {
  Pool<std::uint64_t> pool;
  const auto add = [&] {
    return pool.create([](void* storage, std::uint32_t) { new (storage) std::uint64_t(0); });
  };
  for (int round = 0; round < 3; ++round) {
    std::set<std::uint32_t> indices;
    for (int i = 0; i < 1000; ++i) indices.insert(add());
    EXPECT_LT(*indices.rbegin(), 1024U);
    pool.clear();
    EXPECT_EQ(pool.size(), 0U);
  }
}

}  // namespace
}  // namespace runnel::base
