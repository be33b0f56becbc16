#include "stack/buffer/slice_queue.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/unit/buffer/test_octets.h"

namespace runnel::buffer {
namespace {

TEST(SliceQueue, IsSmallAndOwnsNothingWhileEmpty) {
  EXPECT_LE(sizeof(SliceQueue), 64U);
  SliceQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_TRUE(queue.front().empty());
  std::vector<std::uint8_t> out(1);
  EXPECT_EQ(queue.read(out), 0U);
  queue.consume(0);
}

TEST(SliceQueue, HoldsPushedSlicesWithoutCopying) {
  PoolWithBudget p;
  SliceQueue queue;
  const Slice slice = p.pool.copy(octets(0, 200));
  ASSERT_TRUE(queue.push(slice));
  EXPECT_EQ(queue.front().data(), slice.bytes().data());
  EXPECT_EQ(queue.size(), 200U);
  EXPECT_GE(queue.charged_octets(), slice.slab->charged_octets());
}

TEST(SliceQueue, IgnoresEmptySlices) {
  SliceQueue queue;
  EXPECT_TRUE(queue.push({}));
  EXPECT_EQ(queue.keep({}), 0U);
  EXPECT_EQ(queue.keep_in_front({}), 0U);
  EXPECT_EQ(queue.slice_count(), 0U);
}

TEST(SliceQueue, ReadsAcrossSlices) {
  PoolWithBudget p;
  SliceQueue queue;
  ASSERT_TRUE(queue.push(slice_of(p.pool, 0, 224, 224)));
  ASSERT_TRUE(queue.push(slice_of(p.pool, 224, 1984, 1984)));
  std::vector<std::uint8_t> out(223);
  EXPECT_EQ(queue.read(out), 223U);
  EXPECT_EQ(out, octets(0, 223));
  EXPECT_EQ(queue.front().size(), 1U);
  EXPECT_EQ(drain(queue), octets(223, 1985));
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 0U);
}

TEST(SliceQueue, GivesABlockBackAsSoonAsItIsConsumed) {
  PoolWithBudget p;
  SliceQueue queue;
  ASSERT_TRUE(queue.push(slice_of(p.pool, 0, 200, 224)));
  ASSERT_TRUE(queue.push(slice_of(p.pool, 200, 200, 224)));
  ASSERT_EQ(queue.slice_count(), 2U);
  queue.consume(199);
  EXPECT_EQ(p.pool.live_count(), 2U);
  queue.consume(1);
  EXPECT_EQ(p.pool.live_count(), 1U);
  queue.clear();
  EXPECT_EQ(p.pool.live_count(), 0U);
  EXPECT_TRUE(queue.empty());
}

TEST(SliceQueue, JoinsSlicesThatLieSideBySideInABlock) {
  PoolWithBudget p;
  SliceQueue queue;
  const Slice whole = p.pool.copy(octets(0, 200));
  ASSERT_TRUE(queue.push(whole.part(0, 100)));
  ASSERT_TRUE(queue.push(whole.part(100, 100)));
  EXPECT_EQ(queue.slice_count(), 1U);
  EXPECT_EQ(drain(queue), octets(0, 200));
}

TEST(SliceQueue, CoalescesCopiesOfSingleOctets) {
  PoolWithBudget p;
  SliceQueue queue;
  constexpr std::size_t kOctets = 100'000;
  for (std::size_t i = 0; i < kOctets; ++i) ASSERT_EQ(queue.push_copy(octets(i, 1), p.pool), 1U);
  EXPECT_LE(queue.slice_count(), 32U);
  EXPECT_LE(queue.charged_octets(), kOctets * 2);
  EXPECT_EQ(drain(queue), octets(0, kOctets));
}

TEST(SliceQueue, FillsTheRoomBehindASliceOfItsOwnBlock) {
  PoolWithBudget p;
  SliceQueue queue;
  ASSERT_TRUE(queue.push(slice_of(p.pool, 0, 220, 224)));
  EXPECT_EQ(queue.push_copy(octets(220, 4), p.pool), 4U);
  EXPECT_EQ(queue.slice_count(), 1U);
  EXPECT_EQ(queue.push_copy(octets(224, 1), p.pool), 1U);
  EXPECT_EQ(queue.slice_count(), 2U);
  EXPECT_EQ(drain(queue), octets(0, 225));
}

TEST(SliceQueue, NeverWritesIntoABlockThatOthersReferTo) {
  PoolWithBudget p;
  SliceQueue queue;
  Slice whole = slice_of(p.pool, 0, 200, 224);
  ASSERT_TRUE(queue.push(whole.part(0, 100)));
  EXPECT_EQ(queue.push_copy(octets(1000, 50), p.pool), 50U);
  EXPECT_EQ(to_vector(whole.bytes()), octets(0, 200));
  EXPECT_EQ(queue.slice_count(), 2U);
}

TEST(SliceQueue, CopiesLessWhenTheBudgetIsSpent) {
  PoolWithBudget p(sizeof(Slab) + 224);
  SliceQueue queue;
  EXPECT_EQ(queue.push_copy(octets(0, 300), p.pool), 224U);
  EXPECT_EQ(queue.push_copy(octets(224, 1), p.pool), 0U);
  EXPECT_EQ(drain(queue), octets(0, 224));
  EXPECT_EQ(queue.push_copy(octets(0, 1), p.pool), 1U);
}

TEST(SliceQueue, KeepsAReferenceFromHalfOfABlockOnAndElseACopy) {
  PoolWithBudget p;
  SliceQueue queue;
  const Slice compact = slice_of(p.pool, 0, 992, 1984);
  EXPECT_EQ(queue.keep(compact), 992U);
  EXPECT_TRUE(compact.slab->is_shared());
  const Slice small = slice_of(p.pool, 992, 991, 1984);
  EXPECT_EQ(queue.keep(small), 991U);
  EXPECT_FALSE(small.slab->is_shared());
  EXPECT_EQ(drain(queue), octets(0, 1983));
}

TEST(SliceQueue, SmallPayloadsOfLargeBlocksDoNotPinThem) {
  PoolWithBudget p;
  SliceQueue queue;
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(queue.keep(slice_of(p.pool, i, 1, SlabPool::kLargest)), 1U);
  }
  EXPECT_LE(queue.charged_octets(), 1024U);
  EXPECT_EQ(drain(queue), octets(0, 100));
}

TEST(SliceQueue, CoalescesInFrontToo) {
  PoolWithBudget p;
  SliceQueue queue;
  constexpr std::size_t kOctets = 50'000;
  for (std::size_t i = kOctets; i-- > 0;) {
    ASSERT_EQ(queue.keep_in_front(slice_of(p.pool, i, 1, 224)), 1U);
  }
  EXPECT_LE(queue.slice_count(), 32U);
  EXPECT_EQ(drain(queue), octets(0, kOctets));
}

TEST(SliceQueue, KeepsCompactSlicesInFrontByReference) {
  PoolWithBudget p;
  SliceQueue queue;
  const Slice whole = slice_of(p.pool, 0, 224, 224);
  EXPECT_EQ(queue.keep_in_front(whole.part(112, 112)), 112U);
  EXPECT_EQ(queue.keep_in_front(whole.part(0, 112)), 112U);
  EXPECT_EQ(queue.slice_count(), 1U) << "they lie side by side";
  EXPECT_EQ(queue.front().data(), whole.bytes().data());
  EXPECT_EQ(drain(queue), octets(0, 224));
}

TEST(SliceQueue, KeepsTheLastOctetsInFrontWhenTheBudgetIsSpent) {
  PoolWithBudget p(sizeof(Slab) + 1984 + sizeof(Slab) + 224);
  SliceQueue queue;
  const Slice slice = slice_of(p.pool, 0, 900, 1984);
  EXPECT_EQ(queue.keep_in_front(slice), 224U);
  EXPECT_EQ(drain(queue), octets(676, 224));
}

TEST(SliceQueue, SplicesTheShorterOntoTheLonger) {
  PoolWithBudget p;
  for (const auto& [left, right] : {std::pair{1, 5}, {5, 1}, {3, 3}, {0, 2}, {2, 0}, {0, 0}}) {
    SliceQueue a;
    SliceQueue b;
    std::uint64_t at = 0;
    for (int i = 0; i < left; ++i, at += 224) ASSERT_TRUE(a.push(slice_of(p.pool, at, 224, 224)));
    for (int i = 0; i < right; ++i, at += 224) ASSERT_TRUE(b.push(slice_of(p.pool, at, 224, 224)));
    ASSERT_TRUE(a.splice(b));
    EXPECT_TRUE(b.empty());
    EXPECT_EQ(b.charged_octets(), 0U);
    EXPECT_EQ(a.slice_count(), static_cast<std::size_t>(left + right));
    EXPECT_EQ(drain(a), octets(0, at));
    EXPECT_EQ(a.charged_octets(), 0U);
  }
}

TEST(SliceQueue, SplicingCopiesSmallSlicesIntoRoom) {
  PoolWithBudget p;
  SliceQueue a;
  SliceQueue b;
  ASSERT_TRUE(a.push(slice_of(p.pool, 0, 10, 224)));
  ASSERT_TRUE(b.push(slice_of(p.pool, 10, 10, 224)));
  ASSERT_TRUE(a.splice(b));
  EXPECT_EQ(a.slice_count(), 1U);
  EXPECT_EQ(p.pool.live_count(), 1U);
  EXPECT_EQ(drain(a), octets(0, 20));
}

TEST(SliceQueue, MovesItsOctetsAlong) {
  PoolWithBudget p;
  SliceQueue from;
  from.push_copy(octets(0, 100), p.pool);
  SliceQueue to(std::move(from));
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): documented to be empty
  EXPECT_EQ(from.charged_octets(), 0U);
  from.push_copy(octets(50, 10), p.pool);
  from = std::move(to);
  EXPECT_EQ(p.pool.live_count(), 1U);
  SliceQueue& same = from;
  from = std::move(same);
  EXPECT_EQ(drain(from), octets(0, 100));
}

// --- Taking slices -------------------------------------------------------------------------------

TEST(SliceQueue, HandsOverTheFrontWithoutCopying) {
  PoolWithBudget p;
  SliceQueue queue;
  ASSERT_TRUE(queue.push(slice_of(p.pool, 0, 200, 200)));
  ASSERT_TRUE(queue.push(slice_of(p.pool, 200, 150, 200)));
  const std::uint8_t* const where = queue.front().data();
  EXPECT_EQ(queue.front_slice(50).bytes().data(), where);
  EXPECT_EQ(queue.front_slice(50).length, 50U);
  EXPECT_EQ(queue.front_slice(SIZE_MAX).length, 200U);

  const Slice part = queue.take_front(50);
  EXPECT_EQ(part.bytes().data(), where);
  EXPECT_EQ(to_vector(part.bytes()), octets(0, 50));
  EXPECT_EQ(queue.size(), 300U);
  const Slice rest = queue.take_front(1000);
  EXPECT_EQ(to_vector(rest.bytes()), octets(50, 150));
  EXPECT_EQ(queue.slice_count(), 1U);
  EXPECT_EQ(to_vector(queue.take_front(150).bytes()), octets(200, 150));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 1U) << "part and rest";
}

TEST(SliceQueue, WritesNothingBehindWhatWasHandedOver) {
  PoolWithBudget p;
  SliceQueue queue;
  ASSERT_EQ(queue.push_copy(octets(0, 10), p.pool), 10U);
  const Slice taken = queue.take_front(5);
  ASSERT_EQ(queue.push_copy(octets(10, 10), p.pool), 10U);
  EXPECT_EQ(to_vector(taken.bytes()), octets(0, 5));
  EXPECT_EQ(drain(queue), octets(5, 15));
}

}  // namespace
}  // namespace runnel::buffer
