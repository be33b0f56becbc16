#include "stack/buffer/slab.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "stack/buffer/application_memory.h"
#include "tests/unit/buffer/test_octets.h"

namespace runnel::buffer {
namespace {

TEST(SlabPool, GivesTheSmallestBlockThatHoldsTheOctets) {
  PoolWithBudget p;
  std::size_t smaller = 0;
  for (const std::size_t capacity : SlabPool::kCapacities) {
    EXPECT_EQ(p.pool.acquire(smaller + 1)->capacity(), capacity);
    EXPECT_EQ(p.pool.acquire(capacity)->capacity(), capacity);
    smaller = capacity;
  }
  EXPECT_EQ(p.pool.acquire(0)->capacity(), SlabPool::kCapacities[0]);
}

TEST(SlabPool, GivesTheLargestBlockWhenNoneIsLargeEnough) {
  PoolWithBudget p;
  EXPECT_EQ(p.pool.acquire(SlabPool::kLargest + 1)->capacity(), SlabPool::kLargest);
}

TEST(SlabPool, LargestBlockHoldsAnyIpPacketAndALinkHeader) {
  EXPECT_GE(SlabPool::kLargest, 65'535U + 10U);
}

TEST(SlabPool, AcquireSomeHoldsAtLeastHalf) {
  PoolWithBudget p;
  for (const std::size_t wanted : {1U, 2U, 448U, 449U, 3968U, 3969U, 65'536U, 132'096U}) {
    const SlabRef slab = p.pool.acquire_some(wanted);
    EXPECT_GE(slab->capacity() * 2, wanted);
  }
  EXPECT_EQ(p.pool.acquire_some(448)->capacity(), 224U);
  EXPECT_EQ(p.pool.acquire_some(449)->capacity(), 1984U);
  EXPECT_EQ(p.pool.acquire_some(std::size_t{1} << 40U)->capacity(), SlabPool::kLargest);
}

TEST(SlabPool, AcquireSomeTakesWhatTheBudgetAllows) {
  PoolWithBudget p(sizeof(Slab) + 1984 + sizeof(Slab) + 224);
  const SlabRef first = p.pool.acquire_some(100'000);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->capacity(), 1984U);
  const SlabRef second = p.pool.acquire_some(100'000);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->capacity(), 224U);
  EXPECT_FALSE(p.pool.acquire_some(1));
}

TEST(SlabPool, ChargesLiveBlocksToTheBudgetToTheOctet) {
  const std::size_t cost = sizeof(Slab) + 224;
  PoolWithBudget p(2 * cost);
  SlabRef first = p.pool.acquire(1);
  SlabRef second = p.pool.acquire(1);
  EXPECT_EQ(p.budget.used_octets(), 2 * cost);
  EXPECT_EQ(first->charged_octets(), cost);
  EXPECT_EQ(p.pool.live_count(), 2U);
  EXPECT_FALSE(p.pool.acquire(1)) << "the budget is spent to its last octet";
  second = {};
  EXPECT_EQ(p.budget.used_octets(), cost);
  EXPECT_TRUE(p.pool.acquire(1));
}

TEST(SlabPool, RefusesWhenOneOctetOfBudgetIsMissing) {
  PoolWithBudget p(sizeof(Slab) + 224 - 1);
  EXPECT_FALSE(p.pool.acquire(1));
  EXPECT_EQ(p.budget.used_octets(), 0U);
}

TEST(SlabPool, KeepsFreedBlocksForReuseUncharged) {
  PoolWithBudget p;
  SlabRef slab = p.pool.acquire(5000);
  const Slab* const where = slab.get();
  slab = {};
  EXPECT_EQ(p.budget.used_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 0U);
  EXPECT_EQ(p.pool.kept_octets(), sizeof(Slab) + 8160);
  slab = p.pool.acquire(5000);
  EXPECT_EQ(slab.get(), where);
  EXPECT_FALSE(slab->is_shared());
  EXPECT_EQ(p.pool.kept_octets(), 0U);
}

TEST(SlabPool, KeepsABoundedNumberOfFreedBlocks) {
  PoolWithBudget p;
  const std::size_t cost = sizeof(Slab) + SlabPool::kLargest;
  const std::size_t most = SlabPool::kMaxKeptOctets / cost;
  std::vector<SlabRef> slabs;
  for (std::size_t i = 0; i < most + 3; ++i) slabs.push_back(p.pool.acquire(SlabPool::kLargest));
  slabs.resize(1);
  EXPECT_EQ(p.pool.kept_octets(), most * cost);
  slabs.clear();
  EXPECT_EQ(p.pool.kept_octets(), most * cost);
  EXPECT_LE(p.pool.kept_octets(), SlabPool::kMaxKeptOctets);
}

TEST(SlabPool, CopiesIntoABlockOfItsOwn) {
  PoolWithBudget p;
  const auto data = octets(7, 225);
  const Slice slice = p.pool.copy(data);
  EXPECT_EQ(to_vector(slice.bytes()), data);
  EXPECT_EQ(slice.slab->capacity(), 1984U);
}

TEST(SlabPool, CopiesNothingIntoAnEmptySlice) {
  PoolWithBudget p;
  EXPECT_EQ(p.pool.copy({}).length, 0U);
}

TEST(SlabPool, CopyIsAnEmptySliceWhenTheBudgetIsSpent) {
  PoolWithBudget p(100);
  const Slice slice = p.pool.copy(octets(0, 10));
  EXPECT_FALSE(slice.slab);
  EXPECT_TRUE(slice.bytes().empty());
}

TEST(SlabRef, SharesABlockUntilTheLastReferenceGoes) {
  PoolWithBudget p;
  SlabRef first = p.pool.acquire(1);
  EXPECT_FALSE(first->is_shared());
  SlabRef second = first;
  EXPECT_TRUE(first->is_shared());
  const SlabRef third = std::move(second);
  EXPECT_FALSE(second);  // NOLINT(bugprone-use-after-move): a moved-from reference is empty
  first = {};
  EXPECT_FALSE(third->is_shared());
  EXPECT_EQ(p.pool.live_count(), 1U);
}

TEST(SlabRef, SurvivesSelfAssignment) {
  PoolWithBudget p;
  SlabRef slab = p.pool.acquire(1);
  const SlabRef& same = slab;
  slab = same;
  ASSERT_TRUE(slab);
  EXPECT_FALSE(slab->is_shared());
}

TEST(SlabRef, ReleaseAndAdoptHandOverOneReference) {
  PoolWithBudget p;
  SlabRef slab = p.pool.acquire(1);
  Slab* const raw = slab.release();
  EXPECT_FALSE(slab);
  EXPECT_EQ(p.pool.live_count(), 1U);
  slab = SlabRef::adopt(raw);
  slab = {};
  EXPECT_EQ(p.pool.live_count(), 0U);
}

TEST(Slice, IsCompactFromHalfOfItsBlockOn) {
  PoolWithBudget p;
  Slice slice{p.pool.acquire(224), 0, 111};
  EXPECT_FALSE(slice.is_compact());
  slice.length = 112;
  EXPECT_TRUE(slice.is_compact());
  EXPECT_FALSE(Slice{}.is_compact());
}

TEST(Slice, HasRoomOnlyInABlockOfItsOwn) {
  PoolWithBudget p;
  const Slice slice{p.pool.acquire(224), 20, 200};
  EXPECT_EQ(slice.room_behind(), 4U);
  EXPECT_EQ(slice.room_in_front(), 20U);
  const Slice other = slice;
  EXPECT_EQ(slice.room_behind(), 0U);
  EXPECT_EQ(slice.room_in_front(), 0U);
  EXPECT_EQ(Slice{}.room_behind(), 0U);
}

TEST(Slice, IsTrimmedAndCutAtBothEnds) {
  PoolWithBudget p;
  Slice slice = p.pool.copy(octets(0, 100));
  slice.remove_prefix(10);
  slice.truncate(80);
  EXPECT_EQ(to_vector(slice.bytes()), octets(10, 80));
  EXPECT_EQ(to_vector(slice.part(5, 10).bytes()), octets(15, 10));
  EXPECT_EQ(slice.part(80, 0).length, 0U);
  EXPECT_TRUE(slice.part(0, 5).continues_in(slice.part(5, 1)));
  EXPECT_FALSE(slice.part(0, 5).continues_in(slice.part(6, 1)));
}

// --- Memory that was lent ------------------------------------------------------------------------

class Owner final : public ApplicationMemory {
 public:
  explicit Owner(bool& is_gone) : is_gone_(is_gone) {}
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() override { is_gone_ = true; }

 private:
  bool& is_gone_;
};

constexpr std::array<std::uint8_t, 10'000> kLent{};

TEST(SlabPool, LentOctetsAreChargedAndHeldUntilTheLastReferenceGoes) {
  PoolWithBudget p;
  bool is_gone = false;
  auto* const owner = new Owner(is_gone);
  Slice slice = p.pool.lend(kLent, owner);
  owner->drop_reference();
  EXPECT_EQ(slice.bytes().data(), kLent.data());
  EXPECT_EQ(slice.bytes().size(), kLent.size());
  EXPECT_TRUE(slice.slab->is_lent());
  const std::size_t cost = SlabPool::loan_overhead_octets() + kLent.size();
  EXPECT_EQ(p.budget.used_octets(), cost);
  EXPECT_EQ(slice.slab->charged_octets(), cost);
  Slice part = slice.part(5, 10);
  slice = {};
  EXPECT_FALSE(is_gone);
  EXPECT_EQ(p.budget.used_octets(), cost);
  part = {};
  EXPECT_TRUE(is_gone);
  EXPECT_EQ(p.budget.used_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 0U);
}

TEST(SlabPool, StaticOctetsCostABlockAlone) {
  PoolWithBudget p;
  const Slice slice = p.pool.lend(kLent, nullptr);
  EXPECT_EQ(p.budget.used_octets(), SlabPool::loan_overhead_octets());
  EXPECT_EQ(slice.slab->charged_octets(), SlabPool::loan_overhead_octets());
}

TEST(SlabPool, NothingIsWrittenBesideLentOctets) {
  PoolWithBudget p;
  const Slice slice = p.pool.lend(kLent, nullptr).part(100, 200);
  EXPECT_FALSE(slice.slab->is_writable());
  EXPECT_EQ(slice.room_behind(), 0U);
  EXPECT_EQ(slice.room_in_front(), 0U);
}

TEST(SlabPool, ABlockThatStoodForLentOctetsIsAnOrdinaryOneAgain) {
  PoolWithBudget p;
  Slice slice = p.pool.lend(kLent, nullptr);
  const Slab* const where = slice.slab.get();
  slice = {};
  const SlabRef again = p.pool.acquire(1);
  ASSERT_EQ(again.get(), where);
  EXPECT_FALSE(again->is_lent());
  EXPECT_EQ(again->capacity(), SlabPool::kCapacities[0]);
  EXPECT_EQ(again->data(), reinterpret_cast<const std::uint8_t*>(where + 1));
  EXPECT_EQ(p.budget.used_octets(), again->charged_octets());
}

TEST(SlabPool, RefusesToBorrowBeyondTheBudget) {
  bool is_gone = false;
  auto* const owner = new Owner(is_gone);
  {
    PoolWithBudget p(SlabPool::loan_overhead_octets() + kLent.size() - 1);
    EXPECT_EQ(p.pool.lend(kLent, owner).length, 0U);
    EXPECT_EQ(p.budget.used_octets(), 0U);
    EXPECT_EQ(p.pool.lend(Bytes(kLent).first(kLent.size() - 1), owner).length, kLent.size() - 1);
  }
  EXPECT_FALSE(is_gone);
  owner->drop_reference();
  EXPECT_TRUE(is_gone);
}

}  // namespace
}  // namespace runnel::buffer
