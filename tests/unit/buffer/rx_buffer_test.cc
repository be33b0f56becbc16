#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "runnel/packet.h"
#include "stack/buffer/slab.h"
#include "tests/unit/buffer/test_octets.h"

namespace runnel {
namespace {

using buffer::PoolWithBudget;
using buffer::SlabPool;

RxBuffer rx_buffer(PoolWithBudget& p) {
  return RxBuffer{p.pool.acquire(SlabPool::kLargest).release()};
}

TEST(RxBuffer, IsFalseAndHoldsNoPacketWithoutABlock) {
  const RxBuffer empty;
  EXPECT_FALSE(empty);
  EXPECT_TRUE(empty.packet().empty());
}

TEST(RxBuffer, ShowsThePartOfItsSpaceThatHoldsThePacket) {
  PoolWithBudget p;
  RxBuffer rx = rx_buffer(p);
  ASSERT_TRUE(rx);
  EXPECT_EQ(rx.space().size(), SlabPool::kLargest);
  EXPECT_TRUE(rx.packet().empty());
  const auto data = buffer::octets(0, 1000);
  std::copy(data.begin(), data.end(), rx.space().begin());
  rx.set_packet(10, 990);
  EXPECT_EQ(buffer::to_vector(rx.packet()), buffer::octets(10, 990));
  rx.set_packet(0, SlabPool::kLargest);
  EXPECT_EQ(rx.packet().size(), SlabPool::kLargest);
}

TEST(RxBuffer, GivesItsBlockBackWhenDestroyed) {
  PoolWithBudget p;
  { const RxBuffer rx = rx_buffer(p); }
  EXPECT_EQ(p.pool.live_count(), 0U);
}

TEST(RxBuffer, MovesWithPacketAndMeta) {
  PoolWithBudget p;
  RxBuffer from = rx_buffer(p);
  from.set_packet(4, 60);
  from.meta.gso_size_octets = 1460;
  RxBuffer to = rx_buffer(p);
  to = std::move(from);
  EXPECT_EQ(p.pool.live_count(), 1U) << "the block that was assigned over is given back";
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move): documented to be empty
  EXPECT_EQ(to.packet().size(), 60U);
  EXPECT_EQ(to.meta.gso_size_octets, 1460U);
  const RxBuffer last(std::move(to));
  EXPECT_EQ(last.packet().size(), 60U);
  EXPECT_EQ(p.pool.live_count(), 1U);
}

TEST(RxBuffer, SurvivesMovingToItself) {
  PoolWithBudget p;
  RxBuffer rx = rx_buffer(p);
  RxBuffer& same = rx;
  rx = std::move(same);
  EXPECT_TRUE(rx);
}

TEST(RxBuffer, ReleaseLeavesTheReferenceToTheCaller) {
  PoolWithBudget p;
  RxBuffer rx = rx_buffer(p);
  const auto slab = buffer::SlabRef::adopt(rx.release());
  EXPECT_FALSE(rx);
  EXPECT_FALSE(slab->is_shared());
}

}  // namespace
}  // namespace runnel
