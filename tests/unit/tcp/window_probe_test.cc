// When to ask whether a closed window has opened.
#include "stack/tcp/window_probe.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1s};
constexpr Duration kRto = 300ms;
constexpr Duration kMaximum = 60s;

TEST(WindowProbe, TheIntervalDoublesUpToItsMaximum) {
  WindowProbe probe;
  for (const Duration expected : {300ms, 600ms, 1200ms, 2400ms, 4800ms, 9600ms, 19200ms, 38400ms}) {
    EXPECT_EQ(probe.interval(kRto, kMaximum), expected);
    probe.timed_out(kRto, kMaximum);
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(probe.interval(kRto, kMaximum), 60s);
    probe.timed_out(kRto, kMaximum);
  }
}

TEST(WindowProbe, AnAnswerBringsTheFirstIntervalBack) {
  WindowProbe probe;
  probe.timed_out(kRto, kMaximum);
  probe.timed_out(kRto, kMaximum);
  probe.answered();
  EXPECT_EQ(probe.interval(kRto, kMaximum), kRto);
  EXPECT_TRUE(probe.is_due()) << "what was asked for is still asked for";
}

TEST(WindowProbe, EachTimeoutAsksForOneProbe) {
  WindowProbe probe;
  EXPECT_FALSE(probe.take_due());
  probe.timed_out(kRto, kMaximum);
  EXPECT_TRUE(probe.is_due());
  EXPECT_TRUE(probe.take_due());
  EXPECT_FALSE(probe.take_due());
}

TEST(WindowProbe, AnOpenWindowIsNotAskedFor) {
  WindowProbe probe;
  probe.timed_out(kRto, kMaximum);
  probe.opened();
  EXPECT_FALSE(probe.is_due());
  EXPECT_EQ(probe.interval(kRto, kMaximum), kRto);
}

TEST(WindowProbe, TheOctetOfAProbeMayBeAcknowledgedUntilItCounts) {
  WindowProbe probe;
  EXPECT_EQ(probe.outstanding_octets(), 0U);
  probe.sent();
  EXPECT_EQ(probe.outstanding_octets(), 1U);
  probe.opened();
  EXPECT_EQ(probe.outstanding_octets(), 1U) << "the ACK may still come";
  probe.octet_counts();
  EXPECT_EQ(probe.outstanding_octets(), 0U);
}

TEST(WindowProbe, TellsSinceWhenDataHaveBeenWaiting) {
  WindowProbe probe;
  EXPECT_EQ(probe.closed_since(), kNever);
  probe.blocked(kStart);
  probe.blocked(kStart + 1s);
  EXPECT_EQ(probe.closed_since(), kStart);
  probe.opened();
  EXPECT_EQ(probe.closed_since(), kNever);
  probe.blocked(kStart + 2s);
  EXPECT_EQ(probe.closed_since(), kStart + 2s);
}

}  // namespace
}  // namespace runnel::tcp
