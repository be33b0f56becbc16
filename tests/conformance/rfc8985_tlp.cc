// Tail loss probes, RFC 8985 section 7, and that they share one timer with the others (section 8).
//
// Unless a test says otherwise the handshake has taken 100 ms: SRTT is 100 ms, RTTVAR 50 ms, the
// retransmission timeout 300 ms, and so a probe is due 200 ms after what was sent last.
#include <array>

#include "tests/support/sack_path.h"
#include "tests/unit/tcp/lone_connection.h"

namespace runnel::test {
namespace {

class TailLossProbes : public SackPath {
 protected:
  // Nothing is sent before `duration` is over, and then exactly this segment.
  void expect_after(Duration duration, std::uint32_t index) {
    advance(duration - 1ns);
    EXPECT_EQ(sent_segments(), Indices{}) << "too early";
    advance(1ns);
    EXPECT_EQ(sent_segments(), Indices{index});
  }
  // The peer has got everything up to `una`, and the probe of its last segment twice.
  void acknowledge_with_dsack(std::uint32_t una) {
    send(acknowledgment(una).sack(at(una - 1), at(una)));
  }
};

// --- When ---

TEST_F(TailLossProbes, R_8985_7_2_PTO_TwoRoundTripsAfterAFlight) {
  open_and_send(5, 50ms);
  ASSERT_EQ(info().smoothed_rtt, 50ms);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::TailLossProbe);
  expect_after(100ms, 4);
  EXPECT_EQ(info().tail_loss_probes, 1U);
  EXPECT_EQ(counters().tcp_tail_loss_probes, 1U);
  EXPECT_EQ(counters().tcp_retransmission_timeouts, 0U);
}

// The ACK of a single segment may be held back.
TEST_F(TailLossProbes, R_8985_7_2_PTO_AndADelayedAckAfterASingleSegment) {
  rebuild(rfc_profile());  // the timeout is 1 s
  open_and_send(1, 50ms);
  expect_after(100ms + 200ms, 0);
  EXPECT_EQ(info().tail_loss_probes, 1U);
}

TEST_F(TailLossProbes, R_8985_7_2_PTO_WithoutAnyRoundTripASecond) {
  TcpConfig config;
  config.rto_initial = 3s;
  rebuild(config);
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).sack_permitted().no_timestamps());
  advance(3s);  // the SYN-ACK goes twice: which one was acknowledged?
  ASSERT_EQ(all_sent().size(), 2U);
  send(acknowledgment(0));
  ASSERT_TRUE(accept());
  ASSERT_EQ(info().smoothed_rtt, Duration{0});
  ASSERT_TRUE(write_octets(2 * kMss));
  forget_sent();
  expect_after(1s, 1);
  EXPECT_EQ(info().tail_loss_probes, 1U);
}

// One segment on a path of 100 ms: the probe would be due after 400 ms, the timeout after 300.
TEST_F(TailLossProbes, R_8985_7_2_PTO_NoLaterThanTheRetransmissionTimeout) {
  open_and_send(1);
  ASSERT_EQ(info().retransmission_timeout, 300ms);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::TailLossProbe);
  expect_after(300ms, 0);
  EXPECT_EQ(info().tail_loss_probes, 1U);
  EXPECT_EQ(info().retransmission_timeouts, 0U) << "a probe, so the window stays";
  EXPECT_EQ(cwnd_segments(), 10U);
  expect_after(300ms, 0);
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

TEST_F(TailLossProbes, R_8985_7_2_ARM_NewDataBeginTheTimeAnew) {
  rebuild(rfc_profile());
  open_and_send(2);
  advance(150ms);
  ASSERT_TRUE(write_octets(kMss));
  EXPECT_EQ(sent_segments(), Indices{2});
  expect_after(200ms, 2);
}

TEST_F(TailLossProbes, R_8985_7_2_ARM_ACumulativeAckDoesToo) {
  rebuild(rfc_profile());
  open_and_send(5);
  advance(100ms);
  acknowledge(3);  // another sample of 100 ms: SRTT stays
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::TailLossProbe);
  expect_after(200ms, 4);
}

TEST_F(TailLossProbes, R_8985_7_2_ARM_NotWhileSomethingIsSacked) {
  open_and_send(10);
  advance(100ms);
  acknowledge(2, {{8, 9}});
  EXPECT_NE(info().recovery_timer, RecoveryTimer::TailLossProbe);
  advance(10s);
  EXPECT_EQ(info().tail_loss_probes, 0U);
}

TEST_F(TailLossProbes, R_8985_7_2_ARM_NotInRecovery) {
  open_and_send(10);
  advance(100ms);
  acknowledge(0, {{1, 4}});
  ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::Retransmission);
  acknowledge(1, {{2, 4}});
  EXPECT_NE(info().recovery_timer, RecoveryTimer::TailLossProbe);
  advance(10s);
  EXPECT_EQ(info().tail_loss_probes, 0U);
}

TEST_F(TailLossProbes, R_8985_7_2_ARM_WithNothingInFlightThereIsNone) {
  open_and_send(2);
  advance(100ms);
  acknowledge(2);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::None);
  advance(10s);
  EXPECT_EQ(sent_segments(), Indices{});
}

// --- Whether ---

TEST_F(TailLossProbes, R_8985_7_3_COND__R_8985_7_3_REARM_AfterAProbeTheTimeoutComesNotAnother) {
  open_and_send(10);
  expect_after(200ms, 9);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::Retransmission);
  expect_after(300ms, 0);
  EXPECT_EQ(info().tail_loss_probes, 1U);
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

TEST_F(TailLossProbes, R_8985_7_3_COND_NotBeforeARoundTripWasMeasured) {
  ignore_timestamps_default();  // they would measure it
  rebuild(rfc_profile());
  open_and_send(1);
  expect_after(400ms, 0);
  advance(50ms);
  acknowledge_with_dsack(1);  // of which transmission? No sample (Karn's rule)
  ASSERT_TRUE(write_octets(2 * kMss));
  EXPECT_EQ(sent_segments(), (Indices{1, 2}));
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::Retransmission);
  advance(100ms);
  acknowledge(3);  // a sample
  ASSERT_TRUE(write_octets(2 * kMss));
  EXPECT_EQ(sent_segments(), (Indices{3, 4}));
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::TailLossProbe);
}

// With timestamps the ACK of a probe is a measurement like any other.
TEST_F(TailLossProbes, R_8985_7_3_COND_TheEchoOfATimestampIsAMeasurement) {
  agree_on_timestamps();
  rebuild(rfc_profile());
  open(100ms);
  ASSERT_TRUE(write_octets(2 * 1448));
  forget_sent();
  advance(200ms);
  ASSERT_EQ(info().tail_loss_probes, 1U);
  advance(100ms);
  forget_sent();
  send(segment().seq(their(0)).ack(our(2 * 1448)).sack(our(1448), our(2 * 1448)));
  ASSERT_TRUE(write_octets(2 * 1448));
  EXPECT_EQ(all_sent().size(), 2U);
  EXPECT_EQ(info().recovery_timer, RecoveryTimer::TailLossProbe);
}

// --- What ---

TEST_F(TailLossProbes, R_8985_7_3_WHAT_TheLastSegmentWhenNothingElseWaits) {
  open_and_send(10);
  advance(200ms);
  const auto probe = next_sent();
  EXPECT_THAT(probe, AllOf(HasSeq(at(9)), HasPayload(pattern(9 * kMss, kMss))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(TailLossProbes, R_8985_7_3_WHAT_NewDataGoFirstThoughTheCongestionWindowIsFull) {
  open_and_send(11);
  ASSERT_EQ(in_flight_segments(), 10U) << "one waits for the congestion window";
  expect_after(200ms, 10);
  EXPECT_EQ(counters().tcp_retrans_segs, 0U);
  EXPECT_EQ(in_flight_segments(), 11U);
  EXPECT_EQ(cwnd_segments(), 10U);
}

TEST_F(TailLossProbes, R_8985_7_3_WHAT_ThePeersWindowHoldsNewDataBack) {
  peer_window = 10 * kMss;
  open_and_send(11);
  expect_after(200ms, 9);
}

TEST_F(TailLossProbes, R_8985_7_3_WHAT_OneSegmentAlthoughMoreWaits) {
  open_and_send(30);
  expect_after(200ms, 10);
  EXPECT_EQ(sent_segments(), Indices{});
}

TEST_F(TailLossProbes, R_8985_7_3_WHAT_ALostFinIsRepeated) {
  open_and_send(2);
  ASSERT_TRUE(shutdown_write());
  const auto fin = next_sent();
  ASSERT_THAT(fin, IsFin());
  advance(200ms - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(fin->seq)));
}

TEST_F(TailLossProbes, R_8985_7_3_REARM_TheTimeoutCountsFromTheProbe) {
  open_and_send(11);
  expect_after(200ms, 10);  // new data
  expect_after(300ms, 0);   // at 500 ms, not at 300
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

// --- What it has shown ---

class ProbeResponses : public TailLossProbes {
 protected:
  // Two segments, of which the last goes again as a probe after 200 ms.
  void probe() {
    rebuild(rfc_profile());
    open_and_send(2);
    advance(200ms);
    ASSERT_EQ(sent_segments(), Indices{1});
    ASSERT_EQ(info().tail_loss_probes, 1U);
    threshold_ = info().slow_start_threshold_octets;
    advance(100ms);
  }
  // The next segment is sent and acknowledged.
  void go_on() {
    ASSERT_TRUE(write_octets(kMss));
    advance(100ms);
    acknowledge(3);
  }
  std::uint64_t threshold_ = 0;
};

TEST_F(ProbeResponses, R_8985_7_4_CC_ARepairedLossReducesTheWindowOnce) {
  probe();
  acknowledge(2);
  EXPECT_EQ(info().slow_start_threshold_octets, threshold_) << "both may have arrived";
  go_on();
  EXPECT_EQ(ssthresh_segments(), 2U);
  EXPECT_LE(cwnd_segments(), 3U);
  EXPECT_EQ(info().retransmission_timeouts, 0U);
  const std::uint64_t reduced = info().slow_start_threshold_octets;
  ASSERT_TRUE(write_octets(kMss));
  advance(100ms);
  acknowledge(4);
  EXPECT_EQ(info().slow_start_threshold_octets, reduced) << "once";
}

TEST_F(ProbeResponses, R_8985_7_4_CC_ADsackShowsThatNothingWasLost) {
  probe();
  acknowledge_with_dsack(2);
  go_on();
  EXPECT_EQ(info().slow_start_threshold_octets, threshold_);
  EXPECT_EQ(info().duplicates_reported, 1U);
}

TEST_F(ProbeResponses, R_8985_7_4_CC_ADsackMayComeAfterTheAck) {
  probe();
  acknowledge(2);
  acknowledge_with_dsack(2);
  go_on();
  EXPECT_EQ(info().slow_start_threshold_octets, threshold_);
}

// A peer without D-SACK answers the second copy by a mere duplicate. Nothing is in flight then.
TEST_F(ProbeResponses, R_8985_7_4_CC_ADuplicateAckShowsItToo) {
  probe();
  acknowledge(2);
  acknowledge(2);
  go_on();
  EXPECT_EQ(info().slow_start_threshold_octets, threshold_);
}

TEST_F(ProbeResponses, R_8985_7_4_CC_AProbeOfNewDataIsNoRepair) {
  rebuild(rfc_profile());
  open_and_send(11);
  advance(200ms);
  ASSERT_EQ(sent_segments(), Indices{10});
  threshold_ = info().slow_start_threshold_octets;
  advance(100ms);
  acknowledge(11);
  ASSERT_TRUE(write_octets(kMss));
  advance(100ms);
  acknowledge(12);
  EXPECT_EQ(info().slow_start_threshold_octets, threshold_);
}

// What the probe is for: its SACK finds a loss that only the timeout would have found.
TEST_F(ProbeResponses, R_8985_7_4_CC_TheSackOfAProbeFindsWhatWasLostBeforeIt) {
  open_and_send(10);
  advance(100ms);
  acknowledge(6);  // 6 to 9 are lost; SRTT 100 ms, RTTVAR 37.5 ms, the timeout 250 ms
  advance(200ms);
  ASSERT_EQ(sent_segments(), Indices{9});
  advance(100ms);
  acknowledge(6, {{9, 10}});
  // RACK.rtt is 100 ms and they left 400 ms ago: lost, all three.
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  const Indices again = sent_segments();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front(), 6U);
  EXPECT_EQ(info().retransmission_timeouts, 0U);
}

// --- One timer ---

// A connection of its own, of which every timer can be seen.
TEST(RecoveryTimers, R_8985_8_ONETIMER_AtMostOneOfTheFourIsSetWhateverHappens) {
  using tcp::LoneConnection;
  using tcp::TimerKind;
  constexpr std::array<TimerKind, 4> kinds{TimerKind::Retransmission, TimerKind::TailLossProbe,
                                           TimerKind::Reordering, TimerKind::Persist};
  std::array<int, 4> seen{};
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SeededRandom dice(seed);
    tcp::LoneConnectionOptions options;
    options.peer_sack = seed % 4 != 0;
    options.peer_window = 40 * 1460;
    LoneConnection lone(options);
    lone.establish();
    std::uint32_t una = 0;
    const auto check = [&](const char* what) {
      int set = 0;
      for (std::size_t i = 0; i < kinds.size(); ++i) {
        if (!lone.tcp.timers().is_set(kinds[i])) continue;
        ++set;
        ++seen[i];
      }
      ASSERT_LE(set, 1) << "seed " << seed << " after " << what;
      // ... and one is, as long as anything may be lost.
      if (lone.tcp.snd().una < lone.tcp.snd().nxt) {
        ASSERT_EQ(set, 1) << "seed " << seed << " after " << what;
      }
    };
    for (int step = 0; step < 200 && lone.tcp.state() == tcp::State::Established; ++step) {
      switch (dice.below(4)) {
        case 0:
          (void)lone.write(1 + dice.below(8 * 1460));
          check("a write");
          break;
        case 1:
          lone.advance(Duration(static_cast<Duration::rep>(dice.below(200'000'000))));
          check("a while");
          break;
        default: {
          const auto end = distance(tcp::SeqNum{lone.our(0)}, lone.tcp.snd().nxt);
          if (dice.below(2) == 0 && una < end) {
            una = std::min(end, una + static_cast<std::uint32_t>(dice.below(3)) * 1460);
          }
          tcp::Segment ack = lone.segment(0, una);
          if (dice.below(5) == 0) ack.window = static_cast<std::uint16_t>(dice.below(4) * 1460);
          if (options.peer_sack && end > una + 1460 && dice.below(2) == 0) {
            const auto first =
                una + 1460 * (1 + static_cast<std::uint32_t>(dice.below((end - una) / 1460)));
            if (first + 1460 <= end) {
              ack.options.sack.blocks[0] = {tcp::SeqNum{lone.our(first)},
                                            tcp::SeqNum{lone.our(first + 1460)}};
              ack.options.sack.count = 1;
            }
          }
          lone.arrive(ack);
          check("an ACK");
          break;
        }
      }
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  for (const int count : seen) EXPECT_GT(count, 0) << "each of them was at work";
}

}  // namespace
}  // namespace runnel::test
