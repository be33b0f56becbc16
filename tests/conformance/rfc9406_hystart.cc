// HyStart++, RFC 9406: by itself, and what a peer sees of it.
//
// On the wire segments have 1,460 octets, and the initial window is ten. ACKs are counted from the
// first of a flight; a round has one ACK less than the window has segments, because the last
// segment of a flight leaves after the round has begun.
#include "stack/tcp/congestion/hystart.h"

#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/new_reno.h"
#include "tests/support/ack_clock.h"
#include "tests/support/plain_config.h"
#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

using tcp::HyStart;
using wire::SeqNum;
using Phase = HyStart::Phase;

constexpr std::uint32_t kSmss = 1000;

// Twenty segments in flight all the time: rounds of as many ACKs.
class HyStartVectors : public ::testing::Test {
 protected:
  // Returns whether slow start ends with one of them.
  bool acks(int count, Duration rtt) {
    bool ends = false;
    for (int i = 0; i < count; ++i) {
      una_ += kSmss;
      ends = hystart.on_ack(SeqNum{una_}, SeqNum{una_ + 20 * kSmss}, rtt) || ends;
    }
    return ends;
  }
  void round(Duration rtt) { (void)acks(20, rtt); }
  void begin() { (void)acks(1, 500ms); }  // the first round is this ACK, and what it leaves

  HyStart hystart{true};

 private:
  std::uint32_t una_ = 0xffff0000;
};

TEST_F(HyStartVectors, R_9406_4_2_ROUND_OneMoreExactlyWhenTheEndOfTheWindowIsAcknowledged) {
  (void)hystart.on_ack(SeqNum{1'000}, SeqNum{10'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 1U);
  (void)hystart.on_ack(SeqNum{9'999}, SeqNum{18'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 1U);
  (void)hystart.on_ack(SeqNum{10'000}, SeqNum{20'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 2U);
  (void)hystart.on_ack(SeqNum{19'999}, SeqNum{30'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 2U);
  (void)hystart.on_ack(SeqNum{20'001}, SeqNum{40'000}, 50ms);
  EXPECT_EQ(hystart.rounds(), 3U);
}

TEST_F(HyStartVectors, R_9406_4_2_ROUND_EachHasAMinimumOfItsOwnAndIsComparedWithTheLast) {
  begin();
  round(80ms);
  round(86ms);  // less than 10 ms more than the last
  round(95ms);  // 9 ms more, although 15 ms more than the first
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
  round(80ms);
  round(92ms);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
}

TEST_F(HyStartVectors, R_9406_4_2_GROW_AsMuchAsWasAcknowledgedEightSegmentsUnpaced) {
  EXPECT_EQ(hystart.growth(10 * kSmss, kSmss, false), 8U * kSmss);
  EXPECT_EQ(hystart.growth(10 * kSmss, kSmss, true), 10U * kSmss);
  EXPECT_EQ(hystart.growth(3 * kSmss + 1, kSmss, false), 3U * kSmss + 1);
}

TEST_F(HyStartVectors, R_9406_4_2_EXIT_EightSamplesAnEighthLonger) {
  begin();
  round(80ms);
  (void)acks(7, 91ms);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
  (void)acks(1, 91ms);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
}

TEST_F(HyStartVectors, R_9406_4_2_EXIT_AtTheThresholdButNotBelow) {
  for (const Duration rtt : {90ms - 1ns, 90ms - 0ns}) {
    hystart = HyStart(true);
    begin();
    round(80ms);
    round(rtt);
    EXPECT_EQ(hystart.phase(), rtt < 90ms ? Phase::SlowStart : Phase::ConservativeSlowStart);
  }
}

TEST_F(HyStartVectors, R_9406_4_2_CSS_AQuarterOfTheGrowth) {
  begin();
  round(80ms);
  round(91ms);
  EXPECT_EQ(hystart.growth(8 * kSmss, kSmss, false), 2U * kSmss);
  EXPECT_EQ(hystart.growth(20 * kSmss, kSmss, false), 2U * kSmss);
  EXPECT_EQ(hystart.growth(20 * kSmss, kSmss, true), 5U * kSmss);
}

TEST_F(HyStartVectors, R_9406_4_2_RESUME_EightSamplesBelowTheBaseline) {
  begin();
  round(80ms);
  round(91ms);
  round(91ms);
  ASSERT_EQ(hystart.phase(), Phase::ConservativeSlowStart) << "equal is not below";
  (void)acks(7, 91ms - 1ns);
  EXPECT_EQ(hystart.phase(), Phase::ConservativeSlowStart);
  (void)acks(1, 91ms - 1ns);
  EXPECT_EQ(hystart.phase(), Phase::SlowStart);
  EXPECT_EQ(hystart.growth(8 * kSmss, kSmss, false), 8U * kSmss);
}

TEST_F(HyStartVectors, R_9406_4_2_ROUNDS_FiveWithThePartOfTheFirst) {
  begin();
  round(80ms);
  EXPECT_FALSE(acks(20, 91ms));  // conservative from the eighth on
  EXPECT_FALSE(acks(60, 91ms));
  EXPECT_FALSE(acks(19, 91ms));
  EXPECT_TRUE(acks(1, 91ms));
  EXPECT_TRUE(hystart.is_over());
}

TEST_F(HyStartVectors, R_9406_4_3_CONST_TheThresholdsComeOut) {
  EXPECT_EQ(HyStart::kCssGrowthDivisor, 4U);
  struct Case {
    Duration rtt;
    Duration threshold;
  };
  for (const Case& c : {Case{20ms, 4ms}, Case{80ms, 10ms}, Case{400ms, 16ms}}) {
    for (const Duration less : {1ns, 0ns}) {
      hystart = HyStart(true);
      begin();
      round(c.rtt);
      round(c.rtt + c.threshold - less);
      EXPECT_EQ(hystart.phase() == Phase::ConservativeSlowStart, less == 0ns)
          << std::chrono::duration_cast<std::chrono::milliseconds>(c.rtt).count() << " ms";
    }
  }
}

// --- In the controllers ---

// A round trip of 80 ms, and then as many ACKs of 100 ms as it takes.
template <typename Controller>
AckClock<Controller> in_conservative_slow_start() {
  AckClock<Controller> clock(20, 80ms, true);
  clock.round_trip();
  clock.rtt = 100ms;
  while (clock.controller.phase() == "SlowStart") clock.ack();
  EXPECT_EQ(clock.controller.phase(), "ConservativeSlowStart");
  return clock;
}

template <typename Controller>
void expect_threshold_at_the_window() {
  auto clock = in_conservative_slow_start<Controller>();
  while (clock.controller.phase() == "ConservativeSlowStart") clock.ack();
  EXPECT_EQ(clock.controller.phase(), "CongestionAvoidance");
  EXPECT_EQ(clock.segments(), clock.ssthresh_segments());
  const double before = clock.segments();
  clock.round_trip();
  EXPECT_NEAR(clock.segments(), before + 1, 1) << "a segment in a round trip";
}

TEST(HyStartInControllers, R_9406_4_2_ROUNDS_TheThresholdIsTheWindowThen) {
  expect_threshold_at_the_window<tcp::NewReno>();
  expect_threshold_at_the_window<tcp::Cubic>();
}

template <typename Controller>
void expect_end_by_congestion() {
  for (const bool is_mark : {false, true}) {
    auto clock = in_conservative_slow_start<Controller>();
    const double before = clock.segments();
    if (is_mark) {
      clock.mark();
    } else {
      clock.lose();
    }
    EXPECT_EQ(clock.controller.phase(), "CongestionAvoidance");
    EXPECT_LE(clock.segments(), before * 0.7) << "it is answered as ever";
    EXPECT_LE(clock.ssthresh_segments(), before * 0.7);
  }
}

TEST(HyStartInControllers, R_9406_4_2_LOSS_AMarkEndsItAsALossDoes) {
  expect_end_by_congestion<tcp::NewReno>();
  expect_end_by_congestion<tcp::Cubic>();
}

// --- On the wire ---

class HyStartOnTheWire : public SackPath {
 protected:
  void begin() {
    TcpConfig tcp;
    make_plain(tcp);
    tcp.hystart = true;
    keep_defaults = true;
    rebuild(tcp);
    peer_wscale = 7;
    open(80ms);
    ASSERT_TRUE(write_octets(600 * kMss));
    forget_sent();
  }
  // Everything in flight is acknowledged after `rtt`, a segment with each ACK.
  void round_trip(Duration rtt) {
    advance(rtt);
    for (std::uint64_t left = in_flight_segments(); left > 0; --left) acknowledge(++una);
  }
  // By how many octets the window grows for one ACK of so many segments.
  std::uint64_t growth(std::uint32_t segments) {
    const std::uint64_t before = info().congestion_window_octets;
    acknowledge(una += segments);
    return info().congestion_window_octets - before;
  }
  // Two round trips of 80 ms, and as much of a third as it takes.
  void enter_conservative_slow_start() {
    begin();
    round_trip(80ms);
    round_trip(80ms);
    ASSERT_EQ(cwnd_segments(), 40U);
    advance(91ms);
    for (int i = 0; i < 8; ++i) acknowledge(++una);
  }
  std::uint32_t una = 0;
};

TEST_F(HyStartOnTheWire, R_9406_4_2_GROW_AnAckOfTenSegmentsCountsForEight) {
  begin();
  advance(80ms);
  EXPECT_EQ(growth(10), 8 * kMss);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_GROW_ForTenWherePaced) {
  begin();
  TcpConfig tcp;
  make_plain(tcp);
  tcp.hystart = true;
  tcp.pacing = true;
  rebuild(tcp);
  open(80ms);
  ASSERT_TRUE(write_octets(100 * kMss));
  advance(80ms);
  ASSERT_EQ(in_flight_segments(), 10U);
  EXPECT_EQ(growth(10), 10 * kMss);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_EXIT__R_9406_4_2_CSS_ItGrowsByAQuarterFromThere) {
  enter_conservative_slow_start();
  EXPECT_EQ(growth(1), kMss / 4);
  EXPECT_EQ(growth(8), 2 * kMss);
  EXPECT_EQ(growth(12), 2 * kMss);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_RESUME_ShorterRoundTripsSetItFree) {
  enter_conservative_slow_start();
  round_trip(0ms);  // the rest of the flight; less than the baseline follows
  advance(85ms);
  for (int i = 0; i < 8; ++i) acknowledge(++una);
  EXPECT_EQ(growth(1), kMss);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_ROUNDS_FiveLongRoundsAndCongestionAvoidance) {
  enter_conservative_slow_start();
  round_trip(0ms);
  for (int round = 2; round <= 5; ++round) {
    EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U) << round;
    round_trip(91ms);
  }
  EXPECT_LE(info().slow_start_threshold_octets, info().congestion_window_octets);
  const std::uint64_t before = cwnd_segments();
  round_trip(91ms);
  EXPECT_LE(cwnd_segments(), before + 1);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_LOSS__R_9406_4_3_INITIAL_ALossEndsItForGood) {
  enter_conservative_slow_start();
  const std::uint64_t flight = in_flight_segments();
  acknowledge(una, {{una + 1, una + 2}});
  acknowledge(una, {{una + 1, una + 3}});
  acknowledge(una, {{una + 1, una + 4}});
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  EXPECT_NEAR(static_cast<double>(ssthresh_segments()), static_cast<double>(flight) / 2, 1);

  // A timeout, and another slow start, in which delay grows by 50 ms each time.
  while (info().retransmission_timeouts == 0) advance(100ms);
  ASSERT_EQ(cwnd_segments(), 1U);
  const std::uint64_t ssthresh = ssthresh_segments();
  ASSERT_GE(ssthresh, 10U);
  Duration rtt = 100ms;
  while (cwnd_segments() < ssthresh) {
    const std::uint64_t cwnd = cwnd_segments();
    advance(rtt);
    rtt += 50ms;
    for (std::uint64_t left = in_flight_segments(); left > 0; --left) acknowledge(++una);
    EXPECT_GE(cwnd_segments(), std::min(2 * cwnd, ssthresh)) << "as fast as ever";
  }
}

}  // namespace
}  // namespace runnel::test
