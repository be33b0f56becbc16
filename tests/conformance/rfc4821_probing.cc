// Path MTU discovery without anybody's help: RFC 4821, and what RFC 8899 section 5 adds to it.
#include <algorithm>
#include <utility>

#include "tests/support/path_prober.h"

namespace runnel::test {
namespace {

// --- The search ----------------------------------------------------------------------------------

TEST_F(Probing, R_4821_7_1_RANGE__R_8899_3_DF_TheSearchClosesInOnWhatThePathCarries) {
  carries = 1400;
  open();
  converge();
  EXPECT_LE(path_mtu(), 1400);
  EXPECT_GT(path_mtu(), 1400 - 8);
  std::uint16_t low = kBase;
  std::uint16_t high = 1500;
  std::uint16_t size = 0;
  int losses = 0;
  for (const PathPacket& probe : probes()) {
    EXPECT_GT(probe.octets, low);
    EXPECT_LE(probe.octets, high);
    losses = probe.octets == std::exchange(size, probe.octets) ? losses + 1 : 1;
    if (probe.octets <= carries) low = probe.octets;
    if (probe.octets > carries && losses == 3) high = static_cast<std::uint16_t>(probe.octets - 1);
  }
  EXPECT_EQ(probes().front().octets, 1500) << "most paths carry what the link does";
  for (const PathPacket& packet : packets) {
    EXPECT_TRUE(packet.dont_fragment);
    EXPECT_FALSE(packet.is_fragment);
  }
}

TEST_F(Probing, R_4821_7_1_RANGE_APathThatCarriesEverythingTakesOneProbe) {
  open();
  burst();
  EXPECT_EQ(probe_sizes(), (std::vector<std::uint16_t>{1500}));
  EXPECT_EQ(path_mtu(), 1500);
}

TEST_F(Probing, R_8899_3_MAX_NothingButProbesIsLarger) {
  carries = 1400;
  open();
  for (int i = 0; i < 100; ++i) {
    const std::uint16_t before = path_mtu();
    const std::size_t probes_before = probes().size();
    forget_packets();
    burst(10'000);
    const auto larger = std::count_if(
        packets.begin(), packets.end(),
        [&](const PathPacket& packet) { return packet.octets > before && path_mtu() == before; });
    EXPECT_LE(larger, 1);
    EXPECT_EQ(static_cast<std::size_t>(larger), path_mtu() == before ? probes().size() : 0U);
    (void)probes_before;
    advance(1s);
  }
  EXPECT_GT(counters().tcp_mtu_probes, 5U);
}

TEST_F(Probing, R_4821_7_2_START_TheFirstSegmentsHaveTheConfiguredSize) {
  for (const std::uint16_t base : std::initializer_list<std::uint16_t>{1024, 1200, 600}) {
    TcpConfig tcp;
    tcp.mtu_probe_base_octets = base;
    restart(tcp);
    start_at(0);
    open();
    EXPECT_EQ(path_mtu(), base);
    burst();
    bool has_passed = false;
    for (const PathPacket& packet : packets) {
      if (packet.octets == 1500 && !has_passed) {
        has_passed = true;  // the probe
        continue;
      }
      if (packet.at < packets.front().at + round_trip) {
        EXPECT_LE(packet.octets, base);
      }
    }
    EXPECT_TRUE(has_passed);
    EXPECT_EQ(path_mtu(), 1500);
  }
}

TEST_F(Probing, R_4821_7_2_START_ProbesAreNoLargerThanLinkAndPeerTake) {
  for (const auto& [link, mss, largest] :
       {std::tuple<std::uint16_t, std::uint16_t, std::uint16_t>{1500, 1300, 1340},
        {1400, 1460, 1400},
        {9000, 8960, 9000},
        {1500, 1100, 0}}) {
    Config config;
    config.mtu_octets = link;
    config.tcp.mtu_probing = MtuProbing::Always;
    peer_mss = mss;
    rebuild(config);
    reset_path();
    start_at(0);
    carries = link;
    open();
    burst(100'000);
    burst(100'000);
    if (largest == 0) {
      EXPECT_TRUE(probes().empty());
    } else {
      EXPECT_EQ(probe_sizes(), (std::vector<std::uint16_t>{largest}));
    }
  }
}

// --- When to probe -------------------------------------------------------------------------------

TEST_F(Probing, R_4821_7_4_PRE_AProbeNeedsDataBehindIt) {
  for (const std::uint32_t octets : {kNeeded - 1, kNeeded}) {
    restart({});
    open();
    ASSERT_TRUE(write_octets(octets));
    EXPECT_EQ(counters().tcp_mtu_probes, octets == kNeeded ? 1U : 0U);
  }
}

TEST_F(Probing, R_4821_7_4_PRE_AProbeNeedsTheWindowOfThePeer) {
  peer_wscale.reset();
  for (const std::uint32_t window : {kNeeded - 1, kNeeded}) {
    peer_window = static_cast<std::uint16_t>(window);
    restart({});
    open();
    ASSERT_TRUE(write_octets(50'000));
    EXPECT_EQ(counters().tcp_mtu_probes, window == kNeeded ? 1U : 0U);
  }
}

TEST_F(Probing, R_4821_7_4_PRE_AProbeNeedsTheCongestionWindow) {
  for (const std::uint8_t segments : std::initializer_list<std::uint8_t>{2, 4, 5, 10}) {
    TcpConfig tcp;
    tcp.initial_window_segments = segments;
    restart(tcp);
    open();
    ASSERT_TRUE(write_octets(50'000));
    EXPECT_EQ(counters().tcp_mtu_probes, segments * kBaseText >= kNeeded ? 1U : 0U)
        << int{segments};
  }
}

TEST_F(Probing, R_4821_7_4_PRE_NoProbeWhileALossIsRepaired) {
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    restart({});
    open();
    // Ten segments, each write with less behind it than a probe needs.
    for (const std::uint32_t segments : {4U, 4U, 2U}) {
      ASSERT_TRUE(write_octets(segments * kBaseText));
    }
    EXPECT_EQ(counters().tcp_mtu_probes, 0U);
    // The first is lost; the halved window holds what a probe needs.
    static_assert(5 * kBaseText >= kNeeded);
    for (std::uint32_t last = 2; last <= 10; ++last) {
      advance(10ms);
      SegmentBuilder ack = ack_segment(0, 0);
      if (sack) ack.sack(our(kBaseText), our(last * kBaseText));
      send(ack);
    }
    ASSERT_EQ(info().fast_retransmits, 1U);
    ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
    ASSERT_TRUE(write_octets(50'000));
    EXPECT_GT(info().octets_sent, 10U * kBaseText) << "the windows are open";
    EXPECT_EQ(counters().tcp_mtu_probes, 0U);
    for (int i = 0; i < 10 && counters().tcp_mtu_probes == 0; ++i) {
      advance(10ms);
      send(ack_segment(0, static_cast<std::uint32_t>(info().octets_sent)));
      EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
    }
    EXPECT_EQ(counters().tcp_mtu_probes, 1U);
  }
}

TEST_F(Probing, R_8899_5_1_1_PROBET_AttemptsAreMoreThan15SecondsApart) {
  carries = 1499;
  open();
  stream_until(kNeeded);
  run(1s);
  ASSERT_EQ(probe_sizes(), (std::vector<std::uint16_t>{1500}));
  std::uint32_t written = kNeeded;
  // Three attempts, then the next size.
  for (std::size_t attempt = 2; attempt <= 3; ++attempt) {
    const Instant last = probes().back().at;
    advance(last + 15s - now());
    stream_until(written += 3 * kBaseText + 1460);
    run(0s);
    run(1s);
    ASSERT_EQ(probes().size(), attempt - 1) << "exactly 15 s are not enough";
    stream_until(written += 3 * kBaseText + 1460);
    run(1s);
    ASSERT_EQ(probes().size(), attempt);
    EXPECT_EQ(probes().back().octets, 1500);
    EXPECT_GT(probes().back().at - last, 15s);
  }
  advance(20s);
  stream_until(written += 3 * kBaseText + 1460);
  run(1s);
  ASSERT_EQ(probes().size(), 4U);
  EXPECT_EQ(probes().back().octets, 1350) << "the size is given up";
  EXPECT_EQ(path_mtu(), 1350);
}

TEST_F(Probing, R_8899_5_1_1_PROBET_NeverLessThanASecondApart) {
  TcpConfig tcp;
  tcp.mtu_probe_timeout = 10ms;
  restart(tcp);
  carries = 1350;
  open();
  for (int i = 0; i < 60; ++i) {
    burst(10'000);
  }
  ASSERT_GT(probes().size(), 3U);
  for (std::size_t i = 1; i < probes().size(); ++i) {
    if (probes()[i].octets != probes()[i - 1].octets) continue;
    EXPECT_GE(probes()[i].at - probes()[i - 1].at, 1s);
    EXPECT_LT(probes()[i].at - probes()[i - 1].at, 2s);
  }
}

TEST_F(Probing, R_4821_7_3_STOP__R_8899_5_1_1_RAISET_AfterTheSearchTenMinutesOfRest) {
  for (const bool is_due : {false, true}) {
    restart({});
    start_at(0);
    carries = 1400;
    open();
    const Instant known_at = converge();
    const std::size_t before = probes().size();
    advance(known_at + 299s - now());
    burst();
    EXPECT_EQ(probes().size(), before) << "after 299 s";
    advance(known_at + 599s - now());
    burst(10'000);
    EXPECT_EQ(probes().size(), before) << "after 599 s";
    carries = 1500;
    advance(known_at + 600s - (is_due ? Duration{0} : Duration{1ns}) - now());
    ASSERT_TRUE(write_octets(8'000));
    EXPECT_EQ(counters().tcp_mtu_probes - before, is_due ? 1U : 0U);
  }
}

TEST_F(Probing, R_4821_7_3_STOP_TheRestIsNeverLessThanFiveMinutes) {
  TcpConfig tcp;
  tcp.mtu_raise_interval = 1s;
  for (const bool is_due : {false, true}) {
    restart(tcp);
    start_at(0);
    carries = 1400;
    open();
    const Instant known_at = converge();
    const std::uint64_t before = counters().tcp_mtu_probes;
    advance(known_at + 300s - (is_due ? Duration{0} : Duration{1ns}) - now());
    ASSERT_TRUE(write_octets(8'000));
    EXPECT_EQ(counters().tcp_mtu_probes - before, is_due ? 1U : 0U);
  }
}

// --- Congestion ----------------------------------------------------------------------------------

TEST_F(Probing, R_4821_4_CC__R_8899_3_CC_TheLossOfAProbeAloneIsNoCongestion) {
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    restart({});
    carries = 1400;
    open();
    stream_until(100'000);
    std::uint64_t cwnd = info().congestion_window_octets;
    ASSERT_TRUE(run_until([&] {
      EXPECT_GE(info().congestion_window_octets, cwnd);
      cwnd = info().congestion_window_octets;
      return delivered() == 100'000;
    }));
    EXPECT_EQ(counters().tcp_mtu_probes, 1U);
    EXPECT_EQ(counters().tcp_mtu_probes_lost, 1U);
    EXPECT_EQ(dropped_packets, 1U);
    EXPECT_EQ(info().slow_start_threshold_octets, UINT64_MAX);
    EXPECT_EQ(info().retransmission_timeouts, 0U);
    EXPECT_EQ(info().fast_retransmits, 0U);
  }
}

TEST_F(Probing, R_4821_4_CC__R_8899_3_CC_AnyOtherLossBesideItIs) {
  for (const bool sack : {false, true}) {
    for (const bool is_behind : {false, true}) {
      peer_sack = sack;
      restart({});
      carries = 1400;
      open();
      // Data before the probe, so that something can be lost on either side of it.
      ASSERT_TRUE(write_octets(2 * kBaseText));
      bool has_lost = false;
      loses = [&](const PathPacket& packet) {
        const bool takes = !has_lost && (is_behind ? packet.offset == 2 * kBaseText + 1460
                                                   : packet.offset == kBaseText);
        has_lost = has_lost || takes;
        return takes;
      };
      ASSERT_TRUE(write(pattern(2 * kBaseText, 30 * kBaseText)));
      ASSERT_TRUE(run_until([&] { return delivered() == 32 * kBaseText; }));
      EXPECT_TRUE(has_lost);
      EXPECT_EQ(counters().tcp_mtu_probes, 1U);
      EXPECT_EQ(dropped_packets, 2U);
      EXPECT_EQ(info().fast_retransmits, 1U) << sack << is_behind;
      EXPECT_LT(info().slow_start_threshold_octets, 20'000U) << sack << is_behind;
      EXPECT_EQ(info().retransmission_timeouts, 0U) << sack << is_behind;
      EXPECT_EQ(path_mtu(), kBase);
      loses = nullptr;
    }
  }
}

TEST_F(Probing, R_4821_4_RAISE_ALargerSizeDoesNotRaiseTheWindowInOctets) {
  Config config;
  config.mtu_octets = 9000;
  config.tcp.mtu_probing = MtuProbing::Always;
  config.tcp.mtu_probe_base_octets = 1500;
  peer_mss = 8960;
  rebuild(config);
  carries = 9000;
  open();
  ASSERT_EQ(info().congestion_window_octets, 14'600U);
  stream_until(8960 + 3 * 1460);  // no more than the window holds: it does not grow
  run(1s);
  ASSERT_EQ(path_mtu(), 9000);
  EXPECT_EQ(info().send_mss_octets, 8960);
  EXPECT_EQ(info().congestion_window_octets, 14'600U);
}

// --- Verification --------------------------------------------------------------------------------

TEST_F(Probing, R_4821_7_8_VERIFY_ARaisedSizeIsTakenBackWhenNothingPassesAnyMore) {
  open();
  stream_until(1'000'000);
  ASSERT_TRUE(run_until([this] { return path_mtu() == 1500; }));
  carries = 1300;
  ASSERT_TRUE(run_until([this] { return path_mtu() < 1500; }));
  EXPECT_EQ(path_mtu(), kBase);
  EXPECT_EQ(info().retransmission_timeouts, 1U) << "one is enough";
  ASSERT_TRUE(run_until([this] { return delivered() == 1'000'000; }));
  EXPECT_EQ(counters().tcp_mtu_probes, 1U) << "not again soon";
}

TEST_F(Probing, R_4821_7_8_VERIFY_AVerifiedSizeTakesMoreThanOneTimeout) {
  open();
  stream_until(1'000'000);
  ASSERT_TRUE(run_until([this] { return delivered() > 100'000; }));
  ASSERT_EQ(path_mtu(), 1500);
  carries = 1300;
  ASSERT_TRUE(run_until([this] { return info().retransmission_timeouts == 2; }));
  EXPECT_EQ(path_mtu(), 1500);
  ASSERT_TRUE(run_until([this] { return info().retransmission_timeouts == 3; }));
  EXPECT_EQ(path_mtu(), kBase);
}

}  // namespace
}  // namespace runnel::test
