// The policy in virtual time: gaps in, decisions out.
#include "tun/adaptive_spin.h"

#include <gtest/gtest.h>

namespace runnel::tun {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongest = 50us;
constexpr int kPatience = 8;

// A ping-pong of which every answer comes after `gap` by itself, and `waking` later when the loop
// has to be woken for it.
Duration poll_through(AdaptiveSpin& spin, int packets, Duration gap, Duration waking = 30us) {
  Duration polled{};
  for (int i = 0; i < packets; ++i) {
    const Duration limit = spin.limit();
    polled += std::min(limit, gap);
    spin.on_packet_after(gap <= limit ? gap : gap + waking);
  }
  return polled;
}

TEST(AdaptiveSpin, SleepsAtFirst) {
  EXPECT_EQ(AdaptiveSpin(kLongest, kPatience).limit(), 0us);
}

TEST(AdaptiveSpin, PollsAfterShortGapsInARow) {
  AdaptiveSpin spin(kLongest, kPatience);
  poll_through(spin, kPatience - 1, 20us);
  EXPECT_EQ(spin.limit(), 0us);
  poll_through(spin, 1, 20us);
  EXPECT_EQ(spin.limit(), kLongest);
  poll_through(spin, 1000, 20us);
  EXPECT_EQ(spin.limit(), kLongest);
}

TEST(AdaptiveSpin, AShortGapIncludesTheTimeThatWakingTakes) {
  AdaptiveSpin spin(kLongest, kPatience);
  poll_through(spin, 100, kLongest, 50us + 1ns);
  EXPECT_EQ(spin.limit(), 0us);
  poll_through(spin, kPatience, kLongest, 50us);
  EXPECT_EQ(spin.limit(), kLongest);
}

TEST(AdaptiveSpin, OneLongGapBeginsTheCountAnew) {
  AdaptiveSpin spin(kLongest, kPatience);
  for (int i = 0; i < 100; ++i) {
    poll_through(spin, kPatience - 1, 20us);
    poll_through(spin, 1, 10ms);
  }
  EXPECT_EQ(spin.limit(), 0us);
}

TEST(AdaptiveSpin, ALonelyLatePacketDoesNotEndIt) {
  AdaptiveSpin spin(kLongest, kPatience);
  poll_through(spin, kPatience, 20us);
  for (int i = 0; i < 100; ++i) {
    poll_through(spin, 1, 10ms);
    EXPECT_EQ(spin.limit(), kLongest);
    poll_through(spin, 3, 20us);
  }
}

TEST(AdaptiveSpin, TwoLatePacketsInThreeEndIt) {
  AdaptiveSpin spin(kLongest, kPatience);
  poll_through(spin, kPatience, 20us);
  for (int i = 0; i < 4; ++i) {
    poll_through(spin, 2, 10ms);
    poll_through(spin, 1, 20us);
  }
  EXPECT_EQ(spin.limit(), 0us);
}

TEST(AdaptiveSpin, SilenceAfterAPingPongCostsOneAttempt) {
  AdaptiveSpin spin(kLongest, kPatience);
  poll_through(spin, 1000, 20us);
  EXPECT_LE(poll_through(spin, 100, 1s), 4 * kLongest);
}

// With one processor for both, the peer cannot answer while this side polls: what comes within 20
// us when it sleeps never comes while it does not.
TEST(AdaptiveSpin, WherePollingHindersThePeerItIsHardlyEverTried) {
  AdaptiveSpin spin(kLongest, kPatience);
  int polls = 0;
  constexpr int kPackets = 100'000;
  for (int i = 0; i < kPackets; ++i) {
    const bool polls_now = spin.limit() > 0us;
    polls += polls_now ? 1 : 0;
    spin.on_packet_after(polls_now ? kLongest + 20us : 20us);
  }
  EXPECT_LT(polls, kPackets / 500);
}

TEST(AdaptiveSpin, ALongRunOfHitsBringsTheFirstPatienceBack) {
  AdaptiveSpin spin(kLongest, kPatience);
  for (int i = 0; i < 4; ++i) {  // patience 16, 32, 64, 128
    poll_through(spin, kPatience << i, 20us);
    ASSERT_EQ(spin.limit(), kLongest);
    poll_through(spin, 4, 10ms);
    ASSERT_EQ(spin.limit(), 0us);
  }
  poll_through(spin, 127, 20us);
  EXPECT_EQ(spin.limit(), 0us);
  poll_through(spin, 1 + 256, 20us);
  EXPECT_EQ(spin.limit(), kLongest);
  poll_through(spin, 4, 10ms);
  EXPECT_EQ(spin.limit(), 0us);
  poll_through(spin, 2 * kPatience, 20us);
  EXPECT_EQ(spin.limit(), kLongest);
}

TEST(AdaptiveSpin, ALimitOfZeroNeverPolls) {
  AdaptiveSpin spin(0us, 1);
  poll_through(spin, 1000, 0us, 0us);
  EXPECT_EQ(spin.limit(), 0us);
}

TEST(AdaptiveSpin, BulkDoesNotBeginIt) {
  AdaptiveSpin spin(kLongest, kPatience);
  for (int i = 0; i < 100; ++i) {
    poll_through(spin, kPatience - 1, 20us);
    spin.on_bulk();
  }
  EXPECT_EQ(spin.limit(), 0us);
}

TEST(AdaptiveSpin, BulkEndsItAsLatePacketsDo) {
  AdaptiveSpin spin(kLongest, kPatience);
  poll_through(spin, kPatience, 20us);
  for (int i = 0; i < 3; ++i) spin.on_bulk();
  EXPECT_EQ(spin.limit(), kLongest);
  spin.on_bulk();
  EXPECT_EQ(spin.limit(), 0us);
}

}  // namespace
}  // namespace runnel::tun
