// The example test cases of draft-ietf-ccwg-bbr-06, appendix A: one test each, in its order.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/support/bbr_path.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;
using tcp::bbr::kInfinity;
using tcp::bbr::Percent;
using tcp::bbr::State;

constexpr std::uint32_t kSmss = 1500;
constexpr std::uint64_t kRate = 12'500'000;  // octets a second: 100 Mbit/s

// A path with a queue of so many hundredths of its BDP.
BbrPath::Options with_queue(std::uint64_t percent_of_bdp) {
  BbrPath::Options options;
  options.queue_octets = BbrPath(options).bdp_octets() * percent_of_bdp / 100;
  return options;
}

// A probe for bandwidth has gone too high, so that there is a long-term bound.
[[nodiscard]] bool run_to_bound(BbrPath& path) {
  return path.run_until([&] { return path.variables().inflight_longterm != kInfinity; }, 20s);
}

// In one of the states of ProbeBW: DOWN may have nothing to drain.
[[nodiscard]] bool is_probing_bandwidth(const BbrPath& path) {
  return State::ProbeBwDown <= path.variables().state && path.variables().state <= State::ProbeBwUp;
}

std::function<bool(std::uint64_t)> every(std::uint64_t n) {
  return [n](std::uint64_t i) { return i % n == 0; };
}

TEST(BbrAppendixA, R_BBR_PLATEAU_A1_ExitingStartupOnBandwidthPlateau) {
  BbrPath path({});
  std::vector<std::uint32_t> counts;
  path.observe = [&] {
    const std::uint32_t count = path.variables().full_bw_count;
    if (counts.empty() || counts.back() != count) counts.push_back(count);
    if (path.variables().state == State::Startup) {
      EXPECT_FALSE(path.variables().full_bw_reached);
    }
  };
  ASSERT_EQ(path.variables().state, State::Startup);
  ASSERT_TRUE(path.run_to(State::Drain, 5s));
  EXPECT_FALSE(path.last_sample().is_app_limited);
  EXPECT_NEAR(static_cast<double>(path.variables().max_bw), kRate, 0.02 * kRate);
  ASSERT_GE(counts.size(), 4U);
  EXPECT_EQ(std::vector<std::uint32_t>(counts.end() - 4, counts.end()),
            (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(path.variables().full_bw_now);
  EXPECT_TRUE(path.variables().full_bw_reached);
}

TEST(BbrAppendixA, R_BBR_STARTLOSS_A2_ExitingStartupOnLossWhenApplicationLimited) {
  BbrPath path({});
  path.application_rate = kRate / 5;
  path.run_for(2s);
  ASSERT_EQ(path.variables().state, State::Startup);
  ASSERT_TRUE(path.last_sample().is_app_limited);
  path.loses = every(7);
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::Startup; }, 1s));
  EXPECT_TRUE(path.last_sample().is_app_limited);
  EXPECT_GT(path.last_sample().lost_octets * 50, path.last_sample().tx_in_flight_octets);
  EXPECT_LT(path.variables().full_bw_count, 3U) << "it was the loss";
  EXPECT_TRUE(path.variables().full_bw_now);
  EXPECT_TRUE(path.variables().full_bw_reached);
  // By way of Drain, which there was no queue for.
  EXPECT_EQ(path.variables().drain_start_round, path.variables().round_count);
}

TEST(BbrAppendixA, R_BBR_DRAIN_A3_ExitingDrainBasedOnInflight) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::Drain, 5s));
  EXPECT_EQ(path.variables().pacing_gain.value, 50U);
  path.observe = [&] {
    if (path.variables().state == State::Drain) {
      EXPECT_GT(path.inflight_octets(), path.controller().inflight(Percent{100}));
    }
  };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::Drain; }, 1s));
  EXPECT_LE(path.inflight_octets(), path.controller().inflight(Percent{100}));
  EXPECT_LE(path.variables().round_count, path.variables().drain_start_round + 3);
  EXPECT_TRUE(is_probing_bandwidth(path));
}

// With a tenth less the queue would still be gone in time, since Drain sends at half the rate. With
// less than the half it never is.
TEST(BbrAppendixA, R_BBR_DRAIN_A4_ExitingDrainBasedOnTime) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::Drain, 5s));
  path.set_bits_per_second(40'000'000);
  const std::uint64_t began = path.variables().drain_start_round;
  ASSERT_EQ(began, path.variables().round_count);
  path.observe = [&] {
    if (path.variables().state != State::Drain) return;
    EXPECT_LE(path.variables().round_count, began + 3);
    EXPECT_GT(path.inflight_octets(), path.controller().inflight(Percent{100}));
  };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::Drain; }, 5s));
  EXPECT_EQ(path.variables().round_count, began + 4);
  EXPECT_GT(path.inflight_octets(), path.controller().inflight(Percent{100}));
  EXPECT_TRUE(is_probing_bandwidth(path));
}

TEST(BbrAppendixA, R_BBR_PROBEBW_A5_ExitingProbeUpOnBandwidthPlateau) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwUp, 10s));
  const std::uint64_t began = path.variables().round_count;
  std::uint32_t last_count = 0;
  path.observe = [&] {
    if (path.variables().state == State::ProbeBwUp) last_count = path.variables().full_bw_count;
  };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeBwUp; }, 2s));
  EXPECT_EQ(path.lost_octets(), 0U);
  EXPECT_EQ(last_count, 2U);
  EXPECT_EQ(path.variables().full_bw_count, 3U);
  EXPECT_TRUE(path.variables().full_bw_now);
  EXPECT_GE(path.variables().round_count, began + 3);
  EXPECT_EQ(path.variables().state, State::ProbeBwDown);
}

TEST(BbrAppendixA, R_BBR_LOSS_A6_ExitingProbeUpOnLossWhenApplicationLimited) {
  BbrPath path(with_queue(20));
  ASSERT_TRUE(run_to_bound(path));
  // The probe after the one that went too high is a cautious one; the next is not.
  ASSERT_TRUE(path.run_until(
      [&] {
        return path.variables().state == State::ProbeBwUp && !path.variables().prev_probe_too_high;
      },
      20s));
  path.application_rate = kRate / 2;
  ASSERT_TRUE(path.run_until([&] { return path.last_sample().is_app_limited; }, 1s));
  path.run_for(100ms);
  ASSERT_EQ(path.variables().state, State::ProbeBwUp);
  const std::uint64_t bound = path.variables().inflight_longterm;
  path.loses = every(20);
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeBwUp; }, 1s));
  EXPECT_TRUE(path.last_sample().is_app_limited);
  EXPECT_LE(path.variables().state, State::ProbeBwCruise) << "DOWN, with nothing to drain";
  EXPECT_TRUE(path.variables().prev_probe_too_high);
  // So little was in flight that it says nothing about how much is too much.
  EXPECT_EQ(path.variables().inflight_longterm, bound);
}

TEST(BbrAppendixA, R_BBR_PLATEAU_A7_NeverExitingWhenApplicationLimitedWithNoLoss) {
  for (const State state : {State::Startup, State::ProbeBwUp}) {
    BbrPath path({});
    if (state == State::Startup) {
      path.application_rate = kRate / 10;
    } else {
      ASSERT_TRUE(path.run_to(state, 10s));
      path.application_rate = kRate / 2;
    }
    std::vector<State> seen{state};
    path.observe = [&] {
      if (seen.back() != path.variables().state) seen.push_back(path.variables().state);
    };
    // The round trip is probed for every 5 s, in whatever state.
    const bool has_left = path.run_until([&] { return path.variables().state != state; }, 20s);
    if (has_left) {
      EXPECT_EQ(path.variables().state, State::ProbeRtt);
    }
    if (state != State::Startup) continue;
    path.run_for(30s);
    for (const State each : seen) EXPECT_TRUE(each == state || each == State::ProbeRtt);
    EXPECT_FALSE(path.variables().full_bw_reached);
  }
}

TEST(BbrAppendixA, R_BBR_PROBEBW_A8_ExitingProbeDownOnInflight) {
  BbrPath path(with_queue(20));
  ASSERT_TRUE(run_to_bound(path));
  ASSERT_TRUE(path.run_to(State::ProbeBwDown, 10s));
  EXPECT_EQ(path.variables().pacing_gain.value, 90U);
  const auto is_drained = [&] {
    return path.inflight_octets() <= path.controller().inflight_with_headroom() &&
           path.inflight_octets() <= path.controller().inflight(Percent{100});
  };
  ASSERT_FALSE(is_drained());
  path.observe = [&] {
    if (path.variables().state == State::ProbeBwDown) {
      EXPECT_FALSE(is_drained());
    }
  };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeBwDown; }, 3s));
  EXPECT_TRUE(is_drained());
  EXPECT_EQ(path.variables().state, State::ProbeBwCruise);
}

// The bandwidth drops in Drain already, by more than a tenth, so that nothing is drained: then the
// first DOWN comes, and its wait ends, before it is time for a ProbeRTT.
TEST(BbrAppendixA, R_BBR_PROBEWAIT_A9_ExitingProbeDownAfterMaxTime) {
  BbrPath::Options options;
  options.round_trip = 100ms;  // so that the wall clock comes before the 62nd round
  BbrPath path(options);
  ASSERT_TRUE(path.run_until([&] { return path.variables().max_bw > kRate * 9 / 10; }, 5s));
  path.loses = every(20);
  ASSERT_TRUE(path.run_to(State::Drain, 5s));
  path.loses = [](std::uint64_t) { return false; };
  ASSERT_LT(path.variables().inflight_longterm, kInfinity);
  path.set_bits_per_second(40'000'000);
  ASSERT_TRUE(path.run_to(State::ProbeBwDown, 5s));
  const Instant due = path.variables().cycle_stamp + path.variables().bw_probe_wait;
  EXPECT_GE(path.variables().bw_probe_wait, 2s);
  EXPECT_LE(path.variables().bw_probe_wait, 3s);
  Instant last_in_down = path.now();
  path.observe = [&] {
    if (path.variables().state == State::ProbeBwDown) last_in_down = path.now();
  };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeBwDown; }, 4s));
  EXPECT_EQ(path.variables().state, State::ProbeBwRefill);
  EXPECT_LE(last_in_down, due);
  EXPECT_GT(path.now(), due);
}

TEST(BbrAppendixA, R_BBR_PROBERTT_A10_EnteringAndExitingProbeRtt) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwCruise, 5s));
  Instant stamp = path.variables().probe_rtt_min_stamp;
  Instant stamp_before = stamp;
  path.observe = [&] {
    if (path.variables().state == State::ProbeRtt) return;
    stamp_before = stamp;
    stamp = path.variables().probe_rtt_min_stamp;
  };
  ASSERT_TRUE(path.run_to(State::ProbeRtt, 6s));
  EXPECT_GT(path.now(), stamp + 5s);
  EXPECT_LT(path.now(), stamp + 5s + 1ms);
  EXPECT_EQ(path.variables().cwnd_gain.value, 50U);

  ASSERT_TRUE(
      path.run_until([&] { return path.variables().probe_rtt_done_stamp.has_value(); }, 1s));
  const Instant small_since = path.now();
  const std::uint64_t round = path.variables().round_count;
  EXPECT_LE(path.inflight_octets(), path.bdp_octets() / 2);
  path.observe = [&] {
    if (path.variables().state == State::ProbeRtt) {
      EXPECT_LE(path.inflight_octets(), path.bdp_octets() / 2);
    }
  };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeRtt; }, 1s));
  EXPECT_GT(path.now(), small_since + 200ms);
  EXPECT_LT(path.now(), small_since + 200ms + 50ms);
  EXPECT_GT(path.variables().round_count, round);
  EXPECT_EQ(path.variables().state, State::ProbeBwCruise);
  path.run_for(100ms);
  const std::uint64_t before = path.delivered_octets();
  path.run_for(1s);
  EXPECT_GT(path.delivered_octets() - before, kRate * 95 / 100);
}

TEST(BbrAppendixA, R_BBR_PROBERTT_A11_SkippingProbeRttDueToApplicationLimitedSending) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwCruise, 5s));
  path.application_rate = 0;
  path.run_for(1s);
  ASSERT_EQ(path.inflight_octets(), 0U);
  path.run_for(5s);
  ASSERT_FALSE(path.variables().idle_restart);
  path.application_rate.reset();
  ASSERT_TRUE(path.run_until([&] { return path.variables().idle_restart; }, 1ms));
  EXPECT_EQ(*path.controller().pacing_rate(), path.variables().bw * 99 / 100);
  bool has_expired = false;
  path.observe = [&] {
    has_expired = has_expired || path.variables().probe_rtt_expired;
    EXPECT_NE(path.variables().state, State::ProbeRtt);
  };
  path.run_for(1s);
  EXPECT_TRUE(has_expired) << "it would have been time for it";
  EXPECT_FALSE(path.variables().idle_restart);
}

TEST(BbrAppendixA, R_BBR_SAMPLE_A12_AchievingExpectedStartupBandwidthOnALinkWithAggregation) {
  BbrPath path({});
  path.aggregation = 10ms;  // a quarter of a BDP
  std::uint64_t largest_window = 0;
  std::uint64_t largest_extra = 0;
  std::vector<std::uint64_t> bandwidths;  // at the end of each round
  path.observe = [&] {
    largest_window = std::max(largest_window, path.controller().cwnd_octets());
    largest_extra = std::max(largest_extra, path.variables().extra_acked);
    if (path.variables().round_start) bandwidths.push_back(path.variables().max_bw);
  };
  ASSERT_TRUE(path.run_to(State::Drain, 5s));
  EXPECT_GT(largest_extra, kRate / 100 / 2);
  EXPECT_GT(largest_window, 2 * path.bdp_octets());
  EXPECT_NEAR(static_cast<double>(path.variables().max_bw), kRate, 0.05 * kRate);
  // It has doubled each round, or nearly so, up to half of the link.
  for (std::size_t i = 3; i < bandwidths.size() && bandwidths[i] < kRate / 2; ++i) {
    EXPECT_GT(bandwidths[i], bandwidths[i - 1] * 5 / 4) << "round " << i;
  }
}

TEST(BbrAppendixA, R_BBR_PROBEBW_A13_AchievingExpectedCruiseBandwidthOnALinkWithAggregation) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwCruise, 5s));
  const std::uint64_t extra_before = path.variables().extra_acked;
  path.aggregation = 30ms;
  const std::uint64_t burst = kRate * 3 / 100;
  path.run_for(400ms);
  EXPECT_GT(path.variables().extra_acked, extra_before);
  EXPECT_GT(path.variables().extra_acked, burst / 2);
  EXPECT_LE(path.variables().extra_acked, 2 * burst);
  EXPECT_GT(path.controller().cwnd_octets(), 2 * path.bdp_octets() + burst / 2);
  const std::uint64_t before = path.delivered_octets();
  path.run_for(3s);  // a multiple of the 30 ms
  EXPECT_GT(path.delivered_octets() - before, 3 * kRate * 95 / 100);
  // The filter forgets after ten rounds.
  path.aggregation = 0ms;
  path.run_for(60ms);
  const std::uint64_t round = path.variables().round_count;
  ASSERT_TRUE(path.run_until([&] { return path.variables().round_count > round + 12; }, 2s));
  EXPECT_LT(path.variables().extra_acked, burst / 2);
}

TEST(BbrAppendixA, R_BBR_MINCWND_A14_CorrectlyManagingSubPacketBdps) {
  BbrPath::Options options;
  options.bits_per_second = 64'000;
  options.round_trip = 10ms;
  BbrPath path(options);
  ASSERT_LT(path.bdp_octets(), kSmss);
  ASSERT_TRUE(path.run_until(
      [&] { return path.variables().full_bw_reached && path.variables().state != State::Drain; },
      60s));
  path.observe = [&] { EXPECT_GE(path.controller().cwnd_octets(), 4 * kSmss); };
  const std::uint64_t before = path.delivered_octets();
  path.run_for(30s);
  EXPECT_GT(path.delivered_octets() - before, 30 * 8000 * 95 / 100);
  ASSERT_TRUE(path.run_to(State::ProbeBwCruise, 30s));
  path.run_for(200ms);
  EXPECT_NEAR(static_cast<double>(*path.controller().pacing_rate()), 8000, 0.05 * 8000);
}

TEST(BbrAppendixA, R_BBR_PROBEBW_A15_IncreasingBandwidth10xAndEnsuringFullBandwidthIsReached) {
  BbrPath::Options options;
  options.bits_per_second = 10'000'000;
  options.queue_octets = 15'000;
  BbrPath path(options);
  ASSERT_TRUE(run_to_bound(path));
  path.set_bits_per_second(100'000'000);
  // What each round of the long probe has added.
  std::vector<std::uint64_t> steps;
  std::uint64_t bound = 0;
  path.observe = [&] {
    if (path.variables().state != State::ProbeBwUp) {
      if (path.variables().state == State::ProbeBwRefill) steps.clear();
      bound = path.variables().inflight_longterm;
    } else if (path.variables().round_start) {
      steps.push_back((path.variables().inflight_longterm - bound) / kSmss);
      bound = path.variables().inflight_longterm;
    }
  };
  const std::uint64_t round = path.variables().round_count;
  ASSERT_TRUE(path.run_until([&] { return path.variables().max_bw > kRate * 95 / 100; }, 15s));
  // One wait of up to 63 rounds, a cautious probe, and twice the logarithm of the BDP.
  EXPECT_LE(path.variables().round_count, round + 63 + 5 + 2 * 9);
  // A round in which the window was not in full use adds nothing, which comes with large steps.
  std::erase(steps, 0U);
  ASSERT_GE(steps.size(), 6U);
  EXPECT_LE(steps[0], 2U);
  for (std::size_t i = 1; i < 6; ++i) {
    const double ratio = static_cast<double>(steps[i]) / static_cast<double>(steps[i - 1]);
    EXPECT_NEAR(ratio, 2, 0.35) << "step " << i;
  }
}

TEST(BbrAppendixA, R_BBR_LOSS_A16_DecreasingBandwidth10xAndEnsuringMaxBandwidthAdaptsDown) {
  BbrPath path(with_queue(100));
  ASSERT_TRUE(path.run_to(State::ProbeBwCruise, 5s));
  path.set_bits_per_second(10'000'000);
  const std::uint64_t old_bw = path.variables().max_bw;
  // By 0.7 in each round that loses, and a round is up to 0.4 s long now.
  ASSERT_TRUE(path.run_until([&] { return path.variables().bw_shortterm < old_bw / 2; }, 2s));
  EXPECT_GT(path.lost_octets(), 0U);
  ASSERT_TRUE(path.run_until([&] { return path.variables().max_bw < kRate / 10 * 11 / 10; }, 30s));
  const std::uint64_t before = path.delivered_octets();
  path.run_for(5s);
  EXPECT_GT(path.delivered_octets() - before, 5 * kRate / 10 * 90 / 100);
}

TEST(BbrAppendixA, R_BBR_LOSS_A17_HandlingTokenBucketPolicers) {
  BbrPath path({});
  path.policer_bits_per_second = 20'000'000;
  path.policer_burst_octets = 250'000;  // a tenth of a second
  ASSERT_TRUE(path.run_until(
      [&] {
        return path.variables().state == State::ProbeBwCruise &&
               path.variables().bw_shortterm != kInfinity &&
               path.variables().inflight_shortterm != kInfinity;
      },
      20s));
  EXPECT_LT(path.variables().bw_shortterm, path.variables().max_bw);
  path.run_for(20s);
  const std::uint64_t delivered = path.delivered_octets();
  const std::uint64_t lost = path.lost_octets();
  path.run_for(20s);
  const std::uint64_t newly_delivered = path.delivered_octets() - delivered;
  const std::uint64_t newly_lost = path.lost_octets() - lost;
  EXPECT_GT(newly_delivered, 20ULL * 2'500'000 * 85 / 100);
  EXPECT_LT(newly_lost * 100, newly_delivered * 5);
}

TEST(BbrAppendixA, R_BBR_LOSS_A18_HandlingSpuriousFastRecovery) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwUp, 10s));
  path.run_for(50ms);
  ASSERT_EQ(path.variables().state, State::ProbeBwUp);
  const std::uint64_t first = path.packets_sent();
  path.delays = [&](std::uint64_t i) { return first <= i && i < first + 30 ? 8ms : 0ms; };
  ASSERT_TRUE(path.run_until([&] { return path.lost_octets() > 0; }, 1s));
  EXPECT_EQ(path.variables().undo_bw_shortterm, kInfinity);
  EXPECT_EQ(path.variables().undo_inflight_shortterm, kInfinity);
  EXPECT_EQ(path.variables().undo_inflight_longterm, kInfinity);
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeBwUp; }, 1s));
  ASSERT_EQ(path.variables().state, State::ProbeBwDown);
  EXPECT_EQ(path.variables().undo_state, State::ProbeBwUp);
  EXPECT_LT(path.variables().inflight_longterm, kInfinity);
  // The late packets come.
  ASSERT_TRUE(path.run_until([&] { return !path.variables().undo_state; }, 20ms));
  EXPECT_EQ(path.variables().inflight_longterm, kInfinity);
  EXPECT_EQ(path.variables().bw_shortterm, kInfinity);
  EXPECT_EQ(path.variables().inflight_shortterm, kInfinity);
  EXPECT_EQ(path.variables().state, State::ProbeBwRefill);
  ASSERT_TRUE(path.run_to(State::ProbeBwUp, 200ms));
}

TEST(BbrAppendixA, R_BBR_LOSS_A19_HandlingSpuriousRtoRecovery) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwUp, 10s));
  const std::uint64_t first = path.packets_sent();
  const std::uint64_t window = path.controller().cwnd_octets();
  std::uint64_t end = UINT64_MAX;
  path.delays = [&](std::uint64_t i) { return first <= i && i < end ? 1500ms : 0ms; };
  ASSERT_TRUE(path.run_until([&] { return path.controller().cwnd_octets() == kSmss; }, 3s));
  end = path.packets_sent();
  EXPECT_GE(path.variables().prior_cwnd, window);
  EXPECT_EQ(path.variables().undo_bw_shortterm, kInfinity);
  EXPECT_EQ(path.variables().undo_inflight_shortterm, kInfinity);
  EXPECT_EQ(path.variables().undo_inflight_longterm, kInfinity);
  EXPECT_EQ(path.variables().state, State::ProbeBwUp);
  ASSERT_TRUE(path.run_until([&] { return path.controller().cwnd_octets() >= window; }, 1s));
  EXPECT_EQ(path.variables().state, State::ProbeBwUp);
  EXPECT_FALSE(path.variables().is_loss_in_round);
  EXPECT_EQ(path.variables().bw_shortterm, kInfinity);
  EXPECT_EQ(path.variables().inflight_shortterm, kInfinity);
}

TEST(BbrAppendixA, R_BBR_PROBERTT_A20_EnteringAndExitingProbeRttDuringStartup) {
  BbrPath path({});
  path.application_rate = kRate / 50;
  ASSERT_TRUE(path.run_to(State::ProbeRtt, 6s));
  EXPECT_FALSE(path.variables().full_bw_reached);
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeRtt; }, 1s));
  EXPECT_EQ(path.variables().state, State::Startup);
  EXPECT_EQ(path.variables().pacing_gain.value, 277U);
  path.application_rate.reset();
  ASSERT_TRUE(path.run_to(State::Drain, 3s));
  EXPECT_GT(path.variables().max_bw, kRate * 98 / 100);
}

TEST(BbrAppendixA, R_BBR_LOSS_A21_HandlingLossDuringProbeUpAfterInflightLongtermIsSet) {
  BbrPath path(with_queue(20));
  ASSERT_TRUE(run_to_bound(path));
  ASSERT_TRUE(path.run_until(
      [&] {
        return path.variables().state == State::ProbeBwUp && !path.variables().prev_probe_too_high;
      },
      20s));
  path.run_for(60ms);
  ASSERT_EQ(path.variables().state, State::ProbeBwUp);
  const std::uint64_t bound = path.variables().inflight_longterm;
  path.loses = [](std::uint64_t) { return true; };
  path.run_for(2ms);
  path.loses = [](std::uint64_t) { return false; };
  bool has_plateau = false;
  path.observe = [&] { has_plateau = has_plateau || path.variables().full_bw_now; };
  ASSERT_TRUE(path.run_until([&] { return path.variables().state != State::ProbeBwUp; }, 1s));
  EXPECT_FALSE(has_plateau);
  EXPECT_EQ(path.variables().state, State::ProbeBwDown);
  EXPECT_TRUE(path.variables().prev_probe_too_high);
  EXPECT_LE(path.variables().inflight_longterm, bound);
  EXPECT_GE(path.variables().inflight_longterm, path.bdp_octets() * 69 / 100);
}

TEST(BbrAppendixA, R_BBR_PROBEBW_A22_HandlingApplicationLimitedSendingDuringProbeRefill) {
  BbrPath path({});
  ASSERT_TRUE(path.run_to(State::ProbeBwRefill, 10s));
  const std::uint64_t bandwidth = path.variables().max_bw;
  path.application_rate = kRate / 20;  // enough for the round to end
  bool was_limited = false;
  path.observe = [&] {
    const auto& sample = path.last_sample();
    if (!sample.is_app_limited || path.variables().state != State::ProbeBwUp) return;
    was_limited = true;
    EXPECT_LT(sample.octets_per_second, bandwidth);
    EXPECT_EQ(path.variables().max_bw, bandwidth);
  };
  ASSERT_TRUE(path.run_to(State::ProbeBwUp, 200ms));
  EXPECT_EQ(path.variables().max_bw, bandwidth);
  path.run_for(300ms);
  EXPECT_TRUE(was_limited);
  EXPECT_EQ(path.variables().max_bw, bandwidth);
  // It goes on probing when the application goes on.
  path.application_rate.reset();
  ASSERT_TRUE(path.run_to(State::ProbeBwDown, 2s));
  EXPECT_TRUE(path.variables().full_bw_now);
}

}  // namespace
}  // namespace runnel::test
