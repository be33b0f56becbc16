// What the IPv4 layer does with packets, as seen from outside: RFC 791, RFC 1122 section 3.2.1 and
// 3.3, RFC 6864, RFC 7126.
#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class Ipv4 : public TcpTester {
 protected:
  Ipv4() { ignore_timestamps_default(); }  // which comes with another MTU

  // An echo request of `octets` whose IPv4 header is as the test says.
  std::vector<std::uint8_t> echo(std::size_t octets, wire::Ipv4Header ip = {}) {
    std::vector<std::uint8_t> packet(28 + octets, 0x41);
    const std::vector<std::uint8_t> body(octets, 0x41);
    wire::Icmpv4Header{wire::IcmpType::EchoRequest, 0, 3, 4}.write(MutableBytes(packet).subspan(20),
                                                                   body);
    ip.protocol = wire::kProtocolIcmp;
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    ip.write(packet, 8 + octets);
    return packet;
  }
  static void fix_header_checksum(std::vector<std::uint8_t>& packet) {
    base::store_be<std::uint16_t>(packet, 10, 0);
    base::store_be<std::uint16_t>(packet, 10, wire::internet_checksum(Bytes(packet).first(20)));
  }
  // Octets `from` to `from + count` of an echo request's ICMP message, as a fragment.
  std::vector<std::uint8_t> fragment(const std::vector<std::uint8_t>& whole, std::size_t from,
                                     std::size_t count, bool more, std::uint16_t id = 9,
                                     std::uint8_t ttl = 64) {
    std::vector<std::uint8_t> packet(20 + count);
    std::copy_n(whole.begin() + 20 + static_cast<std::ptrdiff_t>(from), count, packet.begin() + 20);
    wire::Ipv4Header ip;
    ip.identification = id;
    ip.more_fragments = more;
    ip.fragment_offset_octets = static_cast<std::uint16_t>(from);
    ip.ttl = ttl;
    ip.protocol = wire::kProtocolIcmp;
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    ip.write(packet, count);
    return packet;
  }
};

TEST_F(Ipv4, R_1122_3_2_1_1_VER_OtherVersionsAreDropped) {
  for (const std::uint8_t version : {std::uint8_t{0}, std::uint8_t{5}, std::uint8_t{6}}) {
    auto packet = echo(8);
    packet[0] = static_cast<std::uint8_t>(unsigned{version} << 4U | 5U);
    fix_header_checksum(packet);
    send_packet(packet);
  }
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(dropped(DropReason::IpBadVersion), 3U);
}

TEST_F(Ipv4, R_1122_3_2_1_2_CSUM_ABadHeaderChecksumIsDropped) {
  auto packet = echo(8);
  packet[8] ^= 1;  // the TTL
  send_packet(packet);
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(dropped(DropReason::IpBadChecksum), 1U);
}

TEST_F(Ipv4, R_1122_3_2_1_7_RXTTL_ALowTtlDoesNotMatterHere) {
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
    wire::Ipv4Header ip;
    ip.ttl = ttl;
    send_packet(echo(8, ip));
    EXPECT_TRUE(next_icmp()) << int{ttl};
  }
}

TEST_F(Ipv4, R_1122_3_2_1_7_SETTTL__R_1122_3_2_1_7_TTL0_TheTtlIsConfigurable) {
  for (const std::uint8_t ttl : {std::uint8_t{1}, std::uint8_t{255}}) {
    TcpConfig config;
    config.ttl = ttl;
    rebuild(config);
    connect();
    EXPECT_EQ(next_sent()->ttl, ttl);
  }
}

TEST_F(Ipv4, R_1122_3_2_1_3_127_NothingFromOrToTheLoopbackNetworkCrosses) {
  EXPECT_EQ(try_connect({IpAddress(127, 0, 0, 1), 80}).error(), Errc::invalid_argument);
  EXPECT_FALSE(stack().add_address({IpAddress(127, 0, 0, 1), 8}));
  send(segment().to({IpAddress(127, 0, 0, 1), kPort}).syn().seq(1).mss(1460));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Ipv4, R_6864_4_1_ATOMIC_RX__R_6864_4_1_USE_TheIdentificationOfAtomicPacketsMeansNothing) {
  for (int i = 0; i < 5; ++i) {
    wire::Ipv4Header ip;
    ip.dont_fragment = true;
    ip.identification = 0;
    send_packet(echo(8, ip));
    EXPECT_TRUE(next_icmp());
  }
}

TEST_F(Ipv4, R_6864_4_2_NOREUSE_FragmentedPacketsHaveDifferentIdentifications) {
  std::vector<std::uint16_t> ids;
  for (int i = 0; i < 3; ++i) {
    const auto whole = echo(3000);
    send_packet(fragment(whole, 0, 1480, true, static_cast<std::uint16_t>(i)));
    send_packet(fragment(whole, 1480, 1480, true, static_cast<std::uint16_t>(i)));
    send_packet(fragment(whole, 2960, 48, false, static_cast<std::uint16_t>(i)));
    const auto first = next_icmp();
    ASSERT_TRUE(first);
    ids.push_back(wire::Ipv4View::parse(first->octets)->identification());
    while (const auto rest = next_icmp()) {
      const auto ip = wire::Ipv4View::parse(rest->octets);
      EXPECT_EQ(ip->identification(), ids.back());
      EXPECT_FALSE(ip->dont_fragment());
    }
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_NE(ids[1], ids[2]);
  EXPECT_NE(ids[0], ids[2]);
}

TEST_F(Ipv4, R_1122_3_3_2_REASM_FragmentsInAnyOrder) {
  const auto whole = echo(4000);
  std::array<std::size_t, 4> order = {0, 1, 2, 3};
  std::uint16_t id = 1;
  do {
    for (const std::size_t i : order) {
      const std::size_t from = i * 1000;
      const std::size_t count = i == 3 ? 4008 - 3000 : 1000;
      send_packet(fragment(whole, from, count, i != 3, id));
    }
    std::size_t reply = 0;
    while (const auto icmp = next_icmp()) reply += icmp->message.size();
    EXPECT_EQ(reply, 4008U);
    ++id;
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Ipv4, R_1122_3_3_2_EMTUR_TheLargestDatagramIsTaken) {
  const std::size_t octets = 65535 - 28;
  const auto whole = echo(octets);
  const std::size_t message = octets + 8;
  for (std::size_t from = 0; from < message; from += 1480) {
    const std::size_t count = std::min<std::size_t>(1480, message - from);
    send_packet(fragment(whole, from, count, from + count < message));
  }
  std::size_t reply = 0;
  while (const auto icmp = next_icmp()) reply += icmp->message.size();
  EXPECT_EQ(reply, message);
}

TEST_F(Ipv4, R_1122_3_3_2_EMTUR_TheLimitIsConfigurable) {
  for (const std::size_t limit : {std::size_t{576}, std::size_t{1280}, std::size_t{9000}}) {
    for (const std::size_t octets : {limit - 1, limit, limit + 1}) {
      Config config;
      config.reassembly_maximum_octets = limit;
      rebuild(config);
      const std::size_t message = octets - 20;
      const auto whole = echo(message - 8);
      send_packet(fragment(whole, 0, 480, true));
      send_packet(fragment(whole, 480, message - 480, false));
      std::size_t reply = 0;
      while (const auto icmp = next_icmp()) reply += icmp->message.size();
      EXPECT_EQ(reply, octets <= limit ? message : 0U) << limit << ' ' << octets;
      EXPECT_EQ(dropped(DropReason::FragmentTooLarge), octets <= limit ? 0U : 1U);
    }
  }
}

TEST_F(Ipv4, R_1122_3_3_2_EMTUR_576OctetsAreAlwaysTaken) {
  Config config;
  config.reassembly_maximum_octets = 100;
  rebuild(config);
  const auto whole = echo(576 - 28);
  send_packet(fragment(whole, 0, 480, true));
  send_packet(fragment(whole, 480, 76, false));
  EXPECT_TRUE(next_icmp());
}

TEST_F(Ipv4, R_1122_3_3_2_MMSR__R_9293_MUST_67_TheMssOfferedFitsWhatCanBeReassembled) {
  for (const std::size_t limit : {std::size_t{9000}, std::size_t{1280}, std::size_t{576}}) {
    Config config;
    config.mtu_octets = 20'000;
    config.reassembly_maximum_octets = limit;
    rebuild(config);
    connect();
    EXPECT_THAT(next_sent(), HasMss(limit - 40));
    EXPECT_EQ(info().receive_mss_octets, limit - 40);
    rebuild(config);
    listen();
    send(segment().syn().seq(5).mss(1460));
    EXPECT_THAT(next_sent(), HasMss(limit - 40));
  }
}

TEST_F(Ipv4, R_9293_SHLD_6_WhereTheMtuVariesTheMssOfferedFitsTheSmallest) {
  Config config;
  config.mtu_octets = 1500;
  config.smallest_mtu_octets = 1400;
  rebuild(config);
  connect();
  EXPECT_THAT(next_sent(), HasMss(1360));
  rebuild(config);
  listen();
  send(segment().syn().seq(5).mss(1460));
  EXPECT_THAT(next_sent(), HasMss(1360));
}

TEST_F(Ipv4, R_1122_3_3_2_TIMEOUT__R_1122_3_3_2_NOTTL__R_792_TYPE11_After60SecondsItsSenderIsTold) {
  const auto whole = echo(3000);
  send_packet(fragment(whole, 0, 1480, true, 9, 1));
  advance(60s - 1ns);
  EXPECT_FALSE(next_icmp());
  advance(1ns);
  const auto error = next_icmp();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 11);
  EXPECT_EQ(error->code, 1);
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(dropped(DropReason::FragmentTimeout), 1U);
}

TEST_F(Ipv4, R_1122_3_3_2_TIMEOUT__R_1122_3_2_2_NOERR_WithoutTheFirstFragmentNobodyIsTold) {
  const auto whole = echo(3000);
  send_packet(fragment(whole, 1480, 1480, true));
  advance(2min);
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(stack().next_deadline(), kNever);
}

TEST_F(Ipv4, R_1122_3_3_2_TIMEOUT_TheTimeCountsFromTheFirstArrival) {
  const auto whole = echo(3000);
  send_packet(fragment(whole, 0, 1480, true));
  advance(59s);
  send_packet(fragment(whole, 1480, 1480, true));
  advance(1s);
  EXPECT_TRUE(next_icmp());
  send_packet(fragment(whole, 2960, 48, false));
  EXPECT_FALSE(next_icmp()) << "the rest of a datagram that was given up";
}

TEST_F(Ipv4, ATcpSegmentInFragmentsIsReassembled) {
  bring_to(TcpState::Established);
  const auto whole = ack_segment(0, 0).payload(pattern(0, 1000)).build();
  for (std::size_t from = 0; from < 1020; from += 256) {
    const std::size_t count = std::min<std::size_t>(256, 1020 - from);
    std::vector<std::uint8_t> packet(20 + count);
    std::copy_n(whole.begin() + 20 + static_cast<std::ptrdiff_t>(from), count, packet.begin() + 20);
    wire::Ipv4Header ip;
    ip.identification = 5;
    ip.more_fragments = from + count < 1020;
    ip.fragment_offset_octets = static_cast<std::uint16_t>(from);
    ip.protocol = wire::kProtocolTcp;
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    ip.write(packet, count);
    send_packet(packet);
  }
  EXPECT_EQ(read_all(), pattern(0, 1000));
}

TEST_F(Ipv4, R_1122_3_3_3_MTUCFG_TheLargestPacketsFitTheMtu) {
  for (const std::uint16_t mtu : {std::uint16_t{576}, std::uint16_t{1280}, std::uint16_t{1500},
                                  std::uint16_t{9000}, std::uint16_t{65535}}) {
    Config config;
    config.mtu_octets = mtu;
    rebuild(config);
    peer_mss = 65535;
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(200'000));
    std::size_t largest = 0;
    for (const SentSegment& sent : all_sent()) largest = std::max(largest, sent.octets.size());
    EXPECT_EQ(largest, mtu);
  }
}

TEST_F(Ipv4, R_1122_3_3_3_576_AFirstSegmentHasTheSizeOfTheMtuAndIsNotToBeFragmented) {
  for (const std::uint16_t mtu : {std::uint16_t{1500}, std::uint16_t{9000}}) {
    Config config;
    config.mtu_octets = mtu;
    rebuild(config);
    peer_mss = 9000;
    bring_to(TcpState::Established, Opening::Active);
    EXPECT_TRUE(write_octets(20'000));
    const auto data = next_sent();
    ASSERT_TRUE(data);
    EXPECT_EQ(data->octets.size(), mtu);
    EXPECT_TRUE(wire::Ipv4View::parse(data->octets)->dont_fragment());
  }
}

// MMS_S is what a packet of the path's MTU leaves behind the IP header: info() tells it of each
// connection's path.
TEST_F(Ipv4, R_1122_3_3_3_MMSS_TheLargestMessageDependsOnTheDestination) {
  const auto mms_s = [&] {
    const auto info = stack().info(id());
    return info ? info->path_mtu_octets - 20 : 0;
  };
  ignore_timestamps_default();
  bring_to(TcpState::Established, Opening::Active);
  EXPECT_EQ(mms_s(), 1480);
  EXPECT_TRUE(write_octets(1460));
  const auto sent = next_sent();
  ASSERT_TRUE(sent);
  send_icmp_error(wire::IcmpType::DestinationUnreachable, 4, sent->octets, 1400);
  EXPECT_EQ(mms_s(), 1380);

  const auto other = try_connect({IpAddress{192, 0, 2, 77}, 50001});
  ASSERT_TRUE(other);
  use(*other);
  EXPECT_EQ(mms_s(), 1480) << "another";
}

TEST_F(Ipv4, R_1122_3_2_2_2_REDIR_RX_ARedirectIsIgnored) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  send_icmp_error(wire::IcmpType::Redirect, 1, next_sent()->octets);
  EXPECT_TRUE(write("y"));
  send(ack_segment(0, 1));
  EXPECT_EQ(next_sent()->to, kPeer);
  EXPECT_TRUE(take_events().empty());
}

TEST_F(Ipv4, OctetsBehindTheTotalLengthAreIgnored) {
  bring_to(TcpState::Established);
  auto packet = ack_segment(0, 0).payload("payload").build();
  packet.insert(packet.end(), 20, 0xee);
  send_packet(packet);
  EXPECT_EQ(read_all(), "payload");
}

}  // namespace
}  // namespace runnel::test
