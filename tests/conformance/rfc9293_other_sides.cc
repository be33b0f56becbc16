// The other side of boundaries, and the other cases of requirements, that the files by section
// leave open.
#include <array>
#include <set>

#include "stack/base/siphash.h"
#include "stack/tcp/isn.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using HeaderCases = TcpTester;
using WindowCases = TcpTester;
using TimerCases = TcpTester;
using StateCases = TcpTester;

constexpr std::uint32_t kMss = 1460;

// --- Header and options ---

TEST_F(HeaderCases, R_9293_MUST_1_AWindowOf65535MayBeFilledAndNotOneOctetMore) {
  TcpConfig config;
  config.initial_window_segments = 100;
  rebuild(config);
  peer_window = 65535;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(100'000));
  for (std::uint32_t at = kMss; info().octets_sent < 65535 && at < 65535; at += kMss) {
    // The congestion window opens while the right edge stays where it is.
    const auto left = static_cast<std::uint16_t>(65535 - at);
    send(ack_segment(0, at).window(left));
  }
  advance(250ms);  // the sender's silly window avoidance
  std::uint32_t end = 0;
  for (const SentSegment& sent : all_sent()) {
    end = std::max(end, sent.seq + sent.length() - our(0));
  }
  EXPECT_EQ(end, 65535U);
}

TEST_F(HeaderCases, R_9293_MUST_2_EveryKindOfSegmentHasAValidChecksum) {
  // The fixture computes the checksum of every segment anew and fails the test when one is wrong.
  std::set<std::string> kinds;
  const auto collect = [&] {
    for (const SentSegment& sent : all_sent()) {
      if (sent.flags.syn) kinds.insert(sent.flags.ack ? "SYN,ACK" : "SYN");
      if (sent.flags.rst) kinds.insert("RST");
      if (sent.flags.fin) kinds.insert("FIN");
      if (sent.length() == 0 && sent.flags.ack && !sent.flags.rst) kinds.insert("ACK");
      if (sent.payload.size() % 2 == 1) kinds.insert("odd data");
      if (!sent.payload.empty() && sent.payload.size() % 2 == 0) kinds.insert("even data");
    }
  };
  connect();
  collect();
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_TRUE(write("odd"));
  send(ack_segment(0, 3));
  EXPECT_TRUE(write("even"));
  send(ack_segment(0, 7).payload("x"));
  advance(1s);
  EXPECT_EQ(read_all(), "x");
  EXPECT_TRUE(close());
  send(segment().from_port(9).seq(5).ack(6));
  listen();
  send(segment().from_port(10).syn().seq(1).mss(1460));
  collect();
  EXPECT_EQ(kinds, (std::set<std::string>{"SYN", "SYN,ACK", "ACK", "FIN", "RST", "odd data",
                                          "even data"}));
}

// A reference that is not ours: the vector of the SipHash paper's appendix A for SipHash-2-4.
TEST_F(HeaderCases, R_9293_SHLD_1__R_6528_3_ISN_TheNumberIsTheClockPlusAKeyedHashOfTheTuple) {
  std::array<std::uint8_t, 15> input{};
  for (std::uint8_t i = 0; i < input.size(); ++i) input[i] = i;
  base::SipHashKey paper;
  paper.k0 = 0x0706050403020100U;
  paper.k1 = 0x0f0e0d0c0b0a0908U;
  ASSERT_EQ(base::siphash_2_4(paper, input), 0xa129ca6149be45e5U);

  SeededRandom for_stack(9293);
  SeededRandom for_test(9293);
  const tcp::SecretGenerator secrets(for_stack);
  const base::SipHashKey key = base::SipHashKey::draw(for_test);
  const tcp::FourTuple tuple{{IpAddress(192, 0, 2, 2), 7}, {IpAddress(192, 0, 2, 1), 50000}};
  const std::array<std::uint8_t, 12> octets{192, 0, 2, 2, 192, 0, 2, 1, 0, 7, 0xc3, 0x50};
  const auto hash = static_cast<std::uint32_t>(base::siphash_2_4(key, octets));
  for (const Duration at : {Duration{0}, Duration{4us}, Duration{1s}, Duration{5h}}) {
    const auto clock = static_cast<std::uint32_t>(at / 4us);
    EXPECT_EQ(secrets.of(tuple).isn(Instant{at}).value(), hash + clock);
  }
}

TEST_F(HeaderCases, R_9293_MUST_69_WhatFollowsTheEndOfTheListIsZero) {
  // Lists of every length modulo 4, into a buffer that is not zero.
  wire::TcpOptions two;
  two.sack_permitted = true;
  wire::TcpOptions timestamps;
  timestamps.timestamps = wire::TcpTimestamps{1, 2};
  wire::TcpOptions scale;
  scale.window_scale = 7;
  wire::TcpOptions mss_and_two;
  mss_and_two.maximum_segment_size = 1460;
  mss_and_two.sack_permitted = true;
  wire::TcpOptions user_timeout;
  user_timeout.user_timeout = wire::TcpUserTimeout{};
  wire::TcpOptions request;
  request.fast_open = wire::TcpFastOpenCookie{};
  for (const wire::TcpOptions& options :
       {two, timestamps, scale, mss_and_two, user_timeout, request}) {
    std::vector<std::uint8_t> out(40, 0xff);
    const std::size_t octets = options.write(out);
    EXPECT_EQ(octets % 4, 0U);
    std::size_t at = 0;
    while (at < octets && out[at] != 0) {
      if (out[at] == 1) {
        ++at;
        continue;
      }
      ASSERT_GE(out[at + 1], 2);
      at += out[at + 1];
    }
    for (; at < octets; ++at) EXPECT_EQ(out[at], 0) << "at " << at;
    EXPECT_EQ(at, octets) << "the list ends within the header";
  }
}

// --- Windows ---

TEST_F(WindowCases, R_9293_SHLD_16_ARetransmissionIsCutToTheShrunkWindow) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10'000));
  send(ack_segment(0, kMss).window(500));
  forget_sent();
  advance(1s);
  const auto again = next_sent();
  ASSERT_THAT(again, AllOf(IsData(), HasSeq(our(kMss))));
  EXPECT_LE(again->payload.size(), 500U);
}

TEST_F(WindowCases, R_9293_SHLD_28_TenFullSegmentsOfWhatIsQueued) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10 * kMss));
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_THAT(next_sent(), AllOf(HasSeq(our(i * kMss)), HasPayloadOctets(kMss)));
  }
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(WindowCases, R_1122_3_3_3_MTUCFG_FromTheSmallestToTheLargestMtu) {
  ignore_timestamps_default();  // which comes with another MTU
  for (const std::uint16_t mtu : std::array<std::uint16_t, 4>{1280, 1500, 9000, 65535}) {
    Config config;
    config.mtu_octets = mtu;
    rebuild(config);
    peer_mss = 65495;
    peer_wscale = 7;
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(200'000));
    std::size_t largest = 0;
    for (const SentSegment& sent : all_sent()) largest = std::max(largest, sent.octets.size());
    EXPECT_EQ(largest, mtu);
    EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, std::vector<std::uint8_t>(65507)));
    pump();
    largest = 0;
    while (const auto fragment = next_icmp()) largest = std::max(largest, fragment->octets.size());
    EXPECT_LE(largest, mtu);
    EXPECT_GT(largest + 8, mtu);
  }
}

// --- Timers ---

TEST_F(TimerCases, R_9293_MUST_21_AnInfiniteLimitIsKept) {
  TcpConfig endless;
  endless.r2 = kForever;
  ListenOptions options;
  options.tcp = endless;  // of this listener's connections alone
  listen(kPort, options);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  advance(24h);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(take_event(EventKind::Error));
  forget_sent();
  advance(2min);
  EXPECT_THAT(next_sent(), HasPayload("x")) << "and it is still being tried";
}

TEST_F(TimerCases, R_9293_MUST_24_OnlyTheConnectionThatAsksProbes) {
  establish_passive();
  EXPECT_TRUE(stack().set_keepalive(id(), true));
  send(segment().from_port(50001).syn().seq(peer_iss).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  send(segment().from_port(50001).seq(their(0)).ack(syn_ack->seq + 1));
  ASSERT_TRUE(accept());
  forget_sent();
  advance(3h);
  const auto sent = all_sent();
  EXPECT_FALSE(sent.empty());
  for (const SentSegment& probe : sent) EXPECT_EQ(probe.to.port, kPeerPort) << probe;
}

TEST_F(TimerCases, R_9293_MUST_40_TheAckIsInTimeInEveryPhaseOfTheTimer) {
  for (const Duration delay : {Duration{40ms}, Duration{499ms}}) {
    for (int phase = 0; phase < 50; ++phase) {
      Config config;
      config.tcp.delayed_ack = delay;
      config.tcp.quick_acks = 0;
      rebuild(config, Instant{1s} + phase * 10'007us);
      bring_to(TcpState::Established);
      send(ack_segment(0, 0).payload("a"));
      advance(500ms - 1ns);
      EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(1)))) << phase;
    }
  }
}

TEST_F(TimerCases, R_9293_MUST_47_EachCauseGivesOneEvent) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  const auto data = next_sent();
  send_icmp_error(wire::IcmpType::DestinationUnreachable, 1, data->octets);
  EXPECT_TRUE(take_event(EventKind::SoftError));
  EXPECT_FALSE(take_event(EventKind::SoftError));
  advance(2min);  // many retransmissions, of which the third reaches R1
  EXPECT_TRUE(take_event(EventKind::SoftError));
  EXPECT_FALSE(take_event(EventKind::SoftError));
}

// --- States ---

TEST_F(StateCases, R_9293_MUST_56_NoSoftErrorEndsAnEstablishedConnection) {
  using wire::IcmpType;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(100));
  const auto data = next_sent();
  for (const std::uint8_t code : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{5}}) {
    send_icmp_error(IcmpType::DestinationUnreachable, code, data->octets);
  }
  for (const std::uint8_t code : {std::uint8_t{0}, std::uint8_t{1}}) {
    send_icmp_error(IcmpType::TimeExceeded, code, data->octets);
    send_icmp_error(IcmpType::ParameterProblem, code, data->octets);
  }
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(take_event(EventKind::Error));
  send(ack_segment(0, 100));
  EXPECT_EQ(info().octets_acknowledged, 100U);
}

TEST_F(StateCases, R_9293_MUST_42_ListeningWhileAConnectionFromThatPortIsInSynSent) {
  bring_to(TcpState::SynSent);
  listen();
  send(segment().from_port(1234).syn().seq(1).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(2U)));
  EXPECT_EQ(name_of(state_of(id())), "SYN-SENT");
  const ConnectionId first = id();
  send(segment().from_port(1234).seq(2).ack(syn_ack->seq + 1));
  EXPECT_TRUE(accept());
  EXPECT_EQ(name_of(state_of(first)), "SYN-SENT");
}

TEST_F(StateCases, R_9293_3_10_7_4_RST_SYNRCVD_NothingIsLeftToRetransmitEitherWay) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    bring_to(TcpState::SynReceived, opening);
    send(segment().rst().seq(their(0)));
    EXPECT_EQ(name_of(state()), opening == Opening::Passive ? "LISTEN" : "CLOSED");
    EXPECT_EQ(take_event(EventKind::Error).has_value(), opening == Opening::Active);
    EXPECT_EQ(stack().timer_count(), 0U);
    EXPECT_EQ(stack().syn_received_count(), 0U);
    advance(5min);
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

TEST_F(StateCases, R_9293_3_10_7_4_RST_EST_InFinWaitTooWithUnreadTextThatIsFlushed) {
  for (const TcpState there :
       {TcpState::Established, TcpState::FinWait1, TcpState::FinWait2, TcpState::CloseWait}) {
    rebuild(Config{});
    bring_to(there);
    const std::uint32_t theirs = there == TcpState::CloseWait ? 1 : 0;
    const std::uint32_t ours = there == TcpState::FinWait2 ? 1 : 0;
    if (theirs == 0) send(ack_segment(0, ours).payload("unread"));
    (void)take_events();
    forget_sent();
    send(segment().rst().seq(their(theirs == 0 ? 6 : 1)));
    EXPECT_THAT(next_sent(), IsNothing());
    const auto error = take_event(EventKind::Error);
    ASSERT_TRUE(error) << name_of(there);
    EXPECT_EQ(error->error, Errc::connection_reset);
    EXPECT_TRUE(take_event(EventKind::Closed));
    EXPECT_EQ(name_of(state_of(id())), "CLOSED");
    EXPECT_EQ(write("x").error(), Errc::connection_reset) << name_of(there);
    EXPECT_TRUE(close());
    EXPECT_EQ(stack().memory_octets(), 0U);
    EXPECT_EQ(stack().timer_count(), 0U);
  }
}

TEST_F(StateCases, R_9293_3_10_7_4_TEXT_LATE_IsAnsweredWithAnAckInEachOfTheFourStates) {
  for (const TcpState there :
       {TcpState::CloseWait, TcpState::Closing, TcpState::LastAck, TcpState::TimeWait}) {
    rebuild(Config{});
    bring_to(there, Opening::Active);
    const std::uint32_t ours = there == TcpState::TimeWait ? 1 : 0;
    send(ack_segment(1, ours).payload("too late"));
    advance(40ms);
    bool is_acknowledged = false;
    for (const SentSegment& sent : all_sent()) {
      EXPECT_FALSE(sent.flags.rst);
      EXPECT_EQ(sent.ack, their(1)) << "nothing of it counts: " << sent;
      is_acknowledged = true;
    }
    EXPECT_TRUE(is_acknowledged) << name_of(there);
    EXPECT_TRUE(reads_end_of_stream()) << name_of(there);
    EXPECT_EQ(name_of(state()), name_of(there));
  }
}

TEST_F(StateCases, R_9293_3_10_3_RECV_CLOSING_InTimeWaitToo) {
  bring_to(TcpState::TimeWait, Opening::Active);
  EXPECT_TRUE(reads_end_of_stream());
  advance(2min);
  EXPECT_TRUE(reads_end_of_stream()) << "as long as the handle is held";
}

TEST_F(StateCases, R_9293_3_4_MOD32_AMebibyteEachWayAcrossBothWraps) {
  peer_iss = 0xfffffff0;
  rebuild_for_iss(0xfffffff0);
  establish_passive();
  ASSERT_EQ(iss(), 0xfffffff0U);
  std::uint32_t end = 0;
  bool is_whole = true;
  for (std::uint32_t at = 0; at < (1U << 20U); at += kMss) {
    EXPECT_TRUE(write(pattern(at, kMss)));
    send(ack_segment(at, at).payload(pattern(at, kMss)));
    is_whole = is_whole && read_all() == pattern(at, kMss);
    for (const SentSegment& sent : all_sent()) {
      if (sent.payload.empty()) continue;
      is_whole =
          is_whole && sent.seq == our(end) && sent.payload == pattern(end, sent.payload.size());
      end += sent.length();
    }
    send(ack_segment(at + kMss, at + kMss));
    ASSERT_TRUE(is_whole) << at;
  }
  EXPECT_GE(end, 1U << 20U);
  EXPECT_EQ(info().segments_retransmitted, 0U);
}

}  // namespace
}  // namespace runnel::test
