// Too Big, and what comes of it: RFC 1191, with RFC 5681 section 3.1 and RFC 7323 section 5.7.
#include <algorithm>

#include "tests/support/narrow_path.h"

namespace runnel::test {
namespace {

using wire::IcmpType;
using Octets = std::initializer_list<std::uint16_t>;

// A connection without timestamps on a link of 1,500 octets: segments hold 1,460.
class TooBig : public TcpTester {
 protected:
  TooBig() { ignore_timestamps_default(); }

  // Sends so many segments that are not looked at, and gives them back.
  std::vector<SentSegment> establish_and_send(std::uint32_t octets) {
    establish_passive();
    EXPECT_TRUE(write_octets(octets));
    return all_sent();
  }
  void too_big(const SentSegment& quoted, std::uint16_t mtu) {
    send_icmp_error(IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded, quoted.octets,
                    mtu);
  }
  void acknowledge(std::uint32_t octets) { send(ack_segment(0, octets)); }
  [[nodiscard]] std::vector<std::uint32_t> sizes_sent() {
    std::vector<std::uint32_t> sizes;
    for (const SentSegment& sent : all_sent()) {
      sizes.push_back(static_cast<std::uint32_t>(sent.octets.size()));
    }
    return sizes;
  }
  [[nodiscard]] std::uint16_t path_mtu() const { return info().path_mtu_octets; }
};

using Sizes = std::vector<std::uint32_t>;

// --- What a message does -------------------------------------------------------------------------

TEST_F(TooBig, R_1191_3_REDUCE_SegmentsHaveTheSizeThatTheRouterSays) {
  const auto sent = establish_and_send(3 * 1460);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].octets.size(), 1500U);
  too_big(sent[0], 1400);
  EXPECT_EQ(path_mtu(), 1400);
  const auto again = next_sent();
  ASSERT_THAT(again, AllOf(HasSeq(our(0)), HasPayload(pattern(0, 1360))));
  EXPECT_EQ(again->octets.size(), 1400U);
  acknowledge(1360);
  EXPECT_EQ(sizes_sent(), (Sizes{1400, 1400, 40 + 3 * 1460 - 3 * 1360}));
  acknowledge(3 * 1460);
  ASSERT_TRUE(write_octets(5 * 1360));
  EXPECT_EQ(sizes_sent(), (Sizes{1400, 1400, 1400, 1400, 1400}));
}

TEST_F(TooBig, R_1191_3_REDUCE__R_7323_5_7_PMTUD_TimestampsAreSubtractedOfTheNewSizeToo) {
  agree_on_timestamps();
  const auto sent = establish_and_send(3 * 1448);
  ASSERT_EQ(sent.size(), 3U);
  ASSERT_TRUE(sent[0].options.timestamps) << "PAWS is on";
  too_big(sent[0], 1400);
  const auto again = next_sent();
  ASSERT_THAT(again, AllOf(HasSeq(our(0)), HasPayloadOctets(1348)));
  EXPECT_EQ(again->octets.size(), 1400U);
  acknowledge(1348);
  for (const std::uint32_t size : sizes_sent()) EXPECT_LE(size, 1400U);
}

TEST_F(TooBig, R_1191_3_REDUCE_AMessageForASegmentInTheMiddleCountsToo) {
  const auto sent = establish_and_send(5 * 1460);
  acknowledge(1460);
  too_big(sent[3], 1480);
  EXPECT_EQ(path_mtu(), 1500) << "1,500 octets have passed before: not yet";
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(TooBig, R_1191_3_ZERO_ARouterThatDoesNotSayMeansTheNextPlateau) {
  const auto sent = establish_and_send(4 * 1460);
  too_big(sent[0], 0);
  EXPECT_EQ(path_mtu(), 1492);
  std::uint32_t end = 0;
  for (const std::uint16_t plateau : Octets{1006, 552}) {  // 508, but for the floor
    const auto again = next_sent();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->seq, our(0));
    EXPECT_EQ(again->octets.size(), path_mtu());
    too_big(*again, 0);
    EXPECT_EQ(path_mtu(), plateau);
    end = path_mtu() - 40U;
  }
  EXPECT_THAT(next_sent(), HasPayloadOctets(end));
}

TEST_F(TooBig, R_1191_3_ZERO_ThePlateausGoDownTo68InTheRfcProfile) {
  rebuild(rfc_profile());
  auto sent = establish_and_send(1460).front();
  for (const std::uint16_t plateau : Octets{1492, 1006, 508, 296, 68}) {
    too_big(sent, 0);
    EXPECT_EQ(path_mtu(), plateau);
    const auto again = next_sent();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->octets.size(), plateau);
    sent = *again;
  }
  too_big(sent, 0);
  EXPECT_EQ(path_mtu(), 68);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(TooBig, R_1191_3_68_NoMessageGoesBelowTheFloor) {
  for (const bool is_rfc : {false, true}) {
    const std::uint16_t floor = is_rfc ? 68 : 552;
    for (const std::uint16_t claimed : Octets{1, 20, 67, 68, 69, 551, 552, 553}) {
      rebuild(is_rfc ? rfc_profile() : TcpConfig{});
      const auto sent = establish_and_send(1460);
      too_big(sent[0], claimed);
      EXPECT_EQ(path_mtu(), std::max(claimed, floor));
      EXPECT_THAT(next_sent(), HasPayloadOctets(std::max(claimed, floor) - 40U));
    }
  }
}

TEST_F(TooBig, R_1191_3_NOINC_AMessageNeverRaisesTheSize) {
  const auto sent = establish_and_send(3 * 1460);
  too_big(sent[0], 1300);
  ASSERT_EQ(path_mtu(), 1300);
  const auto again = next_sent();
  ASSERT_TRUE(again);
  for (const std::uint16_t claimed : Octets{1300, 1301, 1400, 1499, 1500, 1501, 9000, 65535}) {
    too_big(*again, claimed);
    EXPECT_EQ(path_mtu(), 1300) << claimed;
    too_big(sent[1], claimed);
    EXPECT_EQ(path_mtu(), 1300) << claimed;
  }
  EXPECT_EQ(dropped(DropReason::IcmpStaleMtu), 16U);
  EXPECT_THAT(next_sent(), IsNothing());
  acknowledge(1260);
  for (const std::uint32_t size : sizes_sent()) EXPECT_LE(size, 1300U);
}

// --- Sending again -------------------------------------------------------------------------------

TEST_F(TooBig, R_1191_6_4_RESEND_FiveMessagesForFiveSegmentsCauseOneRetransmission) {
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    rebuild(TcpConfig{});
    const auto sent = establish_and_send(5 * 1460);
    ASSERT_EQ(sent.size(), 5U);
    for (const SentSegment& segment : sent) too_big(segment, 1400);
    EXPECT_THAT(next_sent(), AllOf(HasSeq(our(0)), HasPayloadOctets(1360))) << "at once";
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(dropped(DropReason::IcmpStaleMtu), 4U);
    acknowledge(1360);
    std::uint32_t next = 1360;
    for (const SentSegment& segment : all_sent()) {
      EXPECT_EQ(segment.seq, our(next)) << "each octet once";
      next += static_cast<std::uint32_t>(segment.payload.size());
    }
    EXPECT_EQ(next, 5U * 1460U);
    acknowledge(next);
    advance(10s);
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

TEST_F(TooBig, R_1191_6_4_RESEND_MessagesThatComeLateCauseNothing) {
  const auto sent = establish_and_send(5 * 1460);
  too_big(sent[0], 1400);
  forget_sent();
  acknowledge(1360);
  const std::size_t rest = all_sent().size();
  EXPECT_EQ(rest, 5U);
  for (const SentSegment& segment : sent) too_big(segment, 1400);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(TooBig, R_1191_6_4_RESEND_WhatFitsIsNotSentAgain) {
  peer_sack = true;
  establish_passive();
  ASSERT_TRUE(stack().set_nagle(id(), false));
  ASSERT_TRUE(write_octets(100));
  ASSERT_TRUE(write_octets(1460));
  ASSERT_TRUE(write_octets(200));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 3U);
  too_big(sent[1], 1400);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(100)), HasPayloadOctets(1360)));
  acknowledge(100);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(1460)), HasPayloadOctets(100)));
  send(ack_segment(0, 1560).sack(our(1560), our(1760)));
  EXPECT_THAT(next_sent(), IsNothing());
  acknowledge(1760);
  EXPECT_EQ(info().segments_retransmitted, 2U);
}

TEST_F(TooBig, R_1191_6_4_RESEND_WhatWasLostBesideItIsStillRepaired) {
  peer_sack = true;
  establish_passive();
  ASSERT_TRUE(stack().set_nagle(id(), false));
  ASSERT_TRUE(write_octets(100));  // lost
  ASSERT_TRUE(write_octets(1460));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 2U);
  too_big(sent[1], 1400);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(100)), HasPayloadOctets(1360)));  // lost too
  bool is_first_sent_again = false;
  for (Duration waited{0}; waited < 5s && !is_first_sent_again; waited += 100ms) {
    advance(100ms);
    for (const SentSegment& again : all_sent()) {
      is_first_sent_again = is_first_sent_again || again.seq == our(0);
    }
  }
  EXPECT_TRUE(is_first_sent_again) << "a connection must not be left without a timer";
}

TEST_F(TooBig, R_1191_6_4_CWND_TheWindowStaysAndOneSegmentGoesFirst) {
  for (const bool sack : {false, true}) {
    peer_sack = sack;
    rebuild(TcpConfig{});
    establish_passive();
    // Only small segments have passed before.
    ASSERT_TRUE(write_octets(500));
    acknowledge(500);
    forget_sent();
    ASSERT_TRUE(write_octets(20 * 1460));
    const auto sent = all_sent();
    ASSERT_GE(sent.size(), 10U);
    const std::uint64_t cwnd = info().congestion_window_octets;
    const std::uint64_t ssthresh = info().slow_start_threshold_octets;
    too_big(sent[0], 1400);
    EXPECT_THAT(next_sent(), AllOf(HasSeq(our(500)), HasPayloadOctets(1360)));
    EXPECT_THAT(next_sent(), IsNothing()) << "whatever the window holds";
    // Both are what they were, in segments.
    EXPECT_EQ(info().congestion_window_octets, cwnd * 1360 / 1460);
    EXPECT_EQ(info().slow_start_threshold_octets, ssthresh);
    advance(info().retransmission_timeout - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    acknowledge(500 + 1360);
    EXPECT_GE(info().congestion_window_octets, cwnd * 1360 / 1460);
    EXPECT_EQ(info().slow_start_threshold_octets, ssthresh);
    std::uint32_t octets = 0;
    for (const SentSegment& segment : all_sent()) {
      EXPECT_LE(segment.octets.size(), 1400U);
      octets += static_cast<std::uint32_t>(segment.payload.size());
    }
    EXPECT_GT(octets, cwnd * 1360 / 1460 - 1360) << "the whole window";
    EXPECT_EQ(info().retransmission_timeouts, 0U);
  }
}

TEST_F(TooBig, R_1191_6_4_RESEND_AFinThatFollowsIsSentAgainToo) {
  establish_passive();
  ASSERT_TRUE(write_octets(2 * 1460));
  ASSERT_TRUE(close());
  const auto sent = all_sent();
  too_big(sent[0], 1400);
  EXPECT_THAT(next_sent(), HasPayloadOctets(1360));
  acknowledge(1360);
  const auto rest = all_sent();
  ASSERT_FALSE(rest.empty());
  EXPECT_TRUE(rest.back().flags.fin);
  EXPECT_EQ(rest.back().seq + rest.back().length(), our(2 * 1460 + 1));
  acknowledge(2 * 1460 + 1);
  EXPECT_EQ(state(), TcpState::FinWait2);
}

// --- The initial window --------------------------------------------------------------------------

TEST_F(TooBig, R_5681_3_1_PMTUD_AnInitialWindowKeepsItsSegments) {
  const auto sent = establish_and_send(20 * 1460);
  ASSERT_EQ(sent.size(), 10U);
  ASSERT_EQ(info().congestion_window_octets, 14600U);
  too_big(sent[0], 576);
  EXPECT_EQ(info().send_mss_octets, 536);
  EXPECT_EQ(info().congestion_window_octets, 14600U * 536U / 1460U);
  EXPECT_EQ(info().slow_start_threshold_octets, UINT64_MAX);
}

TEST_F(TooBig, R_4821_4_RAISE__R_1191_6_4_CWND_ASmallerSizeDoesNotRaiseTheWindowInPackets) {
  establish_passive();
  ASSERT_TRUE(write_octets(20 * 500));
  acknowledge(20 * 500);
  forget_sent();
  ASSERT_TRUE(write_octets(30 * 1460));
  const auto sent = all_sent();
  // A loss first, so that there is a threshold too.
  advance(info().retransmission_timeout);
  forget_sent();
  const std::uint64_t cwnd = info().congestion_window_octets;
  const std::uint64_t ssthresh = info().slow_start_threshold_octets;
  ASSERT_LT(ssthresh, 30U * 1460U);
  too_big(sent[0], 576);
  advance(info().retransmission_timeout);
  ASSERT_EQ(info().send_mss_octets, 536);
  EXPECT_LE(info().congestion_window_octets / 536, cwnd / 1460);
  EXPECT_EQ(info().slow_start_threshold_octets, ssthresh);
}

// --- Larger again --------------------------------------------------------------------------------

class NarrowThenWide : public NarrowPath {
 protected:
  // Brings the path MTU from 1,500 to 1,400 at `lowered_at_`, and widens the path then.
  void lower() {
    carries = 1400;
    open();
    stream_until(20'000);
    ASSERT_TRUE(run_until([this] { return info().path_mtu_octets < 1500; }));
    lowered_at_ = now();
    ASSERT_TRUE(run_until([this] { return delivered() == 20'000; }));
    ASSERT_EQ(info().path_mtu_octets, 1400);
    carries = 1500;
    run(1s);
    forget_packets();
  }
  void go_to(Instant instant) { advance(instant - now()); }

  Instant lowered_at_;
};

TEST_F(NarrowThenWide, R_1191_3_PROBEUP_OneLargerSegmentAfterTenMinutes) {
  lower();
  go_to(lowered_at_ + 5min);
  stream_until(100'000);
  run(2s);
  ASSERT_EQ(delivered(), 100'000U);
  EXPECT_TRUE(probes().empty()) << "not within five minutes, in any case";
  go_to(lowered_at_ + 10min - 2s);
  stream_until(200'000);
  run(1s);
  ASSERT_EQ(delivered(), 200'000U);
  EXPECT_TRUE(probes().empty());
  for (const PathPacket& packet : packets) EXPECT_LE(packet.octets, 1400);

  go_to(lowered_at_ + 10min + 1ms);
  forget_packets();
  carries = 1400;  // the path is as it was
  tells = false;
  stream_until(400'000);
  run(5s);
  ASSERT_EQ(delivered(), 400'000U);
  ASSERT_EQ(probes().size(), 1U);
  EXPECT_EQ(probes()[0].octets, 1500);
  EXPECT_EQ(info().path_mtu_octets, 1400);
}

TEST_F(NarrowThenWide, R_1191_3_PROBEUP_TheLargerSizeIsUsedWhenItPasses) {
  lower();
  go_to(lowered_at_ + 10min + 1ms);
  stream_until(200'000);
  run(2s);
  EXPECT_EQ(probes().size(), 1U);
  EXPECT_EQ(info().path_mtu_octets, 1500);
  EXPECT_GT(std::count_if(packets.begin(), packets.end(),
                          [](const PathPacket& packet) { return packet.octets == 1500; }),
            50);
}

TEST_F(NarrowThenWide, R_1191_3_PROBEUP_WithoutProbesTheEstimateIsForgottenThen) {
  for (const Duration interval : {Duration(10min), Duration(1min)}) {
    TcpConfig tcp;
    tcp.mtu_probing = MtuProbing::Off;
    tcp.mtu_raise_interval = interval;
    rebuild(tcp);
    establish_passive();
    ASSERT_TRUE(write_octets(1460));
    const Instant lowered_at = now();
    send_icmp_error(IcmpType::DestinationUnreachable, wire::kIcmpFragmentationNeeded,
                    next_sent()->octets, 1400);
    send(ack_segment(0, 1360));
    send(ack_segment(0, 1460));
    forget_sent();
    const Duration due = std::max<Duration>(interval, 5min);
    go_to(lowered_at + due - 1ns);
    ASSERT_TRUE(write_octets(1360));
    EXPECT_THAT(next_sent(), HasPayloadOctets(1360));
    send(ack_segment(0, 1460 + 1360));
    advance(1ns);
    ASSERT_TRUE(write_octets(1460));
    EXPECT_THAT(next_sent(), HasPayloadOctets(1460)) << "the whole size again";
    EXPECT_EQ(info().path_mtu_octets, 1500);
  }
}

// --- Several at once -----------------------------------------------------------------------------

TEST_F(NarrowPath, R_1191_3_REDUCE_AStreamPassesAPathOfAnySize) {
  for (const bool sack : {false, true}) {
    for (const bool says : {false, true}) {
      for (const std::uint16_t size : Octets{1499, 1492, 1400, 1280, 1006, 600, 552}) {
        peer_sack = sack;
        rebuild(TcpConfig{});
        reset_path();
        carries = size;
        tells_size = says;
        open();
        stream_until(100'000);
        ASSERT_TRUE(run_until([this] { return delivered() == 100'000; }, 20s))
            << size << ' ' << sack << ' ' << says;
        EXPECT_EQ(info().retransmission_timeouts, 0U) << size << ' ' << sack << ' ' << says;
        if (says) {
          EXPECT_EQ(info().path_mtu_octets, size);
        }
      }
    }
  }
}

}  // namespace
}  // namespace runnel::test
