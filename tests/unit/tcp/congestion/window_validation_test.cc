// RFC 7661: pipeACK, the phases, five minutes, losses.
#include "stack/tcp/congestion/window_validation.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Window = WindowValidation::Window;

constexpr Duration kRtt = 100ms;
constexpr std::uint32_t kSmss = 1000;
constexpr std::uint64_t kInitialWindow = 10 * kSmss;

// Time, and a sender whose octets are acknowledged in one ACK a round trip.
class Validation : public ::testing::Test {
 protected:
  void acknowledge(std::uint64_t octets, bool in_recovery = false) {
    AckEvent event;
    event.now = now;
    event.newly_acked_octets = octets;
    event.in_recovery = in_recovery;
    validation.on_ack(event, kRtt);
  }
  // Rounds of which each has `octets` acknowledged.
  void rounds(int count, std::uint64_t octets) {
    for (int i = 0; i < count; ++i) {
      now += kRtt;
      acknowledge(octets);
    }
  }
  [[nodiscard]] std::optional<Window> review(const Window& window) {
    return validation.review(window, kInitialWindow, now);
  }

  WindowValidation validation{true};
  Instant now{1s};
};

// --- pipeACK ---

TEST_F(Validation, PipeAckIsUndefinedUntilOneRoundTripWasMeasured) {
  EXPECT_FALSE(validation.pipe_ack_octets(now));
  acknowledge(5000);
  EXPECT_FALSE(validation.pipe_ack_octets(now));
  now += kRtt - 1ns;
  acknowledge(2000);
  EXPECT_FALSE(validation.pipe_ack_octets(now));
  now += 1ns;
  acknowledge(1000);
  EXPECT_EQ(validation.pipe_ack_octets(now), 7000U);
}

TEST_F(Validation, PipeAckIsTheLargestOfTheLastRounds) {
  rounds(1, 5000);
  rounds(1, 8000);
  rounds(2, 3000);
  EXPECT_EQ(validation.pipe_ack_octets(now), 8000U);
}

TEST_F(Validation, ASampleCountsForOneSecondOnAShortPath) {
  rounds(1, 8000);
  const Instant large = now;
  rounds(9, 3000);
  EXPECT_EQ(validation.pipe_ack_octets(large + 1s - 1ns), 8000U);
  EXPECT_EQ(validation.pipe_ack_octets(large + 1s), 3000U);
}

TEST_F(Validation, ASampleCountsForThreeRoundTripsOnALongOne) {
  AckEvent event;
  event.newly_acked_octets = 8000;
  for (const Duration at : {0s, 2s}) {
    event.now = now + at;
    validation.on_ack(event, 2s);
    event.newly_acked_octets = 1;
  }
  EXPECT_EQ(validation.pipe_ack_octets(now + 6s - 1ns), 8000U);
  EXPECT_EQ(validation.pipe_ack_octets(now + 6s), 1U);
}

TEST_F(Validation, SilenceMeansThatNothingIsInUse) {
  rounds(3, 8000);
  EXPECT_EQ(validation.pipe_ack_octets(now + 1h), 0U);
}

TEST_F(Validation, RecoveriesAreNotMeasured) {
  rounds(3, 8000);
  for (int i = 0; i < 5; ++i) {
    now += kRtt;
    acknowledge(50'000, true);
  }
  EXPECT_EQ(validation.pipe_ack_octets(now), 8000U);
}

TEST_F(Validation, ManySamplesNeverMakeMoreThanTheLargestOfThePeriod) {
  // Each smaller than the one before: the worst that a bounded memory can meet.
  for (std::uint64_t octets = 50'000; octets >= 10'000; octets -= 1000) {
    rounds(1, octets);
    const auto pipe_ack = validation.pipe_ack_octets(now);
    if (!pipe_ack) continue;
    EXPECT_LE(*pipe_ack, octets + 10'000);
    EXPECT_GE(*pipe_ack, octets);
    (void)review({1000, 1000});
  }
}

// --- Phases ---

TEST_F(Validation, TheWindowIsValidatedWhileHalfOfItIsInUse) {
  EXPECT_FALSE(review({100'000, 100'000}));
  EXPECT_TRUE(validation.is_validated()) << "undefined";
  rounds(2, 20'000);
  (void)review({40'000, 100'000});
  EXPECT_TRUE(validation.is_validated());
  (void)review({40'001, 100'000});
  EXPECT_FALSE(validation.is_validated());
  rounds(2, 20'001);
  (void)review({40'001, 100'000});
  EXPECT_TRUE(validation.is_validated());
}

TEST_F(Validation, AfterFiveMinutesTheWindowIsHalvedAndTheThresholdRemembersThreeQuarters) {
  const Window window{40'000, 20'000};
  rounds(2, 40'000);
  const Instant last_validated = now;
  now += 1s;  // from here on the sample counts no longer
  EXPECT_FALSE(review(window));
  EXPECT_FALSE(validation.is_validated());
  now = last_validated + 1s + 5min - 1ns;
  EXPECT_FALSE(review(window));
  now += 1ns;
  EXPECT_EQ(review(window), (Window{20'000, 30'000}));
}

TEST_F(Validation, TheFiveMinutesBeginWhenTheSampleGetsTooOldThoughNobodyLooks) {
  rounds(2, 40'000);
  const Instant last_validated = now;
  now = last_validated + 1s + 5min - 1ns;
  EXPECT_FALSE(review({40'000, 20'000}));
  now += 1ns;
  EXPECT_EQ(review({40'000, 20'000}), (Window{20'000, 30'000}));
}

TEST_F(Validation, EachFiveMinutesHalveItAgainDownToTheInitialWindow) {
  rounds(2, 40'000);
  now += 1s + 10min;
  EXPECT_EQ(review({64'000, 20'000}), (Window{16'000, 48'000}));
  now += 5min;
  EXPECT_EQ(review({16'000, 48'000}), (Window{10'000, 48'000}));
  now += 24h;
  EXPECT_EQ(review({10'000, 48'000}), (Window{10'000, 48'000}));
  now += 24h;
  EXPECT_EQ(review({7000, 3000}), (Window{7000, 5250})) << "it is never raised";
}

TEST_F(Validation, AHigherThresholdStays) {
  rounds(2, 40'000);
  now += 1s + 5min;
  EXPECT_EQ(review({40'000, UINT64_MAX}), (Window{20'000, UINT64_MAX}));
}

TEST_F(Validation, UseEndsThePhaseAndItsFiveMinutes) {
  rounds(2, 40'000);
  now += 1s + 4min;
  EXPECT_FALSE(review({40'000, 20'000}));
  rounds(2, 20'000);
  EXPECT_FALSE(review({40'000, 20'000}));
  EXPECT_TRUE(validation.is_validated());
  now += 4min;
  EXPECT_FALSE(review({40'000, 20'000}));
  now += 1min + 1s;
  EXPECT_TRUE(review({40'000, 20'000}));
}

// --- Losses ---

TEST_F(Validation, ALossInTheValidatedPhaseIsAnsweredAsEver) {
  rounds(2, 30'000);
  EXPECT_EQ(validation.on_loss(6000, 40'000, now), 6000U);
  validation.on_retransmit({SeqNum{0}, SeqNum{2000}});
  EXPECT_FALSE(validation.on_recovered({3000, 3000}, kSmss));
}

TEST_F(Validation, ALossOtherwiseIsAnsweredByWhatWasInUse) {
  rounds(2, 10'000);
  EXPECT_EQ(validation.on_loss(6000, 40'000, now), 10'000U);
  WindowValidation other(true);
  std::swap(validation, other);
  rounds(2, 5000);
  EXPECT_EQ(validation.on_loss(6000, 40'000, now), 6000U) << "or in flight";
}

TEST_F(Validation, WhatHadToBeSentAgainIsSubtractedOnce) {
  rounds(2, 10'000);
  (void)validation.on_loss(6000, 40'000, now);
  validation.on_retransmit({SeqNum{0}, SeqNum{1000}});
  validation.on_retransmit({SeqNum{3000}, SeqNum{4000}});
  validation.on_retransmit({SeqNum{0}, SeqNum{1000}});  // it was lost again
  EXPECT_EQ(validation.on_recovered({5000, 5000}, kSmss), (Window{4000, 4000}));
  EXPECT_FALSE(validation.pipe_ack_octets(now)) << "undefined after a recovery";
}

TEST_F(Validation, OneSegmentIsTheLeast) {
  rounds(2, 1000);
  (void)validation.on_loss(4000, 40'000, now);
  validation.on_retransmit({SeqNum{0}, SeqNum{3000}});
  EXPECT_EQ(validation.on_recovered({2000, 2000}, kSmss), (Window{1000, 2000}));
}

TEST_F(Validation, AWindowThatWasReducedTwiceIsNotRaised) {
  rounds(2, 10'000);
  (void)validation.on_loss(6000, 40'000, now);
  EXPECT_EQ(validation.on_loss(4000, 5000, now), 4000U);
  EXPECT_EQ(validation.on_recovered({2000, 2000}, kSmss), (Window{2000, 2000}));
}

TEST_F(Validation, NothingIsLookedAtDuringARecovery) {
  rounds(2, 10'000);
  (void)validation.on_loss(6000, 40'000, now);
  EXPECT_TRUE(validation.is_recovering());
  acknowledge(50'000);
  now += 1h;
  EXPECT_FALSE(review({5000, 5000}));
  (void)validation.on_recovered({5000, 5000}, kSmss);
  EXPECT_FALSE(validation.is_recovering());
}

TEST_F(Validation, ATimeoutEndsThePhaseWithoutMore) {
  rounds(2, 10'000);
  (void)validation.on_loss(6000, 40'000, now);
  validation.on_timeout();
  EXPECT_TRUE(validation.is_validated());
  EXPECT_TRUE(validation.is_recovering());
  EXPECT_FALSE(validation.on_recovered({8000, 8000}, kSmss));
  EXPECT_FALSE(validation.is_recovering());
}

TEST_F(Validation, ASpuriousRecoveryLeavesNothingBehind) {
  rounds(2, 10'000);
  (void)validation.on_loss(6000, 40'000, now);
  validation.on_spurious_recovery();
  EXPECT_FALSE(validation.is_recovering());
  EXPECT_FALSE(validation.on_recovered({40'000, 8000}, kSmss));
}

}  // namespace
}  // namespace runnel::tcp
