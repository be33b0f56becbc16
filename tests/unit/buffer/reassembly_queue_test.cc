#include "stack/buffer/reassembly_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/buffer/test_octets.h"

namespace runnel::buffer {
namespace {

class ReassemblyQueueTest : public testing::Test {
 protected:
  ReassemblyQueue::AddOutcome add(std::uint64_t offset, std::size_t count) {
    return queue.add(offset, p.pool.copy(octets(offset, count)));
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> held;
    for (std::size_t i = 0; i < queue.range_count(); ++i) {
      held.emplace_back(queue.range(i).begin, queue.range(i).end);
    }
    return held;
  }
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

  PoolWithBudget p;
  ReassemblyQueue queue;
  SliceQueue out;
};

TEST_F(ReassemblyQueueTest, IsSmallAndOwnsNothingWhileEmpty) {
  EXPECT_LE(sizeof(ReassemblyQueue), 24U);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.range_count(), 0U);
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(queue.pop_contiguous(0, out), 0U);
  EXPECT_EQ(add(5, 0).added_octets, 0U);
  EXPECT_EQ(queue.charged_octets(), 0U);
}

TEST_F(ReassemblyQueueTest, HandsOutWhatBeginsAtTheOffset) {
  EXPECT_EQ(add(100, 50).added_octets, 50U);
  EXPECT_EQ(queue.octets(), 50U);
  EXPECT_EQ(queue.pop_contiguous(99, out), 0U);
  EXPECT_EQ(queue.pop_contiguous(100, out), 50U);
  EXPECT_EQ(drain(out), octets(100, 50));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.charged_octets(), 0U);
}

TEST_F(ReassemblyQueueTest, DropsWhatLiesBeforeTheOffset) {
  add(100, 50);
  add(200, 50);
  EXPECT_EQ(queue.pop_contiguous(120, out), 30U);
  EXPECT_EQ(drain(out), octets(120, 30));
  EXPECT_EQ(ranges(), (Ranges{{200, 250}}));
  add(160, 10);
  EXPECT_EQ(queue.pop_contiguous(250, out), 0U);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.charged_octets(), 0U);
}

TEST_F(ReassemblyQueueTest, JoinsAdjacentRangesIntoOne) {
  add(10, 10);
  add(30, 10);
  EXPECT_EQ(queue.range_count(), 2U);
  EXPECT_EQ(add(20, 10).added_octets, 10U);
  EXPECT_EQ(ranges(), (Ranges{{10, 40}}));
  EXPECT_EQ(queue.pop_contiguous(10, out), 30U);
  EXPECT_EQ(drain(out), octets(10, 30));
}

TEST_F(ReassemblyQueueTest, LeavesRangesApartThatLackOneOctet) {
  add(10, 10);
  add(21, 10);
  add(8, 1);
  EXPECT_EQ(ranges(), (Ranges{{8, 9}, {10, 20}, {21, 31}}));
}

TEST_F(ReassemblyQueueTest, ExtendsARangeAtBothEnds) {
  add(10, 10);
  add(20, 5);
  add(5, 5);
  EXPECT_EQ(ranges(), (Ranges{{5, 25}}));
}

TEST_F(ReassemblyQueueTest, CountsDuplicates) {
  add(10, 10);
  const auto same = add(10, 10);
  EXPECT_EQ(same.added_octets, 0U);
  EXPECT_EQ(same.duplicate_octets, 10U);
  const auto inside = add(12, 3);
  EXPECT_EQ(inside.duplicate_octets, 3U);
  EXPECT_EQ(queue.octets(), 10U);
}

TEST_F(ReassemblyQueueTest, KeepsTheNewPartsBeforeAndBehindWhatIsThere) {
  const std::vector<std::uint8_t> first(10, 0xaa);
  const std::vector<std::uint8_t> second(30, 0xbb);
  queue.add(110, p.pool.copy(first));
  const auto outcome = queue.add(100, p.pool.copy(second));
  EXPECT_EQ(outcome.added_octets, 20U);
  EXPECT_EQ(outcome.duplicate_octets, 10U);
  EXPECT_EQ(queue.pop_contiguous(100, out), 30U);
  std::vector<std::uint8_t> expected(30, 0xbb);
  std::fill(expected.begin() + 10, expected.begin() + 20, std::uint8_t{0xaa});
  EXPECT_EQ(drain(out), expected) << "the copy that came first is kept";
}

TEST_F(ReassemblyQueueTest, FillsSeveralGapsWithOneSlice) {
  for (std::uint64_t at = 10; at < 100; at += 20) add(at, 10);
  const auto outcome = add(0, 120);
  EXPECT_EQ(outcome.added_octets, 70U);
  EXPECT_EQ(outcome.duplicate_octets, 50U);
  EXPECT_EQ(ranges(), (Ranges{{0, 120}}));
  EXPECT_EQ(queue.pop_contiguous(0, out), 120U);
  EXPECT_EQ(drain(out), octets(0, 120));
}

TEST_F(ReassemblyQueueTest, RefusesAHigherRangeBeyondTheLimit) {
  for (std::uint64_t i = 0; i < ReassemblyQueue::kMaxRanges; ++i) add(10 + 2 * i, 1);
  ASSERT_EQ(queue.range_count(), ReassemblyQueue::kMaxRanges);
  const auto outcome = add(100'000, 7);
  EXPECT_EQ(outcome.refused_octets, 7U);
  EXPECT_EQ(outcome.added_octets, 0U);
  EXPECT_EQ(outcome.evicted_octets, 0U);
  EXPECT_EQ(queue.octets(), ReassemblyQueue::kMaxRanges);
}

TEST_F(ReassemblyQueueTest, GivesUpTheHighestRangeForALowerOne) {
  for (std::uint64_t i = 0; i + 1 < ReassemblyQueue::kMaxRanges; ++i) add(10 + 2 * i, 1);
  add(100'000, 5);
  const auto outcome = add(0, 3);
  EXPECT_EQ(outcome.added_octets, 3U);
  EXPECT_EQ(outcome.evicted_octets, 5U);
  EXPECT_EQ(queue.range_count(), ReassemblyQueue::kMaxRanges);
  EXPECT_EQ(queue.range(0).begin, 0U);
  EXPECT_EQ(queue.range(ReassemblyQueue::kMaxRanges - 1).end,
            10 + 2 * (ReassemblyQueue::kMaxRanges - 2) + 1);
}

TEST_F(ReassemblyQueueTest, ExtendsRangesAlsoWhenThereAreAsManyAsThereMayBe) {
  for (std::uint64_t i = 0; i < ReassemblyQueue::kMaxRanges; ++i) add(10 + 2 * i, 1);
  EXPECT_EQ(add(11, 1).added_octets, 1U);
  EXPECT_EQ(queue.range_count(), ReassemblyQueue::kMaxRanges - 1);
  EXPECT_EQ(add(9 + 2 * ReassemblyQueue::kMaxRanges, 20).added_octets, 20U);
}

TEST_F(ReassemblyQueueTest, DropsTheHighestRangeOnRequest) {
  add(10, 10);
  add(30, 5);
  EXPECT_EQ(queue.drop_highest(), 5U);
  EXPECT_EQ(ranges(), (Ranges{{10, 20}}));
  EXPECT_EQ(queue.drop_highest(), 10U);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.charged_octets(), 0U);
}

TEST_F(ReassemblyQueueTest, ChargesWhatIsReallyHeld) {
  Slice tiny = slice_of(p.pool, 10, 1, SlabPool::kLargest);
  queue.add(10, tiny);
  EXPECT_FALSE(tiny.slab->is_shared()) << "one octet does not pin a block of 64 KiB";
  EXPECT_LE(queue.charged_octets(), 4096U);
  tiny = {};
  EXPECT_GE(queue.charged_octets(), p.budget.used_octets());

  Slice whole = slice_of(p.pool, 100, 60'000, SlabPool::kLargest);
  queue.add(100, whole);
  EXPECT_TRUE(whole.slab->is_shared());
  whole = {};
  EXPECT_GE(queue.charged_octets(), p.budget.used_octets());
  queue.clear();
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(p.budget.used_octets(), 0U);
}

TEST_F(ReassemblyQueueTest, RefusesWhatTheBudgetHasNoRoomFor) {
  PoolWithBudget tight(sizeof(Slab) + SlabPool::kLargest + sizeof(Slab) + 224);
  ReassemblyQueue small;
  const Slice slice = slice_of(tight.pool, 0, 300, SlabPool::kLargest);
  const auto outcome = small.add(1000, slice);
  EXPECT_EQ(outcome.added_octets, 224U);
  EXPECT_EQ(outcome.refused_octets, 76U);
  const auto next = small.add(2000, slice);
  EXPECT_EQ(next.refused_octets, 300U);
  EXPECT_EQ(small.range_count(), 1U);
  EXPECT_EQ(small.range(0).end, 1224U);
  const auto before = small.add(900, slice);  // 100 before, 200 there
  EXPECT_EQ(before.refused_octets, 100U);
  EXPECT_EQ(before.duplicate_octets, 200U);
}

// Attack: one-octet segments at every second octet of a large window, in several orders, and
// packets as they come from a link, each in a block of 64 KiB.
class SegmentSmack : public ReassemblyQueueTest, public testing::WithParamInterface<int> {};

TEST_P(SegmentSmack, HoldsFewRangesAndLittleMemoryAndTheStreamGoesOn) {
  constexpr std::uint64_t kSegments = 100'000;
  std::vector<std::uint64_t> offsets(kSegments);
  std::iota(offsets.begin(), offsets.end(), 0);
  if (GetParam() == 1) std::reverse(offsets.begin(), offsets.end());
  std::mt19937_64 random(7);
  if (GetParam() == 2) std::shuffle(offsets.begin(), offsets.end(), random);
  Slice packet = slice_of(p.pool, 0, 1, SlabPool::kLargest);
  for (const std::uint64_t i : offsets) {
    const std::uint64_t offset = 1 + 2 * i;
    packet.slab->data()[0] = octet_at(offset);
    queue.add(offset, packet);
    ASSERT_LE(queue.range_count(), ReassemblyQueue::kMaxRanges);
    ASSERT_LE(queue.charged_octets(), ReassemblyQueue::kMaxRanges * 1024U);
  }
  EXPECT_EQ(queue.range(0).begin, 1U) << "the lowest offsets win";

  constexpr std::size_t kPiece = 50'000;
  std::uint64_t received = 0;
  for (std::uint64_t at = 0; at < 2 * kSegments; at += kPiece) {
    add(at, kPiece);
    received += queue.pop_contiguous(received, out);
  }
  EXPECT_EQ(received, 2 * kSegments);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(drain(out), octets(0, 2 * kSegments));
}

std::string name_of_order(const testing::TestParamInfo<int>& info) {
  return std::vector<std::string>{"Forward", "Reverse",
                                  "Random"}[static_cast<std::size_t>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Orders, SegmentSmack, testing::Values(0, 1, 2), name_of_order);

TEST_F(ReassemblyQueueTest, AdjacentSingleOctetsCoalesceInEveryOrder) {
  constexpr std::uint64_t kOctets = 60'000;
  for (const bool forward : {true, false}) {
    for (std::uint64_t i = 0; i < kOctets; ++i) {
      ASSERT_EQ(add(1 + (forward ? i : kOctets - 1 - i), 1).added_octets, 1U);
    }
    EXPECT_LE(queue.charged_octets(), 3 * kOctets);
    EXPECT_EQ(queue.pop_contiguous(1, out), kOctets);
    EXPECT_EQ(drain(out), octets(1, kOctets));
  }
}

}  // namespace
}  // namespace runnel::buffer
