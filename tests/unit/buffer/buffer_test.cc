#include "runnel/buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "stack/buffer/buffer_access.h"
#include "tests/unit/buffer/test_octets.h"

namespace runnel {
namespace {

using buffer::BufferAccess;
using buffer::PoolWithBudget;

TEST(Buffer, IsEmptyWithoutOctets) {
  EXPECT_TRUE(Buffer().empty());
  EXPECT_TRUE(Buffer(std::string()).empty());
  EXPECT_TRUE(Buffer(std::vector<std::uint8_t>()).empty());
  EXPECT_TRUE(Buffer::of_static({}).empty());
  EXPECT_TRUE(Buffer::copy_of({}).empty());
  EXPECT_TRUE(BufferAccess::make({}).empty());
}

TEST(Buffer, LeavesHandedOverOctetsWhereTheyAre) {
  std::vector<std::uint8_t> octets = buffer::octets(0, 1000);
  const std::uint8_t* const where = octets.data();
  const Buffer buffer(std::move(octets));
  EXPECT_EQ(buffer.bytes().data(), where);
  const Buffer copy = buffer;
  EXPECT_EQ(copy.bytes().data(), where);
  EXPECT_EQ(buffer::to_vector(copy.bytes()), buffer::octets(0, 1000));
}

TEST(Buffer, TakesOverStringsShortOrLong) {
  for (const std::size_t size : {1U, 15U, 16U, 10'000U}) {
    Buffer buffer(std::string(size, 'x'));
    const Buffer moved = std::move(buffer);
    EXPECT_EQ(as_text(moved.bytes()), std::string(size, 'x'));
  }
}

TEST(Buffer, ReleasesAdoptedMemoryOnceWithTheLastReference) {
  const std::array<std::uint8_t, 4> octets{1, 2, 3, 4};
  int releases = 0;
  {
    Buffer first = Buffer::adopt(octets, [&] { ++releases; });
    Buffer part = first.part(1, 2);
    Buffer moved = std::move(first);
    first = moved;
    moved = Buffer();
    first.remove_prefix(4);
    EXPECT_EQ(releases, 0);
    EXPECT_EQ(buffer::to_vector(part.bytes()), (std::vector<std::uint8_t>{2, 3}));
    part.remove_prefix(2);
    EXPECT_EQ(releases, 1) << "who has forgotten all octets refers to nothing";
  }
  EXPECT_EQ(releases, 1);
  (void)Buffer::adopt({}, [&] { ++releases; });
  EXPECT_EQ(releases, 2) << "nothing to refer to";
}

TEST(Buffer, AssigningItToItselfChangesNothing) {
  int releases = 0;
  const std::array<std::uint8_t, 1> octets{1};
  Buffer buffer = Buffer::adopt(octets, [&] { ++releases; });
  const Buffer& same = buffer;
  buffer = same;
  EXPECT_EQ(releases, 0);
  EXPECT_EQ(buffer.size(), 1U);
}

TEST(Buffer, StaticOctetsAreViewedAndNotCounted) {
  static constexpr std::array<std::uint8_t, 3> kOctets{1, 2, 3};
  const Buffer buffer = Buffer::of_static(kOctets);
  EXPECT_EQ(buffer.bytes().data(), kOctets.data());
  EXPECT_TRUE(BufferAccess::is_static(buffer));
}

TEST(Buffer, ACopyIsIndependent) {
  std::vector<std::uint8_t> octets{1, 2, 3};
  const Buffer buffer = Buffer::copy_of(octets);
  octets[0] = 9;
  EXPECT_EQ(buffer.bytes()[0], 1);
  EXPECT_FALSE(BufferAccess::is_static(buffer));
}

TEST(Buffer, KeepsABlockOfTheStackAlive) {
  PoolWithBudget p;
  Buffer whole = BufferAccess::make(buffer::slice_of(p.pool, 0, 100, 200));
  EXPECT_TRUE(BufferAccess::is_of(whole, p.pool));
  Buffer part = whole.part(10, 20);
  whole = {};
  EXPECT_EQ(p.pool.live_count(), 1U);
  EXPECT_EQ(buffer::to_vector(part.bytes()), buffer::octets(10, 20));
  part = {};
  EXPECT_EQ(p.pool.live_count(), 0U);
  EXPECT_EQ(p.budget.used_octets(), 0U);
}

TEST(Buffer, KnowsItsPool) {
  PoolWithBudget mine;
  PoolWithBudget other;
  const Buffer buffer = BufferAccess::make(buffer::slice_of(mine.pool, 0, 1, 1));
  EXPECT_FALSE(BufferAccess::is_foreign(buffer, mine.pool));
  EXPECT_TRUE(BufferAccess::is_foreign(buffer, other.pool));
  EXPECT_FALSE(BufferAccess::is_foreign(Buffer(std::string("x")), other.pool));
}

TEST(Buffer, BecomesASliceOfTheSameOctets) {
  PoolWithBudget p;
  const Buffer ours = BufferAccess::make(buffer::slice_of(p.pool, 0, 100, 200)).part(10, 50);
  const buffer::Slice slice = BufferAccess::slice(ours, 20, p.pool);
  EXPECT_EQ(slice.bytes().data(), ours.bytes().data());
  EXPECT_EQ(slice.length, 20U);
  EXPECT_EQ(p.pool.live_count(), 1U);
  const Buffer theirs(buffer::octets(0, 5000));
  const buffer::Slice lent = BufferAccess::slice(theirs, SIZE_MAX, p.pool);
  EXPECT_EQ(lent.bytes().data(), theirs.bytes().data());
  EXPECT_EQ(lent.length, 5000U);
}

}  // namespace
}  // namespace runnel
