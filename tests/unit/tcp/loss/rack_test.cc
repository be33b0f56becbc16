// What the vectors of the conformance tests leave out: order, the wrap, and taking losses back.
#include "stack/tcp/loss/rack.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Fate = SentRange::Fate;

constexpr Instant kStart{10s};

class RackTest : public ::testing::Test {
 protected:
  static SeqRange segment(std::uint32_t i) {
    const SeqNum first{0U - 250U};  // the wrap is inside the third segment
    return {first + i * 100, first + (i + 1) * 100};
  }
  void transmit(std::uint32_t i, Duration when) {
    ASSERT_TRUE(board.on_transmit(segment(i), 100, kStart + when));
  }
  void retransmit(std::uint32_t i, Duration when) {
    board.on_retransmit(segment(i), 100, kStart + when);
    rack.on_retransmit(segment(i), kStart + when);
  }
  void sack(std::uint32_t i, Duration when) {
    board.sack(segment(i),
               [&](const SentRange& sent) { rack.on_delivered(sent, false, kStart + when); });
  }
  void acknowledge(std::uint32_t segments, Duration when) {
    board.acknowledge(segment(segments).begin, [&](const SentRange& sent) {
      rack.on_delivered(sent, false, kStart + when);
    });
  }
  Rack::Losses detect(Duration when, bool in_recovery = true) {
    return rack.detect(board, in_recovery, 1s, kStart + when);
  }
  Scoreboard board;
  Rack rack;
};

TEST_F(RackTest, BeforeAnythingArrivedNothingIsLost) {
  transmit(0, 0ms);
  EXPECT_EQ(detect(10s).lost_octets, 0U);
  EXPECT_EQ(detect(10s).look_again, kNever);
  EXPECT_EQ(rack.minimum_rtt(), std::nullopt);
}

TEST_F(RackTest, LossesAreFoundAcrossTheWrap) {
  for (std::uint32_t i = 0; i < 8; ++i) transmit(i, Duration{i});
  sack(7, 40ms);
  EXPECT_EQ(detect(40ms).lost_octets, 700U);
}

TEST_F(RackTest, WhatIsLostIsNotLostTwice) {
  for (std::uint32_t i = 0; i < 4; ++i) transmit(i, 0ms);
  sack(3, 40ms);
  EXPECT_EQ(detect(40ms).lost_octets, 300U);
  EXPECT_EQ(detect(50ms).lost_octets, 0U);
}

TEST_F(RackTest, WhatIsTakenBackIsLookedAtAgain) {
  for (std::uint32_t i = 0; i < 4; ++i) transmit(i, 0ms);
  sack(3, 40ms);
  (void)detect(40ms);
  for (std::size_t i = 0; i < 3; ++i) board.set_fate(i, Fate::InFlight);
  EXPECT_EQ(detect(50ms).lost_octets, 0U) << "it counts as decided";
  rack.look_at_all_again();
  EXPECT_EQ(detect(50ms).lost_octets, 300U);
}

TEST_F(RackTest, RetransmissionsAreJudgedInTheOrderInWhichTheyLeft) {
  for (std::uint32_t i = 0; i < 6; ++i) transmit(i, 0ms);
  sack(5, 40ms);
  (void)detect(40ms);
  retransmit(3, 41ms);
  retransmit(1, 42ms);  // the order is not that of the sequence numbers
  retransmit(2, 43ms);
  sack(2, 83ms);  // what left before 43 ms is lost
  const Rack::Losses losses = detect(83ms);
  EXPECT_EQ(losses.lost_octets, 200U);
  EXPECT_TRUE(losses.retransmission_lost);
  EXPECT_EQ(losses.last_retransmission_lost, kStart + 42ms);
  EXPECT_EQ(board[3].fate, Fate::Lost);
  EXPECT_EQ(board[1].fate, Fate::Lost);
}

TEST_F(RackTest, ASecondRetransmissionReplacesTheFirst) {
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  sack(2, 40ms);
  (void)detect(40ms);
  retransmit(0, 41ms);
  retransmit(1, 42ms);
  board.set_fate(0, Fate::Lost);
  retransmit(0, 90ms);
  sack(1, 91ms);  // left at 42 ms: before the second copy of 0
  EXPECT_EQ(detect(200ms).lost_octets, 0U);
}

TEST_F(RackTest, TheHandshakeTellsARetransmissionFromItsOriginal) {
  rack.on_handshake(100ms, kStart);
  for (std::uint32_t i = 0; i < 3; ++i) transmit(i, 0ms);
  retransmit(0, 500ms);
  acknowledge(2, 500ms);  // at once: that was the original
  EXPECT_EQ(rack.rtt(), 500ms) << "of segment 1, which was sent once";
  EXPECT_EQ(detect(500ms, false).lost_octets, 0U);
}

TEST_F(RackTest, WithoutReorderingTheWindowClosesAtThreeSegments) {
  for (std::uint32_t i = 0; i < 5; ++i) transmit(i, 0ms);
  sack(2, 40ms);
  sack(3, 40ms);
  EXPECT_EQ(detect(40ms, false).look_again, kStart + 50ms);
  EXPECT_EQ(rack.reordering_window(), 10ms);
  sack(4, 40ms);
  EXPECT_EQ(detect(40ms, false).lost_octets, 200U);
  EXPECT_EQ(rack.reordering_window(), Duration{0});
}

TEST_F(RackTest, ReportsOfDuplicatesCountOnceARoundTripAcrossTheWrap) {
  rack.on_duplicate_report(SeqNum{0xffffff00}, SeqNum{100});
  rack.on_duplicate_report(SeqNum{99}, SeqNum{500});
  EXPECT_EQ(rack.window_multiplier(), 2U);
  rack.on_duplicate_report(SeqNum{100}, SeqNum{500});
  EXPECT_EQ(rack.window_multiplier(), 3U);
}

TEST_F(RackTest, AfterATimeoutTheFirstAndWhatHadItsTimeIsLost) {
  EXPECT_EQ(rack.mark_on_timeout(board, kStart), 0U) << "nothing is there";
  transmit(0, 0ms);
  transmit(1, 0ms);
  sack(1, 100ms);
  transmit(2, 901ms);
  transmit(3, 900ms);
  EXPECT_EQ(rack.mark_on_timeout(board, kStart + 1s), 200U);
  EXPECT_EQ(board[2].fate, Fate::InFlight) << "1 ms is left to it";
  EXPECT_EQ(board[3].fate, Fate::Lost);
}

}  // namespace
}  // namespace runnel::tcp
