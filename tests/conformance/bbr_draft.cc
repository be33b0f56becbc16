// BBRv3: the rows of draft-ietf-ccwg-bbr-06. What is about the controller alone runs over a path of
// its own (tests/support/bbr_path.h); what is about connections is in bbr_connection.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/support/bbr_path.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;
using tcp::bbr::kInfinity;
using tcp::bbr::Percent;

constexpr std::uint32_t kSmss = 1500;
constexpr std::uint64_t kRate = 12'500'000;  // octets a second: 100 Mbit/s

// As the draft has it, but for the "State::" of TCP.
using BbrState = tcp::bbr::State;

BbrPath::Options path_of(std::uint64_t bits_per_second, Duration round_trip,
                         std::uint64_t queue_percent_of_bdp = 1'000'000) {
  BbrPath::Options options;
  options.bits_per_second = bits_per_second;
  options.round_trip = round_trip;
  options.queue_octets = BbrPath(options).bdp_octets() * queue_percent_of_bdp / 100;
  return options;
}

// --- Pacing
// ----------------------------------------------------------------------------------------

TEST(BbrPacing, R_BBR_PACING_WithoutARoundTripBeginsWithOneOfAMillisecond) {
  tcp::CongestionParameters parameters;
  parameters.smss_octets = 1460;
  parameters.initial_window_octets = 14600;
  tcp::Bbr bbr(parameters);
  EXPECT_EQ(bbr.pacing_rate(), 14'600'000U * 277 / 100);
  // The first measured round trip takes its place.
  tcp::AckEvent event;
  event.smoothed_rtt = 10ms;
  event.newly_delivered_octets = event.newly_acked_octets = event.delivered_octets = 1460;
  event.now = Instant(1s);
  bbr.on_ack(event);
  EXPECT_EQ(bbr.pacing_rate(), 1'460'000U * 277 / 100);
}

TEST(BbrPacing, R_BBR_PACING_IsGainTimesBandwidthLessOnePercent) {
  BbrPath path(path_of(100'000'000, 40ms));
  path.observe = [&] {
    if (!path.variables().full_bw_reached) return;
    const std::uint64_t rate = path.variables().bw * path.variables().pacing_gain.value / 100;
    EXPECT_NEAR(static_cast<double>(*path.controller().pacing_rate()),
                static_cast<double>(rate) * 0.99, 2);
  };
  path.run_for(10s);
}

// --- Startup and Drain ---------------------------------------------------------------------------

TEST(BbrStartup, R_BBR_STARTUP_DoublesTheDeliveryRateEachRoundUntilThePipeIsFull) {
  BbrPath path(path_of(10'000'000, 40ms));
  EXPECT_EQ(path.variables().pacing_gain.value, 277U);
  EXPECT_EQ(path.variables().cwnd_gain.value, 200U);
  constexpr std::uint64_t kTenMegabit = 1'250'000;
  std::vector<std::uint64_t> rates;
  std::uint64_t extra = 0;
  path.observe = [&] {
    if (path.variables().round_start) rates.push_back(path.last_sample().octets_per_second);
    if (path.variables().state == BbrState::Startup) {
      // The window does not shrink in Startup, but what was added for aggregation is forgotten.
      extra = std::max(extra, path.variables().extra_acked);
      const std::uint64_t slack = extra + 6 * kSmss;
      EXPECT_LE(path.controller().cwnd_octets(), 2 * path.bdp_octets() + slack);
    }
  };
  ASSERT_TRUE(path.run_to(BbrState::Drain, 5s));
  EXPECT_GT(path.variables().max_bw, kTenMegabit * 98 / 100);
  // From one packet, by way of the initial window: as many rounds as doublings, and three.
  EXPECT_LE(path.variables().round_count, 1 + 3 + 3 + 1);
  for (std::size_t i = 3; i < rates.size() && rates[i] < kTenMegabit * 9 / 10; ++i) {
    EXPECT_GE(rates[i], rates[i - 1] * 18 / 10) << "round " << i;
  }
}

TEST(BbrStartup, R_BBR_PLATEAU_ThreeRoundsWithLessThanAQuarterMore) {
  BbrPath path(path_of(100'000'000, 40ms));
  std::vector<std::uint64_t> rates;
  path.observe = [&] {
    if (path.variables().round_start) rates.push_back(path.last_sample().octets_per_second);
  };
  ASSERT_TRUE(path.run_to(BbrState::Drain, 5s));
  ASSERT_GE(rates.size(), 5U);
  const std::vector<std::uint64_t> last(rates.end() - 4, rates.end());
  for (std::size_t i = 1; i < last.size(); ++i) EXPECT_LT(last[i], last[0] * 5 / 4);
  EXPECT_GE(last[0], rates[rates.size() - 5] * 5 / 4) << "the fourth of them was one of growth";
  EXPECT_TRUE(path.variables().full_bw_reached);
}

TEST(BbrStartup, R_BBR_PLATEAU_RoundsOfASilentApplicationDoNotCount) {
  BbrPath path(path_of(100'000'000, 40ms));
  path.application_rate = kRate / 10;
  path.run_for(4s);
  EXPECT_GT(path.variables().round_count, 50U);
  EXPECT_EQ(path.variables().state, BbrState::Startup);
  EXPECT_LT(path.variables().full_bw_count, 3U);
}

// A path that is wide enough for Startup to go on; then `lost` of every hundred packets are lost in
// one round trip, in so many places.
void lose_in_startup(BbrPath& path, std::uint64_t percent, std::uint64_t places) {
  path.application_rate = kRate / 4;  // so that nothing but losses ends it
  path.run_for(2s);
  const std::uint64_t first = path.packets_sent();
  const std::uint64_t round = path.inflight_octets() / kSmss;
  const std::uint64_t lost = (round * percent + 99) / 100;
  path.loses = [=](std::uint64_t i) {
    if (i < first || first + 2 * round <= i) return false;
    const std::uint64_t place = (i - first) % (round / places);
    return place < (lost + places - 1) / places;
  };
}

TEST(BbrStartup, R_BBR_STARTLOSS_SixPlacesAndMoreThanTwoPercent) {
  BbrPath path(path_of(1'000'000'000, 100ms));
  lose_in_startup(path, 3, 7);
  ASSERT_EQ(path.variables().state, BbrState::Startup);
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != BbrState::Startup; }, 400ms));
  EXPECT_TRUE(path.variables().full_bw_reached);
  EXPECT_EQ(path.variables().drain_start_round, path.variables().round_count);
  // What was in flight then is known to be too much.
  EXPECT_LT(path.variables().inflight_longterm, kInfinity);
}

TEST(BbrStartup, R_BBR_STARTLOSS_OneBurstIsNotEnough) {
  for (const std::uint64_t places : {1U, 2U}) {
    BbrPath path(path_of(1'000'000'000, 100ms));
    lose_in_startup(path, 3, places);
    path.run_for(1s);
    EXPECT_GT(path.lost_octets(), 0U);
    EXPECT_EQ(path.variables().state, BbrState::Startup);
  }
}

TEST(BbrStartup, R_BBR_STARTLOSS_LessThanTwoPercentIsNotEnough) {
  BbrPath path(path_of(1'000'000'000, 100ms));
  path.application_rate = kRate;
  path.run_for(2s);
  path.loses = [](std::uint64_t i) { return i % 60 == 0; };  // 14 of 830
  path.run_for(2s);
  EXPECT_EQ(path.variables().state, BbrState::Startup);
}

TEST(BbrStartup, R_BBR_STARTLOSS_WithoutSackAnyLossIs) {
  BbrPath::Options options = path_of(100'000'000, 40ms);
  options.has_selective_acks = false;
  BbrPath path(options);
  path.application_rate = kRate / 4;
  path.run_for(1s);
  ASSERT_EQ(path.variables().state, BbrState::Startup);
  const std::uint64_t lost = path.packets_sent();
  path.loses = [=](std::uint64_t i) { return i == lost; };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != BbrState::Startup; }, 200ms));
}

TEST(BbrDrain, R_BBR_DRAIN_EndsAtABdpInFlight) {
  BbrPath path(path_of(100'000'000, 40ms));
  ASSERT_TRUE(path.run_to(BbrState::Drain, 5s));
  EXPECT_EQ(path.variables().pacing_gain.value, 50U);
  EXPECT_GT(path.inflight_octets(), path.bdp_octets() * 3 / 2);
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != BbrState::Drain; }, 1s));
  EXPECT_LE(path.inflight_octets(), path.bdp_octets() * 101 / 100);
}

TEST(BbrDrain, R_BBR_DRAIN_LeavesAfterThreeRoundsAnyway) {
  BbrPath path(path_of(100'000'000, 40ms));
  ASSERT_TRUE(path.run_to(BbrState::Drain, 5s));
  path.set_bits_per_second(30'000'000);
  const std::uint64_t began = path.variables().round_count;
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != BbrState::Drain; }, 5s));
  EXPECT_EQ(path.variables().round_count, began + 4) << "more than three";
  EXPECT_GT(path.inflight_octets(), path.bdp_octets());
}

// --- ProbeBW -------------------------------------------------------------------------------------

TEST(BbrProbeBw, R_BBR_PROBEBW_GainsOfTheFourPhasesInTheirOrder) {
  BbrPath path(path_of(100'000'000, 40ms));
  struct Phase {
    BbrState state;
    std::uint64_t pacing_gain;
    std::uint64_t cwnd_gain;
  };
  std::vector<Phase> phases;
  path.observe = [&] {
    const auto& bbr = path.variables();
    if (!phases.empty() && phases.back().state == bbr.state) return;
    phases.push_back({bbr.state, bbr.pacing_gain.value, bbr.cwnd_gain.value});
  };
  ASSERT_TRUE(path.run_to(BbrState::ProbeBwUp, 10s));
  path.run_for(1s);
  const auto up = std::find_if(phases.begin(), phases.end(), [](const Phase& phase) {
    return phase.state == BbrState::ProbeBwUp;
  });
  ASSERT_GE(up - phases.begin(), 2);
  ASSERT_GE(phases.end() - up, 3);
  const auto expect = [](const Phase& phase, BbrState state, std::uint64_t pacing_gain,
                         std::uint64_t cwnd_gain) {
    EXPECT_EQ(phase.state, state);
    EXPECT_EQ(phase.pacing_gain, pacing_gain);
    EXPECT_EQ(phase.cwnd_gain, cwnd_gain);
  };
  expect(up[-1], BbrState::ProbeBwRefill, 100, 200);
  expect(up[0], BbrState::ProbeBwUp, 125, 225);
  expect(up[1], BbrState::ProbeBwDown, 90, 200);
  expect(up[2], BbrState::ProbeBwCruise, 100, 200);
}

// The gaps between probes, in time and in rounds.
struct Gap {
  double seconds;
  std::uint64_t rounds;
};
std::vector<Gap> gaps_between_probes(BbrPath& path, Duration time) {
  std::vector<Gap> gaps;
  Instant began = path.variables().cycle_stamp;
  std::uint64_t round = 0;
  BbrState state = path.variables().state;
  path.observe = [&] {
    const BbrState before = std::exchange(state, path.variables().state);
    // The wait begins with DOWN, or behind a ProbeRTT.
    if (began != path.variables().cycle_stamp) {
      began = path.variables().cycle_stamp;
      round = path.variables().round_count;
    }
    if (state == BbrState::ProbeBwRefill && before != state) {
      gaps.push_back({std::chrono::duration<double>(path.now() - began).count(),
                      path.variables().round_count - round});
    }
  };
  path.run_for(time);
  path.observe = [] {};
  return gaps;
}

TEST(BbrProbeBw, R_BBR_PROBEWAIT_TwoToThreeSecondsOnALongPath) {
  std::vector<double> all;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    BbrPath::Options options = path_of(20'000'000, 200ms);
    options.seed = seed;
    BbrPath path(options);
    for (const Gap& gap : gaps_between_probes(path, 40s)) {
      EXPECT_GT(gap.seconds, 2);
      EXPECT_LT(gap.seconds, 3.2);
      all.push_back(gap.seconds);
    }
  }
  ASSERT_GE(all.size(), 8U);
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  EXPECT_GT(*most - *least, 0.3) << "at random";
}

TEST(BbrProbeBw, R_BBR_PROBEWAIT_62Or63RoundsOnAShortPath) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    BbrPath::Options options = path_of(100'000'000, 20ms);  // 63 rounds are 1.3 s, the BDP 166
    options.seed = seed;
    BbrPath path(options);
    for (const Gap& gap : gaps_between_probes(path, 20s)) all.push_back(gap.rounds);
  }
  ASSERT_GE(all.size(), 8U);
  for (const std::uint64_t rounds : all) EXPECT_TRUE(rounds == 62 || rounds == 63) << rounds;
  EXPECT_NE(std::count(all.begin(), all.end(), 62U), 0);
  EXPECT_NE(std::count(all.begin(), all.end(), 63U), 0);
}

TEST(BbrProbeBw, R_BBR_PROBEWAIT_AsManyRoundsAsTheBdpHasPackets) {
  BbrPath path(path_of(10'000'000, 20ms));  // 16 packets
  const auto gaps = gaps_between_probes(path, 20s);
  ASSERT_GE(gaps.size(), 8U);
  for (const Gap& gap : gaps) {
    EXPECT_GE(gap.rounds, 15U);
    EXPECT_LE(gap.rounds, 17U);
  }
}

// --- Losses --------------------------------------------------------------------------------------

// Loses one packet of `n` in a probe. Returns whether it ends by that, before a plateau is seen.
bool ends_by_losing_one_of(BbrPath& path, std::uint64_t n) {
  EXPECT_TRUE(path.run_to(BbrState::ProbeBwUp, 10s));
  const std::uint64_t first = path.packets_sent();
  path.loses = [=](std::uint64_t i) { return first <= i && i % n == 0; };
  EXPECT_TRUE(path.run_until([&] { return path.variables().state != BbrState::ProbeBwUp; }, 1s));
  return !path.variables().full_bw_now;
}

TEST(BbrLoss, R_BBR_LOSS_ThreePercentInAProbeEndItAndSetABound) {
  BbrPath path(path_of(100'000'000, 40ms));
  EXPECT_TRUE(ends_by_losing_one_of(path, 33));
  EXPECT_EQ(path.variables().state, BbrState::ProbeBwDown);
  EXPECT_TRUE(path.variables().prev_probe_too_high);
  // Not less than Beta, 0.7, of what was wanted in flight.
  EXPECT_LT(path.variables().inflight_longterm, path.bdp_octets() * 3 / 2);
  EXPECT_GE(path.variables().inflight_longterm, path.bdp_octets() * 69 / 100);
  // Headroom, 0.15 of it, is kept free while cruising.
  ASSERT_TRUE(path.run_to(BbrState::ProbeBwCruise, 2s));
  const std::uint64_t bound = path.variables().inflight_longterm;
  path.loses = [](std::uint64_t) { return false; };
  path.run_for(100ms);
  EXPECT_EQ(path.controller().inflight_with_headroom(), bound - bound * 15 / 100);
  EXPECT_LE(path.controller().cwnd_octets(), bound - bound * 15 / 100);
}

TEST(BbrLoss, R_BBR_LOSS_OnePercentInAProbeDoesNot) {
  BbrPath path(path_of(100'000'000, 40ms));
  EXPECT_FALSE(ends_by_losing_one_of(path, 100));
  EXPECT_GT(path.lost_octets(), 0U);
  EXPECT_EQ(path.variables().inflight_longterm, kInfinity);
}

TEST(BbrLoss, R_BBR_LOSS_OutsideOfAProbeTheBoundsFollowDownToBetaARound) {
  BbrPath path(path_of(100'000'000, 40ms));
  ASSERT_TRUE(path.run_to(BbrState::ProbeBwCruise, 5s));
  path.run_for(200ms);
  const std::uint64_t max_bw = path.variables().max_bw;
  path.set_bits_per_second(10'000'000);
  path.loses = [](std::uint64_t i) { return i % 10 == 0; };
  ASSERT_TRUE(path.run_until([&] { return path.variables().bw_shortterm != kInfinity; }, 1s));
  std::uint64_t before = max_bw;
  std::size_t steps = 0;
  path.observe = [&] {
    const std::uint64_t bound = path.variables().bw_shortterm;
    if (bound == before || bound == kInfinity) return;
    EXPECT_GE(bound, before * 7 / 10 - 1);
    before = bound;
    ++steps;
  };
  path.run_for(800ms);
  EXPECT_GE(steps, 2U);
  EXPECT_EQ(path.variables().bw, path.variables().bw_shortterm);
}

// --- ProbeRTT ------------------------------------------------------------------------------------

TEST(BbrProbeRtt, R_BBR_PROBERTT_HalfABdpForTwoHundredMillisecondsEveryFiveSeconds) {
  BbrPath path(path_of(100'000'000, 40ms));
  std::vector<Instant> entries;
  BbrState state = BbrState::Startup;
  path.observe = [&] {
    const BbrState before = std::exchange(state, path.variables().state);
    if (state == BbrState::ProbeRtt && before != state) entries.push_back(path.now());
    if (state != BbrState::ProbeRtt || !path.variables().probe_rtt_done_stamp) return;
    EXPECT_LE(path.inflight_octets(), path.bdp_octets() * 101 / 200);
  };
  path.run_for(30s);
  ASSERT_GE(entries.size(), 4U);
  for (std::size_t i = 1; i < entries.size(); ++i) {
    EXPECT_GT(entries[i] - entries[i - 1], 5s + 200ms);
    EXPECT_LT(entries[i] - entries[i - 1], 6s);
  }
}

TEST(BbrProbeRtt, R_BBR_PROBERTT_AShorterRoundTripPutsItOff) {
  BbrPath path(path_of(100'000'000, 40ms));
  ASSERT_TRUE(path.run_to(BbrState::ProbeBwCruise, 5s));
  for (Duration round_trip = 39ms; round_trip > 34ms; round_trip -= 1ms) {
    path.set_round_trip(round_trip);
    EXPECT_FALSE(path.run_to(BbrState::ProbeRtt, 2s));
    EXPECT_LE(path.variables().min_rtt, round_trip + 1ms);
  }
  EXPECT_TRUE(path.run_to(BbrState::ProbeRtt, 6s));
}

TEST(BbrProbeRtt, R_BBR_PROBERTT_TheMinimumIsKeptForTenSeconds) {
  BbrPath path(path_of(100'000'000, 40ms));
  ASSERT_TRUE(path.run_to(BbrState::ProbeBwCruise, 5s));
  const Duration old_minimum = path.variables().min_rtt;
  path.set_round_trip(80ms);
  const Instant stamp = path.variables().min_rtt_stamp;
  ASSERT_TRUE(path.run_until([&] { return path.variables().min_rtt != old_minimum; }, 20s));
  EXPECT_GT(path.now(), stamp + 10s);
  EXPECT_LT(path.now(), stamp + 10s + 100ms);
  EXPECT_GE(path.variables().min_rtt, 80ms);
  EXPECT_LT(path.variables().min_rtt, 90ms);
}

TEST(BbrProbeRtt, R_BBR_PROBERTT_NotLessThanFourSegmentsNorThanARound) {
  BbrPath path(path_of(200'000, 300ms));  // five packets
  ASSERT_TRUE(path.run_to(BbrState::ProbeRtt, 20s));
  ASSERT_TRUE(
      path.run_until([&] { return path.variables().probe_rtt_done_stamp.has_value(); }, 5s));
  EXPECT_EQ(path.controller().cwnd_octets(), 4 * kSmss);
  const Instant began = path.now();
  const std::uint64_t round = path.variables().round_count;
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != BbrState::ProbeRtt; }, 5s));
  EXPECT_GE(path.now() - began, 300ms);
  EXPECT_GT(path.variables().round_count, round);
}

// --- Quantum and window --------------------------------------------------------------------------

TEST(BbrQuantum, R_BBR_QUANTUM_AMillisecondButTwoSegmentsAndSixtyFourKilobytes) {
  struct Expectation {
    std::uint64_t bits_per_second;
    std::uint64_t least;
    std::uint64_t most;
  };
  // At 100 Mbit/s a millisecond is 12,500 octets, less the pacing margin.
  for (const auto& [rate, least, most] :
       {Expectation{1'000'000, 2 * kSmss, 2 * kSmss}, Expectation{100'000'000, 12'250, 12'500},
        Expectation{1'000'000'000, 65'536, 65'536}}) {
    BbrPath path(path_of(rate, 20ms));
    ASSERT_TRUE(path.run_to(BbrState::ProbeBwCruise, 30s));
    path.run_for(30ms);
    ASSERT_EQ(path.variables().state, BbrState::ProbeBwCruise);
    EXPECT_GE(path.controller().connection().send_quantum, least);
    EXPECT_LE(path.controller().connection().send_quantum, most);
  }
}

TEST(BbrWindow, R_BBR_MINCWND_FourSegmentsOutsideOfRecovery) {
  BbrPath path(path_of(1'000'000, 12ms));  // one packet
  ASSERT_LE(path.bdp_octets(), kSmss);
  path.observe = [&] { EXPECT_GE(path.controller().cwnd_octets(), 4 * kSmss); };
  path.run_for(15s);
  path.loses = [](std::uint64_t i) { return i % 10 == 0; };
  path.run_for(10s);
}

// --- Marks ---------------------------------------------------------------------------------------

TEST(BbrEcn, R_BBR_ECN_AMarkOutsideOfAProbeReducesAsALossDoes) {
  for (const bool counts : {true, false}) {
    BbrPath path(path_of(100'000'000, 40ms));
    path.counts_marks = counts;
    ASSERT_TRUE(path.run_to(BbrState::ProbeBwCruise, 5s));
    path.run_for(100ms);
    const std::uint64_t window = path.controller().cwnd_octets();
    const std::uint64_t marked = path.packets_sent();
    path.marks = [=](std::uint64_t i) { return i == marked; };
    path.run_for(150ms);
    ASSERT_EQ(path.variables().state, BbrState::ProbeBwCruise);
    EXPECT_LT(path.variables().inflight_shortterm, window * 3 / 4);
    EXPECT_LT(path.controller().cwnd_octets(), window * 3 / 4);
    EXPECT_LE(path.variables().bw_shortterm, path.variables().max_bw);
  }
}

TEST(BbrEcn, R_BBR_ECN_MarksInAProbeEndItAsLossesDo) {
  for (const bool counts : {true, false}) {
    for (const std::uint64_t n : {20U, 200U}) {
      BbrPath path(path_of(100'000'000, 40ms));
      path.counts_marks = counts;
      ASSERT_TRUE(path.run_to(BbrState::ProbeBwUp, 10s));
      path.marks = [=](std::uint64_t i) { return i % n == 0; };
      const std::uint64_t round = path.variables().round_count;
      (void)path.run_until(
          [&] {
            return path.variables().state != BbrState::ProbeBwUp ||
                   path.variables().round_count > round + 2;
          },
          1s);
      // 5 % are too many, 0.5 % are not; where marks are not counted, one is.
      const bool is_too_much = n == 20 || !counts;
      EXPECT_EQ(path.variables().prev_probe_too_high, is_too_much) << n << counts;
      EXPECT_EQ(path.variables().inflight_longterm != kInfinity, is_too_much);
    }
  }
}

TEST(BbrEcn, R_BBR_ECN_MarksEndStartup) {
  BbrPath path(path_of(1'000'000'000, 40ms));
  path.application_rate = kRate;
  path.run_for(1s);
  ASSERT_EQ(path.variables().state, BbrState::Startup);
  path.marks = [](std::uint64_t i) { return i % 20 == 0; };
  EXPECT_TRUE(path.run_until([&] { return path.variables().state != BbrState::Startup; }, 200ms));
}

}  // namespace
}  // namespace runnel::test
