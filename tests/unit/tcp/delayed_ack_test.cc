// When text is enough for an ACK.
#include "stack/tcp/delayed_ack.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1s};

TEST(DelayedAck, EverySecondFullSegmentIsEnough) {
  DelayedAck ack(0);
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, kStart));
  EXPECT_TRUE(ack.text_arrived(1460, 1, 200ms, kStart));
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, kStart));
  EXPECT_FALSE(ack.text_arrived(1459, 1, 200ms, kStart));
  EXPECT_TRUE(ack.text_arrived(1, 1, 200ms, kStart));
}

TEST(DelayedAck, ASuperPacketIsEnoughAndItsSegmentsTellTheSize) {
  DelayedAck ack(0);
  EXPECT_TRUE(ack.text_arrived(14600, 10, 200ms, kStart));
  EXPECT_EQ(ack.full_segment(), 1460);
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, kStart));
}

TEST(DelayedAck, AfterAGapSegmentsAreQuickAgain) {
  DelayedAck ack(2);
  EXPECT_TRUE(ack.text_arrived(14600, 10, 200ms, kStart));  // uses them up
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1, 1, 200ms, kStart));
  ack.gap_seen();
  EXPECT_TRUE(ack.text_arrived(1, 1, 200ms, kStart));
  EXPECT_TRUE(ack.text_arrived(1, 1, 200ms, kStart));
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1, 1, 200ms, kStart));
}

TEST(DelayedAck, AFullSegmentAfterAPauseMayBeAProbe) {
  DelayedAck ack(1);
  EXPECT_TRUE(ack.text_arrived(14600, 10, 200ms, kStart, 20ms));
  ack.acknowledged();
  const Instant at_the_boundary = kStart + 20ms;
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, at_the_boundary, 20ms));
  ack.acknowledged();
  const Instant after_a_pause = at_the_boundary + 20ms + 1ns;
  EXPECT_TRUE(ack.text_arrived(1460, 1, 200ms, after_a_pause, 20ms));
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1459, 1, 200ms, after_a_pause + 21ms, 20ms)) << "a small one";
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, after_a_pause + 42ms)) << "no round trip is known";
}

TEST(DelayedAck, WithoutQuickAcksNeitherGapNorPauseMatters) {
  DelayedAck ack(0);
  EXPECT_TRUE(ack.text_arrived(14600, 10, 200ms, kStart, 20ms));
  ack.acknowledged();
  ack.gap_seen();
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, kStart + 30ms, 20ms));
}

TEST(DelayedAck, TheFirstSegmentsAreQuick) {
  DelayedAck ack(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(ack.text_arrived(1, 1, 200ms, kStart)) << i;
    ack.acknowledged();
  }
  EXPECT_FALSE(ack.text_arrived(1, 1, 200ms, kStart));
}

TEST(DelayedAck, ASuperPacketUsesUpAsManyAsItStandsFor) {
  DelayedAck ack(16);
  EXPECT_TRUE(ack.text_arrived(14600, 10, 200ms, kStart));
  ack.acknowledged();
  EXPECT_TRUE(ack.text_arrived(14600, 10, 200ms, kStart));
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1460, 1, 200ms, kStart));
}

TEST(DelayedAck, AfterAnIdleTimeTheyAreAgain) {
  DelayedAck ack(1);
  EXPECT_TRUE(ack.text_arrived(1, 1, 200ms, kStart));
  ack.acknowledged();
  EXPECT_FALSE(ack.text_arrived(1, 1, 200ms, kStart + 200ms - 1ns));
  ack.acknowledged();
  EXPECT_TRUE(ack.text_arrived(1, 1, 200ms, kStart + 400ms - 1ns));
}

}  // namespace
}  // namespace runnel::tcp
