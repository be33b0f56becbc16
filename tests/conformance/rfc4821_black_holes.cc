// Paths that drop large packets silently, and probes in super-packets: RFC 4821, RFC 8899.
#include <algorithm>
#include <utility>

#include "tests/support/path_prober.h"

namespace runnel::test {
namespace {

// --- Black holes ---------------------------------------------------------------------------------

class BlackHoles : public Probing {
 protected:
  BlackHoles() { restart({}); }
  void restart(const TcpConfig& tcp) { Probing::restart(tcp, tcp.mtu_probing); }
};

TEST_F(BlackHoles, R_4821_7_7_BLACK__R_8899_5_1_2_BASE_ThreeTimeoutsMeanTheBaseSize) {
  static_assert(TcpConfig{}.mtu_probing == MtuProbing::BlackHole);
  static_assert(TcpConfig{}.mtu_probe_base_octets == 1200);
  static_assert(TcpConfig{}.mtu_probe_attempts == 3);
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    restart({});
    start_at(0);
    carries = 1280;
    open();
    EXPECT_EQ(path_mtu(), 1500);
    stream_until(100'000);
    ASSERT_TRUE(run_until([this] { return info().retransmission_timeouts == 2; }));
    EXPECT_EQ(path_mtu(), 1500);
    ASSERT_TRUE(run_until([this] { return info().retransmission_timeouts == 3; }));
    EXPECT_EQ(path_mtu(), 1200);
    EXPECT_EQ(counters().tcp_mtu_black_holes, 1U);
    ASSERT_TRUE(run_until([this] { return delivered() == 100'000; }, 5s));
    EXPECT_EQ(info().retransmission_timeouts, 3U);
    // The search finds out what does pass.
    start_at(100'000);
    converge();
    EXPECT_LE(path_mtu(), 1280);
    EXPECT_GT(path_mtu(), 1280 - 8);
  }
}

TEST_F(BlackHoles, R_4821_7_7_BLACK_FurtherTimeoutsHalveDownToTheFloor) {
  for (const bool is_rfc : {false, true}) {
    TcpConfig tcp = is_rfc ? rfc_profile() : TcpConfig{};
    tcp.rto_maximum = 2s;
    tcp.r2 = 1h;
    restart(tcp);
    carries = 60;
    open();
    ASSERT_TRUE(write_octets(5'000));
    std::vector<std::uint16_t> sizes{path_mtu()};
    ASSERT_TRUE(run_until([&] {
      if (path_mtu() != sizes.back()) sizes.push_back(path_mtu());
      return info().retransmission_timeouts == 12;
    }));
    if (is_rfc) {
      EXPECT_EQ(sizes, (std::vector<std::uint16_t>{1500, 1200, 600, 300, 150, 75, 68}));
    } else {
      EXPECT_EQ(sizes, (std::vector<std::uint16_t>{1500, 1200, 600, 552}));
    }
  }
}

TEST_F(BlackHoles, R_4821_7_7_BLACK_AnIcmpMessageOrAnAcknowledgmentSaysThatItIsNone) {
  for (const bool is_icmp : {false, true}) {
    restart({});
    loses = [](const PathPacket&) { return true; };
    open();
    ASSERT_TRUE(write_octets(2 * 1460));
    const auto sent = all_sent();
    for (std::uint32_t timeouts = 1; timeouts <= 4; ++timeouts) {
      ASSERT_TRUE(run_until([&] { return info().retransmission_timeouts == timeouts; }));
      EXPECT_EQ(path_mtu(), 1500) << timeouts;
      if (timeouts != 2) continue;
      if (is_icmp) {
        send_icmp_error(wire::IcmpType::DestinationUnreachable, 1, sent[1].octets);
      } else {
        send(ack_segment(0, 1460));
      }
    }
    ASSERT_TRUE(run_until([&] { return info().retransmission_timeouts == 5; }));
    EXPECT_EQ(path_mtu(), 1200) << "three in a row";
  }
}

TEST_F(BlackHoles, R_4821_7_7_BLACK_AfterAnOutageTheSizeIsFoundAgain) {
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    restart({});
    start_at(0);
    open();
    burst(50'000);
    loses = [](const PathPacket&) { return true; };
    stream_until(1'000'000);
    run(10s);
    EXPECT_EQ(path_mtu(), 552) << "who knows why nothing arrives";
    loses = nullptr;
    ASSERT_TRUE(run_until([this] { return delivered() == 1'000'000; }, 60s));
    EXPECT_EQ(path_mtu(), 1500);
  }
}

TEST_F(BlackHoles, R_4821_7_7_BLACK_SwitchedOffTheSizeStays) {
  TcpConfig tcp;
  tcp.mtu_probing = MtuProbing::Off;
  restart(tcp);
  carries = 1280;
  open();
  stream_until(10'000);
  ASSERT_TRUE(run_until([this] { return info().retransmission_timeouts == 6; }));
  EXPECT_EQ(path_mtu(), 1500);
  EXPECT_EQ(counters().tcp_mtu_black_holes, 0U);
}

// --- Others --------------------------------------------------------------------------------------

TEST_F(BlackHoles, R_9040_6_CACHE_WhatASearchHasFoundIsToldToOthers) {
  carries = 1333;
  open();
  stream_until(20'000);
  ASSERT_TRUE(run_until([this] { return delivered() == 20'000; }));
  const auto begins_with = [this] {
    const ConnectionId mine = id();
    const auto other = try_connect(kPeer);
    EXPECT_TRUE(other);
    use(*other);
    const std::uint16_t size = path_mtu();
    EXPECT_TRUE(abort());
    forget_sent();
    use(mine);
    return size;
  };
  EXPECT_EQ(path_mtu(), 1200);
  EXPECT_EQ(begins_with(), 1500) << "a guess is told to nobody";
  start_at(20'000);
  converge();
  EXPECT_GT(path_mtu(), 1333 - 8);
  EXPECT_EQ(begins_with(), path_mtu());
}

// --- Super-packets -------------------------------------------------------------------------------

class SuperPackets : public Probing {
 protected:
  void restart(MtuProbing probing) {
    Config config;
    config.checksum_offload = config.tcp_segmentation_offload = true;
    config.tcp.mtu_probing = probing;
    rebuild(config);
    reset_path();
    start_at(0);
  }
};

// TcpTester checks gso_size of each of them against the link's MTU; here it is the path's.
TEST_F(SuperPackets, R_1191_3_REDUCE__R_8899_3_MAX_TheyAreCutToTheSizeOfThePath) {
  for (const bool sack : {false, true}) {
    for (const std::uint16_t size : std::initializer_list<std::uint16_t>{1499, 1400, 1000, 576}) {
      peer_sack = sack;
      restart(MtuProbing::BlackHole);
      carries = size;
      tells = true;
      open();
      burst(400'000);
      EXPECT_EQ(path_mtu(), size);
      EXPECT_EQ(info().retransmission_timeouts, 0U) << sack << ' ' << size;
      // The first flight; each octet of it was sent again, and no other.
      EXPECT_EQ(dropped_packets, 10U);
      EXPECT_EQ(info().octets_retransmitted, 14'600U) << sack << ' ' << size;
      const auto large = std::count_if(packets.begin(), packets.end(),
                                       [&](const PathPacket& p) { return p.octets == size; });
      EXPECT_GT(large, 400'000 / size - 20);
    }
  }
}

TEST_F(SuperPackets, R_4821_7_7_BLACK__R_4821_7_1_RANGE_BlackHolesAndProbesAmongThem) {
  for (const bool sack : {false, true}) {
    for (const MtuProbing probing : {MtuProbing::BlackHole, MtuProbing::Always}) {
      peer_sack = sack;
      restart(probing);
      carries = 1333;
      open();
      converge();
      EXPECT_LE(path_mtu(), 1333);
      EXPECT_GT(path_mtu(), 1333 - 8);
      EXPECT_EQ(info().retransmission_timeouts, probing == MtuProbing::Always ? 0U : 3U);
    }
  }
}

TEST_F(SuperPackets, R_1191_6_4_RESEND_LossesAmongSmallerSuperPacketsAreRepaired) {
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    restart(MtuProbing::BlackHole);
    carries = 1300;
    tells = true;
    open();
    int number = 0;
    loses = [&](const PathPacket&) { return ++number % 37 == 20; };
    burst(500'000);
    EXPECT_EQ(path_mtu(), 1300);
    EXPECT_LE(info().octets_retransmitted, 14'600U + 1300U * (dropped_packets - 10U) + 3000U)
        << "what was lost, and little else";
  }
}

}  // namespace
}  // namespace runnel::test
