#include "stack/buffer/send_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stack/buffer/buffer_access.h"
#include "tests/unit/buffer/test_octets.h"

namespace runnel::buffer {
namespace {

std::vector<std::uint8_t> gathered(const SendQueue& queue, std::uint64_t offset,
                                   std::size_t count) {
  TxFrame frame;
  frame.clear();
  EXPECT_EQ(queue.gather(offset, count, frame), count);
  return payload_of(frame);
}

TEST(SendQueue, IsSmallAndOwnsNothingWhileEmpty) {
  EXPECT_LE(sizeof(SendQueue), 88U);
  PoolWithBudget p;
  SendQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.begin_offset(), 0U);
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(queue.append(Bytes{}, p.pool), 0U);
  EXPECT_TRUE(queue.append(Slice{}));
  EXPECT_TRUE(gathered(queue, 0, 0).empty());
  EXPECT_EQ(queue.charged_octets(), 0U);
}

TEST(SendQueue, GathersAnyRangeAnyNumberOfTimes) {
  PoolWithBudget p;
  SendQueue queue;
  ASSERT_EQ(queue.append(octets(0, 100'000), p.pool), 100'000U);
  for (const std::size_t offset : {0U, 99'999U, 66'047U, 66'048U, 1U, 50'000U}) {
    EXPECT_EQ(gathered(queue, offset, 1), octets(offset, 1));
    EXPECT_EQ(gathered(queue, offset, 100'000 - offset), octets(offset, 100'000 - offset));
  }
}

TEST(SendQueue, OwnsNothingWhenAllIsReleased) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 300'000), p.pool);
  queue.release_until(300'000);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 0U);
  EXPECT_EQ(queue.begin_offset(), 300'000U);
  queue.append(octets(300'000, 5), p.pool);
  EXPECT_EQ(gathered(queue, 300'000, 5), octets(300'000, 5));
}

TEST(SendQueue, ReleasesBlocksAtTheirLastOctet) {
  PoolWithBudget p;
  SendQueue queue;
  ASSERT_TRUE(queue.append(slice_of(p.pool, 0, 224, 224)));
  ASSERT_TRUE(queue.append(slice_of(p.pool, 224, 224, 224)));
  queue.release_until(0);
  queue.release_until(223);
  EXPECT_EQ(p.pool.live_count(), 2U);
  EXPECT_EQ(gathered(queue, 223, 225), octets(223, 225));
  queue.release_until(224);
  EXPECT_EQ(p.pool.live_count(), 1U);
  EXPECT_EQ(gathered(queue, 224, 224), octets(224, 224));
}

TEST(SendQueue, CoalescesSingleOctets) {
  PoolWithBudget p;
  SendQueue queue;
  constexpr std::size_t kOctets = 200'000;
  for (std::size_t i = 0; i < kOctets; ++i) ASSERT_EQ(queue.append(octets(i, 1), p.pool), 1U);
  EXPECT_LE(queue.chunk_count(), 32U);
  EXPECT_LE(queue.charged_octets(), 2 * kOctets);
  EXPECT_EQ(gathered(queue, 0, 65'000), octets(0, 65'000));
}

TEST(SendQueue, TakesSmallBlocksForLittle) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 1), p.pool);
  EXPECT_LE(queue.charged_octets(), 512U);
}

TEST(SendQueue, GathersBulkFromFewSlices) {
  PoolWithBudget p;
  SendQueue queue;
  constexpr std::size_t kWrite = 16'384;
  for (std::size_t i = 0; i < 64; ++i) queue.append(octets(i * kWrite, kWrite), p.pool);
  TxFrame frame;
  // A stream that keeps the queue filled: early blocks are gone.
  for (std::size_t at = 500'000; at + 65'000 < queue.end_offset(); at += 65'000) {
    frame.clear();
    ASSERT_EQ(queue.gather(at, 65'000, frame), 65'000U);
    EXPECT_LE(frame.payload().size(), 3U);
  }
}

TEST(SendQueue, GathersOneWriteOfASuperPacketFromAtMostTwoSlices) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 65'483), p.pool);
  TxFrame frame;
  frame.clear();
  EXPECT_EQ(queue.gather(0, 65'483, frame), 65'483U);
  EXPECT_LE(frame.payload().size(), 2U);
}

TEST(SendQueue, StopsWhenTheFrameHasNoSlicesLeft) {
  PoolWithBudget p;
  SendQueue queue;
  for (std::size_t i = 0; i < TxFrame::kMaxSlices + 5; ++i) {
    ASSERT_TRUE(queue.append(slice_of(p.pool, i * 10, 10, 224)));
  }
  TxFrame frame;
  frame.clear();
  EXPECT_EQ(queue.gather(5, queue.size() - 5, frame), TxFrame::kMaxSlices * 10 - 5);
  EXPECT_TRUE(frame.is_full());
  EXPECT_EQ(payload_of(frame), octets(5, TxFrame::kMaxSlices * 10 - 5));
  EXPECT_EQ(queue.gather(0, 1, frame), 0U);
}

TEST(SendQueue, HoldsAppendedSlicesWithoutCopying) {
  PoolWithBudget p;
  SendQueue queue;
  const Slice slice = p.pool.copy(octets(0, 100));
  ASSERT_TRUE(queue.append(slice.part(0, 40)));
  ASSERT_TRUE(queue.append(slice.part(40, 60)));
  EXPECT_EQ(queue.chunk_count(), 1U) << "they lie side by side";
  TxFrame frame;
  frame.clear();
  queue.gather(0, 100, frame);
  EXPECT_EQ(frame.payload()[0].data(), slice.bytes().data());
}

TEST(SendQueue, NeverWritesIntoABlockThatOthersReferTo) {
  PoolWithBudget p;
  SendQueue queue;
  const Slice slice = slice_of(p.pool, 0, 200, 224);
  ASSERT_TRUE(queue.append(slice.part(0, 100)));
  queue.append(octets(100, 50), p.pool);
  EXPECT_EQ(to_vector(slice.bytes()), octets(0, 200));
  EXPECT_EQ(gathered(queue, 0, 150), octets(0, 150));
}

TEST(SendQueue, OctetsStayWhereTheyAreWhenMoreIsWritten) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 10), p.pool);
  TxFrame frame;
  frame.clear();
  queue.gather(0, 10, frame);
  const auto* const where = frame.payload()[0].data();
  queue.append(octets(10, 10), p.pool);
  frame.clear();
  queue.gather(0, 20, frame);
  EXPECT_EQ(frame.payload()[0].data(), where);
}

TEST(SendQueue, TakesWhatTheBudgetAllows) {
  PoolWithBudget p(sizeof(Slab) + 224);
  SendQueue queue;
  EXPECT_EQ(queue.append(octets(0, 1000), p.pool), 224U);
  EXPECT_EQ(queue.append(octets(224, 1000), p.pool), 0U);
  EXPECT_EQ(queue.end_offset(), 224U);
  queue.release_until(224);
  EXPECT_EQ(queue.append(octets(224, 1), p.pool), 1U);
}

TEST(SendQueue, ClearKeepsTheOffset) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 1000), p.pool);
  queue.clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.begin_offset(), 1000U);
  EXPECT_EQ(queue.charged_octets(), 0U);
  EXPECT_EQ(p.pool.live_count(), 0U);
}

// --- Octets that somebody owns -------------------------------------------------------------------

constexpr SendQueue::Allowance kPlenty{SIZE_MAX, SIZE_MAX};
constexpr std::size_t kLarge = SendQueue::kLeastReferenceOctets;

// Where the queue keeps the octet at `offset`.
const std::uint8_t* place_of(const SendQueue& queue, std::uint64_t offset) {
  TxFrame frame;
  frame.clear();
  EXPECT_EQ(queue.gather(offset, 1, frame), 1U);
  return frame.payload().front().data();
}

TEST(SendQueueOwned, RefersToLargeOctetsOfAnyKind) {
  PoolWithBudget p;
  static const std::vector<std::uint8_t> fixed = octets(0, kLarge);
  for (const Buffer& data : {Buffer(octets(0, kLarge)), Buffer::of_static(fixed),
                             BufferAccess::make(slice_of(p.pool, 0, kLarge, kLarge))}) {
    SendQueue queue;
    queue.append(octets(0, 1), p.pool);
    EXPECT_EQ(queue.append(data, SIZE_MAX, kPlenty, p.pool), kLarge);
    EXPECT_EQ(place_of(queue, 1), data.bytes().data());
    EXPECT_EQ(gathered(queue, 1, kLarge), octets(0, kLarge));
    queue.clear();
  }
  EXPECT_EQ(p.pool.live_count(), 0U);
}

TEST(SendQueueOwned, CopiesOneOctetLess) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 1), p.pool);
  const Buffer data(octets(1, kLarge - 1));
  EXPECT_EQ(queue.append(data, SIZE_MAX, kPlenty, p.pool), kLarge - 1);
  EXPECT_NE(place_of(queue, kLarge - 1), &data.bytes().back());
  EXPECT_EQ(gathered(queue, 0, kLarge), octets(0, kLarge));
}

TEST(SendQueueOwned, ManySmallOnesCoalesceAndFillASuperPacket) {
  PoolWithBudget p;
  SendQueue queue;
  for (std::size_t i = 0; i < 2000; ++i) {
    const Buffer data = i % 2 == 0 ? Buffer(octets(i * 100, 100))
                                   : BufferAccess::make(slice_of(p.pool, i * 100, 100, 100));
    ASSERT_EQ(queue.append(data, SIZE_MAX, kPlenty, p.pool), 100U);
  }
  EXPECT_EQ(gathered(queue, 0, 65'000), octets(0, 65'000));
  EXPECT_LE(queue.charged_octets(), 2U * 200'000U);
}

TEST(SendQueueOwned, AnEmptyQueueTakesASmallBlockThatACopyWouldNeedToo) {
  PoolWithBudget p;
  SendQueue queue;
  const Buffer data = BufferAccess::make(slice_of(p.pool, 0, 64, 64));
  ASSERT_EQ(queue.append(data, SIZE_MAX, kPlenty, p.pool), 64U);
  EXPECT_EQ(place_of(queue, 0), data.bytes().data());
  EXPECT_EQ(p.pool.live_count(), 1U);
}

TEST(SendQueueOwned, AFewOctetsOfALargeBlockAreCopied) {
  PoolWithBudget p;
  SendQueue queue;
  Buffer data = BufferAccess::make(slice_of(p.pool, 0, 60'000, 60'000));
  ASSERT_EQ(queue.append(data, 64, kPlenty, p.pool), 64U);
  data = {};
  EXPECT_LE(p.budget.used_octets(), 256U);
}

TEST(SendQueueOwned, WritesNothingBehindWhatOthersReferTo) {
  PoolWithBudget p;
  const std::vector<std::uint8_t> before = octets(0, 2 * kLarge);
  const Buffer theirs(octets(0, 2 * kLarge));
  const Buffer ours = BufferAccess::make(slice_of(p.pool, 0, 2 * kLarge, 2 * kLarge));
  for (const Buffer& data : {theirs, ours}) {
    SendQueue queue;
    ASSERT_EQ(queue.append(data, kLarge, kPlenty, p.pool), kLarge);
    ASSERT_EQ(queue.append(octets(7, 100), p.pool), 100U);
    EXPECT_EQ(to_vector(data.bytes()), before);
    EXPECT_EQ(gathered(queue, kLarge, 100), octets(7, 100));
  }
}

TEST(SendQueueOwned, PartsOfOneBlockThatFollowEachOtherAreOneChunk) {
  PoolWithBudget p;
  SendQueue queue;
  Buffer data = BufferAccess::make(slice_of(p.pool, 0, 60'000, 60'000));
  while (!data.empty()) {
    const std::size_t taken = queue.append(data, 6000, kPlenty, p.pool);
    ASSERT_EQ(taken, 6000U);
    data.remove_prefix(taken);
  }
  EXPECT_EQ(queue.chunk_count(), 1U);
  EXPECT_EQ(gathered(queue, 0, 60'000), octets(0, 60'000));
}

TEST(SendQueueOwned, CopiesWhenReferencesWouldPinMoreThanIsAllowed) {
  PoolWithBudget p;
  SendQueue queue;
  const SendQueue::Allowance allowance{200'000, SIZE_MAX};
  for (std::size_t i = 0; i < 20; ++i) {  // a little out of each of many large blocks
    const Buffer data = BufferAccess::make(slice_of(p.pool, 0, 60'000, 60'000));
    ASSERT_EQ(queue.append(data, 3000, allowance, p.pool), 3000U);
  }
  EXPECT_LE(p.budget.used_octets(), 200'000U + 100'000U);
}

TEST(SendQueueOwned, CopiesWhatIsInAnotherStacksBlock) {
  PoolWithBudget p;
  PoolWithBudget other;
  SendQueue queue;
  const Buffer data = BufferAccess::make(slice_of(other.pool, 0, 60'000, 60'000));
  ASSERT_EQ(queue.append(data, SIZE_MAX, kPlenty, p.pool), 60'000U);
  EXPECT_NE(place_of(queue, 0), data.bytes().data());
  EXPECT_EQ(gathered(queue, 0, 60'000), octets(0, 60'000));
}

TEST(SendQueueOwned, WithoutMemoryOnlyReferencesAreTaken) {
  PoolWithBudget p;
  SendQueue queue;
  queue.append(octets(0, 1), p.pool);
  const SendQueue::Allowance nothing{SIZE_MAX, 0};
  EXPECT_EQ(queue.append(Buffer(octets(0, kLarge)), SIZE_MAX, nothing, p.pool), 0U);
  const std::size_t used = p.budget.used_octets();
  Buffer small = BufferAccess::make(slice_of(p.pool, 1, 10, 10));
  const std::size_t used_with_small = p.budget.used_octets();
  EXPECT_GT(used_with_small, used);
  EXPECT_EQ(queue.append(small, SIZE_MAX, nothing, p.pool), 10U);
  small = {};
  EXPECT_EQ(p.budget.used_octets(), used_with_small) << "moved, and nothing new";
  EXPECT_EQ(gathered(queue, 0, 11), octets(0, 11));
}

TEST(SendQueueOwned, ReleasesMemoryAtItsLastOctet) {
  PoolWithBudget p;
  SendQueue queue;
  bool is_gone = false;
  const std::vector<std::uint8_t> data = octets(0, kLarge);
  ASSERT_EQ(queue.append(Buffer::adopt(data, [&] { is_gone = true; }), SIZE_MAX, kPlenty, p.pool),
            kLarge);
  queue.release_until(kLarge - 1);
  EXPECT_FALSE(is_gone);
  queue.release_until(kLarge);
  EXPECT_TRUE(is_gone);
  EXPECT_EQ(p.budget.used_octets(), 0U);
}

}  // namespace
}  // namespace runnel::buffer
