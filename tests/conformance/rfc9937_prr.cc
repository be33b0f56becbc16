// Proportional Rate Reduction, RFC 9937: its arithmetic by vectors, and what a peer sees of it.
//
// On the wire the initial window is 20 segments and the path takes 100 ms, so a flight of 20 is out
// when the first of it is found lost, and ssthresh is 10.
#include "stack/tcp/loss/prr.h"

#include "stack/tcp/loss/loss_recovery.h"
#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

using tcp::AckFindings;
using tcp::LossRecovery;
using tcp::ProportionalRateReduction;
using tcp::SeqNum;

constexpr std::uint32_t kSmss = 1000;

// --- Vectors for the arithmetic ---

class PrrVectors : public ::testing::Test {
 protected:
  // SndCnt: what may be sent until the next ACK.
  std::uint64_t on_ack(std::int64_t delivered_octets, std::uint64_t in_flight_octets,
                       bool is_safe = false) {
    prr.on_ack(delivered_octets, in_flight_octets, is_safe, kSmss);
    return prr.cwnd_octets() - in_flight_octets;
  }
  ProportionalRateReduction prr;
};

TEST_F(PrrVectors, R_9937_6_1_INIT_ARecoveryBeginsWithNothingDeliveredAndNothingSent) {
  prr.begin(10 * kSmss, 20 * kSmss);
  (void)on_ack(5000, 15 * kSmss);
  prr.on_transmit(3000);
  prr.begin(7 * kSmss, 14 * kSmss);
  EXPECT_EQ(prr.delivered_octets(), 0U);
  EXPECT_EQ(prr.out_octets(), 0U);
  EXPECT_EQ(prr.recover_flight_octets(), 14U * kSmss);
}

TEST_F(PrrVectors, R_9937_6_2_PROP_AsManyOctetsAsSsthreshIsOfTheFlightRoundedUp) {
  prr.begin(7 * kSmss, 10 * kSmss);
  prr.on_transmit(500);                 // not the first one any more
  EXPECT_EQ(on_ack(1001, 9000), 201U);  // ceil(1001 * 7 / 10) = ceil(700.7) = 701, less 500
  EXPECT_EQ(on_ack(1, 9000), 202U);     // ceil(701.4) = 702
  prr.on_transmit(202);
  EXPECT_EQ(on_ack(0, 9000), 0U);
  EXPECT_EQ(on_ack(998, 8000), 698U);  // 2000 * 7 / 10 = 1400 exactly, less 702
}

TEST_F(PrrVectors, R_9937_6_2_PROP_NothingWhenMoreThanItsShareHasGone) {
  prr.begin(5 * kSmss, 10 * kSmss);
  prr.on_transmit(3000);
  EXPECT_EQ(on_ack(2000, 9000), 0U);
  EXPECT_EQ(on_ack(4000, 9000), 0U);
  EXPECT_EQ(on_ack(2, 9000), 1U);
}

TEST_F(PrrVectors, R_9937_6_2_BOUND_AtSsthreshAndBelowAsMuchAsWasDelivered) {
  prr.begin(10 * kSmss, 20 * kSmss);
  prr.on_transmit(1000);
  EXPECT_EQ(on_ack(3000, 4000), 3000U) << "more than prr_delivered - prr_out, 2000";
  EXPECT_EQ(on_ack(500, 4000), 2500U) << "prr_delivered - prr_out is more than was delivered";
  prr.on_transmit(2500);
  EXPECT_EQ(on_ack(1000, 4000), 1000U);
}

TEST_F(PrrVectors, R_9937_6_2_BOUND_NoHigherThanSsthresh) {
  prr.begin(10 * kSmss, 20 * kSmss);
  prr.on_transmit(1);
  EXPECT_EQ(on_ack(9000, 10'000), 0U) << "equal to ssthresh is not above it";
  EXPECT_EQ(on_ack(1000, 9900), 100U);
  EXPECT_EQ(on_ack(1000, 9900, true), 100U);
}

TEST_F(PrrVectors, R_9937_6_2_SAFEACK_OneSmssMoreOnlyWhenTheAckIsSafe) {
  prr.begin(10 * kSmss, 20 * kSmss);
  prr.on_transmit(3000);
  EXPECT_EQ(on_ack(3000, 2000, false), 3000U);
  prr.on_transmit(3000);
  EXPECT_EQ(on_ack(1000, 2000, false), 1000U);
  EXPECT_EQ(on_ack(1000, 2000, true), 2000U);
}

TEST_F(PrrVectors, R_9937_6_2_FORCE_TheFirstRetransmissionIsAlwaysPermitted) {
  prr.begin(10 * kSmss, 20 * kSmss);
  EXPECT_EQ(on_ack(0, 15 * kSmss), kSmss);
  prr.on_transmit(kSmss);
  EXPECT_EQ(on_ack(0, 15 * kSmss), 0U) << "once";
  prr.begin(10 * kSmss, 20 * kSmss);
  EXPECT_EQ(on_ack(0, 10 * kSmss), kSmss) << "in the other branch too";
}

TEST_F(PrrVectors, R_9937_6_3_OUT_RetransmissionsAndNewDataCount) {
  prr.begin(10 * kSmss, 20 * kSmss);
  prr.on_transmit(1460);
  prr.on_transmit(500);
  EXPECT_EQ(prr.out_octets(), 1960U);
}

TEST_F(PrrVectors, R_9937_6_2_DELIV_WhatIsTakenBackIsNotCountedBelowNothing) {
  prr.begin(10 * kSmss, 20 * kSmss);
  (void)on_ack(2000, 15 * kSmss);
  (void)on_ack(-5000, 15 * kSmss);
  EXPECT_EQ(prr.delivered_octets(), 0U);
}

// --- DeliveredData and RecoverFS, where they are computed ---

class Delivered : public ::testing::Test {
 protected:
  Delivered() {
    recovery.use_sack(true);
    for (std::uint32_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(recovery.on_transmit({at(i), at(i + 1)}, kSmss, Instant{1s}));
    }
  }
  static SeqNum at(std::uint32_t segment) { return SeqNum{0xffffe000U + segment * kSmss}; }
  // ACK `una`, with these segments SACKed, 100 ms after they were sent.
  AckFindings acknowledge(std::uint32_t una,
                          std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> sacked) {
    wire::SackBlocks blocks;
    for (const auto& [first, last] : sacked) {
      blocks.blocks.at(blocks.count++) = {at(first), at(last)};
    }
    LossRecovery::Ack ack;
    ack.now = Instant{1100ms};
    ack.una = una_;
    ack.ack = at(una);
    ack.nxt = at(20);
    ack.sack = &blocks;
    ack.srtt = 100ms;
    ack.smss_octets = kSmss;
    una_ = at(una);
    return recovery.on_ack(ack);
  }
  LossRecovery recovery{at(0)};
  SeqNum una_ = at(0);
};

TEST_F(Delivered, R_9937_6_2_DELIV_CumulativeAndSelectiveTogether) {
  const AckFindings findings = acknowledge(2, {{4, 5}});
  EXPECT_EQ(findings.delivered_octets, 3 * std::int64_t{kSmss});
}

TEST_F(Delivered, R_9937_6_2_DELIV_WhatWasSackedIsNotDeliveredTwice) {
  EXPECT_EQ(acknowledge(0, {{1, 4}}).delivered_octets, 3 * std::int64_t{kSmss});
  EXPECT_EQ(acknowledge(4, {}).delivered_octets, 1 * std::int64_t{kSmss}) << "4 less 3";
  EXPECT_EQ(acknowledge(4, {}).delivered_octets, 0);
}

// --- On the wire ---

class PrrOnTheWire : public SackPath {
 protected:
  // 20 segments in flight, `more` behind them.
  void begin(std::uint32_t more) {
    TcpConfig config;
    config.initial_window_segments = 20;
    rebuild(config);
    open();
    ASSERT_TRUE(write_octets((20 + more) * kMss));
    ASSERT_EQ(sent_segments().size(), 20U);
    advance(kRoundTrip);
  }
};

// Of 20 segments three are SACKed when the recovery begins, one of them by the ACK that begins it:
// RecoverFS is 18, and ssthresh 10. So the n-th segment after the first retransmission leaves when
// 1.8 (n + 1) segments were delivered, counted from that ACK.
TEST_F(PrrOnTheWire, R_9937_6_1_INIT_RecoverFsLeavesOutWhatWasSackedBefore) {
  begin(0);
  acknowledge(0, {{1, 2}});
  acknowledge(0, {{1, 3}});
  ASSERT_EQ(sent_segments(), Indices{});
  acknowledge(0, {{1, 4}});
  ASSERT_EQ(sent_segments(), Indices{0});
  ASSERT_EQ(ssthresh_segments(), 10U);
  ASSERT_TRUE(write_octets(20 * kMss));
  EXPECT_EQ(sent_segments(), Indices{}) << "what PRR permits now";
  std::uint32_t next = 20;
  for (std::uint32_t delivered = 2; delivered <= 12; ++delivered) {
    acknowledge(0, {{1, 3 + delivered}});
    const bool sends = delivered * 10 >= 18 * (next - 20 + 2);
    EXPECT_EQ(sent_segments(), sends ? Indices{next} : Indices{}) << delivered;
    if (sends) ++next;
  }
  EXPECT_EQ(next, 25U) << "at 4, 6, 8, 9 and 11";
  // At 13 ten are in flight, and that is ssthresh.
  acknowledge(0, {{1, 16}});
  EXPECT_EQ(sent_segments(), Indices{});
}

// Figure 1 of the RFC: limited transmit twice, the retransmission, then one segment for two ACKs.
TEST_F(PrrOnTheWire, R_9937_6_2_PROP__R_9937_5_RACK_OneSegmentForTwoAcksUntilSsthreshIsReached) {
  begin(40);
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(sent_segments(), Indices{20});
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(sent_segments(), Indices{21});
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(sent_segments(), Indices{0});
  EXPECT_EQ(ssthresh_segments(), 10U) << "what limited transmit has sent does not count";
  // RecoverFS is 22 - 3 + 1 = 20: half a segment for each that was delivered.
  std::uint32_t next = 22;
  for (std::uint32_t delivered = 2; delivered <= 15; ++delivered) {
    acknowledge(0, {{1, 3 + delivered}});
    const bool sends = delivered >= 4 && delivered % 2 == 0;
    EXPECT_EQ(sent_segments(), sends ? Indices{next} : Indices{}) << delivered;
    if (sends) ++next;
  }
  // 22 and 6 more are out, 18 are SACKed: 11 in flight with the retransmission, ssthresh is near.
  EXPECT_EQ(in_flight_segments(), 22U + 6U - 17U);
  advance(kRoundTrip);
  acknowledge(28);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(cwnd_segments(), 10U);
}

// A controller with a model of its own needs no PRR; one with a window alone that takes over in the
// middle of the recovery does.
TEST_F(PrrOnTheWire, R_9937_6_1_INIT_AnotherControllerBeginsItAnew) {
  TcpConfig config;
  config.initial_window_segments = 20;
  config.congestion_control = CongestionAlgorithm::Bbr;
  rebuild(config);
  open();
  ASSERT_TRUE(write_octets(100 * kMss));
  ASSERT_EQ(sent_segments().size(), 20U);
  advance(kRoundTrip);
  acknowledge(0, {{1, 6}});
  ASSERT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
  (void)all_sent();
  const std::uint64_t flight = in_flight_segments();
  ASSERT_TRUE(stack().set_congestion_control(id(), CongestionAlgorithm::NewReno));
  EXPECT_EQ(sent_segments(), Indices{}) << "before the next ACK";
  for (std::uint32_t end = 7; end <= 20; ++end) {
    acknowledge(0, {{1, end}});
    EXPECT_LE(sent_segments().size(), end == 7 ? 2U : 1U) << end;
    EXPECT_LE(in_flight_segments(), flight + 1) << end;
  }
}

TEST_F(PrrOnTheWire, R_9937_6_2_INFLIGHT_LessWhatIsSackedOrLostAndWithWhatWasSentAgain) {
  begin(0);
  acknowledge(0, {{3, 8}});  // five SACKed, three lost: ceil(5 * 10 / 20) = 2.5 may go
  EXPECT_EQ(sent_segments(), (Indices{0, 1}));
  EXPECT_EQ(info().sacked_octets, 5 * kMss);
  EXPECT_EQ(info().lost_octets, 1 * kMss);
  EXPECT_EQ(in_flight_segments(), 20U - 5U - 3U + 2U);
}

// 15 of 20 are lost: two are in flight when that is found, far below ssthresh.
TEST_F(PrrOnTheWire, R_9937_6_2_BOUND_AsMuchAsWasDeliveredAndOneMoreOnASafeAck) {
  begin(20);
  acknowledge(0, {{15, 18}});
  EXPECT_EQ(ssthresh_segments(), 10U);
  EXPECT_EQ(sent_segments(), (Indices{0, 1, 2}));
  acknowledge(0, {{15, 19}});
  EXPECT_EQ(sent_segments(), Indices{3}) << "SND.UNA did not move";
  acknowledge(0, {{15, 20}});
  EXPECT_EQ(sent_segments(), Indices{4});
  EXPECT_EQ(in_flight_segments(), 5U);
  advance(kRoundTrip);
  std::uint32_t next = 5;
  for (std::uint32_t una = 1; una <= 5; ++una) {  // as slow start does: two for one
    acknowledge(una, {{15, 20}});
    EXPECT_EQ(sent_segments(), (Indices{next, next + 1})) << una;
    next += 2;
  }
  EXPECT_EQ(in_flight_segments(), 10U);
  advance(kRoundTrip);
  acknowledge(6, {{15, 20}});
  EXPECT_EQ(sent_segments().size(), 1U) << "no higher than ssthresh";
}

TEST_F(PrrOnTheWire, R_9937_6_2_SAFEACK_AnAckThatShowsAnotherLossIsNotSafe) {
  for (const bool shows_loss : {false, true}) {
    begin(20);
    acknowledge(0, {{15, 18}});
    EXPECT_EQ(sent_segments(), (Indices{0, 1, 2}));
    advance(kRoundTrip);
    // Without 18, which left long before 0 was sent again, that is lost.
    if (shows_loss) {
      acknowledge(1, {{19, 20}, {15, 18}});
      EXPECT_EQ(sent_segments(), (Indices{3, 4}));
    } else {
      acknowledge(1, {{15, 20}});  // three segments delivered, and one more for that
      EXPECT_EQ(sent_segments(), (Indices{3, 4, 5, 6}));
    }
  }
}

TEST_F(PrrOnTheWire, R_9937_6_2_FORCE_AlsoWhenTheReorderingTimerBeginsTheRecovery) {
  begin(0);
  acknowledge(0, {{1, 2}});
  EXPECT_EQ(sent_segments(), Indices{});
  advance(25ms);  // nothing was delivered just now, and 18 are in flight
  EXPECT_EQ(sent_segments(), Indices{0});
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Recovery);
}

TEST_F(PrrOnTheWire, R_9937_6_3_OUT_APartOfASegmentCountsAsWhatItIs) {
  begin(0);
  acknowledge(0, {{1, 4}});
  ASSERT_EQ(sent_segments(), Indices{0});
  // RecoverFS 20. Of 7 segments delivered a half may go, 5110 octets; 1460 went.
  ASSERT_TRUE(stack().set_nagle(id(), false));
  acknowledge(0, {{1, 8}});
  ASSERT_TRUE(write_octets(500));
  ASSERT_EQ(all_sent().size(), 1U);
  ASSERT_TRUE(write_octets(10 * kMss));
  std::uint32_t octets = 0;
  for (const SentSegment& sent : all_sent()) octets += sent.length();
  EXPECT_EQ(octets, 2 * kMss) << "3650 were left: after 500 two whole segments";
}

TEST_F(PrrOnTheWire, R_9937_6_4_END_TheWindowIsSsthreshHoweverLittleWasSent) {
  begin(0);
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(sent_segments(), Indices{0});
  acknowledge(0, {{1, 20}});
  advance(kRoundTrip);
  acknowledge(20);
  EXPECT_EQ(info().recovery_phase, RecoveryPhase::Open);
  EXPECT_EQ(info().congestion_window_octets, info().slow_start_threshold_octets);
  EXPECT_EQ(cwnd_segments(), 10U);
}

}  // namespace
}  // namespace runnel::test
