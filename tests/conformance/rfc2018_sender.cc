// What SACK blocks do to the sender: RFC 2018 sections 5 and 8, D-SACK's side of it in RFC 2883,
// and limited transmit (RFC 3042).
#include <limits>

#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

class SackSender : public SackPath {
 protected:
  // What loss detection believes, as far as it can be seen.
  struct Belief {
    std::uint64_t sacked, lost, in_flight, cwnd;
    std::uint32_t duplicates;
    RecoveryPhase phase;
    friend bool operator==(const Belief&, const Belief&) = default;
  };
  [[nodiscard]] Belief belief() const {
    const TcpInfo status = info();
    return {status.sacked_octets,       status.lost_octets,
            status.in_flight_octets,    status.congestion_window_octets,
            status.duplicates_reported, status.recovery_phase};
  }
};

// --- Reneging ---

// Segments 5 to 9 are SACKed and then thrown away. Nothing tells so, except that the cumulative ACK
// stays before them: the timeout forgets the SACKs, and everything goes again.
TEST_F(SackSender, R_2018_5_RTOCLEAR__R_2018_8_NODISCARD_APeerMayThrowAwayWhatItHadSacked) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{5, 10}});
  Indices sent = sent_segments();
  std::uint32_t una = 0;
  for (int round = 0; una < 5 && round < 10; ++round) {  // 0 to 4 arrive as they are sent
    advance(kRoundTrip);
    ASSERT_FALSE(sent.empty());
    una = sent.back() + 1;
    acknowledge(una);
    sent = sent_segments();
  }
  ASSERT_EQ(una, 5U);
  EXPECT_EQ(info().retransmission_timeouts, 0U);
  EXPECT_EQ(info().sacked_octets, 5 * kMss);

  const Duration timeout = info().retransmission_timeout;
  advance(timeout - 1ns);
  EXPECT_EQ(sent_segments(), Indices{}) << "the peer has said that it has them";
  advance(1ns);
  auto again = next_sent();
  EXPECT_THAT(again, AllOf(HasSeq(at(5)), HasPayload(pattern(5 * kMss, kMss))));
  EXPECT_EQ(info().sacked_octets, 0U);
  EXPECT_EQ(counters().tcp_sack_reneges, 1U);
  // The others follow by themselves, with the octets that were written.
  std::uint32_t arrived = 6;
  for (int round = 0; arrived < 10 && round < 10; ++round) {
    advance(kRoundTrip);
    acknowledge(arrived);
    for (const SentSegment& segment : all_sent()) {
      EXPECT_EQ(index_of(segment), arrived);
      EXPECT_EQ(segment.payload, pattern(arrived * kMss, kMss));
      ++arrived;
    }
  }
  EXPECT_EQ(arrived, 10U);
  advance(kRoundTrip);
  acknowledge(10);
  EXPECT_EQ(info().octets_acknowledged, 10 * kMss);
  EXPECT_EQ(info().send_queue_octets, 0U);
}

// Where nothing shows reneging the marks stay: RFC 8985 and RFC 6675 relax the rule.
TEST_F(SackSender, R_2018_5_RTOCLEAR_WithoutASignOfItWhatIsSackedIsNotSentAgain) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{1, 10}});
  ASSERT_EQ(sent_segments(), Indices{0});
  advance(info().retransmission_timeout);
  ASSERT_EQ(info().retransmission_timeouts, 1U);
  EXPECT_EQ(sent_segments(), Indices{0});
  EXPECT_EQ(info().sacked_octets, 9 * kMss);
  EXPECT_EQ(counters().tcp_sack_reneges, 0U);
  advance(kRoundTrip);
  acknowledge(10);
  EXPECT_EQ(sent_segments(), Indices{});
}

TEST_F(SackSender, R_2018_8_NODISCARD_SackedOctetsStayInTheSendQueue) {
  open_and_send(10);
  acknowledge(0, {{1, 10}});
  EXPECT_EQ(info().send_queue_octets, 10 * kMss);
  acknowledge(10);
  EXPECT_EQ(info().send_queue_octets, 0U);
}

// --- Blocks that cannot be ---

TEST_F(SackSender, R_2018_X_BOUNDS_HostileBlocksChangeNothing) {
  ignore_timestamps_default();  // four blocks leave them no room
  open_and_send(10);
  advance(50ms);
  acknowledge(2);
  forget_sent();
  const Belief before = belief();
  struct Case {
    const char* what;
    std::uint32_t left, right;
    bool counts;  // as a bad block
  };
  const std::uint32_t una = at(2);
  const std::uint32_t nxt = at(10);
  const Case cases[] = {
      {"beyond SND.NXT", nxt, nxt + kMss, true},
      {"across SND.NXT", at(9), nxt + 1, true},
      {"one octet before SND.NXT too many", una + 1, nxt + 1, true},
      {"reversed", at(5), at(4), true},
      {"empty", at(5), at(5), true},
      {"half the sequence space", una, una + 0x80000000U, true},
      {"nearly all of it", una, una - 1, true},
      {"far beyond", nxt + 0x40000000U, nxt + 0x40000001U, true},
  };
  std::uint64_t bad = dropped(DropReason::TcpBadSack);
  for (const Case& c : cases) {
    send(acknowledgment(2).sack(c.left, c.right));
    EXPECT_TRUE(belief() == before) << c.what;
    if (c.counts) {
      EXPECT_EQ(dropped(DropReason::TcpBadSack), ++bad) << c.what;
    }
  }
  EXPECT_EQ(sent_segments(), Indices{});
  // Behind a good block as well.
  send(acknowledgment(2)
           .sack(at(8), at(9))
           .sack(at(5), at(4))
           .sack(nxt, nxt + 1)
           .sack(una, una + 0x80000000U));
  EXPECT_EQ(info().sacked_octets, kMss) << "the good one counts";
  EXPECT_EQ(dropped(DropReason::TcpBadSack), bad + 3);
}

// Only whole segments can have arrived: blocks of single octets neither count nor cost memory.
TEST_F(SackSender, R_2018_X_BOUNDS_BlocksOfSingleOctetsDoNotSplitSegments) {
  ignore_timestamps_default();
  open_and_send(10);
  advance(50ms);
  const auto blocks = [&](std::uint32_t octet) {
    SegmentBuilder ack = acknowledgment(0);
    for (std::uint32_t i = 0; i < 4; ++i) {
      ack.sack(our(octet + 2 * i), our(octet + 2 * i + 1));
    }
    return ack;
  };
  for (std::uint32_t octet = 1; octet + 8 < 10 * kMss; octet += 97) send(blocks(octet));
  EXPECT_EQ(info().sacked_octets, 0U);
  EXPECT_EQ(info().lost_octets, 0U);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(sent_segments(), Indices{});
}

TEST_F(SackSender, R_2018_X_BOUNDS_RandomBlocksNeverSpoilTheStream) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom dice(seed);
    rebuild(Config{});
    open_and_send(30);
    for (int i = 0; i < 300; ++i) {
      SegmentBuilder ack = acknowledgment(0);
      for (std::uint64_t n = 1 + dice.below(3); n > 0; --n) {
        const auto left = static_cast<std::uint32_t>(dice.below(40 * kMss)) - 5 * kMss;
        const auto length = static_cast<std::uint32_t>(dice.below(6 * kMss)) - kMss;
        ack.sack(our(left), our(left + length));
      }
      send(ack);
      const TcpInfo status = info();
      const std::uint64_t outstanding = status.octets_sent - status.octets_acknowledged;
      ASSERT_EQ(status.sacked_octets + status.lost_octets + status.in_flight_octets, outstanding);
      advance(1ms);
    }
    for (const SentSegment& sent : all_sent()) {
      ASSERT_EQ(sent.payload, pattern(sent.seq - our(0), sent.payload.size()));
    }
  }
}

// --- D-SACK ---

TEST_F(SackSender, R_2883_4_TX_ABlockBelowTheAckReportsADuplicate) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(4);
  forget_sent();
  const Belief before = belief();
  send(acknowledgment(4).sack(at(1), at(2)));
  EXPECT_EQ(info().duplicates_reported, 1U);
  EXPECT_EQ(counters().tcp_dsacks_received, 1U);
  Belief after = belief();
  after.duplicates = before.duplicates;
  EXPECT_TRUE(after == before) << "nothing is lost, and nothing more has arrived";
  EXPECT_EQ(dropped(DropReason::TcpBadSack), 0U);
}

TEST_F(SackSender, R_2883_4_TX_SoDoesOneInsideTheSecondBlock) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{5, 7}});
  forget_sent();
  const Belief before = belief();
  acknowledge(0, {{5, 6}, {5, 7}});
  EXPECT_EQ(info().duplicates_reported, 1U);
  Belief after = belief();
  after.duplicates = before.duplicates;
  EXPECT_TRUE(after == before);
}

TEST_F(SackSender, R_2883_4_TX_AFirstBlockBesideTheSecondReportsNone) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(0, {{8, 9}, {5, 7}});
  acknowledge(0, {{4, 7}, {8, 9}});
  EXPECT_EQ(info().duplicates_reported, 0U);
  EXPECT_EQ(info().sacked_octets, 4 * kMss);
}

// An old ACK that was overtaken: its block lies below SND.UNA by now, but not below its own ACK.
TEST_F(SackSender, R_2883_5_CMP_TheAckNumberOfTheSameSegmentDecides) {
  open_and_send(10);
  advance(kRoundTrip);
  acknowledge(5);
  forget_sent();
  const Belief before = belief();
  acknowledge(2, {{3, 4}});
  acknowledge(2, {{4, 5}, {3, 4}});
  EXPECT_EQ(info().duplicates_reported, 0U);
  EXPECT_TRUE(belief() == before);
  acknowledge(2, {{1, 2}});
  EXPECT_EQ(info().duplicates_reported, 1U) << "that one was, when it was sent";
}

// --- Counting ---

// Data that are SACKed and then acknowledged leave the flight once.
TEST_F(SackSender, R_9937_6_2_INFLIGHT_WhatIsSackedAndThenAcknowledgedIsCountedOnce) {
  open_and_send(10);
  advance(10ms);
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(in_flight_segments(), 9U);
  acknowledge(2);
  EXPECT_EQ(in_flight_segments(), 8U);
  EXPECT_EQ(info().sacked_octets, 0U);
  EXPECT_EQ(info().octets_acknowledged, 2 * kMss);
  EXPECT_EQ(cwnd_segments(), 10U) << "the application had no more to send";
}

// --- Limited transmit (RFC 3042) ---

TEST_F(SackSender, R_3042_2_LT__R_3042_2_SACK_OneNewSegmentForEachThatIsSackedAndNoneForRepeats) {
  open_and_send(20);
  advance(10ms);  // too early for the reordering window to have passed
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(sent_segments(), Indices{10});
  for (int i = 0; i < 5; ++i) acknowledge(0, {{1, 2}});
  EXPECT_EQ(sent_segments(), Indices{}) << "nothing new in them";
  for (int i = 0; i < 5; ++i) acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{}) << "nor in duplicates without blocks";
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(sent_segments(), Indices{11});
  EXPECT_EQ(cwnd_segments(), 10U);
  EXPECT_EQ(info().fast_retransmits, 0U);
}

TEST_F(SackSender, R_3042_2_LT_WithAWindowOfFourSegmentsToo) {
  TcpConfig config;
  config.initial_window_segments = 4;
  rebuild(config);
  peer_sack = false;
  open_and_send(20);
  EXPECT_EQ(in_flight_segments(), 4U);
  acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{4});
  acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{5});
  acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{0});
}

TEST_F(SackSender, R_3042_2_SACK_ThePeersWindowHoldsThemBack) {
  peer_window = 10 * kMss;
  open_and_send(20);
  advance(10ms);
  acknowledge(0, {{1, 2}});
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(sent_segments(), Indices{});
}

}  // namespace
}  // namespace runnel::test
