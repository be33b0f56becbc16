// Which Too Big is believed, and when: RFC 5927 section 7.2, RFC 8899 sections 3 and 4.6.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using wire::IcmpType;

class ForgedTooBig : public TcpTester {
 protected:
  ForgedTooBig() { ignore_timestamps_default(); }

  void use_link(std::uint16_t mtu, MtuProbing probing = MtuProbing::BlackHole) {
    Config config;
    config.mtu_octets = mtu;
    config.tcp.mtu_probing = probing;
    peer_mss = static_cast<std::uint16_t>(mtu - 40);
    rebuild(config);
  }
  void too_big(const SentSegment& quoted, std::uint16_t mtu) {
    send_icmp_error(IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded, quoted.octets,
                    mtu);
  }
  // Sends a segment, which is acknowledged, and one that is not.
  SentSegment send_after(std::uint32_t acked, std::uint32_t in_flight) {
    establish_passive();
    EXPECT_TRUE(write_octets(acked));
    send(ack_segment(0, acked));
    forget_sent();
    EXPECT_TRUE(write_octets(in_flight));
    const auto sent = next_sent();
    EXPECT_THAT(sent, HasPayloadOctets(in_flight));
    return sent.value_or(SentSegment{});
  }
  [[nodiscard]] std::uint16_t path_mtu() const { return info().path_mtu_octets; }
};

// --- Initial discovery ---------------------------------------------------------------------------

TEST_F(ForgedTooBig, R_5927_7_2_INITIAL_AboveWhatHasPassedAMessageIsUsedAtOnce) {
  use_link(2048);
  const SentSegment large = send_after(60, 2008);
  ASSERT_EQ(large.octets.size(), 2048U);
  too_big(large, 1500);
  EXPECT_EQ(path_mtu(), 1500);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(60)), HasPayloadOctets(1460)));
}

TEST_F(ForgedTooBig, R_5927_7_2_INITIAL__R_5927_7_2_DELAY_TheLargestThatHasPassedIsTheBoundary) {
  for (const int more : {-1, 0, 1}) {
    use_link(2048);
    const SentSegment large = send_after(960, 2008);  // a packet of 1,000 octets has passed
    const auto claimed = static_cast<std::uint16_t>(1000 + more);
    too_big(large, claimed);
    EXPECT_EQ(path_mtu(), more < 0 ? 2048 : claimed);
  }
}

// --- A path that has carried more ----------------------------------------------------------------

TEST_F(ForgedTooBig, R_5927_7_2_DELAY_AnAcknowledgmentRefutesTheMessage) {
  const SentSegment second = send_after(1460, 1460);
  too_big(second, 576);
  EXPECT_EQ(path_mtu(), 1500);
  EXPECT_THAT(next_sent(), IsNothing());
  send(ack_segment(0, 2 * 1460));
  // It is forgotten: another segment's timeout does not bring it back.
  ASSERT_TRUE(write_octets(1460));
  forget_sent();
  advance(info().retransmission_timeout);
  EXPECT_EQ(info().retransmission_timeouts, 1U);
  EXPECT_THAT(next_sent(), HasPayloadOctets(1460));
  EXPECT_EQ(path_mtu(), 1500);
}

TEST_F(ForgedTooBig, R_5927_7_2_DELAY_ATimeoutOfTheSegmentConfirmsIt) {
  const SentSegment second = send_after(1460, 1460);
  const Instant sent_at = second.at;
  const Duration timeout = info().retransmission_timeout;
  too_big(second, 576);
  advance(sent_at + timeout - 1ns - now());
  EXPECT_EQ(path_mtu(), 1500);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_EQ(path_mtu(), 576);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(1460)), HasPayloadOctets(536)));
  send(ack_segment(0, 1460 + 536));
  for (const SentSegment& segment : all_sent()) EXPECT_LE(segment.octets.size(), 576U);
}

TEST_F(ForgedTooBig, R_5927_7_2_DELAY_AnAcknowledgmentOfWhatIsBeforeTheSegmentDoesNotRefuteIt) {
  establish_passive();
  ASSERT_TRUE(write_octets(1460));
  send(ack_segment(0, 1460));
  forget_sent();
  ASSERT_TRUE(write_octets(2 * 1460));
  const auto sent = all_sent();
  too_big(sent[1], 576);
  send(ack_segment(0, 2 * 1460));
  advance(info().retransmission_timeout);
  EXPECT_EQ(path_mtu(), 576);
}

TEST_F(ForgedTooBig, R_5927_7_2_DELAY_AfterASpuriousTimeoutTheOriginalStillRefutesIt) {
  const SentSegment second = send_after(1460, 1460);
  too_big(second, 576);
  advance(info().retransmission_timeout);
  ASSERT_EQ(path_mtu(), 576);
  forget_sent();
  send(ack_segment(0, 2 * 1460));  // all of it, of which only 536 octets were sent again
  EXPECT_EQ(path_mtu(), 1500);
  EXPECT_EQ(info().send_mss_octets, 1460);
}

// --- Claims that cannot be true ------------------------------------------------------------------

TEST_F(ForgedTooBig, R_5927_7_2_MAXSENT_WhatNothingOfOursExceedsIsDropped) {
  for (const std::uint16_t claimed : std::initializer_list<std::uint16_t>{139, 140, 141, 150}) {
    rebuild(rfc_profile());
    establish_passive();
    ASSERT_TRUE(write_octets(100));
    const auto sent = next_sent();
    ASSERT_EQ(sent->octets.size(), 140U);
    too_big(*sent, claimed);
    const bool is_stale = claimed >= 140;
    EXPECT_EQ(path_mtu(), is_stale ? 1500 : claimed);
    EXPECT_EQ(dropped(DropReason::IcmpStaleMtu), is_stale ? 1U : 0U);
    EXPECT_EQ(next_sent().has_value(), !is_stale);
  }
}

TEST_F(ForgedTooBig, R_5927_7_2_MAXSENT_TheMeasureBeginsAnewWithEveryLowering) {
  establish_passive();
  ASSERT_TRUE(write_octets(3 * 1460));
  const auto sent = all_sent();
  too_big(sent[0], 1400);
  ASSERT_EQ(path_mtu(), 1400);
  const auto again = next_sent();
  too_big(*again, 1300);
  EXPECT_EQ(path_mtu(), 1300) << "a second narrow link";
  send(ack_segment(0, 0));
  EXPECT_EQ(dropped(DropReason::IcmpStaleMtu), 0U);
}

TEST_F(ForgedTooBig, R_8899_3_PTB__R_8899_4_6_1_QUOTE_WhatWasNeverSentCannotBeQuoted) {
  establish_passive();
  ASSERT_TRUE(write_octets(1460));
  send(ack_segment(0, 1460));
  forget_sent();
  ASSERT_TRUE(write_octets(2 * 1460));
  const SentSegment sent = all_sent().front();
  const auto quoting = [&](std::size_t at, std::uint32_t value, std::size_t octets = 4) {
    SentSegment quote = sent;
    for (std::size_t i = 0; i < octets; ++i) {
      quote.octets[at + i] = static_cast<std::uint8_t>(value >> (8 * (octets - 1 - i)));
    }
    too_big(quote, 1499);
  };
  constexpr std::size_t kSeq = 24;
  quoting(kSeq, our(1460) - 1);
  quoting(kSeq, our(3 * 1460));
  quoting(kSeq, our(1460) + 0x8000'0000);
  EXPECT_EQ(dropped(DropReason::IcmpBadSequence), 3U);
  quoting(20, kPort + 1, 2);
  quoting(22, kPeerPort + 1, 2);
  quoting(16, 0xc0000203);  // the destination address
  EXPECT_EQ(dropped(DropReason::IcmpUnknownConnection), 3U);
  quoting(9, 17, 1);        // UDP
  quoting(12, 0xc0000203);  // a source that is not ours
  EXPECT_EQ(dropped(DropReason::IcmpBadQuote), 2U);
  EXPECT_EQ(path_mtu(), 1500);
  // None of them is held either.
  advance(info().retransmission_timeout);
  EXPECT_EQ(path_mtu(), 1500);
  // The first and the last octet in flight can be quoted.
  quoting(kSeq, our(3 * 1460) - 1);
  quoting(kSeq, our(1460));
  EXPECT_EQ(dropped(DropReason::IcmpBadSequence), 3U);
}

TEST_F(ForgedTooBig, R_8899_3_PTB_NeverRaisesTheSizeNorDoesItNameAnUnprobedOne) {
  use_link(1500, MtuProbing::Always);
  establish_passive();
  ASSERT_TRUE(write_octets(20 * 1160));
  ASSERT_EQ(path_mtu(), 1200);
  std::optional<SentSegment> probe;
  for (const SentSegment& segment : all_sent()) {
    if (segment.octets.size() > 1200) probe = segment;
  }
  ASSERT_TRUE(probe);
  ASSERT_EQ(probe->octets.size(), 1500U);
  for (const std::uint16_t claimed : std::initializer_list<std::uint16_t>{1500, 1501, 9000}) {
    too_big(*probe, claimed);
    EXPECT_EQ(path_mtu(), 1200);
  }
  EXPECT_EQ(dropped(DropReason::IcmpStaleMtu), 3U);
  too_big(*probe, 1400);
  EXPECT_EQ(path_mtu(), 1200) << "not before a packet of that size was acknowledged";
  EXPECT_EQ(info().send_mss_octets, 1160);
}

TEST_F(ForgedTooBig, R_8899_3_PTB_AnAcknowledgedProbeRefutesTheMessageAboutIt) {
  use_link(1500, MtuProbing::Always);
  establish_passive();
  ASSERT_TRUE(write_octets(20 * 1160));
  const auto sent = all_sent();
  ASSERT_EQ(sent[0].octets.size(), 1500U);
  too_big(sent[0], 1300);
  const auto& last = sent.back();
  send(ack_segment(0, last.seq + last.length() - our(0)));
  EXPECT_EQ(path_mtu(), 1500);
}

}  // namespace
}  // namespace runnel::test
