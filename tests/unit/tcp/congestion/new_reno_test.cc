// RFC 5681 with the counted octets of RFC 3465.
#include "stack/tcp/congestion/new_reno.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1000;

AckEvent acked(std::uint64_t octets) {
  AckEvent event;
  event.newly_acked_octets = octets;
  return event;
}

LossEvent loss_with(std::uint64_t in_flight) {
  LossEvent event;
  event.lost_octets = kSmss;
  event.in_flight_before_octets = in_flight;
  return event;
}

// In congestion avoidance with cwnd = ssthresh = 10 segments.
NewReno avoiding() {
  NewReno reno(kSmss, 10 * kSmss);
  reno.on_loss(loss_with(20 * kSmss));
  return reno;
}

TEST(NewReno, BeginsWithTheInitialWindow) {
  EXPECT_EQ(NewReno(kSmss, 4380).cwnd_octets(), 4380U);
}

TEST(NewReno, TheFirstThresholdIsArbitrarilyHigh) {
  EXPECT_GE(NewReno(kSmss, 10 * kSmss).ssthresh_octets(), std::uint64_t{1} << 30U);
}

TEST(NewReno, SlowStartGrowsByWhatIsAcknowledged) {
  NewReno reno(kSmss, 10 * kSmss);
  reno.on_ack(acked(kSmss));
  EXPECT_EQ(reno.cwnd_octets(), 11U * kSmss);
  reno.on_ack(acked(1));
  EXPECT_EQ(reno.cwnd_octets(), 11U * kSmss + 1);
  reno.on_ack(acked(9 * kSmss));  // a super-packet
  EXPECT_EQ(reno.cwnd_octets(), 20U * kSmss + 1);
}

TEST(NewReno, AnAckOfNothingNewGrowsNothing) {
  NewReno reno(kSmss, 10 * kSmss);
  reno.on_ack(acked(0));
  EXPECT_EQ(reno.cwnd_octets(), 10U * kSmss);
}

TEST(NewReno, DoesNotGrowWhileSomethingElseLimitsTheSender) {
  AckEvent event = acked(kSmss);
  event.app_limited = true;
  NewReno starting(kSmss, 10 * kSmss);
  NewReno in_avoidance = avoiding();
  for (int i = 0; i < 100; ++i) {
    starting.on_ack(event);
    in_avoidance.on_ack(event);
  }
  EXPECT_EQ(starting.cwnd_octets(), 10U * kSmss);
  EXPECT_EQ(in_avoidance.cwnd_octets(), 10U * kSmss);
}

TEST(NewReno, DoesNotGrowInFastRecovery) {
  AckEvent event = acked(kSmss);
  event.in_recovery = true;
  NewReno reno = avoiding();
  for (int i = 0; i < 100; ++i) reno.on_ack(event);
  EXPECT_EQ(reno.cwnd_octets(), 10U * kSmss);
}

TEST(NewReno, CongestionAvoidanceGrowsByOneSegmentPerWindow) {
  NewReno reno = avoiding();
  for (std::uint64_t window = 10; window < 40; ++window) {
    ASSERT_EQ(reno.cwnd_octets(), window * kSmss);
    for (std::uint64_t i = 1; i < window; ++i) reno.on_ack(acked(kSmss));
    EXPECT_EQ(reno.cwnd_octets(), window * kSmss) << "before the window was acknowledged";
    reno.on_ack(acked(kSmss));
  }
}

TEST(NewReno, SlowStartEndsAtTheThreshold) {
  NewReno reno(kSmss, 10 * kSmss);
  reno.on_retransmission_timeout(loss_with(9 * kSmss));
  EXPECT_EQ(reno.ssthresh_octets(), 4500U);
  std::uint64_t before = reno.cwnd_octets();
  while (reno.cwnd_octets() < 4500) {
    reno.on_ack(acked(kSmss));
    EXPECT_LE(reno.cwnd_octets(), std::min<std::uint64_t>(before + kSmss, 4500));
    before = reno.cwnd_octets();
  }
  // From here on no more than one segment for 4,500 octets. What the last ACK had left over may
  // count towards it.
  for (int i = 0; i < 4; ++i) reno.on_ack(acked(kSmss));
  EXPECT_LE(reno.cwnd_octets(), 4500U + kSmss);
  reno.on_ack(acked(kSmss));
  EXPECT_EQ(reno.cwnd_octets(), 4500U + kSmss);
}

TEST(NewReno, AckDivisionGainsNothing) {
  for (const std::uint32_t pieces : {1U, 2U, 3U, 10U, 1000U}) {
    NewReno starting(kSmss, 10 * kSmss);
    NewReno in_avoidance = avoiding();
    for (std::uint32_t segment = 0; segment < 10; ++segment) {
      std::uint32_t left = kSmss;
      for (std::uint32_t piece = pieces; piece > 0; --piece) {
        starting.on_ack(acked(left / piece));
        in_avoidance.on_ack(acked(left / piece));
        left -= left / piece;
      }
    }
    EXPECT_EQ(starting.cwnd_octets(), 20U * kSmss) << pieces;
    EXPECT_EQ(in_avoidance.cwnd_octets(), 11U * kSmss) << pieces;
  }
}

TEST(NewReno, ALossHalvesWhatWasInFlightNotWhatWasAllowed) {
  NewReno reno(kSmss, 10 * kSmss);
  for (int i = 0; i < 90; ++i) reno.on_ack(acked(kSmss));
  ASSERT_EQ(reno.cwnd_octets(), 100U * kSmss);
  reno.on_loss(loss_with(10 * kSmss));
  EXPECT_EQ(reno.ssthresh_octets(), 5U * kSmss);
  EXPECT_EQ(reno.cwnd_octets(), 5U * kSmss);
}

TEST(NewReno, TheThresholdIsNeverBelowTwoSegments) {
  for (const auto& [in_flight, ssthresh] :
       {std::pair{0U, 2000U}, {1000U, 2000U}, {4000U, 2000U}, {4002U, 2001U}}) {
    NewReno by_loss(kSmss, 10 * kSmss);
    NewReno by_timeout(kSmss, 10 * kSmss);
    by_loss.on_loss(loss_with(in_flight));
    by_timeout.on_retransmission_timeout(loss_with(in_flight));
    EXPECT_EQ(by_loss.ssthresh_octets(), ssthresh) << in_flight;
    EXPECT_EQ(by_timeout.ssthresh_octets(), ssthresh) << in_flight;
  }
}

TEST(NewReno, SlowStartMayCountOneSegmentOfAnAckAtMost) {
  NewReno reno(kSmss, 10 * kSmss);
  AckEvent event = acked(10 * kSmss);
  event.counts_once = true;
  reno.on_ack(event);
  EXPECT_EQ(reno.cwnd_octets(), 11U * kSmss);
  event.newly_acked_octets = 7;
  reno.on_ack(event);
  EXPECT_EQ(reno.cwnd_octets(), 11U * kSmss + 7);
}

TEST(NewReno, ATimeoutLeavesALossWindowOfOneSegmentWhateverTheInitialWindow) {
  for (const std::uint64_t initial_segments : {1U, 10U}) {
    NewReno reno(kSmss, initial_segments * kSmss);
    reno.on_retransmission_timeout(loss_with(20 * kSmss));
    EXPECT_EQ(reno.cwnd_octets(), kSmss);
    EXPECT_EQ(reno.ssthresh_octets(), 10U * kSmss);
  }
}

TEST(NewReno, AfterATimeoutOneAckGrowsByNoMoreThanOneSegment) {
  NewReno reno(kSmss, 10 * kSmss);
  reno.on_retransmission_timeout(loss_with(20 * kSmss));
  AckEvent event = acked(15 * kSmss);  // octets that had arrived long before
  event.after_timeout = true;
  reno.on_ack(event);
  EXPECT_EQ(reno.cwnd_octets(), 2U * kSmss);  // RFC 3465 section 2.3
}

TEST(NewReno, ASpuriousTimeoutIsTakenBack) {
  NewReno reno = avoiding();
  reno.on_retransmission_timeout(loss_with(8 * kSmss));
  reno.on_spurious_recovery(Instant{});
  EXPECT_EQ(reno.cwnd_octets(), 10U * kSmss);
  EXPECT_EQ(reno.ssthresh_octets(), 10U * kSmss);
}

TEST(NewReno, ASpuriousFastRecoveryIsTakenBack) {
  NewReno reno(kSmss, 10 * kSmss);
  const std::uint64_t before = reno.ssthresh_octets();
  reno.on_loss(loss_with(8 * kSmss));
  reno.on_spurious_recovery(Instant{});
  EXPECT_EQ(reno.cwnd_octets(), 10U * kSmss);
  EXPECT_EQ(reno.ssthresh_octets(), before);
}

TEST(NewReno, TakingBackNeverTakesAwayWhatWasGainedSince) {
  NewReno reno(kSmss, 4 * kSmss);
  reno.on_retransmission_timeout(loss_with(100 * kSmss));
  for (int i = 0; i < 20; ++i) reno.on_ack(acked(kSmss));
  ASSERT_EQ(reno.cwnd_octets(), 21U * kSmss);
  reno.on_spurious_recovery(Instant{});
  EXPECT_EQ(reno.cwnd_octets(), 21U * kSmss);
}

TEST(NewReno, AfterAnIdleTimeTheWindowIsTheRestartWindowOrSmaller) {
  NewReno large(kSmss, 10 * kSmss);  // RFC 5681 section 4.1: RW = min(IW, cwnd)
  for (int i = 0; i < 30; ++i) large.on_ack(acked(kSmss));
  const std::uint64_t ssthresh = large.ssthresh_octets();
  large.on_idle_restart(Instant{}, 10 * kSmss);
  EXPECT_EQ(large.cwnd_octets(), 10U * kSmss);
  EXPECT_EQ(large.ssthresh_octets(), ssthresh);

  NewReno small(kSmss, 10 * kSmss);
  small.on_loss(loss_with(8 * kSmss));
  small.on_idle_restart(Instant{}, 10 * kSmss);
  EXPECT_EQ(small.cwnd_octets(), 4U * kSmss);
}

TEST(NewReno, ItsWindowCanBeSet) {
  NewReno reno = avoiding();
  for (int i = 0; i < 9; ++i) reno.on_ack(acked(kSmss));
  reno.set_window(4 * kSmss, 4 * kSmss);
  EXPECT_EQ(reno.cwnd_octets(), 4U * kSmss);
  EXPECT_EQ(reno.ssthresh_octets(), 4U * kSmss);
  for (int i = 0; i < 3; ++i) reno.on_ack(acked(kSmss));
  EXPECT_EQ(reno.cwnd_octets(), 4U * kSmss) << "a round of the new window begins";
  reno.on_ack(acked(kSmss));
  EXPECT_EQ(reno.cwnd_octets(), 5U * kSmss);
}

TEST(NewReno, WindowsOfManyGibibytesDoNotOverflow) {
  NewReno reno(65495, 130990);
  for (int i = 0; i < 1000; ++i) reno.on_ack(acked(UINT64_C(1) << 31U));
  EXPECT_EQ(reno.cwnd_octets(), 130990U + (UINT64_C(1000) << 31U));
  reno.on_loss(loss_with(UINT64_C(1) << 41U));
  EXPECT_EQ(reno.ssthresh_octets(), UINT64_C(1) << 40U);
}

}  // namespace
}  // namespace runnel::tcp
