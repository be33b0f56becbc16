#include "stack/tcp/timestamps.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1s};
constexpr SeqNum kAck{5000};

// Timestamps of a connection whose peer's clock showed `recent` at kStart.
Timestamps agreed(std::uint32_t recent, std::uint32_t offset = 0) {
  Timestamps timestamps(offset);
  timestamps.agree(recent, kAck, kStart);
  return timestamps;
}

TEST(Timestamps, TickOnceAMillisecondFromTheOffset) {
  const Timestamps timestamps(100);
  EXPECT_EQ(timestamps.value(Instant{}), 100U);
  EXPECT_EQ(timestamps.value(Instant{1ms - 1ns}), 100U);
  EXPECT_EQ(timestamps.value(Instant{1ms}), 101U);
  EXPECT_EQ(timestamps.value(Instant{1h}), 3'600'100U);
}

TEST(Timestamps, WrapWithoutAGap) {
  const Timestamps timestamps(0xffffffff);
  EXPECT_EQ(timestamps.value(Instant{}), 0xffffffffU);
  EXPECT_EQ(timestamps.value(Instant{1ms}), 0U);
  const Timestamps plain(0);
  const Instant turn{(std::int64_t{1} << 32) * 1ms};
  EXPECT_EQ(plain.value(turn - 1ns), 0xffffffffU);
  EXPECT_EQ(plain.value(turn), 0U);
}

TEST(Timestamps, AreNotAgreedUponBeforeTheHandshake) {
  Timestamps timestamps(7);
  EXPECT_FALSE(timestamps.is_agreed());
  EXPECT_FALSE(timestamps.is_old({0, 0}, kStart));
  timestamps.on_acceptable(SeqNum{0}, {99, 0}, kStart);
  EXPECT_EQ(timestamps.option(true, kStart), (wire::TcpTimestamps{1007, 0}));
  timestamps.agree(30, kAck, kStart);
  EXPECT_TRUE(timestamps.is_agreed());
}

TEST(Timestamps, EchoNothingWithoutAck) {
  const Timestamps timestamps = agreed(30);
  EXPECT_EQ(timestamps.option(true, kStart), (wire::TcpTimestamps{1000, 30}));
  EXPECT_EQ(timestamps.option(false, kStart), (wire::TcpTimestamps{1000, 0}));
}

TEST(Timestamps, AreOldBelowTsRecent) {
  for (const std::uint32_t recent : {100U, 0U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    const Timestamps timestamps = agreed(recent);
    EXPECT_FALSE(timestamps.is_old({recent, 0}, kStart));
    EXPECT_FALSE(timestamps.is_old({recent + 1, 0}, kStart));
    EXPECT_FALSE(timestamps.is_old({recent + 0x7fffffff, 0}, kStart));
    EXPECT_TRUE(timestamps.is_old({recent - 1, 0}, kStart));
    EXPECT_TRUE(timestamps.is_old({recent - 0x7fffffff, 0}, kStart));
  }
}

TEST(Timestamps, TsRecentIsGoodForTwentyFourDays) {
  Timestamps timestamps = agreed(100);
  EXPECT_TRUE(timestamps.is_old({99, 0}, kStart + 24 * 24h));
  EXPECT_FALSE(timestamps.is_old({99, 0}, kStart + 24 * 24h + 1ns));
  timestamps.on_acceptable(kAck, {50, 0}, kStart + 24 * 24h + 1ns);
  EXPECT_EQ(timestamps.recent(), 50U) << "whatever came is newer than what is no longer valid";
}

TEST(Timestamps, FollowTheSegmentThatReachesLastAckSent) {
  Timestamps timestamps = agreed(100);
  timestamps.on_acceptable(kAck + 1, {103, 0}, kStart + 1s);
  EXPECT_EQ(timestamps.recent(), 100U) << "behind a gap";
  timestamps.on_acceptable(kAck, {102, 0}, kStart + 2s);
  EXPECT_EQ(timestamps.recent(), 102U);
  EXPECT_EQ(timestamps.recent_at(), kStart + 2s);
  timestamps.on_acceptable(kAck - 10, {102, 0}, kStart + 3s);
  EXPECT_EQ(timestamps.recent_at(), kStart + 3s) << "the same value is as old as its last use";
  timestamps.on_acceptable(kAck, {101, 0}, kStart + 4s);
  EXPECT_EQ(timestamps.recent(), 102U) << "an older value";
  timestamps.on_ack_sent(kAck + 1);
  timestamps.on_acceptable(kAck + 1, {103, 0}, kStart + 5s);
  EXPECT_EQ(timestamps.recent(), 103U);
}

TEST(Timestamps, TellHowLongAgoAnEchoLeft) {
  const Timestamps timestamps(0xfffffff0);
  const std::uint32_t echo = timestamps.value(kStart);
  EXPECT_EQ(timestamps.elapsed_since(echo, kStart), 0ms);
  EXPECT_EQ(timestamps.elapsed_since(echo, kStart + 1ms - 1ns), 0ms);
  EXPECT_EQ(timestamps.elapsed_since(echo, kStart + 250ms), 250ms);
  EXPECT_EQ(timestamps.elapsed_since(echo + 1, kStart), std::nullopt) << "not shown yet";
}

TEST(Timestamps, TellWhetherAnEchoLeftBeforeAnInstant) {
  const Timestamps timestamps(0xfffffff0);
  const std::uint32_t echo = timestamps.value(kStart);
  EXPECT_FALSE(timestamps.was_sent_before(echo, kStart));
  EXPECT_FALSE(timestamps.was_sent_before(echo, kStart + 1ms - 1ns)) << "the same tick";
  EXPECT_TRUE(timestamps.was_sent_before(echo, kStart + 1ms));
  EXPECT_FALSE(timestamps.was_sent_before(echo, kStart - 1ms));
}

}  // namespace
}  // namespace runnel::tcp
