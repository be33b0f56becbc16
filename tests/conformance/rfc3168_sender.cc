// RFC 3168 section 6.1.2: what a sender does about ECE; sections 6.1.4 to 6.1.6: what never leaves
// as ECT.
#include "stack/wire/ipv4.h"
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

class Rfc3168Sender : public EcnPath {
 protected:
  // An ACK of the first `una` segments with ECE.
  void echo(std::uint32_t una) { send(acknowledgment(una).ecn_bits(0b001)); }
};

TEST_F(Rfc3168Sender, R_3168_6_1_2_ECT0__R_8311_4_2_ECT1_NewDataAreEctZero) {
  open_classic();
  ASSERT_TRUE(write_octets(10 * kMss));
  EXPECT_EQ(sent_codepoints(), std::vector<Ecn>(10, Ecn::Ect0));
  acknowledge(10);
  ASSERT_TRUE(write_octets(100));
  EXPECT_EQ(sent_codepoints(), std::vector<Ecn>(1, Ecn::Ect0));
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_HALVE_TenEchoesOfOneWindowAreOneReduction) {
  open_classic_and_send(10);
  ASSERT_EQ(cwnd_segments(), 10U);
  advance(kRoundTrip);
  echo(1);
  EXPECT_EQ(cwnd_segments(), 5U);
  EXPECT_EQ(ssthresh_segments(), 5U);
  for (std::uint32_t una = 2; una <= 10; ++una) echo(una);
  EXPECT_EQ(cwnd_segments(), 5U);
  EXPECT_EQ(ssthresh_segments(), 5U);
  EXPECT_EQ(info().ecn_responses, 1U);
  EXPECT_EQ(info().ce_marks_reported, 10U);
  EXPECT_EQ(info().fast_retransmits, 0U);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_HALVE_TheNextWindowIsAnotherMatter) {
  open_classic_and_send(20);
  echo(1);
  EXPECT_EQ(cwnd_segments(), 5U);
  for (std::uint32_t una = 2; una <= 10; ++una) echo(una);
  EXPECT_EQ(info().ecn_responses, 1U);
  // The reduction came before segment 10, so that its mark is new.
  echo(11);
  EXPECT_EQ(info().ecn_responses, 2U);
  EXPECT_LT(cwnd_segments(), 4U);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_HALVE_NoGrowthByAnAckWithEce) {
  open_classic_and_send(30);
  ASSERT_EQ(cwnd_segments(), 10U);
  acknowledge(1);
  EXPECT_EQ(cwnd_segments(), 11U);  // slow start
  echo(2);
  const auto reduced = info().congestion_window_octets;
  for (std::uint32_t una = 3; una <= 12; ++una) echo(una);
  EXPECT_EQ(info().congestion_window_octets, reduced);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_HALVE_ALossInTheSameWindowHalvesOnce) {
  open_classic_and_send(20);
  echo(1);
  ASSERT_EQ(ssthresh_segments(), 5U);
  // Segment 1 is lost: it left before the reduction.
  for (std::uint32_t last = 3; last <= 10; ++last) acknowledge(1, {{2, last}});
  EXPECT_GT(info().segments_retransmitted, 0U);
  EXPECT_EQ(ssthresh_segments(), 5U);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_HALVE_AnEchoInTheWindowOfALossIsNoOtherSign) {
  open_classic_and_send(20);
  advance(kRoundTrip);
  for (std::uint32_t last = 2; last <= 5; ++last) {
    acknowledge(0, {{1, last}});
    advance(1ms);
  }
  ASSERT_GT(info().segments_retransmitted, 0U);
  const auto ssthresh = info().slow_start_threshold_octets;
  send(acknowledgment(0, {{1, 6}}).ecn_bits(0b001));
  send(acknowledgment(10).ecn_bits(0b001));
  EXPECT_EQ(info().slow_start_threshold_octets, ssthresh);
  EXPECT_EQ(info().ecn_responses, 0U);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_CWR_OnTheNextNewDataAlone) {
  open_classic_and_send(20);
  echo(6);  // four are in flight, and five may be
  const auto first = next_sent();
  ASSERT_THAT(first, AllOf(IsData(), HasSeq(at(10))));
  EXPECT_EQ(first->ecn_bits(), 0b010U);
  echo(8);
  const auto second = next_sent();
  ASSERT_THAT(second, IsData());
  EXPECT_EQ(second->ecn_bits(), 0U);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_CWR_NotOnARetransmissionBetween) {
  open_classic_and_send(20);
  for (std::uint32_t last = 2; last <= 9; ++last) acknowledge(0, {{1, last}});
  bool has_cwr = false;
  for (const SentSegment& sent : all_sent()) {
    if (sent.payload.empty()) continue;
    const bool is_new = index_of(sent) >= 10;
    if (!is_new) {
      EXPECT_EQ(sent.ecn_bits(), 0U);
      EXPECT_EQ(sent.ecn, Ecn::NotEct);
    } else {
      EXPECT_EQ(sent.flags.cwr, !has_cwr) << index_of(sent);
      has_cwr = true;
    }
  }
  acknowledge(10);  // recovery is over
  for (const SentSegment& sent : all_sent()) {
    if (sent.payload.empty()) continue;
    EXPECT_EQ(sent.flags.cwr, !has_cwr) << index_of(sent);
    has_cwr = true;
  }
  EXPECT_TRUE(has_cwr);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_CWR_AfterATimeoutToo) {
  open_classic_and_send(1);
  advance(300ms);  // the tail loss probe
  advance(1s);     // the timeout
  ASSERT_GT(info().retransmission_timeouts, 0U);
  for (const SentSegment& sent : all_sent()) EXPECT_EQ(sent.ecn_bits(), 0U);
  acknowledge(1);
  ASSERT_TRUE(write_octets(2 * kMss));
  EXPECT_EQ(next_bits(), 0b010U);
}

// CWR on a super-packet would be on each of its segments: it has one to itself.
TEST_F(Rfc3168Sender, R_3168_6_1_2_CWR_IsNotRepeatedByTheLinksSegmentation) {
  Config config;
  config.tcp_segmentation_offload = config.checksum_offload = true;
  rebuild(config);
  open_classic();
  ASSERT_TRUE(write_octets(40 * kMss));
  EXPECT_GT(next_sent()->gso_size_octets, 0U);
  forget_sent();
  echo(9);
  const auto sent = all_sent();
  ASSERT_GE(sent.size(), 2U);
  EXPECT_TRUE(sent[0].flags.cwr);
  EXPECT_EQ(sent[0].gso_size_octets, 0U);
  EXPECT_EQ(sent[0].payload.size(), kMss);
  EXPECT_FALSE(sent[1].flags.cwr);
}

TEST_F(Rfc3168Sender, R_3168_6_1_2_ONE__R_9438_4_6_ECN1_AWindowOfOneWaitsForTheTimer) {
  TcpConfig tcp;
  tcp.initial_window_segments = 1;
  tcp.rto_minimum = 1s;
  rebuild(tcp);
  open_classic_and_send(3);
  ASSERT_EQ(cwnd_segments(), 1U);
  ASSERT_EQ(info().retransmission_timeout, 1s);
  advance(kRoundTrip);
  echo(1);
  EXPECT_EQ(cwnd_segments(), 1U);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  const auto next = next_sent();
  ASSERT_THAT(next, AllOf(IsData(), HasSeq(at(1))));
  EXPECT_TRUE(next->flags.cwr);
  // And so again, as long as the marks go on.
  advance(kRoundTrip);
  echo(2);
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(at(2))));
}

// Marks alone take the window down to one segment, and not below.
TEST_F(Rfc3168Sender, R_3168_6_1_2_ONE_RepeatedMarksLeadToAWindowOfOne) {
  open_classic_and_send(60);
  std::uint32_t una = 0;
  for (int window = 0; window < 6 && cwnd_segments() > 1; ++window) {
    advance(2s);  // a pause may have to pass
    una += static_cast<std::uint32_t>(in_flight_segments());
    forget_sent();
    echo(una);
  }
  EXPECT_EQ(cwnd_segments(), 1U);
}

TEST_F(Rfc3168Sender, R_3168_6_1_4_PUREACK_PureAcksAreNotEct) {
  open_classic();
  for (std::uint32_t i = 0; i < 10; ++i) send(text(i * kMss, kMss, i == 4 ? Ecn::Ce : Ecn::Ect0));
  advance(40ms);
  const auto acks = all_sent();
  ASSERT_GE(acks.size(), 5U);
  for (const SentSegment& ack : acks) {
    EXPECT_TRUE(ack.payload.empty());
    EXPECT_EQ(ack.ecn, Ecn::NotEct);
  }
}

TEST_F(Rfc3168Sender, R_3168_6_1_5_RETX_RetransmissionsAreNotEct) {
  open_classic_and_send(10);
  for (std::uint32_t last = 2; last <= 5; ++last) acknowledge(0, {{1, last}});
  const auto again = next_sent();
  ASSERT_THAT(again, AllOf(IsData(), HasSeq(at(0))));
  EXPECT_EQ(again->ecn, Ecn::NotEct);
}

TEST_F(Rfc3168Sender, R_3168_6_1_5_RETX_ARetransmissionByTimeoutIsNotEctEither) {
  open_classic_and_send(1);
  advance(5s);
  const auto sent = all_sent();
  ASSERT_GE(sent.size(), 2U);
  for (const SentSegment& again : sent) EXPECT_EQ(again.ecn, Ecn::NotEct);
}

TEST_F(Rfc3168Sender, R_3168_6_1_6_PROBE_WindowProbesAreNeitherEctNorCwr) {
  open_classic_and_send(20);
  echo(6);
  forget_sent();
  // Everything is acknowledged, the window is closed, and another reduction is to be announced.
  send(acknowledgment(11).ecn_bits(0b001).window(0));
  forget_sent();
  advance(500ms);
  const auto probe = next_sent();
  ASSERT_THAT(probe, HasPayloadOctets(1));
  EXPECT_EQ(counters().tcp_zero_window_probes, 1U);
  EXPECT_EQ(probe->ecn, Ecn::NotEct);
  EXPECT_FALSE(probe->flags.cwr);
}

TEST_F(Rfc3168Sender, R_3168_6_1_NOBLEACH_DscpAndEcnAreSeparate) {
  open_classic();
  EXPECT_TRUE(stack().set_dscp(id(), 63));
  EXPECT_FALSE(stack().set_dscp(id(), 64));  // there is no way to set ECN bits through it
  ASSERT_TRUE(write_octets(100));
  const auto sent = next_sent();
  EXPECT_EQ(sent->dscp, 63);
  EXPECT_EQ(sent->ecn, Ecn::Ect0);
  // A marked segment changes nothing about the DSCP, which is not taken from the peer.
  send(text(0, kMss, Ecn::Ce));
  send(text(kMss, kMss, Ecn::Ce));
  const auto ack = next_sent();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->dscp, 63);
  EXPECT_EQ(ack->ecn, Ecn::NotEct);
}

}  // namespace
}  // namespace runnel::test
