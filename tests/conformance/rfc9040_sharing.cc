// What connections to one host teach those that come after them: RFC 9040.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

constexpr std::uint64_t kNoThreshold = UINT64_MAX;

class Sharing : public TcpTester {
 protected:
  // An active open from another port each time, with this round trip.
  void open(Duration round_trip = 100ms, const ConnectOptions& chosen = {}) {
    ConnectOptions options = chosen;
    options.local = {kLocal.address, ++port_};
    const auto connection = try_connect(kPeer, options);
    ASSERT_TRUE(connection);
    use(*connection);
    const auto syn = next_sent();
    ASSERT_THAT(syn, IsSyn());
    port_iss_ = syn->seq;
    advance(round_trip);
    send(peer_segment(0).syn().seq(peer_iss).mss(1460).wscale(8));
    ASSERT_EQ(state_of(id()), TcpState::Established);
    acked_ = 0;
    forget_sent();
  }
  // The peer's segment that acknowledges `octets` of ours.
  SegmentBuilder peer_segment(std::uint32_t octets) const {
    return segment().to({kLocal.address, port_}).seq(their(0)).ack(port_iss_ + 1 + octets);
  }
  void write_and_acknowledge(std::uint32_t octets, Duration round_trip = 100ms) {
    ASSERT_TRUE(write_octets(octets));
    const std::uint32_t end = acked_ + octets;
    while (acked_ < end) {
      advance(round_trip);
      const std::uint32_t sent = static_cast<std::uint32_t>(info().octets_sent);
      ASSERT_GT(sent, acked_);
      acked_ = sent;
      send(peer_segment(acked_));
      forget_sent();
    }
  }
  // One segment that is lost, twice: the threshold falls to its minimum, two segments.
  void time_out(Duration timeout = 10s) {
    ASSERT_TRUE(write_octets(1460));
    advance(timeout);
    EXPECT_GT(info().retransmission_timeouts, 0U);
    acked_ += 1460;
    send(peer_segment(acked_));
    forget_sent();
  }
  void close_well() {
    ASSERT_TRUE(close());
    send(peer_segment(acked_ + 1).fin());
    forget_sent();
  }
  // When the SYN of a new connection is sent for the second time; the connection is given up.
  Duration first_timeout(const Endpoint& peer = kPeer) {
    ConnectOptions options;
    options.local = {kLocal.address, ++port_};
    const auto connection = try_connect(peer, options);
    EXPECT_TRUE(connection);
    use(*connection);
    const Instant began = now();
    forget_sent();
    const auto info_at_start = info();
    EXPECT_EQ(info_at_start.smoothed_rtt, Duration{0}) << "a hint is no sample";
    advance(info_at_start.retransmission_timeout - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    const auto again = next_sent();
    EXPECT_THAT(again, IsSyn());
    EXPECT_TRUE(abort());
    forget_sent();
    return again ? again->at - began : Duration{0};
  }

  std::uint16_t port_ = 1000;
  std::uint32_t port_iss_ = 0;
  std::uint32_t acked_ = 0;
};

TEST_F(Sharing, R_9040_6_CACHE_TheFirstTimeoutFollowsTheRoundTripOfEarlierConnections) {
  EXPECT_EQ(first_timeout(), 1s);
  open(800ms);
  const Duration smoothed = info().smoothed_rtt;
  const Duration variation = info().rtt_variation;
  EXPECT_EQ(smoothed, 800ms);
  EXPECT_TRUE(abort());  // a FIN would be measured as well
  EXPECT_EQ(first_timeout(), smoothed + 4 * variation);
}

TEST_F(Sharing, R_9040_6_CACHE_AFastPathDoesNotShortenTheFirstTimeout) {
  open(10ms);
  close_well();
  EXPECT_EQ(first_timeout(), 1s) << "RFC 6298 section 2.1";
}

TEST_F(Sharing, R_9040_6_CACHE_TheFirstOwnSampleSetsTheEstimateAlone) {
  open(800ms);
  close_well();
  open(100ms);
  EXPECT_EQ(info().smoothed_rtt, 100ms);
  EXPECT_EQ(info().rtt_variation, 50ms);
  EXPECT_EQ(info().retransmission_timeout, 300ms);
}

TEST_F(Sharing, R_9040_6_CACHE_TheSecondConnectionStartsWithTheThresholdOfTheFirst) {
  open();
  EXPECT_EQ(info().slow_start_threshold_octets, kNoThreshold);
  time_out();
  const std::uint64_t threshold = info().slow_start_threshold_octets;
  ASSERT_LT(threshold, 14600U);
  close_well();
  open();
  EXPECT_EQ(info().slow_start_threshold_octets, threshold);
}

TEST_F(Sharing, R_9040_6_CACHE_AConnectionThatHadNoLossHasNothingToSayOfTheThreshold) {
  open();
  write_and_acknowledge(50'000);
  close_well();
  open();
  EXPECT_EQ(info().slow_start_threshold_octets, kNoThreshold);
}

TEST_F(Sharing, R_9040_6_CACHE_AnAcceptedConnectionProfitsToo) {
  open();
  time_out();
  const std::uint64_t threshold = info().slow_start_threshold_octets;
  close_well();
  listen();
  establish_passive();
  EXPECT_EQ(info().slow_start_threshold_octets, threshold);
}

TEST_F(Sharing, R_9040_6_CACHE_WhatIsTooOldIsForgotten) {
  Config config;
  config.destination_cache_age = 10min;
  for (const bool is_too_old : {false, true}) {
    rebuild(config);
    open();
    time_out();
    close_well();
    const Instant learned_at = now();
    advance(learned_at + 10min - (is_too_old ? Duration{0} : Duration{1ns}) - now());
    open(0ms);
    EXPECT_EQ(info().slow_start_threshold_octets == kNoThreshold, is_too_old);
  }
}

TEST_F(Sharing, R_9040_6_CACHE_SwitchedOffNothingIsTakenAndNothingGiven) {
  ConnectOptions alone;
  alone.tcp = TcpConfig{};
  alone.tcp->share_measurements = false;
  open(100ms, alone);
  time_out();
  close_well();
  open();
  EXPECT_EQ(info().slow_start_threshold_octets, kNoThreshold);
  time_out();
  close_well();
  open(100ms, alone);
  EXPECT_EQ(info().slow_start_threshold_octets, kNoThreshold);
}

TEST_F(Sharing, R_9040_6_CWND_ALargeWindowIsNotInherited) {
  open();
  for (int i = 0; i < 8; ++i) write_and_acknowledge(300'000);
  ASSERT_GT(info().congestion_window_octets, 100U * 1460U);
  close_well();
  open();
  EXPECT_LE(info().congestion_window_octets, 14600U);
  ASSERT_TRUE(write_octets(100'000));
  std::size_t octets = 0;
  for (const SentSegment& sent : all_sent()) octets += sent.payload.size();
  EXPECT_LE(octets, 14600U);
}

TEST_F(Sharing, R_9040_SEC_OtherHostsLearnNothing) {
  open(800ms);
  close_well();
  EXPECT_EQ(first_timeout({IpAddress(192, 0, 2, 77), 80}), 1s);
}

TEST_F(Sharing, R_9040_SEC_AConnectionThatWasResetTeachesNothing) {
  open(800ms);
  time_out();
  send(peer_segment(acked_).rst());
  ASSERT_TRUE(take_event(EventKind::Error));
  EXPECT_EQ(first_timeout(), 1s);
  open();
  EXPECT_EQ(info().slow_start_threshold_octets, kNoThreshold);
}

TEST_F(Sharing, R_9040_SEC_AnAttemptThatWasRefusedOrUnansweredTeachesNothing) {
  EXPECT_EQ(first_timeout(), 1s);
  EXPECT_EQ(first_timeout(), 1s);
}

TEST_F(Sharing, R_9040_SEC_ASpoofedIcmpErrorDoesNotLowerThePathMtuOfLaterConnections) {
  open();
  ASSERT_TRUE(write_octets(1460));
  auto sent = next_sent();
  ASSERT_TRUE(sent);
  // Quotes a sequence number that is not in flight (RFC 5927 section 4.1).
  sent->octets[24] ^= 0x40U;
  send_icmp_error(wire::IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded,
                  sent->octets, 600);
  EXPECT_EQ(dropped(DropReason::IcmpBadSequence), 1U);
  acked_ = 1460;
  send(peer_segment(acked_));
  close_well();
  open();
  ASSERT_TRUE(write_octets(1460));
  EXPECT_THAT(next_sent(), HasPayloadOctets(1460));
}

// --- The path's MTU ------------------------------------------------------------------------------

class SharedPathMtu : public Sharing {
 protected:
  SharedPathMtu() { ignore_timestamps_default(); }

  // A flight of three segments, and the router's message about the first of them.
  void send_and_be_told(std::uint16_t mtu) {
    ASSERT_TRUE(write_octets(3 * 1460));
    const auto sent = all_sent();
    ASSERT_EQ(sent.size(), 3U);
    send_icmp_error(wire::IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded,
                    sent[0].octets, mtu);
    ASSERT_EQ(info().path_mtu_octets, mtu);
    forget_sent();
  }
  // ... which was right.
  void learn(std::uint16_t mtu) {
    send_and_be_told(mtu);
    send(peer_segment(mtu - 40U));
    acked_ = 3 * 1460;
    send(peer_segment(acked_));
    forget_sent();
  }
  [[nodiscard]] std::uint16_t path_mtu() const { return info().path_mtu_octets; }
  [[nodiscard]] std::uint16_t path_mtu_of_next(const ConnectOptions& options = {}) {
    open(100ms, options);
    return path_mtu();
  }
};

TEST_F(SharedPathMtu, R_9040_6_CACHE_TheNextConnectionBeginsWithTheSizeThatPassed) {
  open();
  learn(1400);
  close_well();
  open();
  EXPECT_EQ(path_mtu(), 1400);
  ASSERT_TRUE(write_octets(1460));
  EXPECT_THAT(next_sent(), HasPayloadOctets(1360));
}

TEST_F(SharedPathMtu, R_1122_3_3_3_MMSS_TheLargestMessageToEachHostCanBeAskedFor) {
  const IpAddress other(192, 0, 2, 77);
  EXPECT_EQ(stack().maximum_sizes(kPeer.address).send_octets, 1480U);
  open();
  learn(1400);
  EXPECT_EQ(stack().maximum_sizes(kPeer.address).send_octets, 1380U);
  EXPECT_EQ(stack().maximum_sizes(other).send_octets, 1480U);
  EXPECT_EQ(stack().maximum_sizes(kPeer.address).receive_octets, 65515U);
  advance(stack().config().destination_cache_age);
  EXPECT_EQ(stack().maximum_sizes(kPeer.address).send_octets, 1480U) << "known no more";
}

TEST_F(SharedPathMtu, R_9040_6_CACHE_ItIsToldWhenItIsKnownAndNotWhenTheConnectionEnds) {
  open();
  learn(1400);
  EXPECT_EQ(path_mtu_of_next(), 1400);
  listen();
  establish_passive();
  EXPECT_EQ(path_mtu(), 1400) << "an accepted connection";
}

TEST_F(SharedPathMtu, R_9040_6_CACHE_ThePathMtuGrowsOldThoughItIsUsed) {
  Config config;
  config.destination_cache_age = 10min;
  for (const bool is_too_old : {false, true}) {
    rebuild(config);
    open();
    learn(1400);
    const Instant learned_at = now();
    close_well();
    for (int i = 0; i < 3; ++i) {  // those that only began with it do not tell it again
      advance(3min);
      ASSERT_EQ(path_mtu_of_next(), 1400);
      write_and_acknowledge(5'000);
      close_well();
    }
    advance(learned_at + 10min - (is_too_old ? Duration{0} : Duration{1ns}) - now());
    open(0ms);
    EXPECT_EQ(path_mtu(), is_too_old ? 1500 : 1400);
  }
}

TEST_F(SharedPathMtu, R_9040_6_CACHE_SwitchedOffThePathMtuIsEachConnectionsOwn) {
  ConnectOptions alone;
  alone.tcp = TcpConfig{};
  alone.tcp->share_measurements = false;
  open(100ms, alone);
  learn(1400);
  EXPECT_EQ(path_mtu_of_next(), 1500);
  learn(1400);
  EXPECT_EQ(path_mtu_of_next(alone), 1500);
}

TEST_F(SharedPathMtu, R_9040_6_CACHE_AProbeThatPassesTakesTheOldSizeBack) {
  Config config;
  config.destination_cache_age = 1h;
  rebuild(config);
  open();
  learn(1400);
  close_well();
  ASSERT_EQ(path_mtu_of_next(), 1400);
  advance(11min);
  write_and_acknowledge(100'000);
  ASSERT_EQ(path_mtu(), 1500);
  EXPECT_EQ(path_mtu_of_next(), 1500);
}

TEST_F(SharedPathMtu, R_9040_SEC_AMessageThatTheOriginalRefutesIsNotToldToOthers) {
  open();
  send_and_be_told(600);
  // The packet that is said to have been dropped arrives.
  acked_ = 3 * 1460;
  send(peer_segment(acked_));
  EXPECT_EQ(path_mtu(), 1500);
  EXPECT_EQ(path_mtu_of_next(), 1500);
}

TEST_F(SharedPathMtu, R_9040_SEC_AMessageThatNothingHasConfirmedIsNotToldToOthers) {
  open();
  send_and_be_told(600);
  EXPECT_EQ(path_mtu_of_next(), 1500);
  open();
  send_and_be_told(600);
  EXPECT_TRUE(abort());
  forget_sent();
  EXPECT_EQ(path_mtu_of_next(), 1500);
}

TEST_F(SharedPathMtu, R_9040_SEC_AHeldMessageIsNotToldToOthers) {
  open();
  write_and_acknowledge(5'000);
  ASSERT_TRUE(write_octets(1460));
  send_icmp_error(wire::IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded,
                  next_sent()->octets, 600);
  acked_ += 1460;
  send(peer_segment(acked_));
  close_well();
  EXPECT_EQ(path_mtu_of_next(), 1500);
}

TEST_F(SharedPathMtu, R_9040_SEC_AGuessAfterTimeoutsIsNotToldToOthers) {
  open();
  ASSERT_TRUE(write_octets(1460));
  while (info().retransmission_timeouts < 3) advance(100ms);
  ASSERT_EQ(path_mtu(), 1200);
  acked_ = 1460;
  send(peer_segment(acked_));
  write_and_acknowledge(1160);
  close_well();
  EXPECT_EQ(path_mtu_of_next(), 1500);
}

TEST_F(SharedPathMtu, R_9040_SEC_TheMtuOfOneHostIsNotThatOfAnother) {
  open();
  learn(1400);
  const auto other = try_connect({IpAddress(192, 0, 2, 77), 80});
  ASSERT_TRUE(other);
  use(*other);
  EXPECT_EQ(path_mtu(), 1500);
}

// --- Bounds --------------------------------------------------------------------------------------

TEST_F(Sharing, R_9040_SEC_TheNumberOfHostsIsBounded) {
  Config config;
  config.destination_cache_entries = 1;
  rebuild(config);
  open(800ms);
  close_well();
  // Another host takes the only entry.
  const Endpoint other{IpAddress(192, 0, 2, 77), kPeerPort};
  ConnectOptions options;
  options.local = {kLocal.address, ++port_};
  const auto connection = try_connect(other, options);
  ASSERT_TRUE(connection);
  use(*connection);
  const auto syn = next_sent();
  advance(10ms);
  send(peer_segment(0).from(other).syn().seq(peer_iss).ack(syn->seq + 1).mss(1460));
  ASSERT_TRUE(abort());
  forget_sent();
  EXPECT_EQ(first_timeout(), 1s) << "the first one is forgotten";
}

}  // namespace
}  // namespace runnel::test
