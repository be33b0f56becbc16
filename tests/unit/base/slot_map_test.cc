#include "stack/base/slot_map.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::base {
namespace {

// Cannot be copied or moved, and counts how many there are.
class Counting {
 public:
  Counting(int& alive, int value) : alive_(alive), value_(value) { ++alive_; }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() { --alive_; }
  [[nodiscard]] int value() const { return value_; }

 private:
  int& alive_;
  int value_;
};

class SlotMapOfCounting : public ::testing::Test {
 protected:
  SlotMap<Counting>::Key create(int value) {
    return slots_.create(
        [&](void* storage, const auto&) { new (storage) Counting(alive_, value); });
  }

  int alive_ = 0;
  SlotMap<Counting> slots_;
};

TEST_F(SlotMapOfCounting, BeginsEmpty) {
  EXPECT_EQ(slots_.size(), 0U);
  EXPECT_EQ(slots_.find(0, 0), nullptr);
  EXPECT_EQ(slots_.find(0, 1), nullptr);
  EXPECT_EQ(slots_.find(UINT32_MAX, 0), nullptr);
}

TEST_F(SlotMapOfCounting, FindsAnObjectByItsWholeKeyOnly) {
  const auto key = create(5);
  ASSERT_NE(slots_.find(key.index, key.generation), nullptr);
  EXPECT_EQ(slots_.find(key.index, key.generation)->value(), 5);
  EXPECT_EQ(slots_.find(key.index, key.generation + 1), nullptr);
  EXPECT_EQ(slots_.find(key.index, key.generation - 1), nullptr);
  EXPECT_EQ(slots_.find(key.index + 1, key.generation), nullptr);
  EXPECT_EQ(slots_.at(key.index).value(), 5);
  EXPECT_EQ(slots_.key_at(key.index).generation, key.generation);
}

TEST_F(SlotMapOfCounting, AKeyOfAnObjectThatIsGoneFindsNothingNotEvenItsSuccessor) {
  auto key = create(0);
  for (int i = 1; i < 1000; ++i) {
    slots_.erase(key.index);
    EXPECT_EQ(slots_.find(key.index, key.generation), nullptr);
    const auto next = create(i);
    EXPECT_EQ(next.index, key.index) << "the slot is used again";
    EXPECT_NE(next.generation, key.generation);
    EXPECT_EQ(slots_.find(key.index, key.generation), nullptr);
    EXPECT_EQ(slots_.find(next.index, next.generation)->value(), i);
    key = next;
  }
  EXPECT_EQ(slots_.size(), 1U);
  EXPECT_EQ(alive_, 1);
}

TEST_F(SlotMapOfCounting, GenerationsBeginAboveZeroSoThatAnEmptyHandleFindsNothing) {
  EXPECT_GT(create(1).generation, 0U);
}

TEST_F(SlotMapOfCounting, ObjectsNeverMove) {
  const auto first = create(-1);
  const Counting* const address = slots_.find(first.index, first.generation);
  std::vector<const Counting*> addresses;
  std::vector<SlotMap<Counting>::Key> keys;
  for (int i = 0; i < 10'000; ++i) {
    keys.push_back(create(i));
    addresses.push_back(&slots_.at(keys.back().index));
  }
  EXPECT_EQ(&slots_.at(first.index), address);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(slots_.find(keys[i].index, keys[i].generation), addresses[i]);
    ASSERT_EQ(addresses[i]->value(), static_cast<int>(i));
  }
}

TEST_F(SlotMapOfCounting, ErasingRunsTheDestructorAtOnce) {
  const auto one = create(1);
  create(2);
  EXPECT_EQ(alive_, 2);
  slots_.erase(one.index);
  EXPECT_EQ(alive_, 1);
}

TEST_F(SlotMapOfCounting, ClearingRunsEveryDestructorAndLeavesItUsable) {
  std::vector<SlotMap<Counting>::Key> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(create(i));
  slots_.erase(keys[100].index);
  slots_.clear();
  EXPECT_EQ(alive_, 0);
  EXPECT_EQ(slots_.size(), 0U);
  for (const auto& key : keys) EXPECT_EQ(slots_.find(key.index, key.generation), nullptr);
  EXPECT_EQ(slots_.at(create(7).index).value(), 7);
}

TEST(SlotMap, ItsOwnEndRunsTheDestructors) {
  int alive = 0;
  {
    SlotMap<Counting> slots;
    for (int i = 0; i < 100; ++i) {
      slots.create([&](void* storage, const auto&) { new (storage) Counting(alive, i); });
    }
    slots.erase(50);
    EXPECT_EQ(alive, 99);
  }
  EXPECT_EQ(alive, 0);
}

TEST(SlotMap, TellsAnObjectItsKeyWhileItIsMade) {
  struct Named {
    SlotMap<int>::Key key;
  };
  SlotMap<Named> slots;
  for (int i = 0; i < 100; ++i) {
    const auto key = slots.create([](void* storage, const auto& k) {
      new (storage) Named{{k.index, k.generation}};
    });
    EXPECT_EQ(slots.at(key.index).key.index, key.index);
    EXPECT_EQ(slots.at(key.index).key.generation, key.generation);
  }
}

TEST(SlotMap, AlignsItsObjects) {
  struct alignas(64) Aligned {
    char octet = 0;
  };
  SlotMap<Aligned> slots;
  for (int i = 0; i < 100; ++i) {
    const auto key = slots.create([](void* storage, const auto&) { new (storage) Aligned; });
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&slots.at(key.index)) % 64, 0U);
  }
}

// Not aligned itself; with its generation it fills four lines of the processor's cache.
TEST(SlotMap, WhatFillsWholeLinesSharesNone) {
  struct FourLines {
    std::array<std::uint64_t, 31> words;
  };
  SlotMap<FourLines> slots;
  for (int i = 0; i < 100; ++i) {
    const auto key = slots.create([](void* storage, const auto&) { new (storage) FourLines; });
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&slots.at(key.index)) % 64, 0U);
    EXPECT_EQ(slots.address_of(key.index), &slots.at(key.index));
  }
}

// Large enough for a chunk to have few of them.
struct Large {
  std::array<std::uint8_t, 4000> octets;
};
class SlotMapOfLarge : public ::testing::Test {
 protected:
  static constexpr std::size_t kChunk = 64;  // so many in a chunk of 256 KiB

  std::uint32_t create() {
    const auto key = slots_.create([](void* storage, const auto&) { new (storage) Large; });
    keys_[key.index] = key.generation;
    return key.index;
  }
  void erase(std::uint32_t index) {
    slots_.erase(index);
    keys_.erase(index);
  }

  SlotMap<Large> slots_;
  std::map<std::uint32_t, std::uint32_t> keys_;
};

TEST_F(SlotMapOfLarge, AChunkGoesWithItsLastObject) {
  EXPECT_EQ(slots_.chunk_count(), 0U);
  std::vector<std::uint32_t> indices;
  for (std::size_t i = 0; i < 10 * kChunk; ++i) indices.push_back(create());
  EXPECT_EQ(slots_.chunk_count(), 10U);
  for (std::size_t i = 0; i + 1 < indices.size(); ++i) {
    erase(indices[i]);
    // One that is empty is kept.
    ASSERT_EQ(slots_.chunk_count(), std::min<std::size_t>(10 - (i + 1) / kChunk + 1, 10));
  }
  erase(indices.back());
  EXPECT_EQ(slots_.chunk_count(), 1U);
  for (std::size_t i = 0; i < 10 * kChunk; ++i) create();
  EXPECT_EQ(slots_.chunk_count(), 10U);
}

TEST_F(SlotMapOfLarge, AnObjectThatComesAndGoesCostsNoChunk) {
  for (std::size_t i = 0; i < 3 * kChunk; ++i) create();
  const auto last = create();
  EXPECT_EQ(slots_.chunk_count(), 4U);
  erase(last);
  for (int i = 0; i < 100; ++i) {
    erase(create());
    ASSERT_EQ(slots_.chunk_count(), 4U);
  }
}

TEST_F(SlotMapOfLarge, AKeyFindsNothingInTheNextLifeOfItsChunk) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  for (int life = 0; life < 5; ++life) {
    std::vector<std::uint32_t> indices;
    for (std::size_t i = 0; i < 3 * kChunk; ++i) indices.push_back(create());
    // The first slot has had more lives than the others.
    for (int i = 0; i < 7; ++i) {
      erase(indices[0]);
      indices[0] = create();
      seen.insert({indices[0], keys_[indices[0]]});
    }
    for (const auto& key : keys_) {
      EXPECT_TRUE(seen.insert(key).second || key.first == indices[0]) << "a key given out twice";
    }
    for (const auto& [index, generation] : seen) {
      const bool is_there = keys_.contains(index) && keys_[index] == generation;
      EXPECT_EQ(slots_.find(index, generation) != nullptr, is_there);
    }
    while (!indices.empty()) {
      erase(indices.back());
      indices.pop_back();
    }
  }
  for (const auto& [index, generation] : seen) {
    EXPECT_EQ(slots_.find(index, generation), nullptr);
    EXPECT_EQ(slots_.find(index, generation + 1), nullptr);
  }
}

TEST_F(SlotMapOfLarge, GrowsAndShrinksAsAMapDoes) {
  SeededRandom random(9);
  for (int step = 0; step < 40'000; ++step) {
    // Waves of growing and shrinking, up to a few thousand.
    const bool grows = (step / 4000) % 2 == 0;
    if (keys_.empty() || random.below(100) < (grows ? 70 : 30)) {
      const std::size_t before = keys_.size();
      create();
      ASSERT_EQ(keys_.size(), before + 1) << "an index that was in use";
    } else {
      auto victim = keys_.lower_bound(
          static_cast<std::uint32_t>(random.below(keys_.rbegin()->first + std::uint64_t{1})));
      erase(victim->first);
    }
    ASSERT_EQ(slots_.size(), keys_.size());
    ASSERT_LE(slots_.chunk_count(), keys_.size() + 1);
  }
  std::size_t visited = 0;
  slots_.for_each([&](std::uint32_t index, Large&) {
    ++visited;
    EXPECT_EQ(slots_.key_at(index).generation, keys_.at(index));
    EXPECT_EQ(slots_.address_of(index), &slots_.at(index));
  });
  EXPECT_EQ(visited, keys_.size());
  slots_.clear();
  EXPECT_EQ(slots_.chunk_count(), 1U);
}

TEST(SlotMap, BehavesAsAMapByKey) {
  SeededRandom random(3);
  SlotMap<std::string> slots;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> model;
  std::set<std::pair<std::uint32_t, std::uint32_t>> gone;
  for (int step = 0; step < 20'000; ++step) {
    if (model.empty() || random.below(100) < 51) {
      const std::string text = "a text too long to be kept inside " + std::to_string(step);
      const auto key =
          slots.create([&](void* storage, const auto&) { new (storage) std::string(text); });
      ASSERT_TRUE(model.emplace(std::pair{key.index, key.generation}, text).second);
      ASSERT_FALSE(gone.contains({key.index, key.generation}));
    } else {
      auto victim = model.begin();
      std::advance(victim, static_cast<std::ptrdiff_t>(random.below(model.size())));
      slots.erase(victim->first.first);
      gone.insert(victim->first);
      model.erase(victim);
    }
    ASSERT_EQ(slots.size(), model.size());
  }
  for (const auto& [key, text] : model) {
    ASSERT_NE(slots.find(key.first, key.second), nullptr);
    EXPECT_EQ(*slots.find(key.first, key.second), text);
  }
  for (const auto& [index, generation] : gone) EXPECT_EQ(slots.find(index, generation), nullptr);

  std::size_t visited = 0;
  slots.for_each([&](std::uint32_t index, std::string& text) {
    ++visited;
    EXPECT_EQ(model.at({index, slots.key_at(index).generation}), text);
  });
  EXPECT_EQ(visited, model.size());
}

}  // namespace
}  // namespace runnel::base
