#include "stack/wire/seq_num.h"

#include <gtest/gtest.h>

namespace runnel::wire {
namespace {

constexpr SeqNum kZero{0};
constexpr SeqNum kLast{0xffffffffU};

TEST(SeqNum, AddsAndSubtractsModulo2To32) {
  EXPECT_EQ(kLast + 1, kZero);
  EXPECT_EQ(kZero - 1, kLast);
  EXPECT_EQ(SeqNum{0xfffffff0U} + 0x20, SeqNum{0x10});
  SeqNum seq = kLast;
  seq += 2;
  EXPECT_EQ(seq, SeqNum{1});
}

TEST(SeqNum, ComparesAcrossTheWrap) {
  EXPECT_LT(kLast, kZero);
  EXPECT_GT(kZero, kLast);
  EXPECT_LE(kLast, SeqNum{100});
  EXPECT_GE(SeqNum{100}, kLast);
  EXPECT_LT(SeqNum{0xffffff00U}, SeqNum{0x000000ffU});
}

TEST(SeqNum, IsNeitherBeforeNorAfterItself) {
  EXPECT_FALSE(kLast < kLast);
  EXPECT_FALSE(kLast > kLast);
  EXPECT_LE(kLast, kLast);
  EXPECT_GE(kLast, kLast);
}

TEST(SeqNum, ComparesExactlyUpToHalfTheSpace) {
  for (const std::uint32_t base : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    const SeqNum seq{base};
    EXPECT_LT(seq, seq + 1);
    EXPECT_LT(seq, seq + 0x7fffffffU);
    EXPECT_GT(seq, seq + 0x80000001U) << "more than half the space ahead is behind";
  }
}

TEST(SeqNum, DifferenceIsSignedDistance) {
  EXPECT_EQ(kZero - kLast, 1);
  EXPECT_EQ(kLast - kZero, -1);
  EXPECT_EQ(SeqNum{0x7fffffffU} - kZero, 0x7fffffff);
  EXPECT_EQ(distance(kLast, SeqNum{9}), 10U);
  EXPECT_EQ(distance(kZero, kLast), 0xffffffffU);
}

TEST(SeqNum, MaxAndMinFollowTheSequence) {
  EXPECT_EQ(max(kLast, kZero), kZero);
  EXPECT_EQ(min(kLast, kZero), kLast);
  EXPECT_EQ(max(SeqNum{5}, SeqNum{5}), SeqNum{5});
}

}  // namespace
}  // namespace runnel::wire
