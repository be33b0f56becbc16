// The TCP header and its options: RFC 9293 sections 3.1, 3.2 and 3.7.1; DiffServ and TTL, 3.9.
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Header = TcpTester;
using Options = TcpTester;

// --- The header ---

TEST_F(Header, R_9293_MUST_2_EverySegmentHasAValidChecksum) {
  // The fixture computes the checksum of every segment anew and fails the test when one is wrong.
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("odd"));
  EXPECT_TRUE(write_octets(3001));
  send(ack_segment(0, 3).payload("x"));
  advance(5s);
  EXPECT_TRUE(abort());
  send(segment().seq(5).ack(6));
  EXPECT_GE(all_sent().size(), 4U);
}

TEST_F(Header, R_9293_MUST_3_ASegmentWithABadChecksumHasNoEffect) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("broken").corrupt_checksum());
  send(segment().rst().seq(their(0)).corrupt_checksum());
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(read_error(), Errc::would_block);
  EXPECT_EQ(dropped(DropReason::TcpBadChecksum), 2U);
  send(ack_segment(0, 0).payload("whole"));
  EXPECT_EQ(read_all(), "whole");
}

TEST_F(Header, R_9293_MUST_3_AVerifiedPacketsPartialSumIsNotChecked) {
  bring_to(TcpState::Established);
  PacketMeta meta;
  meta.checksum = ChecksumStatus::Verified;
  send_packet(ack_segment(0, 0).payload("by the link").corrupt_checksum().build(), meta);
  EXPECT_EQ(read_all(), "by the link");
}

TEST_F(Header, R_9293_3_1_RSRV__R_9293_6_BIT7_ReservedBitsAreIgnoredAndSentAsZero) {
  bring_to(TcpState::Established);
  wire::TcpFlags flags;
  flags.ack = flags.ae = flags.cwr = flags.ece = true;
  send(ack_segment(0, 0).flags(flags).reserved(7).payload("anyway"));
  EXPECT_EQ(read_all(), "anyway");
  advance(40ms);
  const auto ack = next_sent();
  ASSERT_TRUE(ack);
  EXPECT_FALSE(ack->flags.ae || ack->flags.cwr || ack->flags.ece);
  const auto ip = wire::Ipv4View::parse(ack->octets);
  ASSERT_TRUE(ip);
  EXPECT_EQ(wire::TcpView::parse(ip->payload())->reserved_bits(), 0);
}

TEST_F(Header, R_9293_3_1_DOFF_ALyingDataOffsetIsDropped) {
  bring_to(TcpState::Established);
  for (const std::uint8_t words : {std::uint8_t{0}, std::uint8_t{4}, std::uint8_t{15}}) {
    send(ack_segment(0, 0).payload("1234").data_offset(words));
  }
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(dropped(DropReason::TcpBadDataOffset), 3U);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
}

TEST_F(Header, R_9293_MUST_49__R_9293_MUST_48__R_9293_SHLD_22_TtlAndDiffServAreTheApplications) {
  TcpConfig config;
  config.ttl = 17;
  config.dscp = 46;
  rebuild(config);
  establish_passive();
  EXPECT_TRUE(write("x"));
  const auto data = next_sent();
  ASSERT_TRUE(data);
  EXPECT_EQ(data->ttl, 17);
  EXPECT_EQ(data->dscp, 46);
  EXPECT_EQ(data->octets[1] & 3, 0) << "not ECN-capable";
  advance(1s);
  EXPECT_EQ(next_sent()->dscp, 46) << "retransmissions, too";
}

TEST_F(Header, R_9293_MUST_49_TheDefaultTtlIs64) {
  connect();
  EXPECT_EQ(next_sent()->ttl, 64);
}

TEST_F(Header, R_9293_MUST_50__R_9293_MAY_10__R_9293_MAY_11_IpOptionsAreIgnored) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("a").ip_options({148, 4, 0, 0}));             // router alert
  send(ack_segment(1, 0).payload("b").ip_options({68, 8, 5, 0, 0, 0, 0, 0}));  // timestamp
  send(ack_segment(2, 0).payload("c").ip_options({7, 7, 4, 0, 0, 0, 0, 0}));   // record route
  send(ack_segment(3, 0).payload("d").ip_options({222, 4, 1, 2}));             // unknown
  EXPECT_EQ(read_all(), "abcd");
  advance(40ms);
  for (const SentSegment& sent : all_sent()) EXPECT_EQ(sent.octets[0], 0x45) << "no options";
}

TEST_F(Header,
       R_9293_MUST_51__R_9293_MUST_52__R_9293_MUST_53__R_9293_SHLD_24_ASourceRouteIsDropped) {
  // DEVIATES: RFC 7126 advises to drop packets with source routes, and every common stack does.
  listen();
  send(segment().syn().seq(5).mss(1460).ip_options({131, 7, 8, 10, 0, 0, 1, 0}));
  send(segment().syn().seq(5).mss(1460).ip_options({137, 7, 8, 10, 0, 0, 1, 0}));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(dropped(DropReason::IpSourceRoute), 2U);
}

TEST_F(Header, R_1191_3_DF__R_6864_4_1_ATOMIC_TX_EveryTcpPacketIsAtomic) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(10000));
  for (const SentSegment& sent : all_sent()) {
    const auto ip = wire::Ipv4View::parse(sent.octets);
    ASSERT_TRUE(ip);
    EXPECT_TRUE(ip->dont_fragment());
    EXPECT_FALSE(ip->is_fragment());
  }
}

// --- Options ---

TEST_F(Options, R_9293_MUST_4__R_9293_MUST_64__R_9293_MUST_14_EndNopAndMssAreUnderstood) {
  listen();
  send(segment().syn().seq(peer_iss).raw_options({1, 1, 2, 4, 1400 >> 8, 1400 & 255, 0, 0}));
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().send_mss_octets, 1400);
  rebuild(Config{});
  listen();
  send(segment().syn().seq(peer_iss).raw_options({1, 2, 4, 1300 >> 8, 1300 & 255, 0, 0, 0}));
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().send_mss_octets, 1300) << "not on a 32-bit boundary";
}

TEST_F(Options, R_9293_MUST_5_OptionsOnAnySegment) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("ab").raw_options({1, 1, 253, 6, 1, 2, 3, 4}));
  EXPECT_EQ(read_all(), "ab");
  send(ack_segment(2, 0).fin().raw_options({1, 1, 253, 6, 1, 2, 3, 4}));
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  send(segment().rst().seq(their(3)).raw_options({1, 1, 253, 6, 1, 2, 3, 4}));
  EXPECT_EQ(name_of(state_of(id())), "CLOSED");
}

TEST_F(Options, R_9293_MUST_6__R_9293_MUST_68_UnknownOptionsAreSkippedByTheirLength) {
  for (const std::uint8_t kind : {std::uint8_t{200}, std::uint8_t{253}, std::uint8_t{19}}) {
    rebuild(Config{});
    listen();
    send(segment().syn().seq(peer_iss).raw_options(
        {kind, 6, 9, 9, 9, 9, 2, 4, 1200 >> 8, 1200 & 255, 0, 0}));
    EXPECT_THAT(next_sent(), IsSynAck());
    send(ack_segment(0, 0));
    ASSERT_TRUE(accept());
    EXPECT_EQ(info().send_mss_octets, 1200);
  }
}

TEST_F(Options, R_9293_MUST_7_IllegalLengthsAreSurvived) {
  bring_to(TcpState::Established);
  std::uint32_t at = 0;
  for (const std::uint8_t length :
       {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{40}, std::uint8_t{255}}) {
    send(ack_segment(at, 0).payload("x").raw_options({253, length, 1, 1}));
    // The segment may be used, or dropped; the connection goes on.
    const std::string got = read_all();
    at += static_cast<std::uint32_t>(got.size());
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
  }
  send(ack_segment(at, 0).payload("fine"));
  EXPECT_EQ(read_all(), "fine");
}

TEST_F(Options, R_9293_MUST_7_IllegalLengthsOnASynAreSurvived) {
  listen();
  for (const std::uint8_t length : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{41}}) {
    send(segment().syn().seq(peer_iss).raw_options({2, length, 5, 180}));
    for (const SentSegment& sent : all_sent()) EXPECT_TRUE(sent.flags.syn || sent.flags.rst);
  }
}

TEST_F(Options,
       R_9293_MUST_14__R_9293_SHLD_5__R_9293_MUST_67__R_1191_3_1_MSS_TheOfferComesFromTheMtu) {
  ignore_timestamps_default();
  for (const std::uint16_t mtu :
       {std::uint16_t{576}, std::uint16_t{1280}, std::uint16_t{1500}, std::uint16_t{9000}}) {
    Config config;
    config.mtu_octets = mtu;
    rebuild(config);
    connect();
    EXPECT_THAT(next_sent(), HasMss(mtu - 40));
    rebuild(config);
    listen();
    send(segment().syn().seq(5).mss(1460));
    EXPECT_THAT(next_sent(), HasMss(mtu - 40));
  }
}

TEST_F(Options, R_9293_MUST_15_WithoutAnOfferSegmentsHaveAtMost536Octets) {
  ignore_timestamps_default();
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    peer_mss.reset();
    bring_to(TcpState::Established, opening);
    EXPECT_EQ(info().send_mss_octets, 536);
    EXPECT_TRUE(write_octets(10000));
    for (const SentSegment& sent : all_sent()) EXPECT_LE(sent.payload.size(), 536U);
  }
}

TEST_F(Options, R_9293_MUST_14__R_9293_MUST_16_ThePeersOfferLimitsOurSegments) {
  peer_mss = 1000;
  bring_to(TcpState::Established, Opening::Active);
  EXPECT_TRUE(write_octets(10000));
  const auto sent = all_sent();
  ASSERT_FALSE(sent.empty());
  for (const SentSegment& segment : sent) EXPECT_LE(segment.payload.size(), 1000U);
  EXPECT_EQ(sent.front().payload.size(), 1000U);
}

TEST_F(Options, R_9293_MUST_16_TheLinksMtuLimitsThemToo) {
  Config config;
  config.mtu_octets = 600;
  rebuild(config);
  peer_mss = 9000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  const auto sent = all_sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.front().payload.size(), 560U);
}

TEST_F(Options, R_9293_MUST_16_ASmallOfferIsObeyedUnderTheRfcsProfile) {
  for (const std::uint16_t offer : {std::uint16_t{28}, std::uint16_t{48}, std::uint16_t{87}}) {
    rebuild(rfc_profile());
    peer_mss = offer;
    bring_to(TcpState::Established);
    EXPECT_EQ(info().send_mss_octets, offer);
    EXPECT_TRUE(write_octets(500));
    const auto sent = next_sent();
    EXPECT_THAT(sent, HasPayloadOctets(offer));
  }
}

TEST_F(Options, R_9293_MAY_3_TheMssIsSaidAlsoWhereItIsTheDefault) {
  ignore_timestamps_default();
  Config config;
  config.mtu_octets = 576;
  rebuild(config);
  EXPECT_TRUE(try_connect(kPeer));
  const auto syn = next_sent();
  ASSERT_THAT(syn, IsSyn());
  EXPECT_EQ(syn->options.maximum_segment_size, 536);
}

TEST_F(Options, R_9293_MUST_14_AnAbsurdlySmallOfferIsRaised) {
  ignore_timestamps_default();
  peer_mss = 1;
  bring_to(TcpState::Established);
  EXPECT_EQ(info().send_mss_octets, TcpConfig{}.minimum_mss_octets);
}

TEST_F(Options, R_9293_MUST_65_MssOnSynsAlone) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(5000));
  send(ack_segment(0, 5000).payload("x"));
  advance(1s);
  EXPECT_TRUE(close());
  for (const SentSegment& sent : all_sent()) {
    EXPECT_FALSE(sent.options.maximum_segment_size) << sent;
  }
}

TEST_F(Options, R_7323_3_2_TSUNNEG_TimestampsThatWereNotNegotiatedAreIgnored) {
  ignore_timestamps_default();
  bring_to(TcpState::Established);
  wire::TcpOptions options;
  options.timestamps = wire::TcpTimestamps{5, 6};
  send(ack_segment(0, 0).options(options).payload("stamped"));
  EXPECT_EQ(read_all(), "stamped");
  advance(40ms);
  const auto ack = next_sent();
  ASSERT_TRUE(ack);
  EXPECT_FALSE(ack->options.timestamps);
}

}  // namespace
}  // namespace runnel::test
