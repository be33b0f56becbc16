// RFC 7323 sections 3 to 5 and 7: the Timestamps option, round trips by it, and PAWS. Negotiation
// of none is in rfc9293_header_and_options.cc.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class Timestamps : public TcpTester {
 protected:
  Timestamps() { agree_on_timestamps(); }

  // A segment of the peer with TSval `ticks` after TS.Recent as it was at the handshake.
  [[nodiscard]] SegmentBuilder stamped(std::uint32_t their_offset, std::int32_t ticks,
                                       std::string_view text = {}) const {
    return ack_segment(their_offset, 0)
        .timestamps(first_tsval_ + static_cast<std::uint32_t>(ticks), last_tsval())
        .payload(text);
  }
  // What the stack echoes for it; zero: the peer's clock in the handshake.
  [[nodiscard]] std::int32_t echoed(const std::optional<SentSegment>& sent) const {
    if (!sent || !sent->options.timestamps) return INT32_MIN;
    return static_cast<std::int32_t>(sent->options.timestamps->echo_reply - first_tsval_);
  }
  void establish_with_clock(Opening opening = Opening::Passive) {
    establish(opening);
    first_tsval_ = peer_tsval();
  }
  // A passive open of which the handshake takes `rtt`.
  void establish_with_rtt(Duration rtt) {
    listen();
    send(segment().syn().seq(peer_iss).mss(1460));
    advance(rtt);
    send(ack_segment(0, 0));
    ASSERT_TRUE(accept());
    forget_sent();
  }

 private:
  std::uint32_t first_tsval_ = 0;
};

// --- Negotiation ---

TEST_F(Timestamps, R_7323_3_2_TSNEG__R_7323_3_2_TSECR0_TheFirstSynOffersThem) {
  connect();
  EXPECT_THAT(next_sent(), AllOf(IsSyn(), HasTimestampsOption(), HasTsEcr(0)));
}

TEST_F(Timestamps, R_7323_3_2_TSNEG_TheSynAckHasThemIfTheSynHad) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).timestamps(4711, 0));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasTimestampsOption(), HasTsEcr(4711)));
  send(segment().from_port(50001).syn().seq(peer_iss).mss(1460).no_timestamps());
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), Not(HasTimestampsOption())));
}

TEST_F(Timestamps, R_7323_3_2_TSNEG_ASynAckWithoutThemEndsTheOffer) {
  connect();
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460).no_timestamps());
  ASSERT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(info().has_timestamps);
  EXPECT_TRUE(write("abc"));
  for (const SentSegment& sent : all_sent()) {
    EXPECT_EQ(sent.options.timestamps.has_value(), sent.flags.syn) << sent;
  }
}

TEST_F(Timestamps, R_7323_3_2_TSNEG_TheyCanBeSwitchedOff) {
  TcpConfig config;
  config.timestamps = false;
  rebuild(config);
  connect();
  EXPECT_THAT(next_sent(), AllOf(IsSyn(), Not(HasTimestampsOption())));
  rebuild(config);
  listen();
  send(segment().syn().seq(peer_iss).timestamps(1, 0));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), Not(HasTimestampsOption())));
}

// --- In every segment ---

TEST_F(Timestamps, R_7323_3_2_TSALWAYS_EverySegmentHasThem) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    establish(opening);
    std::vector<SentSegment> all;
    const auto take = [&] {
      for (SentSegment& sent : all_sent()) all.push_back(std::move(sent));
    };
    EXPECT_TRUE(stack().set_nagle(id(), false));
    EXPECT_TRUE(write_octets(10'000));  // lost
    advance(2s);
    send(ack_segment(0, 10'000).payload("abc"));
    send(ack_segment(10, 10'000).payload("behind a gap"));
    send(ack_segment(200'000'000, 10'000).payload("far outside"));
    (void)read_all();
    take();
    EXPECT_TRUE(shutdown_write());
    send(ack_segment(3, 10'001));
    send(ack_segment(3, 10'001).fin());
    ASSERT_EQ(name_of(state()), "TIME-WAIT");
    send(ack_segment(3, 10'001).fin());  // TIME-WAIT answers it
    take();
    EXPECT_GT(all.size(), 12U);
    for (const SentSegment& sent : all) {
      ASSERT_TRUE(sent.options.timestamps) << sent;
    }
  }
}

TEST_F(Timestamps, R_7323_3_2_TSALWAYS__R_7323_3_2_TSECR0_AResetHasThemToo) {
  establish(Opening::Passive);
  EXPECT_TRUE(abort());
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasNoAckBit(), HasTimestampsOption(), HasTsEcr(0)));
}

TEST_F(Timestamps, R_7323_3_2_TSALWAYS_SynReceivedAnswersWithThem) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).timestamps(500, 0));
  forget_sent();
  send(segment().seq(their(100'000'000)).ack(our(0)).timestamps(500, 0));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasTsEcr(500)));
  send(segment().seq(their(0)).ack(our(7)).timestamps(500, 0));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasTimestampsOption()));
  advance(1s);
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasTsEcr(500))) << "sent again";
}

TEST_F(Timestamps, R_7323_3_2_TSMISSING_TheDefaultTakesSegmentsWithoutThem) {
  // DEVIATES: RFC 7323 section 3.2 says that they should be dropped; Linux takes them.
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0).no_timestamps());
  ASSERT_TRUE(accept()) << "the handshake's last ACK";
  ASSERT_TRUE(info().has_timestamps);
  send(ack_segment(0, 0).no_timestamps().payload("abc"));
  EXPECT_EQ(read_all(), "abc");
}

TEST_F(Timestamps, R_7323_3_2_TSMISSING_TheRfcProfileDropsThemSilently) {
  rebuild(rfc_profile());
  establish(Opening::Passive);
  send(ack_segment(0, 0).no_timestamps().payload("abc"));
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(read_all(), "");
  EXPECT_EQ(dropped(DropReason::TcpMissingTimestamp), 1U);
  EXPECT_EQ(name_of(state()), "ESTABLISHED") << "never aborted";
  send(ack_segment(0, 0).payload("abc"));
  EXPECT_EQ(read_all(), "abc");
  send(segment().rst().seq(their(3)).no_timestamps());
  EXPECT_EQ(name_of(state_of(id())), "CLOSED") << "RST needs none";
}

TEST_F(Timestamps, R_7323_3_2_TSECR0_TheEchoOfASynWithoutAckMeansNothing) {
  connect();
  const std::uint32_t value = last_tsval();
  advance(500ms);
  send(segment().syn().seq(peer_iss).mss(1460).timestamps(peer_tsval(), value));
  EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
  EXPECT_EQ(info().smoothed_rtt, Duration{0});
}

// --- Round trips ---

TEST_F(Timestamps, R_7323_4_1_RTTM_OnlyAnAckOfNewDataIsASample) {
  establish_with_rtt(100ms);
  EXPECT_EQ(info().smoothed_rtt, 100ms);
  EXPECT_TRUE(write("abc"));
  const std::uint32_t value = last_tsval();
  advance(180ms);
  send(ack_segment(0, 0).timestamps(peer_tsval(), value));
  EXPECT_EQ(info().smoothed_rtt, 100ms) << "nothing new is acknowledged";
  send(ack_segment(0, 0).timestamps(peer_tsval(), value).payload("data"));
  EXPECT_EQ(info().smoothed_rtt, 100ms);
  send(ack_segment(4, 3).timestamps(peer_tsval(), value));
  EXPECT_EQ(info().smoothed_rtt, 110ms) << "100 + (180 - 100) / 8";
}

TEST_F(Timestamps, R_7323_4_1_RTTM__R_6298_3_KARN_TheEchoTellsWhichTransmissionIsAcknowledged) {
  for (const bool echoes_first : {true, false}) {
    rebuild(rfc_profile());  // no tail loss probe comes before the timeout of 1 s
    establish_with_rtt(100ms);
    EXPECT_TRUE(write("abc"));
    const std::uint32_t first = last_tsval();
    const Instant written = now();
    while (counters().tcp_retrans_segs == 0) advance(1ms);
    const Duration waited = now() - written;
    const std::uint32_t again = last_tsval();
    ASSERT_NE(first, again);
    advance(60ms);
    send(ack_segment(0, 3).timestamps(peer_tsval(), echoes_first ? first : again));
    const Duration sample = echoes_first ? waited + 60ms : 60ms;
    EXPECT_EQ(info().smoothed_rtt, 100ms + (sample - 100ms) / 8);
  }
}

TEST_F(Timestamps, R_6298_3_KARN_TheAckOfASynAckThatCameTwiceIsNoSample) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  const std::uint32_t first = last_tsval();
  advance(1s);  // the peer's ACK was lost: it gets the SYN,ACK again, and echoes the first
  ASSERT_NE(last_tsval(), first);
  forget_sent();
  advance(40ms);
  send(ack_segment(0, 0).timestamps(peer_tsval(), first));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().smoothed_rtt, 0ms);
  ASSERT_TRUE(write_octets(100));
  advance(40ms);
  send(ack_segment(0, 100));
  EXPECT_EQ(info().smoothed_rtt, 40ms);
}

// A peer with a window of 40 segments that acknowledges so many of them with an ACK.
class SampleWeights : public Timestamps {
 protected:
  // Acknowledges what is in flight; says with how many ACKs.
  int round_trip(Duration rtt, std::uint32_t segments_per_ack) {
    (void)write_octets(200'000);
    note_sent();
    advance(rtt);
    int samples = 0;
    for (const std::uint32_t end = sent_; acked_ < end; ++samples) {
      acked_ = std::min(acked_ + segments_per_ack * 1448, end);
      send(ack_segment(0, acked_));
      note_sent();
    }
    return samples;
  }
  void establish_with_full_window() {
    peer_window = 40 * 1448;
    establish_with_rtt(100ms);
    int samples = 0;
    for (int i = 0; i < 6; ++i) samples = round_trip(100ms, 2);
    ASSERT_EQ(samples, 20) << "the whole window is in flight";
    ASSERT_EQ(info().smoothed_rtt, 100ms);
  }

 private:
  void note_sent() {
    for (const SentSegment& segment : all_sent()) {
      sent_ = std::max(sent_, segment.seq + segment.length() - our(0));
    }
  }

  std::uint32_t acked_ = 0;
  std::uint32_t sent_ = 0;
};

TEST_F(SampleWeights, R_7323_4_2_RATE_ManySamplesOfARoundTripWeighAsMuchAsOne) {
  establish_with_full_window();
  EXPECT_EQ(round_trip(150ms, 2), 20);
  // One sample would move SRTT by an eighth of the difference, 20 in full by 93 per cent of it.
  EXPECT_GT(info().smoothed_rtt, 105ms);
  EXPECT_LT(info().smoothed_rtt, 107ms);
}

TEST_F(SampleWeights, R_7323_4_2_RATE_FewSamplesOfARoundTripWeighAsMuchAsOne) {
  establish_with_full_window();
  EXPECT_EQ(round_trip(150ms, 10), 4);  // ACKs merged on their way
  EXPECT_GT(info().smoothed_rtt, 105ms);
  EXPECT_LT(info().smoothed_rtt, 107ms);
}

TEST_F(SampleWeights, R_7323_4_2_RATE_TheOnlySampleOfARoundTripWeighsInFull) {
  establish_with_full_window();
  EXPECT_EQ(round_trip(180ms, 40), 1);
  EXPECT_EQ(info().smoothed_rtt, 110ms);
}

// --- TS.Recent ---

TEST_F(Timestamps, R_7323_4_3_TSRECENT_ADelayedAckEchoesTheEarliest) {
  establish_with_clock();
  send_batch({stamped(0, 1, "a"), stamped(1, 2, "b")});
  advance(100ms);
  EXPECT_EQ(echoed(next_sent()), 1);
  send(stamped(2, 3, "c"));
  advance(100ms);
  EXPECT_EQ(echoed(next_sent()), 3);
}

TEST_F(Timestamps, R_7323_4_3_TSRECENT_OutOfOrderTheLastInOrderIsEchoed) {
  establish_with_clock();
  send(stamped(0, 1, "a"));
  advance(100ms);
  EXPECT_EQ(echoed(next_sent()), 1);
  send(stamped(2, 3, "c"));
  EXPECT_EQ(echoed(next_sent()), 1);
  send(stamped(1, 2, "b"));
  EXPECT_EQ(echoed(next_sent()), 2) << "what fills the gap echoes its own";
  send(stamped(4, 5, "e"));
  EXPECT_EQ(echoed(next_sent()), 2);
  send(stamped(3, 4, "d"));
  EXPECT_EQ(echoed(next_sent()), 4);
}

TEST_F(Timestamps, R_7323_PAWS_R3_OnlyASegmentThatReachesLastAckSentIsTaken) {
  establish_with_clock();
  EXPECT_TRUE(write("keeps every segment acknowledging"));
  forget_sent();
  send(stamped(0, 10, "a"));
  advance(100ms);
  EXPECT_EQ(echoed(next_sent()), 10);
  send(stamped(1, 12));
  send(stamped(1 + 1460, 15, "x"));
  EXPECT_EQ(echoed(next_sent()), 12);
  send(stamped(0, 12, "a"));
  EXPECT_EQ(echoed(next_sent()), 12) << "not newer, and a duplicate";
}

// --- PAWS ---

TEST_F(Timestamps, R_7323_PAWS_R1_OldTimestampIsDroppedAndAcknowledged) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    establish_with_clock(opening);
    send(stamped(0, -1, "old"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(0))));
    EXPECT_EQ(read_all(), "");
    EXPECT_EQ(dropped(DropReason::TcpPaws), 1U);
    send(stamped(0, 0, "same"));
    EXPECT_EQ(read_all(), "same");
    EXPECT_EQ(dropped(DropReason::TcpPaws), 1U);
  }
}

TEST_F(Timestamps, R_7323_PAWS_R1_ItComesBeforeTheSequenceCheck) {
  establish_with_clock();
  send(stamped(200'000'000, -1, "outside too"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0))));
  EXPECT_EQ(dropped(DropReason::TcpPaws), 1U);
  EXPECT_EQ(dropped(DropReason::TcpUnacceptableSequence), 0U);
}

TEST_F(Timestamps, R_7323_PAWS_R1_DataIsAlwaysAnsweredAndBareAcksNotForEver) {
  establish_with_clock();
  for (int i = 0; i < 30; ++i) {
    send(stamped(0, -1, "old"));
    EXPECT_THAT(next_sent(), IsPureAck());
  }
  std::size_t answers = 0;
  for (int i = 0; i < 30; ++i) {
    send(stamped(0, -1));
    answers += all_sent().size();
  }
  EXPECT_EQ(answers, 10U) << "as many as challenge ACKs in a second";
}

TEST_F(Timestamps, R_7323_PAWS_R1_AHalfOpenConnectionChecksToo) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).timestamps(1000, 0));
  forget_sent();
  send(ack_segment(0, 0).timestamps(999, 0));
  EXPECT_THAT(next_sent(), IsPureAck());
  EXPECT_FALSE(accept());
  send(ack_segment(0, 0).timestamps(1000, 0));
  EXPECT_TRUE(accept());
}

TEST_F(Timestamps, R_7323_PAWS_ONCE_WhatWaitedIsNotCheckedAgain) {
  establish_with_clock();
  send(stamped(0, 1, "A"));
  for (std::uint32_t i = 2; i < 26; ++i) {
    send(stamped(i, 1, std::string(1, static_cast<char>('A' + i))));
  }
  forget_sent();
  send(stamped(1, 2, "B"));
  EXPECT_EQ(read_all(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  EXPECT_EQ(echoed(next_sent()), 2);
}

TEST_F(Timestamps, R_7323_PAWS_RST_DoesNotProtectFromReset) {
  establish_with_clock();
  send(stamped(0, -1000).rst());
  EXPECT_EQ(name_of(state_of(id())), "CLOSED");
}

TEST_F(Timestamps, R_7323_PAWS_24D_AfterTwentyFourDaysAnythingIsNew) {
  for (const bool is_just_in_time : {true, false}) {
    rebuild(Config{});
    establish_with_clock();
    advance(24 * 24h + (is_just_in_time ? 0ns : 1ns));
    send(stamped(0, -1000, "abc"));
    EXPECT_EQ(read_all(), is_just_in_time ? "" : "abc");
    if (is_just_in_time) continue;
    advance(100ms);
    EXPECT_EQ(echoed(next_sent()), -1000) << "taken for TS.Recent";
  }
}

// --- Our clock ---

TEST_F(Timestamps, R_7323_5_4_CLOCK_OneTickAMillisecondAndWrapsCleanly) {
  rebuild(Config{}, Instant{1s});
  establish(Opening::Passive);
  const std::uint32_t ticks_to_wrap = 0 - last_tsval() - 2;
  const Instant almost = now() + ticks_to_wrap * 1ms;
  rebuild(Config{}, almost);
  establish(Opening::Passive);
  std::uint32_t value = last_tsval();
  EXPECT_EQ(value, 0xfffffffeU);
  std::uint32_t acked = 0;
  for (int i = 0; i < 10; ++i) {
    advance(1ms - 1ns);
    EXPECT_TRUE(write("x"));
    EXPECT_EQ(last_tsval(), value);
    send(ack_segment(0, ++acked));
    advance(1ns);
    EXPECT_TRUE(write("y"));
    EXPECT_EQ(last_tsval(), value + 1);
    send(ack_segment(0, ++acked));
    ++value;
  }
  EXPECT_EQ(value, 8U);
}

TEST_F(Timestamps, R_7323_7_OFFSET_EachTupleHasItsOwnAndItRises) {
  const auto value_for = [&](std::uint16_t port) {
    send(segment().from_port(port).syn().seq(1).mss(1460).timestamps(1, 0));
    const auto syn_ack = next_sent();
    send(segment().from_port(port).rst().seq(2));
    return syn_ack && syn_ack->options.timestamps ? syn_ack->options.timestamps->value : 0;
  };
  listen();
  const std::uint32_t first = value_for(40001);
  const std::uint32_t other = value_for(40002);
  EXPECT_GT(std::min(first - other, other - first), 10'000U) << "unrelated";
  advance(5s);
  EXPECT_EQ(value_for(40001), first + 5000) << "the same tuple, later";
}

// --- Sizes ---

TEST_F(Timestamps, R_9293_MUST_16__R_6691_2_RULE_TheOptionIsSubtractedFromTextNotFromTheOffer) {
  establish(Opening::Passive);
  EXPECT_EQ(info().receive_mss_octets, 1460);
  EXPECT_EQ(info().send_mss_octets, 1448);
  EXPECT_TRUE(write_octets(10'000));
  EXPECT_THAT(next_sent(), HasPayloadOctets(1448));
  rebuild(Config{});
  connect();
  EXPECT_THAT(next_sent(), AllOf(IsSyn(), HasMss(1460)));
}

TEST_F(Timestamps, R_9293_MUST_16__R_7323_5_7_PMTUD_ASmallerPathLeavesLessText) {
  establish(Opening::Passive);
  EXPECT_TRUE(write_octets(5000));
  const auto large = next_sent();
  ASSERT_TRUE(large);
  forget_sent();
  send_icmp_error(wire::IcmpType::DestinationUnreachable, 4, large->octets, 1400);
  advance(3s);
  const auto smaller = all_sent();
  ASSERT_FALSE(smaller.empty());
  EXPECT_EQ(smaller.front().payload.size(), 1348U);
  for (const SentSegment& sent : smaller) EXPECT_LE(sent.octets.size(), 1400U);
}

}  // namespace
}  // namespace runnel::test
