// Release times and quanta of draft-ietf-ccwg-bbr-06 sections 5.6.2 and 5.6.3.
#include "stack/tcp/pacer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSmss = 1460;
constexpr Instant kStart{10s};

Pacer with_rate(std::uint64_t octets_per_second) {
  Pacer pacer;
  pacer.set_rate(octets_per_second, kSmss);
  return pacer;
}

TEST(Pacer, WithoutARateNothingWaits) {
  Pacer pacer;
  pacer.on_transmit(1'000'000, kStart);
  EXPECT_FALSE(pacer.holds(kStart));
  EXPECT_EQ(pacer.quantum_octets(), Pacer::kMostAtOnce);
}

TEST(Pacer, TheNextLeavesWhenTheLastHasHadItsTime) {
  Pacer pacer = with_rate(1'000'000);
  pacer.on_transmit(10'000, kStart);  // 10 ms, of which one is made up for
  EXPECT_EQ(pacer.release_at(), kStart + 9ms);
  EXPECT_TRUE(pacer.holds(kStart + 9ms - 1ns));
  EXPECT_FALSE(pacer.holds(kStart + 9ms));
  pacer.on_transmit(10'000, kStart + 9ms);
  EXPECT_EQ(pacer.release_at(), kStart + 19ms) << "from here on exactly 10 ms each";
}

TEST(Pacer, ATimerThatIsLateByLessThanAQuantumCostsNoRate) {
  Pacer pacer = with_rate(12'500'000);  // 100 Mbit/s: 1 ms is 12,500 octets
  Instant now = kStart;
  std::uint64_t sent = 0;
  while (now < kStart + 1s) {
    pacer.on_transmit(12'500, now);
    sent += 12'500;
    now = pacer.release_at() + 900us;
  }
  EXPECT_GE(sent, 12'500'000U * 99 / 100);
  EXPECT_LE(sent, 12'500'000U + 2 * 12'500U);
}

TEST(Pacer, WhatWaitedForALateTimerLeavesAllTheSame) {
  Pacer pacer = with_rate(12'500'000);
  pacer.on_transmit(12'500, kStart);
  pacer.on_transmit(12'500, kStart);
  pacer.set_waiting(true);
  const Instant late = pacer.release_at() + 7ms;
  int frames = 0;
  for (; !pacer.holds(late); ++frames) pacer.on_transmit(12'500, late);
  EXPECT_EQ(frames, 8) << "the one that was due, and those of seven milliseconds";
  EXPECT_EQ(pacer.release_at(), late + 1ms);
}

TEST(Pacer, OfAVeryLateTimerOnlySoMuchIsMadeUpFor) {
  Pacer pacer = with_rate(12'500'000);
  pacer.on_transmit(12'500, kStart);
  pacer.set_waiting(true);
  const Instant late = kStart + 10s;
  int frames = 0;
  for (; !pacer.holds(late); ++frames) pacer.on_transmit(12'500, late);
  EXPECT_EQ(frames, 1 + Pacer::kMostLateness / 1ms);
}

TEST(Pacer, AQuantumMayLeaveInSeveralFrames) {
  Pacer pacer = with_rate(12'500'000);
  pacer.on_transmit(12'500, kStart);
  const Instant next = kStart + 1ms;
  pacer.on_transmit(12'500, next);
  const Instant third = pacer.release_at();
  for (std::uint64_t sent = 0; sent + 1250 < 12'500; sent += 1250) {
    pacer.on_transmit(1250, third);
    EXPECT_FALSE(pacer.holds(third)) << "after " << sent + 1250;
  }
  pacer.on_transmit(1250, third);
  EXPECT_EQ(pacer.release_at(), third + 1ms);
  EXPECT_TRUE(pacer.holds(third + 1ms - 1ns));
  EXPECT_FALSE(pacer.holds(third + 1ms));
}

TEST(Pacer, AnIdleTimeIsNotMadeUpForByABurst) {
  Pacer pacer = with_rate(12'500'000);
  pacer.on_transmit(12'500, kStart);
  const Instant later = kStart + 10s;
  int frames = 0;
  for (; !pacer.holds(later); ++frames) pacer.on_transmit(12'500, later);
  EXPECT_EQ(frames, 2) << "one that was due, and one that is made up for";
}

// draft-ietf-ccwg-bbr-06 section 5.6.3
TEST(Pacer, AQuantumIsAMillisecondWithinTwoSegmentsAndASuperPacket) {
  EXPECT_EQ(with_rate(125'000).quantum_octets(), 2 * kSmss) << "1 Mbit/s";
  EXPECT_EQ(with_rate(12'500'000).quantum_octets(), 12'500U) << "100 Mbit/s";
  EXPECT_EQ(with_rate(125'000'000).quantum_octets(), 65'535U) << "1 Gbit/s";
}

TEST(Pacer, ExtremesNeitherOverflowNorStopForEver) {
  Pacer slow = with_rate(1);
  slow.on_transmit(UINT64_MAX, kStart);
  EXPECT_LE(slow.release_at(), kStart + 1s);
  Pacer fast = with_rate(UINT64_MAX);
  fast.on_transmit(UINT64_MAX, kStart);
  EXPECT_EQ(fast.release_at(), kStart);
  EXPECT_EQ(fast.quantum_octets(), 65'535U);
}

}  // namespace
}  // namespace runnel::tcp
