// How long each kind of loss takes to be repaired, to the nanosecond. Every expected instant is
// computed here from the formulas of RFC 8985 and RFC 6298.
//
// The path takes 100 ms at a constant rate, and the parameters are the RFCs' own, so the
// retransmission timeout is its minimum of 1 s:
//
//    RTO = max(1 s, SRTT + 4 * RTTVAR),  SRTT = 100 ms,  RTTVAR = 50 ms after the handshake
//    PTO = 2 * SRTT = 200 ms, and 200 ms more for the peer's delayed ACK of a single segment
#include <algorithm>

#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

constexpr Duration kRto = 1s;
constexpr Duration kPto = 2 * 100ms;
constexpr Duration kMaxAckDelay = 200ms;

class RepairTimes : public SackPath {
 protected:
  // Whichever way the program's defaults are, these tests choose for themselves.
  void begin(bool sack, const TcpConfig& config = rfc_profile()) {
    peer_sack = sack;
    rebuild(config);
  }
  [[nodiscard]] Duration since_start() const { return now() - start_; }
  void open_and_send_at_zero(std::uint32_t segments) {
    open_and_send(segments);
    start_ = now();
  }
  // Nothing with text or FIN leaves until `instant`, counted from the start, and then this.
  void expect_at(Duration instant, const Indices& segments) {
    advance(instant - since_start() - 1ns);
    EXPECT_EQ(sent_segments(), Indices{}) << "before " << instant.count() << " ns";
    advance(1ns);
    EXPECT_EQ(sent_segments(), segments) << "at " << instant.count() << " ns";
  }
  Instant start_;
};

// --- The tail ---

// Ten segments leave at 0, nine are acknowledged at 100 ms, and the tenth is lost. From there on a
// probe is due after PTO for one segment.
TEST_F(RepairTimes, R_8985_7_2_PTO_ALostLastSegmentWithSack) {
  begin(true);
  open_and_send_at_zero(10);
  advance(kRoundTrip);
  acknowledge(9);
  expect_at(kRoundTrip + kPto + kMaxAckDelay, {9});  // 500 ms
  EXPECT_EQ(info().retransmission_timeouts, 0U);
}

// Without SACK there are no probes: one RTO after the last ACK of new data (RFC 6298, 5.3).
TEST_F(RepairTimes, R_6298_5_3_RESTART_ALostLastSegmentWithoutSack) {
  begin(false);
  open_and_send_at_zero(10);
  advance(kRoundTrip);
  acknowledge(9);
  expect_at(kRoundTrip + kRto, {9});  // 1.1 s
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

// Two lost: the probe repeats the last, and its SACK shows RACK that the one before is lost, since
// that left long before.
TEST_F(RepairTimes, R_8985_7_2_PTO__R_8985_6_2_5_LOSS_TwoLostLastSegmentsWithSack) {
  begin(true);
  open_and_send_at_zero(10);
  advance(kRoundTrip);
  acknowledge(8);
  expect_at(kRoundTrip + kPto, {9});  // 300 ms
  advance(kRoundTrip);
  acknowledge(8, {{9, 10}});
  EXPECT_EQ(since_start(), 2 * kRoundTrip + kPto);  // 400 ms
  EXPECT_EQ(sent_segments(), Indices{8});
}

// The whole flight is lost: a probe at PTO, and the timeout one RTO after it.
TEST_F(RepairTimes, R_8985_7_3_REARM__R_6298_5_4_FIRST_AFlightThatIsLostAsAWhole) {
  begin(true);
  open_and_send_at_zero(10);
  expect_at(kPto, {9});
  expect_at(kPto + kRto, {0});
  expect_at(kPto + 3 * kRto, {0});
  begin(false);
  open_and_send_at_zero(10);
  expect_at(kRto, {0});
  expect_at(3 * kRto, {0});
}

// By the product's own parameters the timeout is SRTT + 4 * RTTVAR = 300 ms. After ten segments of
// which nine are acknowledged by one ACK, that is one of five samples which a round trip may give
// (RFC 7323 appendix G): RTTVAR = 50 ms * (1 - 1/4/5) = 47.5 ms, RTO = 290 ms. PTO for one segment
// would be 400 ms, so the probe goes when the timeout would come.
TEST_F(RepairTimes, R_8985_7_2_PTO_ALostLastSegmentByTheProductsParameters) {
  begin(true, TcpConfig{});
  open_and_send_at_zero(10);
  advance(kRoundTrip);
  acknowledge(9);
  // The ACK covers nine of ten, so two of its kind share the weight of a sample: RTTVAR goes from 50
  // to 43.75 ms, and the RTO, which comes before a probe would, is 275 ms.
  expect_at(kRoundTrip + 275ms, {9});
  EXPECT_EQ(info().tail_loss_probes, 1U);
  EXPECT_EQ(info().retransmission_timeouts, 0U);
}

// --- A retransmission ---

// Segment 0 is lost, and found lost when the third segment behind it is SACKed at 100 ms. So is its
// retransmission. What was sent after that is SACKed at 200 ms, and since no reordering was seen
// nothing more is waited for.
TEST_F(RepairTimes, R_8985_6_2_5_LOSS_ALostRetransmissionWithSack) {
  begin(true);
  open_and_send_at_zero(30);
  advance(kRoundTrip);
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(sent_segments(), Indices{0});
  acknowledge(0, {{1, 10}});
  const Indices later = sent_segments();
  ASSERT_FALSE(later.empty());
  ASSERT_EQ(later.front(), 10U);
  advance(kRoundTrip - 1ns);
  EXPECT_EQ(sent_segments(), Indices{});
  advance(1ns);
  acknowledge(0, {{1, 11}});
  const Indices again = sent_segments();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front(), 0U);
  EXPECT_EQ(since_start(), 2 * kRoundTrip);
  EXPECT_EQ(info().retransmission_timeouts, 0U);
}

// Without any sign of what is behind it, the timer: one RTO after the segment was sent again, not
// after its first transmission (RFC 6298 section 5: never earlier than one RTO after the last).
TEST_F(RepairTimes, R_6298_5_NOEARLY_ALostRetransmissionWithoutAnythingBehindIt) {
  for (const bool sack : {true, false}) {
    begin(sack);
    open_and_send_at_zero(10);
    advance(kRoundTrip);
    if (sack) {
      acknowledge(0, {{1, 10}});
    } else {
      for (int i = 0; i < 3; ++i) acknowledge(0);
    }
    EXPECT_EQ(sent_segments(), Indices{0});
    expect_at(kRoundTrip + kRto, {0});
    EXPECT_EQ(info().retransmission_timeouts, 1U);
  }
}

// --- FIN ---

TEST_F(RepairTimes, R_8985_7_2_PTO__R_9293_3_6_FINRETX_ALostFin) {
  for (const bool sack : {true, false}) {
    begin(sack);
    open_and_send_at_zero(2);
    advance(kRoundTrip);
    acknowledge(2);
    ASSERT_TRUE(shutdown_write());
    ASSERT_THAT(next_sent(), AllOf(IsFin(), HasSeq(at(2))));
    const Duration wait = sack ? kPto + kMaxAckDelay : kRto;
    advance(wait - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(at(2)), HasPayloadOctets(0)));
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

// With text before it: a flight of two segments.
TEST_F(RepairTimes, R_8985_7_2_PTO__R_9293_3_6_FINRETX_ALostFinBehindText) {
  begin(true);
  open_and_send_at_zero(1);
  ASSERT_TRUE(shutdown_write());
  ASSERT_THAT(next_sent(), AllOf(IsFin(), HasSeq(at(1))));
  advance(kPto - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(at(1))));
}

// --- SYN-ACK ---

// No round trip is known: 1 s, then 2 s more (RFC 6298, 2.1 and 5.5).
TEST_F(RepairTimes, R_6298_2_1_INIT__R_6298_5_5_BACKOFF_ALostSynAck) {
  for (const bool sack : {true, false}) {
    begin(sack);
    listen();
    SegmentBuilder syn = segment().syn().seq(peer_iss).mss(1460);
    if (sack) syn.sack_permitted();
    send(syn);
    ASSERT_THAT(next_sent(), IsSynAck());
    for (const Duration wait : {1s, 2s, 4s}) {
      advance(wait - 1ns);
      EXPECT_THAT(next_sent(), IsNothing());
      advance(1ns);
      EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(iss()), HasAck(their(0))));
    }
  }
}

// --- A burst ---

// 60 segments leave at 0 and the first 30 are lost. The SACKs of the others come at 100 ms. The
// third of them shows the losses; from there on what is in flight, 27, is below ssthresh, 30, so
// each segment that is delivered lets one go (RFC 9937): 28 leave at 100 ms. The first of their
// ACKs, at 200 ms, moves SND.UNA and shows no loss: that lets two go, which are the last.
TEST_F(RepairTimes, R_8985_6_2_5_LOSS__R_9937_6_2_BOUND_ABurstOf30LostSegmentsWithSack) {
  TcpConfig config = rfc_profile();
  config.initial_window_segments = 60;
  peer_wscale = 7;
  begin(true, config);
  open_and_send_at_zero(60);
  advance(kRoundTrip - 1ns);
  EXPECT_EQ(sent_segments(), Indices{});
  advance(1ns);
  acknowledge(0, {{30, 31}});
  acknowledge(0, {{30, 32}});
  EXPECT_EQ(sent_segments(), Indices{}) << "two are not enough";
  for (std::uint32_t last = 33; last <= 60; ++last) acknowledge(0, {{30, last}});
  Indices all;
  for (std::uint32_t i = 0; i < 28; ++i) all.push_back(i);
  EXPECT_EQ(sent_segments(), all);
  EXPECT_EQ(since_start(), kRoundTrip);
  advance(kRoundTrip - 1ns);
  EXPECT_EQ(sent_segments(), Indices{});
  advance(1ns);
  acknowledge(1, {{30, 60}});
  EXPECT_EQ(sent_segments(), (Indices{28, 29}));
  advance(kRoundTrip);
  acknowledge(60);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(ssthresh_segments(), 30U);
  advance(10s);
  EXPECT_EQ(sent_segments(), Indices{});
}

// Without SACK each partial ACK shows one more: one in a round trip, as RFC 6582 has it, until the
// timer, which the first partial ACK at 200 ms has restarted, runs out at 1.2 s.
TEST_F(RepairTimes, R_6582_3_PARTIAL__R_6582_3_TIMER_ABurstOf30LostSegmentsWithoutSack) {
  TcpConfig config = rfc_profile();
  config.initial_window_segments = 60;
  peer_wscale = 7;
  begin(false, config);
  open_and_send_at_zero(60);
  advance(kRoundTrip);
  for (int i = 0; i < 30; ++i) acknowledge(0);
  EXPECT_EQ(sent_segments(), Indices{0});
  for (std::uint32_t una = 1; una <= 10; ++una) {  // 1 at 200 ms to 10 at 1.1 s
    advance(kRoundTrip);
    acknowledge(una);
    EXPECT_EQ(sent_segments(), Indices{una}) << una;
  }
  expect_at(2 * kRoundTrip + kRto, {10});
  EXPECT_EQ(info().retransmission_timeouts, 1U);
}

// --- Reordering is no loss, but a hole is ---

// One SACK behind the hole, and then silence: a quarter of the round trip after the ACK.
TEST_F(RepairTimes, R_8985_6_2_5_TIMER_AHoleWithOneSegmentBehindIt) {
  begin(true);
  open_and_send_at_zero(2);
  advance(kRoundTrip);
  acknowledge(0, {{1, 2}});
  expect_at(kRoundTrip + kRoundTrip / 4, {0});
}

// Tiny round trips: the timers are not coarser than they are.
TEST_F(RepairTimes, R_8985_4_GRAN__R_8985_7_2_PTO_OnAPathOf20Microseconds) {
  begin(true);
  open_and_send(10, 20us);
  start_ = now();
  ASSERT_EQ(info().smoothed_rtt, 20us);
  expect_at(2 * 20us, {9});
  begin(true);
  open_and_send(2, 20us);
  start_ = now();
  advance(20us);
  acknowledge(0, {{1, 2}});
  expect_at(20us + 5us, {0});
}

}  // namespace
}  // namespace runnel::test
