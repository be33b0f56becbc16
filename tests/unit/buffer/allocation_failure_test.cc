// What the buffers do when the system has no memory: refuse, keep what they have, go on later.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "stack/buffer/reassembly_queue.h"
#include "stack/buffer/send_queue.h"
#include "stack/buffer/slice_queue.h"
#include "tests/unit/buffer/test_octets.h"

namespace {

// How many allocations are still granted; all when absent.
std::optional<std::size_t> allocations_left;

}  // namespace

// The stack allocates with nothrow only, so this sees every allocation of it.
void* operator new(std::size_t octets, const std::nothrow_t&) noexcept {
  if (allocations_left.has_value()) {
    if (*allocations_left == 0) return nullptr;
    --*allocations_left;
  }
  try {
    return ::operator new(octets);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

namespace runnel::buffer {
namespace {

class AllocationLimit {
 public:
  explicit AllocationLimit(std::size_t granted) { allocations_left = granted; }
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;
  ~AllocationLimit() { allocations_left.reset(); }
};

TEST(AllocationFailure, PoolRefusesAndChargesNothing) {
  PoolWithBudget p;
  const AllocationLimit none(0);
  EXPECT_FALSE(p.pool.acquire(1));
  EXPECT_FALSE(p.pool.acquire_some(100'000));
  EXPECT_EQ(p.pool.copy(octets(0, 10)).length, 0U);
  EXPECT_EQ(p.budget.used_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 0U);
}

TEST(AllocationFailure, ARingKeepsASmallBlockForTheNextElement) {
  Ring<int> ring;
  ASSERT_TRUE(ring.push_back(1));
  ring.pop_front();
  {
    const AllocationLimit none(0);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push_back(int{i}));
    EXPECT_FALSE(ring.push_back(4));
  }
  for (int i = 4; i < 9; ++i) ASSERT_TRUE(ring.push_back(int{i}));
  while (!ring.empty()) ring.pop_back();
  {
    const AllocationLimit none(0);
    EXPECT_FALSE(ring.push_back(1)) << "the large block is gone";
  }
  ASSERT_TRUE(ring.push_back(1));
  ring.clear();
  const AllocationLimit none(0);
  EXPECT_FALSE(ring.push_back(1));
}

TEST(AllocationFailure, EmptyQueuesNeedNoMemory) {
  const AllocationLimit none(0);
  const SendQueue send;
  const SliceQueue slices;
  const ReassemblyQueue reassembly;
  EXPECT_TRUE(send.empty() && slices.empty() && reassembly.empty());
}

// For every number of allocations that are granted, queues tell the truth about what they took.
TEST(AllocationFailure, SendQueueHoldsExactlyWhatItTook) {
  for (std::size_t granted = 0; granted < 30; ++granted) {
    PoolWithBudget p;
    SendQueue queue;
    {
      const AllocationLimit limit(granted);
      for (int i = 0; i < 10; ++i) {
        queue.append(octets(queue.end_offset(), 5000), p.pool);
        Slice slice = p.pool.copy(octets(queue.end_offset(), 200));
        const std::size_t before = queue.size();
        const std::uint32_t length = slice.length;
        const bool taken = queue.append(std::move(slice));
        EXPECT_EQ(queue.size() - before, taken ? length : 0U);
      }
    }
    TxFrame frame;
    frame.clear();
    const std::size_t count = queue.gather(0, queue.size(), frame);
    EXPECT_EQ(payload_of(frame), octets(0, count));
    queue.release_until(queue.end_offset());
    EXPECT_EQ(p.pool.live_count(), 0U);
    EXPECT_EQ(queue.charged_octets(), 0U);
  }
}

TEST(AllocationFailure, SliceQueueHoldsExactlyWhatItTook) {
  for (std::size_t granted = 0; granted < 30; ++granted) {
    PoolWithBudget p;
    SliceQueue queue;
    std::uint64_t begin = 1'000'000;
    std::uint64_t end = begin;
    {
      const AllocationLimit limit(granted);
      for (int i = 0; i < 12; ++i) {
        end += queue.push_copy(octets(end, 700), p.pool);
        const Slice slice = p.pool.copy(octets(begin - 200, 200));
        begin -= queue.keep_in_front(slice);
      }
    }
    EXPECT_EQ(queue.size(), end - begin);
    EXPECT_EQ(drain(queue), octets(begin, end - begin));
    EXPECT_EQ(queue.charged_octets(), 0U);
    EXPECT_EQ(p.pool.live_count(), 0U);
  }
}

TEST(AllocationFailure, SpliceMovesAllOrNothing) {
  PoolWithBudget p;
  SliceQueue a;
  SliceQueue b;
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(a.push(slice_of(p.pool, i * 224, 224, 224)));
  for (std::uint64_t i = 4; i < 8; ++i) ASSERT_TRUE(b.push(slice_of(p.pool, i * 224, 224, 224)));
  const Slice fifth = slice_of(p.pool, 0, 224, 224);
  {
    const AllocationLimit none(0);
    EXPECT_FALSE(a.splice(b));
    EXPECT_EQ(b.size(), 4U * 224U);
    EXPECT_FALSE(a.push(fifth)) << "a fifth slice needs a larger ring";
    EXPECT_EQ(a.size(), 4U * 224U);
  }
  EXPECT_TRUE(a.splice(b));
  EXPECT_EQ(drain(a), octets(0, 8 * 224));
}

// `length` decides whether segments are kept by reference or copied.
void reassemble_with_allocations(std::size_t granted, std::size_t length) {
  PoolWithBudget p;
  ReassemblyQueue queue;
  SliceQueue out;
  std::vector<Slice> segments;
  for (std::uint64_t i = 0; i < 20; ++i) {
    segments.push_back(p.pool.copy(octets(i * length, length)));
  }
  std::size_t taken = 0;
  {
    const AllocationLimit limit(granted);
    for (std::uint64_t i = 20; i > 0; i -= 2) {  // every second one, backwards
      const auto outcome = queue.add((i - 1) * length, segments[i - 1]);
      EXPECT_EQ(outcome.added_octets + outcome.refused_octets, length);
      taken += outcome.added_octets;
    }
    for (std::uint64_t i = 0; i < 20; ++i) {
      const auto outcome = queue.add(i * length, segments[i]);
      EXPECT_EQ(outcome.added_octets + outcome.refused_octets + outcome.duplicate_octets, length);
      taken += outcome.added_octets;
    }
    EXPECT_EQ(queue.octets(), taken);
  }
  for (std::uint64_t i = 0; i < 20; ++i) queue.add(i * length, segments[i]);
  EXPECT_EQ(queue.octets(), 20 * length);
  EXPECT_EQ(queue.range_count(), 1U) << "ranges that could not be joined are joined later";
  EXPECT_EQ(queue.pop_contiguous(0, out), 20 * length);
  EXPECT_EQ(drain(out), octets(0, 20 * length));
  EXPECT_EQ(queue.charged_octets(), 0U);
}

TEST(AllocationFailure, ReassemblyNeverLosesWhatItTookNorReplacesIt) {
  for (std::size_t granted = 0; granted < 60; ++granted) {
    SCOPED_TRACE(testing::Message() << granted << " allocations");
    reassemble_with_allocations(granted, 100);
    reassemble_with_allocations(granted, 200);
  }
}

TEST(AllocationFailure, ReassemblyKeepsWhatTheReaderHasNoMemoryFor) {
  PoolWithBudget p;
  ReassemblyQueue queue;
  SliceQueue out;
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(out.push(slice_of(p.pool, i * 224, 224, 224)));
  for (std::uint64_t i = 4; i < 8; ++i) queue.add(i * 224, slice_of(p.pool, i * 224, 224, 224));
  {
    const AllocationLimit none(0);
    EXPECT_EQ(queue.pop_contiguous(4 * 224, out), 0U);
    EXPECT_EQ(queue.octets(), 4U * 224U);
  }
  EXPECT_EQ(queue.pop_contiguous(4 * 224, out), 4U * 224U);
  EXPECT_EQ(drain(out), octets(0, 8 * 224));
}

}  // namespace
}  // namespace runnel::buffer
