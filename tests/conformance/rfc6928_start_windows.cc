// The windows that a connection starts and restarts with: RFC 6928, and RFC 3390 in the words of
// RFC 5681 section 3.1.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

constexpr std::uint32_t kMss = 1460;

class StartWindows : public TcpTester {
 protected:
  void use_rfc3390(std::uint16_t mtu = 9000) {
    Config config;
    config.mtu_octets = mtu;
    config.tcp.initial_window = InitialWindow::Rfc3390;
    rebuild(config);
  }
  [[nodiscard]] std::size_t segments_sent() {
    std::size_t count = 0;
    for (const SentSegment& sent : all_sent()) count += sent.payload.empty() ? 0U : 1U;
    return count;
  }
  // Has the segment at `una` found lost by three duplicates, and everything up to `end`
  // acknowledged then.
  void lose_at(std::uint32_t una, std::uint32_t end) {
    for (int i = 0; i < 4; ++i) send(ack_segment(0, una));
    ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
    send(ack_segment(0, end));
    ASSERT_EQ(info().recovery_phase, RecoveryPhase::Open);
    ASSERT_EQ(info().in_flight_octets, 0U);
    forget_sent();
  }
  // How many segments leave at once after an idle time.
  [[nodiscard]] std::size_t restart() {
    advance(10s);
    forget_sent();
    EXPECT_TRUE(write_octets(100 * std::size_t{info().send_mss_octets}));
    return segments_sent();
  }
};

// --- The older rule ---

TEST_F(StartWindows, R_5681_3_1_IW_TwoToFourSegments) {
  struct Case {
    std::uint16_t mss;
    std::size_t segments;
  };
  for (const Case& c : {Case{536, 4}, Case{1095, 4}, Case{1096, 3}, Case{1460, 3}, Case{2190, 3},
                        Case{2191, 2}, Case{8960, 2}}) {
    ignore_timestamps_default();
    use_rfc3390();
    peer_mss = c.mss;
    bring_to(TcpState::Established);
    EXPECT_EQ(info().congestion_window_octets, c.segments * c.mss) << c.mss;
    EXPECT_TRUE(write_octets(50'000));
    EXPECT_EQ(segments_sent(), c.segments) << c.mss;
  }
}

TEST_F(StartWindows, R_5681_3_1_IW_AnActiveOpenToo) {
  use_rfc3390(1500);
  bring_to(TcpState::Established, Opening::Active);
  EXPECT_TRUE(write_octets(50'000));
  EXPECT_EQ(segments_sent(), 3U);
}

TEST_F(StartWindows, R_5681_3_1_IW__R_5681_4_1_IDLE_TheRestartWindowFollowsTheSameRule) {
  use_rfc3390(1500);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(20 * kMss));
  for (std::uint32_t i = 1; i <= 20; ++i) send(ack_segment(0, i * kMss));
  EXPECT_GT(info().congestion_window_octets, 10 * kMss);
  EXPECT_EQ(restart(), 3U);
}

TEST_F(StartWindows, R_5681_3_1_SYNLOSS_TheOlderRuleForgivesNoLostSyn) {
  ignore_timestamps_default();
  use_rfc3390(1500);
  connect();
  advance(1s);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_EQ(info().congestion_window_octets, kMss);
}

// --- After a loss (RFC 6928 section 2) ---

TEST_F(StartWindows, R_6928_2_RWLOSS_ALossInTheInitialWindowMakesRestartsSmall) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10 * kMss));
  lose_at(2 * kMss, 10 * kMss);
  ASSERT_EQ(info().congestion_window_octets, 4 * kMss) << "half of the eight in flight";
  EXPECT_EQ(restart(), 3U);
}

TEST_F(StartWindows, R_6928_2_RWLOSS_ATimeoutOfItToo) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(60 * kMss));
  advance(400ms);
  ASSERT_GT(info().retransmission_timeouts, 0U);
  for (std::uint32_t i = 1; i <= 60; ++i) send(ack_segment(0, i * kMss));
  ASSERT_EQ(info().in_flight_octets, 0U);
  ASSERT_GT(info().congestion_window_octets, 4 * kMss);
  EXPECT_EQ(restart(), 3U);
}

TEST_F(StartWindows, R_6928_2_RWLOSS_ALossInARestartWindowToo) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(20 * kMss));
  for (std::uint32_t i = 1; i <= 20; ++i) send(ack_segment(0, i * kMss));
  advance(10s);
  forget_sent();
  EXPECT_TRUE(write_octets(10 * kMss));
  ASSERT_EQ(segments_sent(), 10U);
  lose_at(20 * kMss, 30 * kMss);
  ASSERT_EQ(info().congestion_window_octets, 5 * kMss);
  EXPECT_EQ(restart(), 3U);
}

TEST_F(StartWindows, R_6928_2_RWLOSS_LessThanFourKilobytesSayNothing) {
  constexpr std::uint32_t kSmall = 1024;
  for (const auto& [sent, restarted] : {std::pair{4U, 10U}, {5U, 4U}}) {
    ignore_timestamps_default();
    rebuild(Config{});
    peer_mss = kSmall;
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(sent * kSmall));
    advance(400ms);
    ASSERT_GT(info().retransmission_timeouts, 0U);
    send(ack_segment(0, sent * kSmall));
    EXPECT_TRUE(write_octets(120 * kSmall));
    for (std::uint32_t i = 1; i <= 120; ++i) send(ack_segment(0, (sent + i) * kSmall));
    ASSERT_GE(info().congestion_window_octets, 10 * kSmall);
    EXPECT_EQ(restart(), restarted) << sent;
  }
}

TEST_F(StartWindows, R_6928_2_RWLOSS_ALaterLossSaysNothing) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(30 * kMss));
  for (std::uint32_t i = 1; i <= 12; ++i) send(ack_segment(0, i * kMss));
  lose_at(12 * kMss, 30 * kMss);
  ASSERT_GE(info().congestion_window_octets, 8 * kMss);
  EXPECT_GT(restart(), 3U);
}

// --- Monitoring (section 12) ---

TEST_F(StartWindows, R_6928_12_MON_ConnectionsThatLoseSomeOfTheInitialWindowAreCounted) {
  bring_to(TcpState::Established);
  EXPECT_EQ(counters().tcp_initial_window_losses, 0U);
  EXPECT_TRUE(write_octets(10 * kMss));
  lose_at(9 * kMss, 10 * kMss);
  EXPECT_EQ(counters().tcp_initial_window_losses, 1U) << "the last segment is part of it";
  EXPECT_TRUE(write_octets(5 * kMss));
  advance(1s);
  EXPECT_GT(info().retransmission_timeouts, 0U);
  EXPECT_EQ(counters().tcp_initial_window_losses, 1U);
}

TEST_F(StartWindows, R_6928_12_MON_LossesBehindItAreNot) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(30 * kMss));
  for (std::uint32_t i = 1; i <= 10; ++i) send(ack_segment(0, i * kMss));
  lose_at(10 * kMss, 30 * kMss);
  EXPECT_EQ(info().fast_retransmits, 1U);
  EXPECT_EQ(counters().tcp_initial_window_losses, 0U);
}

}  // namespace
}  // namespace runnel::test
