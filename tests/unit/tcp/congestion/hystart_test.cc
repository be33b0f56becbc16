// HyStart++ as a value: RFC 9406 section 4.
#include "stack/tcp/congestion/hystart.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using wire::SeqNum;
using Phase = HyStart::Phase;

constexpr std::uint32_t kSmss = 1000;

// Rounds of ten segments, one ACK for each. The sequence numbers wrap.
class Rounds {
 public:
  explicit Rounds(HyStart& hystart) : hystart_(hystart) {}

  // One ACK, with this round trip. Returns whether slow start ends with it.
  bool ack(std::optional<Duration> rtt) {
    una_ = una_ + kSmss;
    nxt_ = nxt_ + kSmss;  // as the window permits
    return hystart_.on_ack(una_, nxt_ - kSmss, rtt, is_paced);
  }
  // What is left of the round, which is nine ACKs: the tenth segment of the flight had left before
  // the round began.
  bool round(Duration rtt) {
    const std::uint32_t present = std::max(hystart_.rounds(), 1U);
    bool ends = false;
    for (int i = 0; i < 10 && !ends && hystart_.rounds() <= present; ++i) ends = ack(rtt);
    return ends;
  }

  bool is_paced = false;

 private:
  HyStart& hystart_;
  SeqNum una_{0xffff0000U};
  SeqNum nxt_{0xffff0000U + 10 * kSmss};
};

TEST(HyStart, ARoundEndsWhenWhatWasSentAtItsBeginningIsAcknowledged) {
  HyStart hystart(true);
  EXPECT_EQ(hystart.rounds(), 0U);
  (void)hystart.on_ack(SeqNum{1000}, SeqNum{10'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 1U);
  (void)hystart.on_ack(SeqNum{9'999}, SeqNum{18'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 1U) << "one octet is not acknowledged";
  (void)hystart.on_ack(SeqNum{10'000}, SeqNum{20'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 2U);
  (void)hystart.on_ack(SeqNum{19'999}, SeqNum{30'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 2U);
  (void)hystart.on_ack(SeqNum{25'000}, SeqNum{40'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 3U);
}

TEST(HyStart, ARoundNeedsSomethingInFlight) {
  HyStart hystart(true);
  (void)hystart.on_ack(SeqNum{1}, SeqNum{1}, 20ms);  // of the SYN
  EXPECT_EQ(hystart.rounds(), 0U);
  (void)hystart.on_ack(SeqNum{1'001}, SeqNum{10'001}, 80ms);
  EXPECT_EQ(hystart.rounds(), 1U);
  // The initial window was a burst: each packet of it waits for those before.
  for (std::uint32_t i = 2; i <= 10; ++i) {
    (void)hystart.on_ack(SeqNum{i * 1'000 + 1}, SeqNum{10'001}, 80ms + i * 12ms);
  }
  EXPECT_EQ(hystart.rounds(), 1U) << "nothing new was sent";
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
  (void)hystart.on_ack(SeqNum{11'001}, SeqNum{20'001}, 80ms);
  EXPECT_EQ(hystart.rounds(), 2U);
}

TEST(HyStart, ThresholdsAreAnEighthFromFourToSixteenMilliseconds) {
  EXPECT_EQ(HyStart::rtt_threshold(1us), 4ms);
  EXPECT_EQ(HyStart::rtt_threshold(32ms), 4ms);
  EXPECT_EQ(HyStart::rtt_threshold(80ms), 10ms);
  EXPECT_EQ(HyStart::rtt_threshold(128ms), 16ms);
  EXPECT_EQ(HyStart::rtt_threshold(10s), 16ms);
}

TEST(HyStart, EightSamplesThatAreLongEnoughMakeItConservative) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  for (int i = 0; i < 7; ++i) rounds.ack(90ms);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart) << "seven samples";
  rounds.ack(90ms);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
}

TEST(HyStart, OneNanosecondLessIsNoReason) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  rounds.round(90ms - 1ns);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
}

TEST(HyStart, TheShortestOfTheRoundCounts) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  rounds.ack(89ms);
  for (int i = 0; i < 7; ++i) rounds.ack(500ms);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
}

TEST(HyStart, PacedItSeesTheQueueGrowWithinARound) {
  for (const bool is_paced : {true, false}) {
    HyStart hystart(true);
    Rounds rounds(hystart);
    rounds.is_paced = is_paced;
    (void)hystart.on_ack(SeqNum{0xfffe0000}, SeqNum{0xffff0000U}, 80ms);
    rounds.ack(80ms);  // the first round is over
    rounds.ack(80ms);
    for (int i = 0; i < 7; ++i) rounds.ack(90ms);
    EXPECT_EQ(hystart.phase(), Phase::SlowStart) << "seven in a row";
    rounds.ack(90ms);
    EXPECT_EQ(hystart.phase(), is_paced ? Phase::ConservativeSlowStart : Phase::SlowStart);
  }
}

TEST(HyStart, PacedItWantsEightInARow) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.is_paced = true;
  (void)hystart.on_ack(SeqNum{0xfffe0000}, SeqNum{0xffff0000U}, 80ms);
  rounds.ack(80ms);
  for (int i = 0; i < 4; ++i) rounds.ack(200ms);
  rounds.ack(90ms - 1ns);
  for (int i = 0; i < 4; ++i) rounds.ack(200ms);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
}

// Then it is the shortest of the round, as ever, that has to be beaten.
TEST(HyStart, WhatWasSeenWithinARoundIsForgottenWhenTheNextIsShorter) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.is_paced = true;
  (void)hystart.on_ack(SeqNum{0xfffe0000}, SeqNum{0xffff0000U}, 80ms);
  rounds.ack(80ms);
  rounds.ack(81ms);
  for (int i = 0; i < 8; ++i) rounds.ack(95ms);
  ASSERT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
  rounds.round(95ms);
  for (int i = 0; i < 8; ++i) rounds.ack(82ms);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
  rounds.round(82ms);
  for (int i = 0; i < 8; ++i) rounds.ack(79ms);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
}

TEST(HyStart, AcksWithoutARoundTripAreNoSamples) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  for (int i = 0; i < 7; ++i) rounds.ack(200ms);
  rounds.ack(std::nullopt);
  rounds.ack(std::nullopt);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
}

TEST(HyStart, DelayThatGrowsSlowlyIsNotSeen) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  for (Duration rtt = 80ms; rtt < 160ms; rtt += 9ms) rounds.round(rtt);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
}

TEST(HyStart, FiveConservativeRoundsEndItThePartOfTheFirstIncluded) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  EXPECT_FALSE(rounds.round(91ms));  // conservative from its eighth ACK on: the first round
  for (int round = 2; round <= 4; ++round) EXPECT_FALSE(rounds.round(91ms)) << round;
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(rounds.ack(91ms));
  EXPECT_TRUE(rounds.ack(91ms));
  EXPECT_TRUE(hystart.is_over());
  EXPECT_FALSE(rounds.ack(91ms)) << "it ends once";
}

TEST(HyStart, AShorterRoundTripResumesSlowStartAndTheRoundsBeginAnew) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  rounds.round(91ms);
  rounds.round(91ms);
  ASSERT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
  for (int i = 0; i < 7; ++i) rounds.ack(91ms - 1ns);
  ASSERT_EQ(hystart.phase(), Phase::ConservativeSlowStart) << "seven samples";
  rounds.ack(91ms - 1ns);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
  rounds.round(91ms);

  rounds.round(120ms);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
  for (int round = 2; round <= 4; ++round) EXPECT_FALSE(rounds.round(120ms)) << round;
  EXPECT_TRUE(rounds.round(120ms));
}

TEST(HyStart, TheSameRoundTripDoesNotResume) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  rounds.round(91ms);
  rounds.round(91ms);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
}

TEST(HyStart, GrowthIsLimitedWhereNothingIsPaced) {
  const HyStart hystart(true);
  EXPECT_EQ(hystart.growth(3 * kSmss, kSmss, false), 3U * kSmss);
  EXPECT_EQ(hystart.growth(8 * kSmss, kSmss, false), 8U * kSmss);
  EXPECT_EQ(hystart.growth(8 * kSmss + 1, kSmss, false), 8U * kSmss);
  EXPECT_EQ(hystart.growth(44 * kSmss, kSmss, true), 44U * kSmss);
}

TEST(HyStart, ConservativeGrowthIsAQuarter) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  rounds.round(91ms);
  ASSERT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
  EXPECT_EQ(hystart.growth(4 * kSmss, kSmss, false), 1U * kSmss);
  EXPECT_EQ(hystart.growth(44 * kSmss, kSmss, false), 2U * kSmss);
  EXPECT_EQ(hystart.growth(44 * kSmss, kSmss, true), 11U * kSmss);
}

TEST(HyStart, StoppedItStaysSo) {
  HyStart hystart(true);
  Rounds rounds(hystart);
  rounds.round(80ms);
  hystart.stop();
  EXPECT_TRUE(hystart.is_over());
  EXPECT_FALSE(rounds.round(500ms));
  EXPECT_TRUE(hystart.is_over());
}

TEST(HyStart, DisabledItIsOverFromTheBeginning) {
  EXPECT_TRUE(HyStart(false).is_over());
}

}  // namespace
}  // namespace runnel::tcp
