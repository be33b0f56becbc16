// Whether a silent peer is still there.
#include "stack/tcp/keepalive.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Decision = Keepalive::Decision;

constexpr Instant kHeard{100s};
constexpr Keepalive::Intervals kIntervals{2h, 75s, 3};

TEST(Keepalive, TheFirstProbeComesAfterTheIdleTime) {
  Keepalive keepalive(true);
  const auto early = keepalive.timed_out(kIntervals, kHeard, false, kHeard + 2h - 1ns);
  EXPECT_EQ(early.decision, Decision::Wait);
  EXPECT_EQ(early.again, kHeard + 2h);
  EXPECT_FALSE(keepalive.take_due());
  const auto due = keepalive.timed_out(kIntervals, kHeard, false, kHeard + 2h);
  EXPECT_EQ(due.decision, Decision::Probe);
  EXPECT_EQ(due.again, kHeard + 2h + 75s);
  EXPECT_TRUE(keepalive.take_due());
  EXPECT_FALSE(keepalive.take_due());
}

TEST(Keepalive, GivesUpAfterItsLastProbeHadNoAnswer) {
  Keepalive keepalive(true);
  Instant now = kHeard + 2h;
  for (int i = 0; i < 3; ++i) {
    const auto step = keepalive.timed_out(kIntervals, kHeard, false, now);
    EXPECT_EQ(step.decision, Decision::Probe);
    now = step.again;
  }
  EXPECT_EQ(keepalive.timed_out(kIntervals, kHeard, false, now).decision, Decision::GiveUp);
}

TEST(Keepalive, AnAnswerBeginsAnew) {
  Keepalive keepalive(true);
  const Instant first = kHeard + 2h;
  EXPECT_EQ(keepalive.timed_out(kIntervals, kHeard, false, first).decision, Decision::Probe);
  keepalive.heard();
  const auto step = keepalive.timed_out(kIntervals, first + 1s, false, first + 75s);
  EXPECT_EQ(step.decision, Decision::Wait);
  EXPECT_EQ(step.again, first + 1s + 2h);
}

TEST(Keepalive, LeavesDataInFlightToTheRetransmissionTimer) {
  Keepalive keepalive(true);
  const auto step = keepalive.timed_out(kIntervals, kHeard, true, kHeard + 2h);
  EXPECT_EQ(step.decision, Decision::Wait);
  EXPECT_EQ(step.again, kHeard + 2h + 75s);
  EXPECT_FALSE(keepalive.take_due());
}

TEST(Keepalive, SwitchingItOnCountsFromZero) {
  Keepalive keepalive(false);
  EXPECT_FALSE(keepalive.is_enabled());
  keepalive.enable(true);
  EXPECT_EQ(keepalive.timed_out(kIntervals, kHeard, false, kHeard + 2h).decision, Decision::Probe);
  keepalive.enable(true);
  EXPECT_EQ(keepalive.timed_out(kIntervals, kHeard, false, kHeard + 1h).decision, Decision::Wait);
}

}  // namespace
}  // namespace runnel::tcp
