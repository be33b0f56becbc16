#include "stack/tcp/loss/scoreboard.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Fate = SentRange::Fate;

constexpr SeqNum kUna{0xffff'f000};  // wraps on the way
constexpr Instant kNow{1h};

// Ten segments of 1,460 octets that left one by one, all of them lost.
struct TenLost : Scoreboard {
  TenLost() {
    for (std::uint32_t i = 0; i < 10; ++i) {
      EXPECT_TRUE(on_transmit({kUna + i * 1460, kUna + (i + 1) * 1460}, 1460, kNow));
      set_fate(i, Fate::Lost);
    }
  }
};

std::uint32_t sack(Scoreboard& board, std::uint32_t begin, std::uint32_t end) {
  std::uint32_t octets = 0;
  board.sack({kUna + begin, kUna + end}, [&](const SentRange& sent) { octets += sent.octets(); });
  return octets;
}

TEST(Scoreboard, ASuperPacketOfSmallerSegmentsIsOneRange) {
  TenLost board;
  board.on_retransmit({kUna, kUna + 536}, 536, kNow + 1s);
  board.on_retransmit({kUna + 536, kUna + 11 * 536}, 536, kNow + 1s);
  EXPECT_EQ(board.in_flight_octets(), 11U * 536U);
  EXPECT_EQ(board.lost_octets(), 14600U - 11U * 536U);
  ASSERT_GE(board.count(), 2U);
  EXPECT_EQ(board[1].range.begin, kUna + 536);
  EXPECT_EQ(board[1].range.end, kUna + 11 * 536);
  EXPECT_EQ(board[1].segments(), 10U);
  EXPECT_EQ(board.back().range.end, kUna + 14600);
  for (std::size_t i = 1; i < board.count(); ++i) {
    EXPECT_EQ(board[i].range.begin, board[i - 1].range.end);
  }
}

TEST(Scoreboard, EachOfItsSegmentsCanBeSacked) {
  for (std::uint32_t i = 0; i < 11; ++i) {
    TenLost board;
    board.on_retransmit({kUna, kUna + 536}, 536, kNow + 1s);
    board.on_retransmit({kUna + 536, kUna + 11 * 536}, 536, kNow + 1s);
    EXPECT_EQ(sack(board, i * 536, (i + 1) * 536), 536U) << i;
    EXPECT_EQ(board.sacked_octets(), 536U);
    EXPECT_EQ(board.in_flight_octets(), 10U * 536U);
    EXPECT_EQ(sack(board, i * 536, (i + 1) * 536), 0U) << "once";
  }
}

TEST(Scoreboard, WhatWasSackedMeanwhileStaysSacked) {
  TenLost board;
  EXPECT_EQ(sack(board, 2 * 1460, 3 * 1460), 1460U);
  board.on_retransmit({kUna, kUna + 4 * 1460}, 1460, kNow + 1s);
  EXPECT_EQ(board.sacked_octets(), 1460U);
  EXPECT_EQ(board.in_flight_octets(), 3U * 1460U);
  EXPECT_EQ(board.lost_octets(), 6U * 1460U);
}

TEST(Scoreboard, PartsOfSegmentsAreNotSacked) {
  TenLost board;
  board.on_retransmit({kUna, kUna + 10 * 536}, 536, kNow + 1s);
  EXPECT_EQ(sack(board, 536 + 1, 3 * 536 - 1), 0U);
  EXPECT_EQ(sack(board, 536 - 1, 3 * 536 + 1), 2U * 536U);
}

}  // namespace
}  // namespace runnel::tcp
