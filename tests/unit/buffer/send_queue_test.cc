#include "stack/buffer/send_queue.h"

#include <gtest/gtest.h>

#include <vector>

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
  EXPECT_LE(sizeof(SendQueue), 48U);
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

}  // namespace
}  // namespace runnel::buffer
