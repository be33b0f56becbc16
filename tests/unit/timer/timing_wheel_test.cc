#include "stack/timer/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace runnel::timer {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since_origin) {
  return Instant{since_origin};
}

class TimingWheelTest : public testing::Test {
 protected:
  // The nodes that expire at `now`, in order.
  std::vector<TimerNode*> advance(Duration now) {
    base::IntrusiveList expired;
    wheel.advance(at(now), expired);
    std::vector<TimerNode*> due;
    while (base::ListNode* node = expired.pop_front()) {
      due.push_back(static_cast<TimerNode*>(node));
    }
    return due;
  }
  using Nodes = std::vector<TimerNode*>;

  std::array<TimerNode, 8> nodes;
  TimerNode& a = nodes[0];
  TimerNode& b = nodes[1];
  TimerNode& c = nodes[2];
  TimingWheel wheel;  // destroyed before its nodes
};

TEST_F(TimingWheelTest, HasNoDeadlineWhenNothingIsArmed) {
  EXPECT_EQ(wheel.next_deadline(), kNever);
  EXPECT_EQ(wheel.armed_count(), 0U);
  EXPECT_TRUE(advance(1000h).empty());
}

TEST_F(TimingWheelTest, ExpiresAtTheDeadlineAndNotANanosecondBefore) {
  for (const Duration deadline : {1ns, 1023ns, 1024ns, 1025ns, 65'535ns, 65'536ns, 65'537ns}) {
    TimingWheel fresh;
    base::IntrusiveList expired;
    fresh.arm(a, at(deadline));
    EXPECT_EQ(fresh.next_deadline(), at(deadline));
    fresh.advance(at(deadline - 1ns), expired);
    EXPECT_TRUE(expired.empty());
    EXPECT_TRUE(a.is_armed());
    EXPECT_EQ(fresh.next_deadline(), at(deadline));
    fresh.advance(at(deadline), expired);
    EXPECT_EQ(expired.pop_front(), &a);
    EXPECT_FALSE(a.is_armed());
    EXPECT_EQ(fresh.next_deadline(), kNever);
  }
}

TEST_F(TimingWheelTest, IsExactOnEveryLevel) {
  Duration now = 12'345ns;
  for (unsigned bit = 0; bit < 62; ++bit) {
    const Duration deadline{(std::int64_t{1} << bit) + 3};
    if (deadline <= now) continue;
    wheel.arm(a, at(deadline));
    ASSERT_TRUE(advance(deadline - 1ns).empty()) << bit;
    ASSERT_EQ(advance(deadline), Nodes{&a}) << bit;
    now = deadline;
  }
}

TEST_F(TimingWheelTest, FarthestDeadlineExpiresToo) {
  wheel.arm(a, kNever - 1ns);
  EXPECT_EQ(wheel.next_deadline(), kNever - 1ns);
  EXPECT_TRUE(advance(Duration::max() - 2ns).empty());
  EXPECT_EQ(advance(Duration::max() - 1ns), Nodes{&a});
}

TEST_F(TimingWheelTest, DeadlinesInThePastExpireAtTheNextAdvance) {
  EXPECT_TRUE(advance(1h).empty());
  wheel.arm(a, at(1h));
  wheel.arm(b, at(1s));
  wheel.arm(c, at(-1s));
  EXPECT_LE(wheel.next_deadline(), at(-1s));
  EXPECT_EQ(advance(1h), (Nodes{&c, &b, &a}));
}

TEST_F(TimingWheelTest, ArmingForNeverCancels) {
  wheel.arm(a, at(1s));
  wheel.arm(a, kNever);
  EXPECT_FALSE(a.is_armed());
  EXPECT_EQ(wheel.armed_count(), 0U);
  EXPECT_TRUE(advance(2s).empty());
}

TEST_F(TimingWheelTest, CancelledNodesDoNotExpire) {
  wheel.arm(a, at(1s));
  wheel.arm(b, at(1s));
  wheel.cancel(a);
  wheel.cancel(a);
  EXPECT_EQ(wheel.armed_count(), 1U);
  EXPECT_EQ(advance(1s), Nodes{&b});
  wheel.cancel(b);
}

TEST_F(TimingWheelTest, ArmingAgainMovesTheDeadline) {
  wheel.arm(a, at(1s));
  wheel.arm(a, at(3s));
  EXPECT_EQ(wheel.armed_count(), 1U);
  EXPECT_TRUE(advance(2s).empty());
  wheel.arm(a, at(2s + 1ns));
  EXPECT_EQ(advance(2s + 1ns), Nodes{&a});
}

TEST_F(TimingWheelTest, ExpiresInOrderOfDeadlineThenOfArming) {
  wheel.arm(nodes[0], at(5s));
  wheel.arm(nodes[1], at(1us));
  wheel.arm(nodes[2], at(3s));
  wheel.arm(nodes[3], at(5s));
  wheel.arm(nodes[4], at(5s - 1ns));  // in the same slot as the other two
  wheel.arm(nodes[5], at(1h));
  EXPECT_EQ(advance(5s), (Nodes{&nodes[1], &nodes[2], &nodes[4], &nodes[0], &nodes[3]}));
}

TEST_F(TimingWheelTest, EqualDeadlinesKeepTheirOrderWhileTimeComesNear) {
  wheel.arm(a, at(1h));
  EXPECT_TRUE(advance(59min).empty());
  wheel.arm(b, at(1h));
  EXPECT_TRUE(advance(1h - 1us).empty());
  wheel.arm(c, at(1h));
  EXPECT_EQ(advance(2h), (Nodes{&a, &b, &c}));
}

TEST_F(TimingWheelTest, SortsManyNodesOfOneSlot) {
  std::vector<std::unique_ptr<TimerNode>> many;
  for (std::int64_t i = 0; i < 3000; ++i) {
    many.push_back(std::make_unique<TimerNode>());
    wheel.arm(*many.back(), at(Duration{1024 + (i * 389) % 1024}));
  }
  const Nodes expired = advance(2047ns);
  EXPECT_EQ(expired.size(), many.size());
  EXPECT_TRUE(std::is_sorted(expired.begin(), expired.end(),
                             [](auto* x, auto* y) { return x->deadline < y->deadline; }));
}

TEST_F(TimingWheelTest, AnExpiredNodeCanBeArmedAndCancelledInTheListOfExpired) {
  for (TimerNode* node : {&a, &b, &c}) wheel.arm(*node, at(1s));
  base::IntrusiveList expired;
  wheel.advance(at(1s), expired);
  EXPECT_EQ(wheel.armed_count(), 0U);
  EXPECT_EQ(expired.pop_front(), &a);
  wheel.arm(a, at(2s));  // as its handler does
  wheel.cancel(b);       // what the handler of one does to another
  wheel.arm(c, at(3s));
  EXPECT_TRUE(expired.empty());
  EXPECT_EQ(wheel.armed_count(), 2U);
  EXPECT_EQ(advance(2s), Nodes{&a});
  EXPECT_EQ(advance(3s), Nodes{&c});
}

TEST_F(TimingWheelTest, AppendsToTheListThatItIsGiven) {
  base::IntrusiveList expired;
  wheel.arm(a, at(1s));
  wheel.advance(at(1s), expired);
  wheel.arm(b, at(2s));
  wheel.advance(at(2s), expired);
  EXPECT_EQ(expired.pop_front(), &a);
  EXPECT_EQ(expired.pop_front(), &b);
}

TEST_F(TimingWheelTest, NextDeadlineIsTheEarliestOnEveryLevel) {
  wheel.arm(a, at(10h));
  EXPECT_EQ(wheel.next_deadline(), at(10h));
  wheel.arm(b, at(10h - 1ns));
  EXPECT_EQ(wheel.next_deadline(), at(10h - 1ns));
  wheel.arm(c, at(5us));
  EXPECT_EQ(wheel.next_deadline(), at(5us));
}

TEST_F(TimingWheelTest, NextDeadlineIsEarlyAtMostOnceAfterACancel) {
  wheel.arm(a, at(10h));
  wheel.arm(b, at(10h + 5s));
  wheel.cancel(a);
  const Instant early = wheel.next_deadline();
  EXPECT_LE(early, at(10h + 5s));
  EXPECT_TRUE(advance(early.time_since_epoch()).empty());
  EXPECT_EQ(wheel.next_deadline(), at(10h + 5s));
}

TEST_F(TimingWheelTest, TimeThatStandsStillOrGoesBackExpiresOnlyWhatIsDue) {
  EXPECT_TRUE(advance(1s).empty());
  wheel.arm(a, at(1s - 1ns));
  wheel.arm(b, at(1s + 1ns));
  EXPECT_TRUE(advance(500ms).empty());
  EXPECT_EQ(advance(1s), Nodes{&a});
  EXPECT_TRUE(advance(1s).empty());
  EXPECT_EQ(advance(1s + 1ns), Nodes{&b});
}

TEST_F(TimingWheelTest, LongGapsAreSkipped) {
  // Centuries in steps of a tick would not end.
  wheel.arm(a, at(24h * 365 * 200));
  EXPECT_TRUE(advance(24h * 365 * 199).empty());
  EXPECT_EQ(advance(24h * 365 * 201), Nodes{&a});
}

TEST(TimingWheel, DisarmsItsNodesWhenDestroyed) {
  TimerNode node;
  {
    TimingWheel wheel;
    wheel.arm(node, at(1h));
  }
  EXPECT_FALSE(node.is_armed());
  EXPECT_FALSE(node.is_listed());
}

TEST(TimingWheel, NodesAreSmall) {
  EXPECT_LE(sizeof(TimerNode), 32U);
}

// A hundred thousand keepalive timers, armed within ten seconds, come near all at once.
class CrowdedWheel : public testing::Test {
 protected:
  static constexpr std::size_t kCount = 100'000;

  CrowdedWheel() : crowd(kCount) {
    for (std::size_t i = 0; i < kCount; ++i) wheel.arm(crowd[i], deadline_of(i));
  }
  static Instant deadline_of(std::size_t i) {
    return at(2h + Duration(static_cast<Duration::rep>(i * 7919 % kCount)) * 100'000);
  }

  std::vector<TimerNode> crowd;  // behind them, the wheel: destroyed first
  TimingWheel wheel;
};

TEST_F(CrowdedWheel, NoCallMovesMoreThanSoMany) {
  std::size_t expired_count = 0;
  Duration latest{};
  for (Duration now = 1h + 59min; now < 2h + 11s; now += 1ms) {
    const std::uint64_t before = wheel.move_count();
    base::IntrusiveList expired;
    wheel.advance(at(now), expired);
    ASSERT_LE(wheel.move_count() - before, TimingWheel::kMostMoves);
    while (base::ListNode* const node = expired.pop_front()) {
      const auto i = static_cast<std::size_t>(static_cast<TimerNode*>(node) - crowd.data());
      ASSERT_LE(deadline_of(i), at(now));
      latest = std::max(latest, at(now) - deadline_of(i));
      ++expired_count;
    }
    ASSERT_GE(wheel.next_deadline(), at(2h) - 18s) << "nobody is woken in vain all the time";
  }
  EXPECT_EQ(expired_count, kCount);
  EXPECT_LE(latest, 100ms) << "as many calls as it takes to move them all";
  EXPECT_EQ(wheel.armed_count(), 0U);
  EXPECT_EQ(wheel.next_deadline(), kNever);
  EXPECT_LE(wheel.move_count(), 8 * kCount);
}

TEST_F(CrowdedWheel, NodesThatWaitToBeMovedCanBeCancelledAndMovedAway) {
  base::IntrusiveList expired;
  wheel.advance(at(2h - 1s), expired);
  EXPECT_TRUE(expired.empty());
  EXPECT_LE(wheel.next_deadline(), at(2h));
  for (std::size_t i = 0; i < kCount; i += 2) wheel.cancel(crowd[i]);
  for (std::size_t i = 1; i < kCount; i += 4) wheel.arm(crowd[i], at(3h));
  EXPECT_EQ(wheel.armed_count(), kCount / 2);
  std::size_t calls = 0;
  while (wheel.next_deadline() <= at(2h + 20s)) {
    wheel.advance(at(2h + 20s), expired);
    ++calls;
  }
  EXPECT_LE(calls, kCount / TimingWheel::kMostMoves * 4);
  std::size_t expired_count = 0;
  for (; expired.pop_front() != nullptr; ++expired_count) {
  }
  EXPECT_EQ(expired_count, kCount / 4);
  EXPECT_EQ(wheel.armed_count(), kCount / 4);
  while (wheel.armed_count() > 0) {
    ASSERT_LE(wheel.next_deadline(), at(3h));
    wheel.advance(at(3h), expired);
  }
  EXPECT_EQ(wheel.next_deadline(), kNever);
  expired.clear();
}

TEST_F(CrowdedWheel, CanBeDestroyedWhileNodesWaitToBeMoved) {
  base::IntrusiveList expired;
  TimingWheel other;
  for (std::size_t i = 0; i < 5000; ++i) {
    wheel.cancel(crowd[i]);
    other.arm(crowd[i], deadline_of(i));
  }
  other.advance(at(2h - 1s), expired);
}

}  // namespace
}  // namespace runnel::timer
