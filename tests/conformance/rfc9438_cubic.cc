// CUBIC, RFC 9438: its arithmetic by the numbers of the RFC, and what a peer sees of it.
//
// By itself the controller counts in segments of 1,000 octets. On the wire segments have 1,460, the
// path takes 100 ms, and the initial window is as large as a test needs.
#include "stack/tcp/congestion/cubic.h"

#include <cmath>

#include "stack/tcp/congestion/cubic_curve.h"
#include "tests/support/ack_clock.h"
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

using tcp::Cubic;
using tcp::CubicCurve;
using Clock = AckClock<Cubic>;

constexpr std::uint32_t kSmss = Clock::kSmss;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// --- The function ---

TEST(CubicVectors, R_9438_4_2_FUNC_ATableOfTimes) {
  struct Row {
    Duration t;
    double segments;
  };
  // W_max = 100, cwnd_epoch = 70, by hand: 0.4 (t - 4.21716)^3 + 100.
  const CubicCurve curve(70 * 1460, 100 * 1460, 1460);
  for (const Row& row : {Row{0s, 70.0}, Row{1s, 86.681}, Row{2s, 95.640}, Row{3s, 99.279},
                         Row{4s, 99.996}, Row{5s, 100.192}, Row{6s, 102.267}, Row{8s, 121.653},
                         Row{10s, 177.354}, Row{20s, 1672.589}}) {
    EXPECT_NEAR(static_cast<double>(curve.at(row.t)) / 1460, row.segments, 0.1) << seconds(row.t);
  }
}

TEST(CubicVectors, R_9438_4_2_FUNC_TheReferenceInFloatingPoint) {
  for (const double w_max : {4.0, 100.0, 5000.0, 1'000'000.0}) {
    const double epoch = w_max * 0.7;
    const double k = std::cbrt((w_max - epoch) / 0.4);
    const CubicCurve curve(static_cast<std::uint64_t>(std::llround(epoch * 1460)),
                           static_cast<std::uint64_t>(w_max) * 1460, 1460);
    for (Duration t{0}; t < 150s; t += 61ms) {
      const double reference = 0.4 * std::pow(seconds(t) - k, 3) + w_max;
      ASSERT_NEAR(static_cast<double>(curve.at(t)) / 1460, reference, 0.1)
          << w_max << " at " << seconds(t);
    }
  }
}

TEST(CubicVectors, R_9438_4_2_K_TheTimeToBeBack) {
  EXPECT_NEAR(seconds(CubicCurve(70 * 1460, 100 * 1460, 1460).k()), 4.217, 0.0005);
  Clock clock(100);
  clock.lose();
  ASSERT_EQ(clock.segments(), 70);
  clock.ack();
  EXPECT_NEAR(seconds(clock.controller.k()), 4.217, 0.0005);
}

// --- Growth ---

TEST(CubicGrowth, R_9438_4_2_TARGET_TowardsWhereTheCurveIsARoundTripLater) {
  Clock clock(1000);
  clock.lose();
  const double k = std::cbrt(300 / 0.4);
  clock.ack();  // t = 0
  clock.run(3s);
  const double t = seconds(clock.controller.t()) + 0.1;
  const double before = clock.segments();
  clock.now += 100ms;
  clock.ack(10 * kSmss);
  const double target = 0.4 * std::pow(t + 0.1 - k, 3) + 1000;
  EXPECT_NEAR(clock.segments() - before, (target - before) / before * 10, 0.01);
}

TEST(CubicGrowth, R_9438_4_2_TARGET_OverALongRoundTripByHalfAtMost) {
  Clock clock(1000, 30s);
  clock.lose(100);
  ASSERT_EQ(clock.segments(), 70);
  for (int i = 0; i < 6; ++i) {
    const double before = clock.segments();
    clock.round_trip();
    EXPECT_LE(clock.segments(), before * 1.5 + 0.01);
  }
  EXPECT_GT(clock.segments(), 70 * std::pow(1.4, 5)) << "but it uses that";
}

TEST(CubicGrowth, R_9438_4_2_TARGET_NeverDown) {
  Clock clock(100);
  clock.lose();
  double before = clock.segments();
  for (int i = 0; i < 100; ++i) {
    clock.round_trip();
    EXPECT_GE(clock.segments(), before);
    before = clock.segments();
  }
}

TEST(CubicGrowth, R_9438_4_3_WEST_OnASmallPathAsRenoOnAverage) {
  // 20 segments, 1 ms. A Reno of these parameters grows by 0.529 segments in a round trip.
  Clock clock(20, 1ms);
  clock.lose();
  ASSERT_EQ(clock.segments(), 14);
  double w_est = 14;
  for (int round = 0; round < 8; ++round) {
    const int segments = static_cast<int>(clock.segments());
    for (int i = 0; i < segments; ++i) w_est += 9.0 / 17 / clock.segments();
    clock.round_trip();
    EXPECT_NEAR(clock.segments(), w_est, 0.1);
  }
  // Back where it was before the loss it grows as Reno does: by one.
  while (clock.segments() < 20.01) clock.round_trip();
  const double there = clock.segments();
  for (int round = 0; round < 10; ++round) clock.round_trip();
  EXPECT_NEAR(clock.segments() - there, 10, 0.4);
}

// Between a loss at W and the next one, Reno's window is W/2 to W, a segment each round trip.
TEST(CubicGrowth, R_9438_4_3_WEST_TheAverageWindowOverManyLossesIsRenos) {
  Clock clock(30, 1ms);
  clock.lose();
  double sum = 0;
  int rounds = 0;
  for (int loss = 0; loss < 20; ++loss) {
    // Every 336 segments: for Reno a window from 14 to 28, 21 on average.
    double sent = 0;
    while (sent < 336) {
      const double before = clock.segments();
      clock.round_trip();
      sent += before;
      if (loss >= 10) {
        sum += before;
        ++rounds;
      }
    }
    clock.lose();
  }
  EXPECT_NEAR(sum / rounds, 21, 2.5);
}

// --- Losses ---

TEST(CubicLosses, R_9438_4_6_BETA_SevenTenthsTwoSegmentsAtLeast) {
  Clock loss(100);
  loss.lose(100);
  EXPECT_EQ(loss.ssthresh_segments(), 70);
  EXPECT_EQ(loss.segments(), 70);
  for (const std::uint64_t flight : {2U, 1U}) {
    Clock small(flight);
    small.lose(flight);
    EXPECT_EQ(small.ssthresh_segments(), 2);
    EXPECT_EQ(small.segments(), 2);
  }
  Clock mark(100);
  mark.mark(100);
  EXPECT_EQ(mark.segments(), 70);
  EXPECT_EQ(mark.ssthresh_segments(), 70);
  Clock two(2);
  two.mark(2);
  EXPECT_EQ(two.segments(), 1.4);
  EXPECT_EQ(two.ssthresh_segments(), 2);
  Clock one(1);
  one.mark(1);
  EXPECT_EQ(one.segments(), 1);
  EXPECT_EQ(one.ssthresh_segments(), 2);
}

TEST(CubicLosses, R_9438_4_7_FASTCONV_ASecondLossBelowTheFirst) {
  Clock clock(100);
  clock.lose();
  EXPECT_EQ(clock.controller.w_max_octets(), 100U * kSmss);
  clock.controller.set_window(80 * kSmss, 80 * kSmss);
  clock.lose();
  EXPECT_EQ(clock.controller.w_max_octets(), 68U * kSmss);
  clock.controller.set_window(68 * kSmss, 68 * kSmss);
  clock.lose();
  EXPECT_EQ(clock.controller.w_max_octets(), 68U * kSmss) << "equal is not below";
}

TEST(CubicLosses, R_9438_4_8_RTO_SlowStartToSevenTenthsAndACurveFromThere) {
  Clock clock(100);
  clock.time_out();
  EXPECT_EQ(clock.segments(), 1);
  EXPECT_EQ(clock.ssthresh_segments(), 70);
  while (clock.segments() < 70) clock.ack();
  EXPECT_EQ(clock.segments(), 70);
  clock.ack();
  EXPECT_EQ(clock.controller.k(), Duration{0});
  EXPECT_EQ(clock.controller.w_max_octets(), 70U * kSmss);
  EXPECT_NEAR(static_cast<double>(clock.controller.w_est_octets()), 70 * kSmss, kSmss);
  clock.run(5s);  // 0.4 * 5^3 more
  EXPECT_NEAR(clock.segments(), 70 + 50, 5);
}

TEST(CubicLosses, R_9438_4_9_UNDO_EverythingIsBack) {
  Clock clock(1000);
  clock.lose();
  clock.run(4s);
  Cubic& cubic = clock.controller;
  const auto values = [&] {
    return std::vector<std::uint64_t>{cubic.cwnd_octets(),
                                      cubic.ssthresh_octets(),
                                      cubic.w_max_octets(),
                                      cubic.w_est_octets(),
                                      static_cast<std::uint64_t>(cubic.k().count()),
                                      static_cast<std::uint64_t>(cubic.t().count())};
  };
  const auto before = values();
  clock.lose();
  EXPECT_NE(values(), before);
  cubic.on_spurious_recovery(clock.now);
  EXPECT_EQ(values(), before);
  clock.time_out();
  cubic.on_spurious_recovery(clock.now);
  EXPECT_EQ(values(), before);
  // Only if the window is still lower.
  clock.lose();
  cubic.set_window(2000 * kSmss, 2000 * kSmss);
  cubic.on_spurious_recovery(clock.now);
  EXPECT_EQ(cubic.cwnd_octets(), 2000U * kSmss);
}

// --- Slow start ---

TEST(CubicSlowStart, R_9438_4_10_SS_DelayEndsItAndACurveBeginsThere) {
  Clock clock(20, 80ms, true);
  clock.round_trip();
  EXPECT_EQ(clock.segments(), 40);
  clock.rtt = 100ms;
  for (int round = 0; round < 12 && clock.segments() < clock.ssthresh_segments(); ++round) {
    clock.round_trip();
  }
  EXPECT_EQ(clock.ssthresh_segments(),
            static_cast<double>(clock.controller.w_max_octets()) / kSmss);
  EXPECT_LT(clock.ssthresh_segments(), 1000);
  EXPECT_EQ(clock.controller.k(), Duration{0});
  EXPECT_GE(clock.segments(), clock.ssthresh_segments());
  // Alpha is 1 from the beginning, for there was no loss: a segment in a round trip.
  const double before = clock.segments();
  clock.round_trip();
  EXPECT_NEAR(clock.segments(), before + 1, 0.2);
}

// --- On the wire ---

class CubicOnTheWire : public EcnPath {
 protected:
  void configure_cubic(std::uint8_t initial_window_segments) {
    tcp.congestion_control = CongestionAlgorithm::Cubic;
    tcp.initial_window_segments = initial_window_segments;
    rebuild(tcp);
    peer_wscale = 7;
    peer_window = 65535;
  }
  void begin(std::uint8_t initial_window_segments, std::uint32_t more = 300) {
    configure_cubic(initial_window_segments);
    open();
    ASSERT_TRUE(write_octets((initial_window_segments + more) * kMss));
    ASSERT_EQ(sent_segments().size(), initial_window_segments);
    advance(kRoundTrip);
  }
  // Everything in flight is acknowledged, segment by segment, and as much is written.
  void round_trip(Duration rtt = kRoundTrip) {
    advance(rtt);
    for (std::uint64_t left = in_flight_segments(); left > 0; --left) {
      acknowledge(++una);
      ASSERT_TRUE(write_octets(kMss));
    }
    forget_sent();
  }
  // Segment `una` was lost and is repaired, which takes a round trip.
  void lose_and_repair() {
    const std::uint32_t end = una + static_cast<std::uint32_t>(in_flight_segments());
    acknowledge(una, {{una + 1, una + 4}});
    ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
    acknowledge(una, {{una + 1, end}});
    advance(kRoundTrip);
    una = end + static_cast<std::uint32_t>(in_flight_segments()) - 1;
    acknowledge(una);
    ASSERT_EQ(info().recovery_phase, RecoveryPhase::Open);
    forget_sent();
  }
  [[nodiscard]] double window() const {
    return static_cast<double>(info().congestion_window_octets) / kMss;
  }

  TcpConfig tcp;
  std::uint32_t una = 0;
};

TEST_F(CubicOnTheWire, R_9438_4_6_BETA_TheThirdDuplicateAck) {
  begin(100);
  acknowledge(0, {{1, 2}});
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(cwnd_segments(), 100U);
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(ssthresh_segments(), 70U);
  EXPECT_EQ(info().slow_start_threshold_octets, 70U * kMss);
}

TEST_F(CubicOnTheWire, R_9438_4_6_BETA_TwoInFlightLeaveTwo) {
  begin(2, 0);
  acknowledge(0, {{1, 2}});
  advance(kRoundTrip);
  EXPECT_EQ(info().slow_start_threshold_octets, 2U * kMss);
}

TEST_F(CubicOnTheWire, R_9438_4_6_BETA_MarksToo) {
  tcp.ecn = EcnMode::Classic;
  configure_cubic(40);
  open_classic_and_send(80);
  ASSERT_EQ(in_flight_segments(), 40U);
  advance(kRoundTrip);
  send(acknowledgment(1).ecn_bits(0b001));
  EXPECT_EQ(info().slow_start_threshold_octets, 28U * kMss);
  EXPECT_EQ(cwnd_segments(), 28U);
}

TEST_F(CubicOnTheWire, R_9438_4_6_ECN1_AtOneSegmentAMarkWaitsForTheTimer) {
  tcp.ecn = EcnMode::Classic;
  tcp.rto_minimum = 1s;
  configure_cubic(1);
  open_classic_and_send(3);
  ASSERT_EQ(cwnd_segments(), 1U);
  advance(kRoundTrip);
  send(acknowledgment(1).ecn_bits(0b001));
  EXPECT_EQ(cwnd_segments(), 1U);
  const Duration rto = info().retransmission_timeout;
  advance(rto - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(at(1))));
}

TEST_F(CubicOnTheWire, R_9438_4_2_APPLIM_AMinuteOfSilenceIsNoTime) {
  tcp.idle_restart = IdleRestart::Rfc7661;  // keeps the window over it
  begin(100);
  lose_and_repair();
  for (int i = 0; i < 20; ++i) round_trip();  // 2 s of the curve: far from W_max
  // What is written is acknowledged, and then there is nothing to send for a minute.
  while (in_flight_segments() > 0) {
    advance(kRoundTrip);
    una += static_cast<std::uint32_t>(in_flight_segments());
    acknowledge(una);
  }
  const double before = window();
  ASSERT_LT(before, 100);
  advance(60s);
  ASSERT_TRUE(write_octets(300 * kMss));
  ASSERT_GE(in_flight_segments(), 60U);
  round_trip();
  EXPECT_LT(window(), before + 8) << "by 2 s + 60 s the curve is at 77,000";
  EXPECT_GE(window(), before);
}

TEST_F(CubicOnTheWire, R_9438_4_2_APPLIM_NeitherIsAMinuteOfLittleToSend) {
  tcp.idle_restart = IdleRestart::Rfc7661;
  begin(100);
  lose_and_repair();
  for (int i = 0; i < 10; ++i) round_trip();
  while (in_flight_segments() > 0) {
    advance(kRoundTrip);
    una += static_cast<std::uint32_t>(in_flight_segments());
    acknowledge(una);
  }
  const double before = window();
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(write_octets(5 * kMss));
    round_trip();
    una += static_cast<std::uint32_t>(in_flight_segments());
    acknowledge(una);
    ASSERT_EQ(window(), before) << i;
  }
}

TEST_F(CubicOnTheWire, R_9438_4_6_CWNDUSE_AWindowThatIsNotUsedDoesNotGrow) {
  configure_cubic(10);
  open();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(write_octets(15 * kMss));
    while (in_flight_segments() > 0) {
      advance(kRoundTrip);
      for (std::uint64_t left = in_flight_segments(); left > 0; --left) acknowledge(++una);
    }
    EXPECT_LE(window(), 2 * 15) << i;
  }
}

TEST_F(CubicOnTheWire, R_9438_4_8_RTO_OneSegmentAndSevenTenths) {
  begin(100);
  while (info().retransmission_timeouts == 0) advance(100ms);
  EXPECT_EQ(cwnd_segments(), 1U);
  EXPECT_EQ(ssthresh_segments(), 70U);
}

TEST_F(CubicOnTheWire, R_9438_4_9_UNDO_ADsackAfterAFastRetransmit) {
  begin(100, 0);
  const std::uint64_t ssthresh = info().slow_start_threshold_octets;
  acknowledge(0, {{1, 4}});
  ASSERT_EQ(sent_segments(), Indices{0});
  ASSERT_EQ(ssthresh_segments(), 70U);
  acknowledge(100);
  acknowledge(100, {{0, 1}});  // it was there twice
  EXPECT_GE(cwnd_segments(), 100U);
  EXPECT_EQ(info().slow_start_threshold_octets, ssthresh);
  EXPECT_EQ(info().spurious_recoveries, 1U);
}

// --- Any controller ---

TEST_F(CubicOnTheWire, R_9293_MAY_18_ChosenForOneConnectionTheLimitsHold) {
  open();
  ASSERT_EQ(info().congestion_control, CongestionAlgorithm::NewReno);
  ASSERT_TRUE(stack().set_congestion_control(id(), CongestionAlgorithm::Cubic));
  EXPECT_EQ(info().congestion_control, CongestionAlgorithm::Cubic);
  EXPECT_EQ(cwnd_segments(), 10U) << "with the window that there was";

  TcpConfig chosen;
  chosen.congestion_control = CongestionAlgorithm::Cubic;
  EXPECT_TRUE(try_connect(kPeer, {.local = {}, .tcp = chosen}));
  EXPECT_TRUE(stack().listen({kLocal.address, 4321}, {.tcp = chosen}));

  // RFC 5681 section 3: a segment for each acknowledged one in slow start, at most the window in
  // flight, at most half as much and two segments more after a loss, one segment after a timeout.
  begin(20);
  for (int i = 1; i <= 20; ++i) {
    acknowledge(++una);
    EXPECT_LE(cwnd_segments(), 20U + static_cast<std::uint64_t>(i));
    EXPECT_LE(info().in_flight_octets, info().congestion_window_octets);
  }
  const std::uint64_t flight = in_flight_segments();
  acknowledge(una, {{una + 1, una + 4}});
  EXPECT_LE(ssthresh_segments(), flight * 7 / 10);
  EXPECT_GE(ssthresh_segments(), 2U);
  while (info().retransmission_timeouts == 0) advance(100ms);
  EXPECT_LE(cwnd_segments(), 1U);
}

// Figure 1 of RFC 9937: of 20 segments the first is lost. ssthresh is 14, so seven segments leave
// for ten that are delivered.
TEST_F(CubicOnTheWire, R_9937_5_RACK_SevenSegmentsForTenAcksUntilSsthreshIsReached) {
  begin(20);
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(sent_segments(), Indices{20});
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(sent_segments(), Indices{21});
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(sent_segments(), Indices{0});
  EXPECT_EQ(ssthresh_segments(), 14U);
  std::uint32_t next = 22;
  // RecoverFS is 22 - 3 + 1 = 20.
  for (std::uint32_t delivered = 2; delivered <= 11; ++delivered) {
    acknowledge(0, {{1, 3 + delivered}});
    const std::uint32_t out = 1 + next - 22;
    const bool sends = delivered * 7 >= (out + 1) * 10;
    EXPECT_EQ(sent_segments(), sends ? Indices{next} : Indices{}) << delivered;
    if (sends) ++next;
  }
  EXPECT_EQ(next, 22U + 6U);
  advance(kRoundTrip);
  acknowledge(28);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(cwnd_segments(), 14U);
}

}  // namespace
}  // namespace runnel::test
