// How the congestion window opens and what bounds it, RFC 5681 sections 2, 3.1 and 4.3, and what
// RFC 8961 asks of whoever detects loss by time. The peer offers no option but MSS: there are no
// timestamps and no SACK, so what is said here of samples and timers is RFC 6298 pure.
#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <utility>

#include "tests/support/host_pair.h"
#include "tests/support/tcp_tester.h"
#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

constexpr std::uint32_t kMss = 1460;

class Windows : public TcpTester {
 protected:
  // A peer whose window holds no sender back.
  Windows() { peer_wscale = 7; }

  // Established under the RFCs' own parameters, with at least `segments` in the congestion window
  // and everything acknowledged.
  void grow_to(std::uint32_t segments) {
    rebuild(rfc_profile());
    bring_to(TcpState::Established);
    acknowledged_ = 0;
    if (segments > 10) {
      // Each of the first ACKs lets two segments go; only they find the window in full use.
      const std::uint32_t written = 2 * (segments - 10) + 10;
      EXPECT_TRUE(write_octets(std::size_t{written} * kMss));
      acknowledge(written);
    }
    EXPECT_GE(info().congestion_window_octets, segments * kMss);
    EXPECT_EQ(info().in_flight_octets, 0U);
  }
  // Writes so many segments, which all leave.
  void send_flight(std::uint32_t segments) {
    forget_sent();
    EXPECT_TRUE(write_octets(std::size_t{segments} * kMss));
    EXPECT_EQ(all_sent().size(), segments);
  }
  // Acknowledges so many segments, one by one.
  void acknowledge(std::uint32_t segments) {
    for (std::uint32_t i = 0; i < segments; ++i) {
      acknowledged_ += kMss;
      send(ack_segment(0, acknowledged_));
    }
    forget_sent();
  }

  std::uint32_t acknowledged_ = 0;  // octets
};

// --- Slow start and congestion avoidance ---

TEST_F(Windows, R_5681_3_1_SS_AnAckGrowsTheWindowByWhatItAcknowledges) {
  for (const std::uint32_t octets : {kMss, kMss - 1, 100U, 1U}) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(100 * kMss));
    forget_sent();
    send(ack_segment(0, octets));
    EXPECT_EQ(info().congestion_window_octets, 10 * kMss + octets) << octets;
  }
}

// DEVIATES: RFC 5681 permits one segment for an ACK of several. Every octet counts here, as in
// Linux, because one ACK may stand for a super-packet; but only of what it newly acknowledges, and
// after a timeout, when an ACK may cover octets that arrived long ago, no more than one segment.
TEST_F(Windows, R_5681_3_1_SS_AnAckOfSeveralSegmentsCountsThemAllButAfterATimeoutOne) {
  for (const std::uint32_t segments : {2U, 10U}) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(100 * kMss));
    forget_sent();
    send(ack_segment(0, segments * kMss));
    EXPECT_EQ(info().congestion_window_octets, (10 + segments) * kMss);
    send(ack_segment(0, segments * kMss));
    EXPECT_EQ(info().congestion_window_octets, (10 + segments) * kMss) << "a duplicate of it";
  }
  grow_to(20);
  send_flight(20);
  advance(1s);
  ASSERT_EQ(info().congestion_window_octets, kMss);
  send(ack_segment(0, acknowledged_ + 3 * kMss));
  EXPECT_EQ(info().congestion_window_octets, 2 * kMss);
}

// Under the RFC's own profile an ACK of any number of segments is worth one.
TEST_F(Windows, R_5681_3_1_SS_UnderTheProfileOfTheRfcsAnAckGrowsTheWindowByOneSegmentAtMost) {
  const std::pair<std::uint32_t, std::uint32_t> cases[] = {
      {100, 100}, {kMss, kMss}, {kMss + 1, kMss}, {2 * kMss, kMss}, {10 * kMss, kMss}};
  for (const auto& [acknowledged, growth] : cases) {
    rebuild(rfc_profile());
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(100 * kMss));
    forget_sent();
    send(ack_segment(0, acknowledged));
    EXPECT_EQ(info().congestion_window_octets, 10 * kMss + growth) << acknowledged;
  }
}

TEST_F(Windows, R_5681_3_1_SS_SplittingAnAckGainsNothing) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(100 * kMss));
  for (std::uint32_t at = 10; at <= kMss; at += 10) send(ack_segment(0, at));
  EXPECT_EQ(info().congestion_window_octets, 11 * kMss) << "146 ACKs of one segment";
}

TEST_F(Windows, R_5681_3_1_SSTHRESH0_WithoutLossSlowStartGoesOnToThePeersWindow) {
  constexpr std::uint32_t kWindow = 200 * kMss;
  peer_window = static_cast<std::uint16_t>(kWindow >> 7U);
  bring_to(TcpState::Established);
  EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U);
  EXPECT_TRUE(write_octets(1'000'000));
  std::uint64_t cwnd = info().congestion_window_octets;
  std::uint32_t at = 0;
  while (cwnd < kWindow) {
    at += kMss;
    send(ack_segment(0, at));
    ASSERT_EQ(info().congestion_window_octets, cwnd + kMss) << "after " << at / kMss;
    cwnd += kMss;
  }
  EXPECT_GE(info().slow_start_threshold_octets, std::uint64_t{1} << 30U);
}

TEST_F(Windows, R_5681_3_1_CA__R_9293_MUST_19_AWindowOfTenSegmentsGrowsByOneInARoundTrip) {
  // A timeout with 20 segments in flight sets the threshold to 10.
  grow_to(20);
  send_flight(20);
  advance(1s);
  ASSERT_EQ(info().retransmission_timeouts, 1U);
  ASSERT_EQ(info().slow_start_threshold_octets, 10 * kMss);
  acknowledge(20);
  EXPECT_TRUE(write_octets(200 * kMss));
  while (info().congestion_window_octets < 10 * kMss) acknowledge(1);
  for (std::uint32_t cwnd = 10; cwnd < 14; ++cwnd) {
    // RFC 5681 allows one segment; equation 3 falls short of it by its rounding and because the
    // window grows meanwhile.
    const std::uint64_t before = info().congestion_window_octets;
    acknowledge(static_cast<std::uint32_t>(before / kMss));
    const std::uint64_t growth = info().congestion_window_octets - before;
    EXPECT_LE(growth, kMss) << cwnd;
    EXPECT_GE(growth, kMss * 9 / 10) << cwnd;
  }
}

// --- After a timeout ---

TEST_F(Windows, R_5681_3_1_RTO_SSTHRESH__R_8961_4_3_CC_HalfOfTheFlightAndOneSegment) {
  grow_to(20);
  send_flight(20);
  advance(1s - 1ns);
  EXPECT_GE(info().congestion_window_octets, 20 * kMss);
  advance(1ns);
  EXPECT_EQ(info().slow_start_threshold_octets, 10 * kMss);
  EXPECT_EQ(info().congestion_window_octets, kMss);
  EXPECT_EQ(all_sent().size(), 1U);
  // The same segment again: the threshold stays, not halved to what is the window now.
  advance(2s);
  EXPECT_EQ(info().retransmission_timeouts, 2U);
  EXPECT_EQ(info().slow_start_threshold_octets, 10 * kMss);
  EXPECT_EQ(info().congestion_window_octets, kMss);
  EXPECT_EQ(all_sent().size(), 1U);
}

TEST_F(Windows, R_5681_3_1_RTO_SSTHRESH_NeverBelowTwoSegments) {
  for (const std::uint32_t flight : {1U, 2U, 3U, 4U, 5U, 6U}) {
    grow_to(10);
    send_flight(flight);
    advance(1s);
    EXPECT_EQ(info().slow_start_threshold_octets, std::max(2 * kMss, flight * kMss / 2)) << flight;
  }
}

TEST_F(Windows, R_5681_3_1_LW_TheSecondSegmentWaitsForTheAckOfTheFirst) {
  grow_to(10);
  send_flight(10);
  advance(1s);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(0)), HasPayloadOctets(kMss)));
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1900ms);
  EXPECT_THAT(next_sent(), IsNothing());
  send(ack_segment(0, kMss));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(kMss))));
  EXPECT_LE(all_sent().size(), 1U) << "slow start: two at most";
}

TEST_F(Windows, R_5681_3_1_FLIGHT_TheFormulaTakesWhatIsInFlightNotTheWindow) {
  grow_to(100);
  send_flight(10);
  for (int i = 0; i < 3; ++i) send(ack_segment(0, acknowledged_));
  EXPECT_EQ(info().fast_retransmits, 1U);
  EXPECT_EQ(info().slow_start_threshold_octets, 5 * kMss) << "100 were permitted, 10 were sent";
}

// --- The initial window ---

TEST_F(Windows, R_5681_3_1_SYNCWND_NeitherSynAckNorItsAckOpenTheWindow) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    establish(opening);
    EXPECT_EQ(info().congestion_window_octets, 10 * kMss);
    EXPECT_TRUE(write_octets(20 * kMss));
    EXPECT_EQ(all_sent().size(), 10U);
  }
}

// RFC 5681 takes one segment as soon as a SYN or SYN,ACK was lost; RFC 6928 section 2 relaxes that
// for a single loss, which may well have been none. The latter is taken.
TEST_F(Windows, R_5681_3_1_SYNLOSS__R_6928_2_SYNLOSS_OneLostSynIsForgivenTwoAreNot) {
  for (const int lost : {0, 1, 2, 3}) {
    const std::uint64_t expected = lost < 2 ? 10 * kMss : kMss;
    rebuild(Config{});
    connect();
    for (int i = 0; i < lost; ++i) advance(1s * (1 << i));
    ASSERT_EQ(all_sent().size(), static_cast<std::size_t>(lost) + 1);
    send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
    EXPECT_EQ(info().congestion_window_octets, expected) << lost << " SYNs";

    rebuild(Config{});
    listen();
    send(segment().syn().seq(peer_iss).mss(1460));
    for (int i = 0; i < lost; ++i) advance(1s * (1 << i));
    ASSERT_EQ(all_sent().size(), static_cast<std::size_t>(lost) + 1);
    send(ack_segment(0, 0));
    ASSERT_TRUE(accept());
    EXPECT_EQ(info().congestion_window_octets, expected) << lost << " SYN,ACKs";
  }
}

// Ten segments of 1,460 octets were permitted; when the path turns out to take smaller ones, ten of
// these are.
TEST_F(Windows, R_5681_3_1_PMTUD_TheInitialWindowKeepsItsSegmentsWhenTheyShrink) {
  ignore_timestamps_default();
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(20 * kMss));
  const auto first = next_sent();
  ASSERT_THAT(first, HasPayloadOctets(kMss));
  ASSERT_EQ(info().congestion_window_octets, 10 * kMss);
  send_icmp_error(wire::IcmpType::DestinationUnreachable, 4, first->octets, 576);
  EXPECT_EQ(info().send_mss_octets, 536U);
  EXPECT_EQ(info().congestion_window_octets, 10U * 536U);
}

// --- The limit ---

TEST_F(Windows, R_5681_3_LIMIT_NothingIsSentBeyondEitherWindow) {
  SeededRandom dice(5681);
  for (int run = 0; run < 20; ++run) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    std::uint32_t una = 0;
    std::uint32_t end = 0;
    std::uint32_t edge = 60U << 7U;
    send(ack_segment(0, 0).window(60));
    for (int step = 0; step < 200; ++step) {
      EXPECT_TRUE(stack().write(id(), std::vector<std::uint8_t>(dice.below(5000))) ||
                  stack().writable_octets(id()) == 0);
      pump();
      // An ACK, a wider window or both, but never a duplicate: limited transmit is another rule.
      const std::uint32_t old_una = una;
      const std::uint32_t old_edge = edge;
      if (dice.below(2) == 0 && end > una) {
        una += 1 + static_cast<std::uint32_t>(dice.below(end - una));
      }
      if (dice.below(3) == 0) edge += static_cast<std::uint32_t>(dice.below(60) << 7U);
      const std::uint32_t field = std::min((edge - una + 127) >> 7U, 65535U);  // rounds up
      edge = una + (field << 7U);
      if (una == old_una && edge == old_edge) continue;
      send(ack_segment(0, una).window(static_cast<std::uint16_t>(field)));
      const std::uint64_t cwnd = info().congestion_window_octets;
      for (const SentSegment& sent : all_sent()) {
        const std::uint32_t sent_end = sent.seq + sent.length() - our(0);
        if (sent.length() == 0 || sent_end <= end) continue;
        end = sent_end;
        ASSERT_LE(sent_end, edge) << "run " << run << ", step " << step << ": " << sent;
        ASSERT_LE(sent_end - una, cwnd) << "run " << run << ", step " << step << ": " << sent;
      }
    }
    EXPECT_GT(end, 100'000U);
  }
}

// --- RFC 8961: detecting loss by time ---

TEST_F(Windows, R_8961_4_1_INIT_WithoutASampleTheTimeoutIsOneSecond) {
  // A SYN, whatever the minimum is.
  connect();
  ASSERT_THAT(next_sent(), IsSyn());
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), IsSyn());
  // A SYN,ACK.
  rebuild(Config{});
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  ASSERT_THAT(next_sent(), IsSynAck());
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), IsSynAck());
  // Data of a connection whose handshake gave no sample, because its SYN was repeated.
  rebuild(Config{});
  connect();
  advance(1s);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_EQ(info().smoothed_rtt, Duration{0});
  EXPECT_GE(info().retransmission_timeout, 1s);
}

TEST_F(Windows, R_8961_4_2_SAMPLES_SeveralSamplesOneEachRoundTripNoneThatIsAmbiguous) {
  ignore_timestamps_default();
  rebuild(rfc_profile());
  connect();
  advance(100ms);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  std::uint32_t at = 0;
  Duration last = info().smoothed_rtt;
  for (int round = 0; round < 20; ++round) {
    EXPECT_TRUE(write_octets(100));
    advance(500ms);
    at += 100;
    send(ack_segment(0, at));
    EXPECT_GT(info().smoothed_rtt, last) << "a sample in round " << round;
    EXPECT_LT(info().smoothed_rtt, 500ms) << "that does not replace those before it";
    last = info().smoothed_rtt;
  }
  forget_sent();
  const Duration variation = info().rtt_variation;
  EXPECT_TRUE(write_octets(100));
  advance(info().retransmission_timeout);
  ASSERT_EQ(all_sent().size(), 2U);
  advance(100ms);
  send(ack_segment(0, at + 100));
  EXPECT_EQ(info().smoothed_rtt, last) << "of which transmission is this the ACK?";
  EXPECT_EQ(info().rtt_variation, variation);
}

TEST_F(Windows, R_8961_4_4_BACKOFF_EachFiringDoublesTheTimeoutUpToAMinute) {
  rebuild(rfc_profile());
  connect();
  advance(100ms);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_TRUE(write("x"));
  forget_sent();
  EXPECT_GE(TcpConfig{}.rto_maximum, 60s);
  for (const Duration gap : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    advance(gap - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(0))));
  }
}

// --- How fast a recovery may be ---

// One recovery of the client's, as the packets tell it.
struct Recovery {
  Instant begin{};           // the first retransmission
  std::uint64_t flight = 0;  // sent and not acknowledged before the ACKs of that instant, in octets
  std::vector<std::uint64_t>
      octets;  // that left in each round trip until all of it was acknowledged
};

Recovery recovery_in(const std::deque<TracedPacket>& trace, Duration one_way) {
  Recovery recovery;
  std::uint32_t una = 0;
  std::uint32_t una_before = 0;  // the ACKs of this instant
  Instant instant{};
  std::uint32_t end = 0;
  std::uint32_t recover = 0;
  std::deque<std::pair<Instant, std::uint32_t>> acks;  // on their way to the client
  for (const TracedPacket& packet : trace) {
    const auto segment = SentSegment::parse(packet.octets, {}, packet.at);
    if (!segment) continue;
    if (packet.direction == Direction::ToClient) {
      acks.emplace_back(packet.at + one_way, segment->ack);
      continue;
    }
    if (instant < packet.at) una_before = una;
    instant = packet.at;
    for (; !acks.empty() && acks.front().first <= packet.at; acks.pop_front()) {
      una = acks.front().second;
      if (acks.front().first < packet.at) una_before = una;
    }
    if (segment->payload.empty()) continue;
    const std::uint32_t segment_end = segment->seq + segment->length();
    const bool is_new = end == 0 || static_cast<std::int32_t>(segment_end - end) > 0;
    if (!is_new && recovery.octets.empty()) {
      recovery.begin = packet.at;
      recovery.flight = end - una_before;
      recover = end;
    }
    if (is_new) end = segment_end;
    const bool has_begun = recovery.begin != Instant{};
    if (!has_begun || static_cast<std::int32_t>(una - recover) >= 0) continue;
    const auto round = static_cast<std::size_t>((packet.at - recovery.begin) / (2 * one_way));
    recovery.octets.resize(std::max(recovery.octets.size(), round + 1));
    recovery.octets[round] += segment->payload.size();
  }
  return recovery;
}

// Of the twenty segments of the second round trip three are lost, together or apart.
TEST(RecoveryRate, R_5681_4_3_RATE_AtMostHalfOfTheFlightInARoundTrip) {
  const std::array<std::array<int, 3>, 4> losses{{{0, 1, 2}, {0, 7, 14}, {3, 9, 10}, {2, 12, 16}}};
  for (const bool sack : {false, true}) {
    for (const auto& lost : losses) {
      HostPairOptions options;
      options.one_way_delay = 50ms;
      options.client.tcp.congestion_control = CongestionAlgorithm::NewReno;
      options.client.tcp.sack = options.server.tcp.sack = sack;
      HostPair pair(options);
      int count = 0;
      std::set<std::uint32_t> dropped;
      pair.drop_if([&](Bytes packet) {
        const auto segment = SentSegment::parse(packet, {}, {});
        if (!segment || segment->payload.empty() || dropped.count(segment->seq) > 0) return false;
        const int index = count++ - 10;
        if (std::find(lost.begin(), lost.end(), index) == lost.end()) return false;
        dropped.insert(segment->seq);
        return true;
      });
      transfer_and_expect_everything(pair, 120 * kMss, 0);
      ASSERT_EQ(dropped.size(), 3U);
      const Recovery recovery = recovery_in(pair.trace(), options.one_way_delay);
      ASSERT_GE(recovery.flight, 15 * kMss);
      ASSERT_FALSE(recovery.octets.empty());
      for (std::size_t round = 0; round < recovery.octets.size(); ++round) {
        EXPECT_LE(recovery.octets[round], recovery.flight / 2)
            << (sack ? "SACK" : "no SACK") << ", first lost " << lost[0] << ", round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace runnel::test
