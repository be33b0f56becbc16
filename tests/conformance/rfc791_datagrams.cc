// One IPv4 datagram at a time: RFC 791 section 3.1, RFC 1122 section 3.2.1, RFC 6864.
#include <array>
#include <map>
#include <set>

#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Octets = std::vector<std::uint8_t>;
using wire::IcmpType;

class Datagrams : public TcpTester {
 protected:
  static Octets text(std::size_t octets) {
    const std::string from = pattern(0, octets);
    return {from.begin(), from.end()};
  }
  // An echo request of `octets` of data in a packet whose header begins with `ip`, and has these
  // options.
  static Octets echo(std::size_t octets, const Octets& options = {}, wire::Ipv4Header ip = {}) {
    ip.protocol = wire::kProtocolIcmp;
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    Octets packet(20 + options.size() + 8 + octets);
    const Octets body = text(octets);
    ip.write(packet, packet.size() - 20);
    packet[0] = static_cast<std::uint8_t>(0x40U | ((20 + options.size()) / 4));
    std::copy(options.begin(), options.end(), packet.begin() + 20);
    const auto message = static_cast<std::ptrdiff_t>(20 + options.size());
    std::copy(body.begin(), body.end(), packet.begin() + message + 8);
    wire::Icmpv4Header{IcmpType::EchoRequest, 0, 3, 4}.write(
        MutableBytes(packet).subspan(20 + options.size()), body);
    fix_checksum(packet);
    return packet;
  }
  // Makes the header checksum right for the header length that the packet claims.
  static void fix_checksum(Octets& packet) {
    const std::size_t header = std::min(packet.size(), std::size_t{packet[0] & 0x0fU} * 4);
    base::store_be<std::uint16_t>(packet, 10, 0);
    base::store_be<std::uint16_t>(packet, 10, wire::internet_checksum(Bytes(packet).first(header)));
  }
  // Sends it and says whether anything at all came of it.
  bool is_dropped(const Octets& packet) {
    const auto delivered = counters().ip_in_delivers;
    send_packet(packet);
    const bool is_silent = !next_icmp() && !next_sent();
    return is_silent && counters().ip_in_delivers == delivered && take_events().empty();
  }
};

// --- The header's own numbers ---

TEST_F(Datagrams, R_791_3_1_VER_WhatIsNoIpv4HeaderIsDroppedSilently) {
  for (unsigned version = 0; version < 16; ++version) {
    Octets packet = echo(8);
    packet[0] = static_cast<std::uint8_t>(version << 4U | 5U);
    fix_checksum(packet);
    if (version == 4) continue;
    EXPECT_TRUE(is_dropped(packet)) << "version " << version;
  }
  EXPECT_EQ(dropped(DropReason::IpBadVersion), 15U);

  for (unsigned words = 0; words < 5; ++words) {
    Octets packet = echo(8);
    packet[0] = static_cast<std::uint8_t>(0x40U | words);
    fix_checksum(packet);
    EXPECT_TRUE(is_dropped(packet)) << "header of " << words << " words";
  }
  Octets header_beyond_the_packet = echo(8);
  header_beyond_the_packet[0] = 0x4f;
  EXPECT_TRUE(is_dropped(header_beyond_the_packet));
  EXPECT_EQ(dropped(DropReason::IpBadHeaderLength), 6U);

  for (const std::uint16_t total : std::array<std::uint16_t, 2>{0, 19}) {
    Octets packet = echo(8);
    base::store_be(packet, 2, total);
    fix_checksum(packet);
    EXPECT_TRUE(is_dropped(packet)) << "total length " << total;
  }
  EXPECT_EQ(dropped(DropReason::IpBadTotalLength), 2U);

  Octets longer_than_the_frame = echo(8);
  base::store_be(longer_than_the_frame, 2, std::uint16_t{37});
  fix_checksum(longer_than_the_frame);
  EXPECT_TRUE(is_dropped(longer_than_the_frame));
  for (std::size_t octets = 0; octets < 36; ++octets) {
    const Octets whole = echo(8);
    EXPECT_TRUE(is_dropped({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(octets)}))
        << "a frame of " << octets << " octets";
  }
  send_packet(echo(8));
  EXPECT_TRUE(next_icmp()) << "and a right one is answered";
}

TEST_F(Datagrams, R_791_3_1_VER_AHeaderAloneIsADatagram) {
  Octets packet(20);
  wire::Ipv4Header ip;
  ip.protocol = 250;
  ip.source = kPeer.address;
  ip.destination = kLocal.address;
  ip.write(packet, 0);
  send_packet(packet);
  EXPECT_EQ(counters().ip_in_delivers, 1U) << "total length 20 is the smallest that there is";
}

TEST_F(Datagrams, R_791_3_1_TRAIL_OctetsBehindTheTotalLengthAreCutOff) {
  bring_to(TcpState::Established);
  const std::uint32_t window = announced_window();
  Octets ack = ack_segment(0, 0).build();
  ASSERT_EQ(ack.size(), 40U);
  ack.insert(ack.end(), 20, 0xee);
  send_packet(ack);
  advance(1s);
  EXPECT_THAT(next_sent(), IsNothing()) << "20 octets of padding are no text to acknowledge";
  EXPECT_EQ(read_error(), Errc::would_block);
  EXPECT_EQ(announced_window(), window);

  Octets data = ack_segment(0, 0).payload("payload").build();
  data.insert(data.end(), 13, 0xee);
  send_packet(data);
  EXPECT_EQ(read_all(), "payload");

  Octets ping = echo(5);
  ping.insert(ping.end(), 13, 0xee);
  send_packet(ping);
  const auto reply = next_icmp();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->message.size(), 13U);
}

TEST_F(Datagrams, R_791_3_1_TTL_EverySenderTakesTheConfiguredTimeToLive) {
  for (const std::uint8_t ttl : {std::uint8_t{64}, std::uint8_t{9}}) {
    Config config;
    if (ttl != 64) config.tcp.ttl = ttl;  // 64 is the default
    rebuild(config);
    connect();
    EXPECT_EQ(next_sent()->ttl, ttl) << "a connection";
    send(segment().from_port(9).seq(1).ack(1));
    EXPECT_EQ(next_sent()->ttl, ttl) << "a RST of no connection";
    send_packet(echo(8));
    EXPECT_EQ(next_icmp()->octets[8], ttl) << "an echo reply";
    EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, {}));
    pump();
    EXPECT_EQ(next_icmp()->octets[8], ttl) << "an echo request";
    Octets unknown(28);
    wire::Ipv4Header ip;
    ip.protocol = 250;
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    ip.write(unknown, 8);
    send_packet(unknown);
    EXPECT_EQ(next_icmp()->octets[8], ttl) << "an error";
  }
}

TEST_F(Datagrams, R_791_3_1_TTL__R_1122_3_2_1_7_RXTTL_DeliveryDoesNotCountTheTimeToLiveDown) {
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
    wire::Ipv4Header ip;
    ip.ttl = ttl;
    send_packet(echo(8, {}, ip));
    EXPECT_TRUE(next_icmp()) << int{ttl};
  }
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).ttl(0));
  EXPECT_THAT(next_sent(), IsSynAck());
}

// --- Options ---

TEST_F(Datagrams, R_791_3_1_OPT_OptionsThatLieEndTheSearchForMore) {
  // Type 0 ends the list: the source route behind it is padding.
  send_packet(echo(8, {0, 131, 3, 4}));
  EXPECT_TRUE(next_icmp());
  // Type 1 is one octet long: the source route behind three of them is one.
  EXPECT_TRUE(is_dropped(echo(8, {1, 1, 1, 131, 3, 4, 0, 0})));
  // Others have a length of at least 2, within the header.
  EXPECT_TRUE(is_dropped(echo(8, {68, 4, 5, 0, 137, 3, 4, 0})));
  EXPECT_EQ(dropped(DropReason::IpSourceRoute), 2U);
  for (const std::uint8_t length : std::array<std::uint8_t, 5>{0, 1, 5, 9, 255}) {
    send_packet(echo(8, {7, length, 4, 0}));
    EXPECT_TRUE(next_icmp()) << "an option of length " << int{length} << " is skipped";
  }
  send_packet(echo(8, {1, 1, 1, 7}));
  EXPECT_TRUE(next_icmp()) << "an option without length octet";
}

TEST_F(Datagrams, R_791_3_1_OPT_NoListOfOptionsMakesTheParserLoopOrReadPastTheHeader) {
  // Every packet's copy is exactly as long as the packet, so that a sanitizer sees each octet.
  SeededRandom random(791);
  std::uint64_t packets = 0;
  for (std::size_t octets = 4; octets <= 40; octets += 4) {
    for (int i = 0; i < 500; ++i, ++packets) {
      Octets options(octets);
      for (auto& octet : options) octet = static_cast<std::uint8_t>(random.next());
      for (auto& octet : options) {
        if (random.below(3) == 0) octet = std::array<std::uint8_t, 4>{0, 1, 255, 7}[octet % 4];
      }
      send_packet(echo(0, options));
      forget_sent();
    }
  }
  EXPECT_EQ(counters().icmp_in_echos + dropped(DropReason::IpSourceRoute), packets);
}

TEST_F(Datagrams,
       R_1122_3_2_1_8_OPTPASS__R_9293_MAY_10__R_9293_MAY_11_OtherOptionsDoNotKeepADatagram) {
  const Octets router_alert{148, 4, 0, 0};
  const Octets record_route{7, 7, 4, 0, 0, 0, 0, 0};
  const Octets timestamp{68, 8, 5, 0, 0, 0, 0, 0};
  const Octets stream_identifier{136, 4, 0, 1};
  const Octets nobody_knows{94, 4, 1, 2};
  bring_to(TcpState::Established);
  std::uint32_t at = 0;
  for (const Octets& options :
       {router_alert, record_route, timestamp, stream_identifier, nobody_knows}) {
    send(ack_segment(at, 0).payload("text").ip_options(options));
    EXPECT_EQ(read_all(), "text") << int{options[0]};
    at += 4;
    advance(40ms);
    const auto ack = next_sent();
    ASSERT_THAT(ack, AllOf(IsPureAck(), HasAck(their(at)))) << int{options[0]};
    EXPECT_EQ(ack->octets[0], 0x45) << "ours carries none";
    send_packet(echo(8, options));
    const auto reply = next_icmp();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->octets[0], 0x45);
  }
}

TEST_F(Datagrams, R_1122_3_2_1_8_SR__R_9293_MUST_51__R_9293_MUST_53_SourceRoutesAreDropped) {
  // Waived: RFC 7126 sections 4.3 and 4.4 advise what is done here.
  listen();
  const Octets under_way{131, 7, 4, 203, 0, 113, 1, 0};
  const Octets completed{131, 7, 8, 203, 0, 113, 1, 0};
  const Octets strict{137, 7, 8, 203, 0, 113, 1, 0};
  for (const Octets& route : {under_way, completed, strict}) {
    send(segment().syn().seq(peer_iss).mss(1460).ip_options(route));
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_TRUE(is_dropped(echo(8, route)));
  }
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(dropped(DropReason::IpSourceRoute), 6U);
}

TEST_F(Datagrams, R_9293_MUST_52__R_9293_SHLD_24_NoRouteIsKeptOfTwoThatArrived) {
  // Waived as above: whatever routes come in a connection, what goes out carries none.
  bring_to(TcpState::Established);
  for (const std::uint8_t host : {std::uint8_t{1}, std::uint8_t{2}}) {
    send(ack_segment(0, 0).payload("x").ip_options({131, 7, 8, 203, 0, 113, host, 0}));
  }
  EXPECT_EQ(read_error(), Errc::would_block);
  EXPECT_TRUE(write("y"));
  const auto data = next_sent();
  ASSERT_THAT(data, IsData());
  EXPECT_EQ(data->octets[0], 0x45);
  EXPECT_EQ(data->to, kPeer);
}

// --- What the transport may say about a datagram ---

TEST_F(Datagrams, R_1122_3_2_1_6_TOS_TheFieldIsWhatTheSenderSays) {
  for (const std::uint8_t tos : {std::uint8_t{0x00}, std::uint8_t{0x28}, std::uint8_t{0xb8}}) {
    EchoRequestOptions options;
    options.dscp = tos >> 2U;
    EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(10), options));
    pump();
    EXPECT_EQ(next_icmp()->octets[1], tos);

    wire::Ipv4Header ip;
    ip.dscp = tos >> 2U;
    send_packet(echo(8, {}, ip));
    EXPECT_EQ(next_icmp()->octets[1], tos) << "a reply takes the request's";
  }
  EchoRequestOptions options;
  options.dscp = 64;
  EXPECT_EQ(stack().send_echo_request(kPeer.address, 1, 1, {}, options).error(),
            Errc::invalid_argument);
}

TEST_F(Datagrams, R_1122_3_2_1_7_SETTTL__R_1122_3_2_1_7_TTL0_EachDatagramMayHaveItsOwnTimeToLive) {
  for (const std::uint8_t ttl : {std::uint8_t{1}, std::uint8_t{255}}) {
    EchoRequestOptions options;
    options.ttl = ttl;
    EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(10), options));
    pump();
    EXPECT_EQ(next_icmp()->octets[8], ttl);
  }
  // The fixture fails a test in which any packet has a TTL of zero.
  EchoRequestOptions options;
  options.ttl = 0;
  EXPECT_EQ(stack().send_echo_request(kPeer.address, 1, 1, {}, options).error(),
            Errc::invalid_argument);
  pump();
  EXPECT_FALSE(next_icmp());
}

// --- Fragments of ours, and their identification ---

class OutgoingFragments : public Datagrams {
 protected:
  OutgoingFragments() { ignore_timestamps_default(); }  // which comes with another MTU

  // The fragments of the next datagram that the stack sends.
  std::vector<SentIcmp> fragments() {
    std::vector<SentIcmp> all;
    while (auto fragment = next_icmp()) {
      all.push_back(std::move(*fragment));
      if (!wire::Ipv4View::parse(all.back().octets)->more_fragments()) break;
    }
    return all;
  }
  // Sends an echo request of ours that does not fit the link.
  Result<void> send_large(const IpAddress& to = kPeer.address) {
    auto sent = stack().send_echo_request(to, 1, 1, text(1480));
    pump();
    return sent;
  }
  static std::uint16_t identification(const std::vector<SentIcmp>& datagram) {
    return datagram.empty() ? std::uint16_t{0}
                            : wire::Ipv4View::parse(datagram[0].octets)->identification();
  }
};

TEST_F(OutgoingFragments, R_791_3_2_FRAGUNIT_AllButTheLastAreWholeUnitsOfEight) {
  EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(3000)));
  pump();
  const auto sent = fragments();
  ASSERT_EQ(sent.size(), 3U);
  const std::array<std::size_t, 3> lengths{1480, 1480, 48};
  Octets message;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto ip = wire::Ipv4View::parse(sent[i].octets);
    EXPECT_EQ(base::load_be<std::uint16_t>(sent[i].octets, 6) & 0x1fffU, 185 * i);
    EXPECT_EQ(ip->payload().size(), lengths[i]);
    EXPECT_EQ(ip->more_fragments(), i < 2);
    EXPECT_FALSE(ip->dont_fragment());
    EXPECT_EQ(ip->identification(), identification(sent));
    message.insert(message.end(), ip->payload().begin(), ip->payload().end());
  }
  EXPECT_EQ(as_text(Bytes(message).subspan(8)), pattern(0, 3000));
}

TEST_F(OutgoingFragments, R_791_3_2_FRAGUNIT_AnMtuThatIsNoMultipleOfEightIsNotUsedUp) {
  for (const std::uint16_t mtu : std::array<std::uint16_t, 5>{576, 1006, 1280, 1499, 1501}) {
    Config config;
    config.mtu_octets = mtu;
    rebuild(config);
    EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(5000)));
    pump();
    std::size_t at = 0;
    for (const SentIcmp& fragment : fragments()) {
      const auto ip = wire::Ipv4View::parse(fragment.octets);
      EXPECT_LE(ip->total_octets(), mtu);
      EXPECT_EQ(ip->fragment_offset_octets(), at);
      if (ip->more_fragments()) {
        EXPECT_EQ(ip->payload().size() % 8, 0U);
        EXPECT_GT(ip->total_octets() + 8, mtu) << "and none is shorter than it need be";
      }
      at += ip->payload().size();
    }
    EXPECT_EQ(at, 5008U);
  }
}

TEST_F(OutgoingFragments, R_791_3_2_FRAGOPT_NoFragmentCarriesAnOption) {
  // Waived: no datagram of this host carries options, so there is none to copy.
  EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(4000)));
  pump();
  for (const SentIcmp& fragment : fragments()) EXPECT_EQ(fragment.octets[0], 0x45);
}

TEST_F(OutgoingFragments, R_6864_4_2_NOREUSE_EqualDatagramsHaveDifferentIdentifications) {
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(send_large());
    const auto sent = fragments();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_FALSE(wire::Ipv4View::parse(sent[0].octets)->dont_fragment());
    EXPECT_TRUE(seen.insert(identification(sent)).second) << i;
  }
}

// That none of all 65,536 repeats within two minutes is shown in tests/unit/ip; here, that a host
// that sends as fast as it may stays below 65,536 in two minutes, and repeats none.
TEST_F(OutgoingFragments, R_6864_5_2_RATE__R_6864_4_3_UNIQUE_NoMoreThan546ASecondLeave) {
  constexpr std::uint32_t kSeconds = 10;
  std::set<std::uint16_t> seen;
  std::uint32_t refused = 0;
  for (const Instant end = now() + std::chrono::seconds(kSeconds); now() < end;) {
    if (const auto result = send_large()) {
      const auto datagram = fragments();
      ASSERT_EQ(datagram.size(), 2U);
      EXPECT_TRUE(seen.insert(identification(datagram)).second) << "number " << seen.size();
    } else {
      ASSERT_EQ(result.error(), Errc::would_block);
      ++refused;
      advance(20ms);
    }
  }
  const std::size_t second_by_second = seen.size() / (kSeconds + 1);  // a burst comes on top
  EXPECT_LE(second_by_second, 65536U / 120);
  EXPECT_GT(second_by_second, 530U);
  EXPECT_EQ(dropped(DropReason::IcmpRateLimited), refused);
}

TEST_F(OutgoingFragments, R_6864_5_2_RATE_WhatNeedsNoIdentificationIsNotHeldBack) {
  while (send_large()) forget_sent();
  EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(1472))) << "it fits the link";
  EXPECT_TRUE(send_large({203, 0, 113, 7})) << "another host";
  connect();
  forget_sent();
  advance(1s);
  EXPECT_THAT(next_sent(), IsSyn());
}

TEST_F(OutgoingFragments, R_6864_5_2_RATE_AReplyThatMustNotLeaveYetIsCounted) {
  while (send_large()) forget_sent();
  const auto before = dropped(DropReason::IcmpRateLimited);
  const Octets whole = echo(1600);
  for (const bool more : {true, false}) {
    const std::size_t from = more ? 0 : 1480;
    const std::size_t count = more ? 1480 : 128;
    Octets packet(20 + count);
    std::copy_n(whole.begin() + 20 + static_cast<std::ptrdiff_t>(from), count, packet.begin() + 20);
    wire::Ipv4Header ip;
    ip.more_fragments = more;
    ip.fragment_offset_octets = static_cast<std::uint16_t>(from);
    ip.protocol = wire::kProtocolIcmp;
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    ip.write(packet, count);
    send_packet(packet);
  }
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(dropped(DropReason::IcmpRateLimited), before + 1);
}

TEST_F(OutgoingFragments, R_6864_7739_TheNumbersForTwoHostsAreNotOneCounter) {
  const IpAddress other{203, 0, 113, 7};
  std::vector<std::uint16_t> here;
  std::vector<std::uint16_t> there;
  for (int i = 0; i < 1000; ++i) {
    advance(2ms);
    ASSERT_TRUE(send_large());
    here.push_back(identification(fragments()));
    ASSERT_TRUE(send_large(other));
    there.push_back(identification(fragments()));
  }
  std::map<std::uint16_t, int> steps;
  for (std::size_t i = 0; i + 1 < here.size(); ++i) {
    ++steps[static_cast<std::uint16_t>(there[i] - here[i])];
    ++steps[static_cast<std::uint16_t>(here[i + 1] - here[i])];
    ++steps[static_cast<std::uint16_t>(there[i + 1] - there[i])];
  }
  for (const auto& [step, count] : steps) EXPECT_LT(count, 10) << step;
}

TEST_F(OutgoingFragments, R_6864_4_3_DF_WhatMustNotBeFragmentedIsRefused) {
  EchoRequestOptions options;
  options.dont_fragment = true;
  const auto refused = stack().send_echo_request(kPeer.address, 1, 1, text(1473), options);
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  pump();
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(counters().ip_out_frag_creates, 0U);
  EXPECT_TRUE(stack().send_echo_request(kPeer.address, 1, 1, text(1472), options));
  pump();
  const auto whole = next_icmp();
  ASSERT_TRUE(whole);
  EXPECT_TRUE(wire::Ipv4View::parse(whole->octets)->dont_fragment());
  EXPECT_FALSE(next_icmp());
}

// Atomic packets may carry any identification, so that each of these rows permits what is done:
// every TCP segment has DF, and a retransmission may repeat the number or not.
TEST_F(Datagrams,
       R_6864_4_1_ATOMIC_TX__R_9293_MAY_4__R_1122_3_2_1_5_ID_ARetransmissionIsAtomicToo) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(3 * 1460));
  auto sent = all_sent();
  ASSERT_EQ(sent.size(), 3U);
  advance(1s);
  const auto again = next_sent();
  ASSERT_TRUE(again);
  bool was_sent_before = false;
  for (const SentSegment& one : sent) {
    was_sent_before = was_sent_before || (one.seq == again->seq && one.payload == again->payload);
  }
  EXPECT_TRUE(was_sent_before);
  sent.push_back(*again);
  for (const SentSegment& one : sent) {
    const auto ip = wire::Ipv4View::parse(one.octets);
    EXPECT_TRUE(ip->dont_fragment());
    EXPECT_FALSE(ip->is_fragment());
  }
}

TEST_F(Datagrams, R_6864_4_1_USE__R_6864_4_1_ATOMIC_RX_TheIdentificationDoesNotTellCopiesApart) {
  bring_to(TcpState::Established);
  for (const bool atomic : {true, false}) {
    for (int i = 0; i < 20; ++i) {
      wire::Ipv4Header ip;
      ip.dont_fragment = atomic;
      ip.identification = atomic ? 0 : 77;
      send_packet(echo(8, {}, ip));
      EXPECT_TRUE(next_icmp()) << "the same number again is no duplicate";
    }
  }
  // SegmentBuilder sends every segment with identification 0, and these are not the same.
  for (std::uint32_t i = 0; i < 20; ++i) send(ack_segment(i, 0).payload("x"));
  EXPECT_EQ(read_all(), std::string(20, 'x'));
}

}  // namespace
}  // namespace runnel::test
