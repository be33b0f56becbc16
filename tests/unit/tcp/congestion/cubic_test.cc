// CUBIC's window: RFC 9438, in segments of 1,000 octets.
#include "stack/tcp/congestion/cubic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/ack_clock.h"

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

using Sender = test::AckClock<Cubic>;

constexpr std::uint32_t kSmss = Sender::kSmss;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// --- Slow start ---

TEST(Cubic, BeginsAsRenoDoes) {
  Sender sender(10);
  EXPECT_EQ(sender.controller.cwnd_octets(), 10U * kSmss);
  EXPECT_GE(sender.controller.ssthresh_octets(), std::uint64_t{1} << 30U);
  sender.round_trip();
  EXPECT_EQ(sender.controller.cwnd_octets(), 20U * kSmss);
}

TEST(Cubic, AfterATimeoutOneAckGrowsByNoMoreThanOneSegment) {
  Sender sender(10);
  sender.time_out(20);
  AckEvent event = sender.acked(15 * kSmss);
  event.after_timeout = true;
  sender.controller.on_ack(event);
  EXPECT_EQ(sender.controller.cwnd_octets(), 2U * kSmss);
}

TEST(Cubic, WhatSlowStartLeavesOfAnAckIsForCongestionAvoidance) {
  Sender sender(10);
  sender.controller.begin_with_ssthresh(12 * kSmss);
  sender.ack(10 * kSmss);
  EXPECT_GE(sender.controller.cwnd_octets(), 12U * kSmss);
  EXPECT_LE(sender.controller.cwnd_octets(), 13U * kSmss);
}

TEST(Cubic, AThresholdOfAnEarlierConnectionIsTheBeginningOfACurve) {
  Sender sender(10);
  sender.controller.begin_with_ssthresh(50 * kSmss);
  while (sender.segments() < 50) sender.ack();
  sender.ack();
  EXPECT_EQ(sender.controller.k(), Duration{0});
  EXPECT_EQ(sender.controller.w_max_octets(), 50U * kSmss);
}

// --- The curve ---

TEST(Cubic, AfterALossTheWindowFollowsTheCurve) {
  Sender sender(1000);
  sender.lose();
  ASSERT_EQ(sender.controller.cwnd_octets(), 700U * kSmss);
  const double k = std::cbrt(300 / 0.4);
  const Instant begin = sender.now;
  while (sender.now - begin < 15s) {
    sender.round_trip();
    const double t = seconds(sender.now - begin);
    if (t < 1) continue;  // Reno is faster at first
    const double at_t = 0.4 * std::pow(t - k, 3) + 1000;
    const double later = 0.4 * std::pow(t + 0.1 - k, 3) + 1000;
    EXPECT_GE(sender.segments(), at_t - 2) << t;
    EXPECT_LE(sender.segments(), later + 2) << t;
  }
}

TEST(Cubic, TheTimeIsWhatCountsNotTheRoundTrip) {
  Sender near(1000, 50ms);
  Sender far(1000, 400ms);
  near.lose();
  far.lose();
  near.run(12s);
  far.run(12s);
  EXPECT_NEAR(near.segments() / far.segments(), 1.0, 0.03);
}

TEST(Cubic, ManySmallAcksGrowAsMuchAsFewLargeOnes) {
  Sender small(1000);
  Sender large(1000);
  small.lose();
  large.lose();
  for (int i = 0; i < 1000; ++i) {
    small.now += 10ms;
    large.now = small.now;
    for (int part = 0; part < 100; ++part) small.ack(kSmss / 2);
    large.ack(50 * kSmss);
  }
  EXPECT_NEAR(small.segments() / large.segments(), 1.0, 0.01);
}

TEST(Cubic, NoMoreThanHalfOfTheWindowInARoundTrip) {
  Sender sender(1000, 20s);
  sender.lose(100);
  double before = sender.segments();
  ASSERT_EQ(before, 70);
  for (int i = 0; i < 10; ++i) {
    sender.round_trip();
    EXPECT_LE(sender.segments(), before * 1.5 + 0.1);
    before = sender.segments();
  }
  EXPECT_GT(before, 70 * 1.4 * 1.4 * 1.4);
}

// --- Reno-friendly ---

TEST(Cubic, OnAShortPathItGrowsAsReno) {
  Sender sender(20, 1ms);
  sender.lose();
  ASSERT_EQ(sender.controller.cwnd_octets(), 14U * kSmss);
  for (int i = 0; i < 10; ++i) sender.round_trip();
  // 0.53 segments each time, until it is back; the divisor is the growing window.
  EXPECT_NEAR(sender.segments(), 14 + 10 * 0.529, 0.4);
  while (sender.segments() < 20) sender.round_trip();
  const double there = sender.segments();
  for (int i = 0; i < 10; ++i) sender.round_trip();
  EXPECT_NEAR(sender.segments(), there + 10, 0.5);
}

// --- Time that does not count ---

TEST(Cubic, WhileTheApplicationLimitsNeitherTheWindowNorTheTimeGrows) {
  Sender sender(1000);
  sender.lose();
  sender.run(5s);
  const double before = sender.segments();
  const Duration t = sender.controller.t();
  for (int i = 0; i < 600; ++i) {
    sender.now += 100ms;
    AckEvent event = sender.acked(kSmss);
    event.app_limited = true;
    sender.controller.on_ack(event);
  }
  EXPECT_EQ(sender.segments(), before);
  EXPECT_EQ(sender.controller.t(), t);
  sender.round_trip();
  EXPECT_LE(sender.segments(), before + 5);
}

TEST(Cubic, WhileNothingIsInFlightTheTimeStands) {
  Sender sender(1000);
  sender.lose();
  sender.run(9s);
  const double before = sender.segments();
  sender.now += 60s;
  TransmitEvent event;
  event.now = sender.now;
  event.octets = kSmss;
  sender.controller.on_transmit(event);
  event.in_flight_before_octets = kSmss;
  sender.controller.on_transmit(event);
  sender.round_trip();
  EXPECT_NEAR(sender.segments(), before, 2);
  EXPECT_LT(sender.controller.t(), 10s);
}

TEST(Cubic, DoesNotGrowInFastRecovery) {
  Sender sender(100);
  sender.lose();
  AckEvent event = sender.acked(kSmss);
  event.in_recovery = true;
  for (int i = 0; i < 100; ++i) sender.controller.on_ack(event);
  EXPECT_EQ(sender.controller.cwnd_octets(), 70U * kSmss);
}

// --- Congestion ---

TEST(Cubic, ALossLeavesSevenTenthsOfWhatWasInFlight) {
  Sender sender(100);
  sender.lose(50);
  EXPECT_EQ(sender.controller.ssthresh_octets(), 35U * kSmss);
  EXPECT_EQ(sender.controller.cwnd_octets(), 35U * kSmss);
}

TEST(Cubic, FurtherLossesOfTheSameRoundTripChangeNothing) {
  Sender sender(100);
  sender.lose();
  LossEvent event = sender.loss(0);
  event.calls_for_response = false;
  sender.controller.on_loss(event);
  EXPECT_EQ(sender.controller.cwnd_octets(), 70U * kSmss);
  EXPECT_EQ(sender.controller.w_max_octets(), 100U * kSmss);
}

TEST(Cubic, TwoSegmentsAreTheLeastAfterALossOneAfterAMark) {
  for (const std::uint64_t flight : {0U, 1000U, 1400U, 2000U, 2857U}) {
    Sender lost(10);
    LossEvent event = lost.loss();
    event.in_flight_before_octets = flight;
    lost.controller.on_loss(event);
    EXPECT_EQ(lost.controller.cwnd_octets(), 2U * kSmss) << flight;
    EXPECT_EQ(lost.controller.ssthresh_octets(), 2U * kSmss) << flight;
    Sender marked(10);
    event.cause = LossEvent::Cause::EcnMark;
    marked.controller.on_loss(event);
    EXPECT_EQ(marked.controller.cwnd_octets(), std::max<std::uint64_t>(flight * 7 / 10, kSmss));
    EXPECT_EQ(marked.controller.ssthresh_octets(), 2U * kSmss) << flight;
  }
}

TEST(Cubic, ALossNeverRaisesTheWindow) {
  Sender sender(20);
  sender.lose(100);  // in flight since before an earlier reduction
  EXPECT_EQ(sender.controller.cwnd_octets(), 20U * kSmss);
}

TEST(Cubic, TheSecondLossBelowTheFirstMakesRoom) {
  Sender sender(100);
  sender.lose();
  EXPECT_EQ(sender.controller.w_max_octets(), 100U * kSmss);
  while (sender.segments() < 80) sender.round_trip();
  const std::uint64_t cwnd = sender.controller.cwnd_octets();
  sender.lose();
  EXPECT_EQ(sender.controller.w_max_octets(), cwnd * 85 / 100);
  while (sender.segments() < 90) sender.round_trip();
  const std::uint64_t above = sender.controller.cwnd_octets();
  sender.lose();
  EXPECT_EQ(sender.controller.w_max_octets(), above) << "above the last W_max: that is the new one";
}

TEST(Cubic, AfterATimeoutTheCurveBeginsWhereSlowStartEnds) {
  Sender sender(100);
  sender.lose();
  sender.run(2s);
  sender.time_out(100);
  EXPECT_EQ(sender.controller.cwnd_octets(), 1U * kSmss);
  EXPECT_EQ(sender.controller.ssthresh_octets(), 70U * kSmss);
  while (sender.segments() < 70) sender.ack();
  sender.ack();
  EXPECT_EQ(sender.controller.k(), Duration{0});
  EXPECT_EQ(sender.controller.w_max_octets(), 70U * kSmss);
}

// --- Taking back ---

TEST(Cubic, ASpuriousLossBringsEverythingBack) {
  Sender sender(1000);
  sender.lose();
  sender.run(6s);
  const std::uint64_t cwnd = sender.controller.cwnd_octets();
  const std::uint64_t w_est = sender.controller.w_est_octets();
  const Duration k = sender.controller.k();
  const Duration t = sender.controller.t();
  for (const bool by_timeout : {false, true}) {
    if (by_timeout) {
      sender.time_out();
    } else {
      sender.lose();
    }
    ASSERT_LT(sender.controller.cwnd_octets(), cwnd);
    sender.controller.on_spurious_recovery(sender.now);
    EXPECT_EQ(sender.controller.cwnd_octets(), cwnd);
    EXPECT_EQ(sender.controller.ssthresh_octets(), 700U * kSmss);
    EXPECT_EQ(sender.controller.w_max_octets(), 1000U * kSmss);
    EXPECT_EQ(sender.controller.w_est_octets(), w_est);
    EXPECT_EQ(sender.controller.k(), k);
    EXPECT_EQ(sender.controller.t(), t);
  }
}

TEST(Cubic, TakingBackNeverTakesAwayWhatWasGainedSince) {
  Sender sender(4);
  sender.time_out(100);
  for (int i = 0; i < 20; ++i) sender.ack();
  ASSERT_EQ(sender.segments(), 21);
  sender.controller.on_spurious_recovery(sender.now);
  EXPECT_EQ(sender.segments(), 21);
}

// --- From outside ---

TEST(Cubic, AfterAnIdleTimeTheWindowIsTheRestartWindowOrSmaller) {
  Sender large(100);
  large.lose();
  large.controller.on_idle_restart(large.now, 10 * kSmss);
  EXPECT_EQ(large.controller.cwnd_octets(), 10U * kSmss);
  EXPECT_EQ(large.controller.ssthresh_octets(), 70U * kSmss);
  while (large.segments() < 70) large.ack();
  large.ack();
  EXPECT_NEAR(seconds(large.controller.k()), std::cbrt(30 / 0.4), 0.01) << "W_max is remembered";

  Sender small(10);
  small.lose(5);
  small.controller.on_idle_restart(small.now, 10 * kSmss);
  EXPECT_EQ(small.controller.cwnd_octets(), 3500U);
}

TEST(Cubic, ItsWindowCanBeSet) {
  Sender sender(100);
  sender.controller.set_window(40 * kSmss, 40 * kSmss);
  EXPECT_EQ(sender.controller.cwnd_octets(), 40U * kSmss);
  EXPECT_EQ(sender.controller.ssthresh_octets(), 40U * kSmss);
  sender.round_trip();
  EXPECT_GT(sender.segments(), 40);
  EXPECT_LT(sender.segments(), 42);
}

TEST(Cubic, SegmentsOfAnotherSize) {
  Sender octets(100);
  octets.lose();
  octets.controller.on_smss_change(500, false);
  EXPECT_EQ(octets.controller.cwnd_octets(), 70'000U);
  Sender segments(100);
  segments.lose();
  segments.controller.on_smss_change(500, true);
  EXPECT_EQ(segments.controller.cwnd_octets(), 35'000U);
  EXPECT_EQ(segments.controller.w_max_octets(), 50'000U);
  EXPECT_EQ(segments.controller.ssthresh_octets(), 70'000U);
}

}  // namespace
}  // namespace runnel::tcp
