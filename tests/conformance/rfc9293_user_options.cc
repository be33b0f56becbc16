// What the application may choose for a connection: linger, TTL and DiffServ (RFC 9293 section
// 3.9.1), keepalives with an octet; and what this stack has chosen where the RFC says MAY.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Linger = TcpTester;
using DiffServ = TcpTester;
using Keepalive = TcpTester;
using Choices = TcpTester;
using QuickAck = TcpTester;

// --- Linger --------------------------------------------------------------------------------------

TEST_F(Linger, R_9293_3_10_5_ABORT_LingeringForNoTimeClosesWithReset) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_linger(id(), Duration{0}));
  EXPECT_TRUE(write("unsent"));
  forget_sent();
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(6))));
  EXPECT_EQ(stack().connection_count(), 0U);
}

TEST_F(Linger, R_9293_3_10_5_ABORT_WhatIsUnacknowledgedInTimeIsGivenUp) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_linger(id(), 10s));
  EXPECT_TRUE(write("data"));
  EXPECT_TRUE(close());
  advance(10s - 1ns);
  for (const SentSegment& sent : all_sent()) EXPECT_FALSE(sent.flags.rst);
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
  advance(1ns);
  const auto sent = all_sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(sent.back().flags.rst);
  EXPECT_EQ(stack().connection_count(), 0U);
}

TEST_F(Linger, R_9293_3_10_4_CLOSE_EST_WhatIsAcknowledgedInTimeEndsAsUsual) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_linger(id(), 10s));
  EXPECT_TRUE(write("data"));
  EXPECT_TRUE(close());
  send(ack_segment(0, 5));
  EXPECT_EQ(name_of(state()), "FIN-WAIT-2");
  forget_sent();
  advance(11s);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "FIN-WAIT-2");
  send(ack_segment(0, 5).fin());
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
}

TEST_F(Linger, R_9293_3_10_4_CLOSE_EST_WithoutItDataAreDeliveredHoweverLongThatTakes) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_linger(id(), 1s));
  EXPECT_TRUE(stack().set_linger(id(), std::nullopt));
  EXPECT_EQ(stack().set_linger(id(), -1s).error(), Errc::invalid_argument);
  EXPECT_TRUE(write("data"));
  EXPECT_TRUE(close());
  advance(5min);
  for (const SentSegment& sent : all_sent()) EXPECT_FALSE(sent.flags.rst);
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
}

// --- TTL and DiffServ ----------------------------------------------------------------------------

TEST_F(DiffServ, R_9293_SHLD_21__R_9293_SHLD_22__R_9293_MUST_48_ItMayBeChangedMidWay) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("a"));
  EXPECT_EQ(next_sent()->dscp, 0);
  EXPECT_TRUE(stack().set_dscp(id(), 46));
  send(ack_segment(0, 1));
  EXPECT_TRUE(write("b"));
  const auto sent = next_sent();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->dscp, 46);
  EXPECT_EQ(sent->octets[1], 0xb8) << "the ECN bits are not touched";
  EXPECT_EQ(stack().set_dscp(id(), 64).error(), Errc::invalid_argument);
}

TEST_F(DiffServ, R_9293_MUST_48__R_9293_MUST_49_EverySegmentOfAConnectionHasItsFields) {
  for (const bool is_passive : {true, false}) {
    rebuild(Config{});
    TcpConfig tcp;
    tcp.ttl = 17;
    tcp.dscp = 10;
    const auto all_have_them = [&](std::string_view what) {
      const auto all = all_sent();
      EXPECT_FALSE(all.empty()) << what;
      for (const SentSegment& sent : all) {
        EXPECT_EQ(sent.ttl, 17) << what;
        EXPECT_EQ(sent.dscp, 10) << what;
      }
    };
    if (is_passive) {
      ListenOptions options;
      options.tcp = tcp;
      listen(kPort, options);
      send(segment().syn().seq(peer_iss).mss(1460));
      all_have_them("SYN,ACK");
      send(segment().syn().seq(peer_iss).mss(1460));
      all_have_them("SYN,ACK again");
      send(ack_segment(100'000, 0));
      all_have_them("the answer to what is outside of the window");
      send(ack_segment(0, 0));
      ASSERT_TRUE(accept());
    } else {
      ConnectOptions options;
      options.local = kLocal;
      options.tcp = tcp;
      const auto connection = try_connect(kPeer, options);
      ASSERT_TRUE(connection);
      use(*connection);
      all_have_them("SYN");
      send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
      all_have_them("ACK");
    }
    EXPECT_TRUE(write("data"));
    all_have_them("data");
    EXPECT_TRUE(shutdown_write());
    send(ack_segment(0, 5).fin());
    all_have_them("FIN, and the ACK of the peer's");
    send(ack_segment(0, 5).fin());
    all_have_them("TIME-WAIT's ACK");
  }
}

TEST_F(DiffServ, R_9293_MUST_48__R_9293_MUST_49_ResetsOfAConnectionToo) {
  ConnectOptions options;
  options.local = kLocal;
  options.tcp = TcpConfig{};
  options.tcp->ttl = 17;
  options.tcp->dscp = 10;
  const auto connection = try_connect(kPeer, options);
  ASSERT_TRUE(connection);
  use(*connection);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_TRUE(stack().set_dscp(id(), 46));
  forget_sent();
  EXPECT_TRUE(abort());
  const auto reset = next_sent();
  ASSERT_THAT(reset, IsRst());
  EXPECT_EQ(reset->ttl, 17);
  EXPECT_EQ(reset->dscp, 46);
}

TEST_F(DiffServ, R_1122_3_2_1_7_TTL0_IsRefused) {
  ConnectOptions options;
  options.tcp = TcpConfig{};
  options.tcp->ttl = 0;
  EXPECT_EQ(try_connect(kPeer, options).error(), Errc::invalid_argument);
  ListenOptions passive;
  passive.tcp = options.tcp;
  EXPECT_EQ(stack().listen(kLocal, passive).error(), Errc::invalid_argument);
  for (const std::uint8_t ttl : {std::uint8_t{1}, std::uint8_t{255}}) {
    options.tcp->ttl = ttl;
    EXPECT_TRUE(try_connect(kPeer, options));
    EXPECT_EQ(next_sent()->ttl, ttl);
  }
}

TEST_F(DiffServ, R_9293_MAY_9_WhatAPeerUsesIsNotPassedUpAndNotTakenOver) {
  bring_to(TcpState::Established);
  auto octets = ack_segment(0, 0).payload("x").build();
  octets[1] = 0xb8;  // the sum of the header is to be right for it
  const std::uint32_t field = (std::uint32_t{octets[10]} << 8U) | octets[11];
  const std::uint32_t sum = (field ^ 0xffffU) + 0xb8U;
  const auto folded = static_cast<std::uint16_t>(~((sum & 0xffffU) + (sum >> 16U)));
  octets[10] = static_cast<std::uint8_t>(folded >> 8U);
  octets[11] = static_cast<std::uint8_t>(folded & 0xffU);
  send_packet(octets);
  EXPECT_EQ(read_all(), "x");
  advance(500ms);
  EXPECT_EQ(next_sent()->dscp, 0);
}

// --- Keepalives ----------------------------------------------------------------------------------

TEST_F(Keepalive, R_9293_MAY_6_AProbeMayCarryAnOctetThatWasAcknowledged) {
  TcpConfig config;
  config.keepalive = true;
  config.keepalive_idle = 10s;
  config.keepalive_with_octet = true;
  rebuild(config);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("abc"));
  send(ack_segment(0, 3));
  forget_sent();
  advance(10s);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(2)), HasPayloadOctets(1), HasAck(their(0))));
  send(ack_segment(0, 3));
  EXPECT_TRUE(write("def"));
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(3)), HasPayload("def"))) << "the stream goes on";
  EXPECT_EQ(info().octets_sent, 6U);
}

TEST_F(Keepalive, R_9293_MAY_6_BeforeTheFirstOctetToo) {
  TcpConfig config;
  config.keepalive = true;
  config.keepalive_idle = 10s;
  config.keepalive_with_octet = true;
  rebuild(config);
  bring_to(TcpState::Established);
  advance(10s);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(0) - 1), HasPayloadOctets(1)));
}

TEST_F(Keepalive, R_9293_MUST_24_OneConnectionProbesAndTheOtherDoesNot) {
  const ConnectionId first = establish_passive();
  EXPECT_TRUE(stack().set_keepalive(first, true));
  const auto second = try_connect({kPeer.address, 9}, {});
  ASSERT_TRUE(second);
  const auto syn = next_sent();
  ASSERT_THAT(syn, IsSyn());
  send(segment().from_port(9).to_port(syn->from.port).syn().seq(7).ack(syn->seq + 1).mss(1460));
  forget_sent();
  advance(2h + 1s);
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].to, kPeer);
}

TEST_F(Keepalive, R_9293_MUST_26_WhatIsHeardJustBeforeStartsTheIntervalAnew) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_keepalive(id(), true));
  advance(2h - 1s);
  send(ack_segment(0, 0));
  forget_sent();
  advance(2h - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), IsPureAck());
}

TEST_F(Keepalive, R_9293_MUST_27_TheNextConnectionMayHaveAnotherInterval) {
  for (const Duration idle : {Duration(10s), Duration(20s)}) {
    TcpConfig config;
    config.keepalive = true;
    config.keepalive_idle = idle;
    rebuild(config);
    bring_to(TcpState::Established);
    advance(idle - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0) - 1), HasAck(their(0))));
  }
}

// --- PUSH and FLUSH ------------------------------------------------------------------------------

TEST_F(Choices, R_9293_MAY_15__R_9293_MUST_61_EveryWriteIsPushed) {
  bring_to(TcpState::Established);
  ASSERT_TRUE(stack().set_nagle(id(), false));
  EXPECT_TRUE(write_octets(3000));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sent[i].flags.psh, i == 2) << i;
}

TEST_F(Choices, R_9293_MAY_16__R_9293_SHLD_27_WritesThatMustWaitAreAggregated) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).window(0));
  EXPECT_TRUE(write_octets(500));
  EXPECT_TRUE(write_octets(500));
  forget_sent();
  send(ack_segment(0, 0).window(5000));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 1000U);
  EXPECT_TRUE(sent[0].flags.psh);
}

TEST_F(Choices, R_9293_MAY_17_PushIsNotNeededToDeliverNorPassedUp) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("without "));
  EXPECT_TRUE(take_event(EventKind::Readable));
  send(ack_segment(8, 0).psh().payload("with"));
  EXPECT_TRUE(take_event(EventKind::Readable));
  EXPECT_EQ(read_all(), "without with");
}

TEST_F(Choices, R_9293_MAY_14_NothingThatWasWrittenIsTakenBack) {
  // There is no FLUSH: what is queued behind a closed window stays there until abort().
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).window(0));
  EXPECT_TRUE(write_octets(1000));
  EXPECT_EQ(info().send_queue_octets, 1000U);
  forget_sent();
  send(ack_segment(0, 0).window(5000));
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(0)), HasPayload(pattern(0, 1000))));
}

// --- Quick ACKs ----------------------------------------------------------------------------------

TEST_F(QuickAck, R_9293_SHLD_19__R_5681_4_2_NOEXTRA_TheFirstSegmentsAreAcknowledgedOneByOne) {
  keep_defaults = true;
  rebuild(Config{});
  bring_to(TcpState::Established);
  const std::uint32_t quick = TcpConfig{}.quick_acks;
  std::uint32_t at = 0;
  for (; at < quick; ++at) {
    send(ack_segment(at, 0).payload("x"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(at + 1)))) << at;
    EXPECT_THAT(next_sent(), IsNothing()) << "one ACK for a segment at most";
  }
  send(ack_segment(at, 0).payload("x"));
  EXPECT_THAT(next_sent(), IsNothing()) << "from here on delayed";
  advance(TcpConfig{}.delayed_ack);
  EXPECT_THAT(next_sent(), IsPureAck());
  // After an idle time the peer's window is small again.
  advance(5s);
  send(ack_segment(at + 1, 0).payload("x"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(at + 2))));
}

TEST_F(QuickAck, R_9293_MUST_58__R_9293_MUST_59_ABatchIsAcknowledgedOnceAllTheSame) {
  keep_defaults = true;
  rebuild(Config{});
  bring_to(TcpState::Established);
  std::vector<SegmentBuilder> batch;
  for (std::uint32_t i = 0; i < 6; ++i) {
    batch.push_back(ack_segment(100 * i, 0).payload(pattern(100 * i, 100)));
  }
  send_batch(batch);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(600))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(QuickAck, R_9293_SHLD_18__R_9293_MUST_40_TheDelayIsBelowHalfASecondAtAnyPhase) {
  for (Duration phase{0}; phase < 600ms; phase += 37ms) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    advance(phase);
    send(ack_segment(0, 0).payload("x"));
    EXPECT_THAT(next_sent(), IsNothing());
    advance(500ms - 1ns);
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(1))));
  }
}

}  // namespace
}  // namespace runnel::test
