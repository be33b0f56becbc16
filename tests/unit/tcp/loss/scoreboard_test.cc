#include "stack/tcp/loss/scoreboard.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Fate = SentRange::Fate;

constexpr std::uint16_t kSegment = 100;
constexpr Instant kStart{1s};

// Sequence space wraps behind the fifth segment.
class ScoreboardTest : public ::testing::Test {
 protected:
  static SeqNum at(std::uint32_t segment) {
    return SeqNum{0U - 5U * kSegment} + segment * kSegment;
  }
  static SeqRange range(std::uint32_t first, std::uint32_t last) { return {at(first), at(last)}; }
  void transmit(std::uint32_t first, std::uint32_t last, Instant now = kStart) {
    ASSERT_TRUE(board.on_transmit(range(first, last), kSegment, now));
  }
  // Each segment by itself.
  void transmit_each(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) transmit(i, i + 1);
  }
  std::uint32_t sack(const SeqRange& block) {
    std::uint32_t octets = 0;
    board.sack(block, [&](const SentRange& sent) { octets += sent.octets(); });
    return octets;
  }
  std::uint32_t acknowledge(SeqNum una) {
    std::uint32_t octets = 0;
    board.acknowledge(una, [&](const SentRange& sent) { octets += sent.octets(); });
    return octets;
  }
  void expect_sums(std::uint32_t in_flight, std::uint32_t sacked, std::uint32_t lost) const {
    EXPECT_EQ(board.in_flight_octets(), in_flight);
    EXPECT_EQ(board.sacked_octets(), sacked);
    EXPECT_EQ(board.lost_octets(), lost);
  }
  Scoreboard board;
};

TEST_F(ScoreboardTest, ABlockInTheMiddleOfASuperPacketCutsItInThree) {
  transmit(0, 10);
  EXPECT_EQ(sack(range(3, 6)), 300U);
  ASSERT_EQ(board.count(), 3U);
  EXPECT_EQ(board[0].range, range(0, 3));
  EXPECT_EQ(board[1].range, range(3, 6));
  EXPECT_EQ(board[1].fate, Fate::Sacked);
  EXPECT_EQ(board[2].range, range(6, 10));
  EXPECT_EQ(board.sacked_segments(), 3U);
  expect_sums(700, 300, 0);
}

TEST_F(ScoreboardTest, EdgesInsideSegmentsAreMovedInwards) {
  transmit(0, 10);
  EXPECT_EQ(sack({at(3) + 1, at(6) + 99}), 200U) << "segments 4 and 5";
  EXPECT_EQ(sack({at(7) + 1, at(8) - 1}), 0U) << "no whole segment";
  EXPECT_EQ(sack({at(8) + 1, at(8) + 2}), 0U);
  expect_sums(800, 200, 0);
}

TEST_F(ScoreboardTest, AShortLastSegmentIsASegment) {
  ASSERT_TRUE(board.on_transmit({at(0), at(2) + 30}, kSegment, kStart));
  EXPECT_EQ(sack({at(2), at(2) + 30}), 30U);
  EXPECT_EQ(board.sacked_segments(), 1U);
}

TEST_F(ScoreboardTest, WhatIsSackedTwiceIsDeliveredOnce) {
  transmit_each(10);
  EXPECT_EQ(sack(range(2, 4)), 200U);
  EXPECT_EQ(sack(range(1, 5)), 200U) << "1 and 4";
  EXPECT_EQ(sack(range(1, 5)), 0U);
  EXPECT_EQ(acknowledge(at(5)), 100U) << "0";
  expect_sums(500, 0, 0);
}

TEST_F(ScoreboardTest, AnAckInTheMiddleOfARangeLeavesTheRestOfIt) {
  transmit(0, 10);
  EXPECT_EQ(acknowledge(at(3) + 50), 350U);
  ASSERT_EQ(board.count(), 1U);
  EXPECT_EQ(board[0].range.begin, at(3) + 50);
  expect_sums(650, 0, 0);
  EXPECT_EQ(acknowledge(at(3) + 50), 0U);
  EXPECT_EQ(acknowledge(at(10)), 650U);
  EXPECT_TRUE(board.empty());
  expect_sums(0, 0, 0);
}

TEST_F(ScoreboardTest, LostRangesThatLieTogetherAreOne) {
  transmit_each(10);
  for (const std::size_t i : {6U, 2U, 3U, 4U}) board.set_fate(i, Fate::Lost);
  EXPECT_EQ(board.first_lost(), range(2, 5));
  board.on_retransmit(range(2, 4), kSegment, kStart + 1s);
  EXPECT_EQ(board.first_lost(), range(4, 5));
  board.on_retransmit(range(4, 5), kSegment, kStart + 1s);
  EXPECT_EQ(board.first_lost(), range(6, 7));
  board.on_retransmit(range(6, 7), kSegment, kStart + 1s);
  EXPECT_EQ(board.first_lost(), std::nullopt);
  expect_sums(1000, 0, 0);
}

TEST_F(ScoreboardTest, WhatIsLostBeforeTheLastLookIsFound) {
  transmit_each(10);
  board.set_fate(8, Fate::Lost);
  EXPECT_EQ(board.first_lost(), range(8, 9));
  board.set_fate(1, Fate::Lost);
  EXPECT_EQ(board.first_lost(), range(1, 2));
  board.on_retransmit(range(1, 2), kSegment, kStart);
  board.set_fate(1, Fate::Lost);  // again
  EXPECT_EQ(board.first_lost(), range(1, 2));
}

TEST_F(ScoreboardTest, APartOfARangeMaySentAgain) {
  transmit(0, 10);
  board.set_fate(0, Fate::Lost);
  board.on_retransmit(range(2, 4), 50, kStart + 1s);
  ASSERT_EQ(board.count(), 3U);
  EXPECT_EQ(board[1].range, range(2, 4));
  EXPECT_EQ(board[1].segment_octets, 50);
  EXPECT_EQ(board[1].sent_at, kStart + 1s);
  EXPECT_TRUE(board[1].is_retransmitted);
  EXPECT_FALSE(board[0].is_retransmitted);
  EXPECT_FALSE(board[2].is_retransmitted);
  expect_sums(200, 0, 800);
}

TEST_F(ScoreboardTest, WhatIsSackedAndSentAgainStaysSacked) {
  transmit_each(3);
  (void)sack(range(1, 2));
  board.on_retransmit(range(0, 3), kSegment, kStart + 1s);
  EXPECT_EQ(board[1].fate, Fate::Sacked);
  expect_sums(200, 100, 0);
}

TEST_F(ScoreboardTest, ForgottenSacksAreInFlightAgain) {
  transmit_each(10);
  (void)sack(range(5, 8));
  board.set_fate(0, Fate::Lost);
  board.forget_sacks();
  expect_sums(900, 0, 100);
  EXPECT_EQ(board.sacked_segments(), 0U);
}

TEST_F(ScoreboardTest, TheFirstRangeBehindANumberIsFoundAcrossTheWrap) {
  transmit_each(10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(board.first_reaching(at(i)), i);
    EXPECT_EQ(board.first_reaching(at(i) + 99), i);
  }
  EXPECT_EQ(board.first_reaching(at(10)), 10U);
  EXPECT_EQ(board.first_reaching(at(0) - 1), 0U);
}

// However a peer chooses its blocks, there are no more ranges than segments.
TEST_F(ScoreboardTest, NoBlockMakesMoreRangesThanThereAreSegments) {
  transmit(0, 50);
  SeededRandom dice(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto left = static_cast<std::uint32_t>(dice.below(51 * kSegment));
    const auto length = static_cast<std::uint32_t>(1 + dice.below(3 * kSegment));
    (void)sack({at(0) + left, at(0) + std::min(left + length, 50U * kSegment)});
    ASSERT_LE(board.count(), 50U);
    ASSERT_EQ(board.in_flight_octets() + board.sacked_octets() + board.lost_octets(), 5000U);
  }
  EXPECT_EQ(board.sacked_octets(), 5000U) << "every segment was hit by now";
}

// The invariant, and every octet's fate, against the plainest of models: one fate an octet.
TEST_F(ScoreboardTest, AgreesWithAModelThatKeepsEveryOctet) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    board.clear();
    SeededRandom dice(seed);
    std::vector<Fate> model;  // of the octets from una on
    std::uint32_t una = 0;
    const auto pick = [&](std::uint32_t most) {
      return static_cast<std::uint32_t>(dice.below(most));
    };
    for (int step = 0; step < 400; ++step) {
      const auto segments = static_cast<std::uint32_t>(model.size() / kSegment);
      switch (pick(5)) {
        case 0:
        case 1: {
          const std::uint32_t more = 1 + pick(6);
          transmit(una + segments, una + segments + more);
          model.insert(model.end(), std::size_t{more} * kSegment, Fate::InFlight);
          break;
        }
        case 2: {
          if (segments == 0) break;
          const std::uint32_t first = pick(segments);
          const std::uint32_t last = first + 1 + pick(segments - first);
          (void)sack(range(una + first, una + last));
          std::fill(model.begin() + first * kSegment, model.begin() + last * kSegment,
                    Fate::Sacked);
          break;
        }
        case 3: {
          const auto lost = board.first_lost();
          if (lost) {
            board.on_retransmit(*lost, kSegment, kStart);
            const std::uint32_t first = distance(at(una), lost->begin);
            std::fill_n(model.begin() + first, lost->octets(), Fate::InFlight);
          } else if (!board.empty()) {
            const std::size_t i = pick(static_cast<std::uint32_t>(board.count()));
            if (board[i].fate != Fate::InFlight) break;
            const std::uint32_t first = distance(at(una), board[i].range.begin);
            std::fill_n(model.begin() + first, board[i].octets(), Fate::Lost);
            board.set_fate(i, Fate::Lost);
          }
          break;
        }
        default: {
          const std::uint32_t count = pick(segments + 1);
          (void)acknowledge(at(una + count));
          model.erase(model.begin(), model.begin() + count * kSegment);
          una += count;
          break;
        }
      }
      std::size_t octet = 0;
      for (std::size_t i = 0; i < board.count(); ++i) {
        for (std::uint32_t k = 0; k < board[i].octets(); ++k) {
          ASSERT_EQ(board[i].fate, model.at(octet++)) << "seed " << seed << ", step " << step;
        }
      }
      ASSERT_EQ(octet, model.size());
      const auto count = [&](Fate fate) { return std::count(model.begin(), model.end(), fate); };
      ASSERT_EQ(board.in_flight_octets(), count(Fate::InFlight));
      ASSERT_EQ(board.sacked_octets(), count(Fate::Sacked));
      ASSERT_EQ(board.lost_octets(), count(Fate::Lost));
      ASSERT_EQ(board.sacked_segments(), count(Fate::Sacked) / kSegment);
    }
  }
}

}  // namespace
}  // namespace runnel::tcp
