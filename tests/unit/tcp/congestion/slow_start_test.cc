// What NewReno, CUBIC and DCTCP share below their thresholds.
#include "stack/tcp/congestion/slow_start.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using wire::SeqNum;

constexpr std::uint64_t kSmss = 1000;
constexpr std::uint64_t kFar = UINT64_MAX / 2;

AckEvent acked(std::uint64_t octets) {
  AckEvent event;
  event.newly_acked_octets = octets;
  return event;
}

TEST(SlowStart, EveryAcknowledgedOctetCounts) {
  SlowStart slow_start(false);
  EXPECT_EQ(slow_start.on_ack(acked(44 * kSmss), kSmss, kFar).growth_octets, 44 * kSmss);
  EXPECT_EQ(slow_start.on_ack(acked(0), kSmss, kFar).growth_octets, 0U);
}

TEST(SlowStart, UpToTheThresholdAndTheRestIsLeft) {
  SlowStart slow_start(false);
  const SlowStart::Step step = slow_start.on_ack(acked(10 * kSmss), kSmss, 3 * kSmss);
  EXPECT_EQ(step.growth_octets, 3 * kSmss);
  EXPECT_EQ(step.unused_octets, 7 * kSmss);
  EXPECT_FALSE(step.ends_here);
  EXPECT_EQ(slow_start.on_ack(acked(kSmss), kSmss, 3 * kSmss).unused_octets, 0U);
}

TEST(SlowStart, AnAckCountsOnceAfterATimeoutAndWhenAskedTo) {
  AckEvent late = acked(10 * kSmss);
  late.after_timeout = true;
  AckEvent strict = acked(10 * kSmss);
  strict.counts_once = true;
  for (const AckEvent& event : {late, strict}) {
    SlowStart slow_start(false);
    EXPECT_EQ(slow_start.on_ack(event, kSmss, kFar).growth_octets, kSmss);
    EXPECT_EQ(slow_start.on_ack(event, kSmss, 10).unused_octets, 0U);
  }
}

TEST(SlowStart, WhoeverDoesNotUseTheWindowDoesNotGrowIt) {
  SlowStart slow_start(false);
  AckEvent event = acked(10 * kSmss);
  event.app_limited = true;
  const SlowStart::Step step = slow_start.on_ack(event, kSmss, 2 * kSmss);
  EXPECT_EQ(step.growth_octets, 0U);
  EXPECT_EQ(step.unused_octets, 0U);
}

TEST(SlowStart, HyStartLimitsWhatOneAckMayCauseUnlessPaced) {
  SlowStart slow_start(true);
  AckEvent event = acked(44 * kSmss);
  EXPECT_EQ(slow_start.on_ack(event, kSmss, kFar).growth_octets, 8 * kSmss);
  event.is_paced = true;
  EXPECT_EQ(slow_start.on_ack(event, kSmss, kFar).growth_octets, 44 * kSmss);
  slow_start.on_congestion();
  event.is_paced = false;
  EXPECT_EQ(slow_start.on_ack(event, kSmss, kFar).growth_octets, 44 * kSmss) << "it is over";
}

TEST(SlowStart, HyStartEndsItAndNothingIsLeft) {
  SlowStart slow_start(true);
  bool has_ended = false;
  std::uint32_t una = 0;
  for (int round = 0; round < 10 && !has_ended; ++round) {
    for (int i = 0; i < 10; ++i) {
      una += 1000;
      AckEvent event = acked(kSmss);
      event.una = SeqNum{una};
      event.nxt = SeqNum{una + 9000};
      event.rtt_sample = round == 0 ? 80ms : 100ms;
      const SlowStart::Step step = slow_start.on_ack(event, kSmss, kFar);
      if (!step.ends_here) continue;
      has_ended = true;
      EXPECT_EQ(step.growth_octets, kSmss / 4);
      EXPECT_EQ(step.unused_octets, 0U);
    }
  }
  EXPECT_TRUE(has_ended);
}

}  // namespace
}  // namespace runnel::tcp
