#include "stack/timer/timer_table.h"

#include <gtest/gtest.h>

namespace runnel::timer {
namespace {

using namespace std::chrono_literals;

enum class Kind { Retransmit, DelayedAck, Keepalive, Count };

constexpr Instant at(Duration since_origin) {
  return Instant{since_origin};
}

TEST(TimerTable, HasNoDeadlineAtFirst) {
  const TimerTable<Kind> table;
  EXPECT_FALSE(table.is_set(Kind::Retransmit));
  EXPECT_EQ(table.deadline(Kind::Retransmit), kNever);
  EXPECT_EQ(table.earliest(), kNever);
}

TEST(TimerTable, KnowsTheEarliestOfItsDeadlines) {
  TimerTable<Kind> table;
  table.set(Kind::Keepalive, at(2h));
  table.set(Kind::Retransmit, at(1s));
  table.set(Kind::DelayedAck, at(40ms));
  EXPECT_EQ(table.earliest(), at(40ms));
  table.cancel(Kind::DelayedAck);
  EXPECT_EQ(table.earliest(), at(1s));
  table.set(Kind::Retransmit, at(3h));
  EXPECT_EQ(table.earliest(), at(2h));
  table.cancel_all();
  EXPECT_EQ(table.earliest(), kNever);
}

// It is remembered, and looked for again only when it may have moved: both ways round.
TEST(TimerTable, TheEarliestIsRightHoweverDeadlinesMove) {
  TimerTable<Kind> table;
  table.set(Kind::Retransmit, at(1s));
  table.set(Kind::Keepalive, at(5s));
  table.set(Kind::Retransmit, at(9s));  // later, and nobody has asked yet
  table.set(Kind::DelayedAck, at(7s));
  EXPECT_EQ(table.earliest(), at(5s));
  table.cancel(Kind::Keepalive);
  table.set(Kind::DelayedAck, at(2s));
  EXPECT_EQ(table.earliest(), at(2s));
  table.set(Kind::Retransmit, at(2s));  // two at once: one of them goes
  table.cancel(Kind::DelayedAck);
  EXPECT_EQ(table.earliest(), at(2s));
  table.cancel(Kind::Retransmit);
  EXPECT_EQ(table.earliest(), kNever);
}

TEST(TimerTable, IsDueFromTheDeadlineOn) {
  TimerTable<Kind> table;
  table.set(Kind::Retransmit, at(1s));
  EXPECT_FALSE(table.is_due(Kind::Retransmit, at(1s - 1ns)));
  EXPECT_TRUE(table.is_due(Kind::Retransmit, at(1s)));
  EXPECT_FALSE(table.is_due(Kind::DelayedAck, at(1000h)));
}

}  // namespace
}  // namespace runnel::timer
