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
