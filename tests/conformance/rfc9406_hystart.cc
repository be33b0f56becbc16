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
    EXPECT_LE(clock.segments(), before * 0.7 + 0.001) << "it is answered as ever";
    EXPECT_LE(clock.ssthresh_segments(), before * 0.7 + 0.001);
  }
}

TEST(HyStartInControllers, R_9406_4_2_LOSS_AMarkEndsItAsALossDoes) {
  expect_end_by_congestion<tcp::NewReno>();
  expect_end_by_congestion<tcp::Cubic>();
}

template <typename Controller>
void expect_no_second_time() {
  AckClock<Controller> clock(200, 80ms, true);
  clock.time_out();
  double before = clock.segments();
  while (before < clock.ssthresh_segments()) {
    clock.rtt += 30ms;
    clock.round_trip();
    EXPECT_GE(clock.segments(), std::min(2 * before, clock.ssthresh_segments()));
    EXPECT_NE(clock.controller.phase(), "ConservativeSlowStart");
    before = clock.segments();
  }
  EXPECT_GE(clock.segments(), 100);
}

TEST(HyStartInControllers, R_9406_4_3_INITIAL__R_9406_4_2_LOSS_NotInALaterSlowStart) {
  expect_no_second_time<tcp::NewReno>();
  expect_no_second_time<tcp::Cubic>();
}

// --- On the wire ---

class HyStartOnTheWire : public SackPath {
 protected:
  void begin(bool is_paced = false) {
    TcpConfig tcp;
    make_plain(tcp);
    tcp.hystart = true;
    tcp.pacing = is_paced;
    keep_defaults = true;
    rebuild(tcp);
    peer_wscale = 7;
    open(80ms);
    ASSERT_TRUE(write_octets(300 * kMss));
    forget_sent();
  }
  // By how many octets the window grows for one ACK of so many segments. As much is written.
  std::uint64_t growth(std::uint32_t segments = 1) {
    const std::uint64_t before = info().congestion_window_octets;
    acknowledge(una += segments);
    EXPECT_TRUE(write_octets(segments * kMss));
    return info().congestion_window_octets - before;
  }
  // Everything in flight is acknowledged after `rtt`, a segment with each ACK.
  void round_trip(Duration rtt) {
    advance(rtt);
    for (std::uint64_t left = in_flight_segments(); left > 0; --left) (void)growth();
  }
  // Round trips of 80 ms, one of 91 ms, and as much of another as it takes: the last segments of a
  // flight leave when the next round has begun, so that each round sees two kinds of them.
  void enter_conservative_slow_start() {
    begin();
    round_trip(80ms);
    round_trip(80ms);
    ASSERT_EQ(cwnd_segments(), 40U);
    round_trip(91ms);
    ASSERT_EQ(cwnd_segments(), 80U);
    advance(91ms);
    flight_end = una + static_cast<std::uint32_t>(in_flight_segments());
    int acks = 0;
    while (growth() == kMss && acks < 10) ++acks;
    EXPECT_LE(acks, 8);
    EXPECT_EQ(info().slow_start_threshold_octets, UINT64_MAX);
  }
  // What enter_conservative_slow_start() has left of the flight.
  void finish_flight() {
    while (una < flight_end) (void)growth();
  }
  std::uint32_t una = 0;
  std::uint32_t flight_end = 0;
};

TEST_F(HyStartOnTheWire, R_9406_4_2_GROW_AnAckOfTenSegmentsCountsForEight) {
  begin();
  advance(80ms);
  EXPECT_EQ(growth(10), 8 * kMss);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_GROW_ForTenWherePaced) {
  begin(true);
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
  finish_flight();
  round_trip(91ms);
  advance(91ms);
  ASSERT_EQ(growth(), kMss / 4);
  round_trip(0ms);  // of what has left just now
  EXPECT_EQ(growth(), kMss);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_ROUNDS_FiveLongRoundsAndCongestionAvoidance) {
  enter_conservative_slow_start();
  finish_flight();
  int round = 1;
  while (info().slow_start_threshold_octets == UINT64_MAX && round < 10) {
    round_trip(91ms);
    ++round;
  }
  EXPECT_EQ(round, 5);
  const std::uint64_t before = cwnd_segments();
  round_trip(91ms);
  EXPECT_LE(cwnd_segments(), before + 1);
}

TEST_F(HyStartOnTheWire, R_9406_4_2_LOSS_TheThirdDuplicateAckIsAnsweredAsEver) {
  enter_conservative_slow_start();
  const std::uint64_t flight = in_flight_segments();
  acknowledge(una, {{una + 1, una + 2}});
  acknowledge(una, {{una + 1, una + 3}});
  EXPECT_EQ(info().slow_start_threshold_octets, UINT64_MAX);
  acknowledge(una, {{una + 1, una + 4}});
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  EXPECT_NEAR(static_cast<double>(ssthresh_segments()), static_cast<double>(flight) / 2, 1);
}

}  // namespace
}  // namespace runnel::test
