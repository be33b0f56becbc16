// Putting fragments together, as seen from outside: RFC 791 section 3.2, RFC 815, RFC 1122 section
// 3.3.2, RFC 1858, RFC 3128, and RFC 5722 applied to IPv4.
#include <algorithm>
#include <array>

#include "stack/wire/ipv4.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Octets = std::vector<std::uint8_t>;
using wire::IcmpType;

class Fragments : public TcpTester {
 protected:
  // What all fragments of a datagram have in common; the header that a test may change.
  struct Datagram {
    Octets payload;
    std::uint8_t protocol = wire::kProtocolIcmp;
    std::uint16_t identification = 9;
    IpAddress source = kPeer.address;
    IpAddress destination = kLocal.address;
  };

  // An echo request with `octets` of data.
  static Datagram echo(std::size_t octets, std::uint16_t sequence = 1) {
    const std::string data = pattern(sequence, octets);
    const Octets body(data.begin(), data.end());
    Datagram datagram;
    datagram.payload.resize(8 + octets);
    std::copy(body.begin(), body.end(), datagram.payload.begin() + 8);
    wire::Icmpv4Header{IcmpType::EchoRequest, 0, 3, sequence}.write(datagram.payload, body);
    return datagram;
  }
  // A segment of the connection at hand.
  Datagram segment_with(std::string_view text, std::uint32_t at = 0) const {
    const Octets packet = ack_segment(at, 0).payload(text).build();
    Datagram datagram;
    datagram.protocol = wire::kProtocolTcp;
    datagram.payload.assign(packet.begin() + 20, packet.end());
    return datagram;
  }
  // Octets `from` to `end` of the payload; what is behind its end is zero.
  static Octets cut(const Datagram& datagram, std::size_t from, std::size_t end, bool more) {
    Octets packet(20 + end - from);
    const std::size_t there = std::min(end, datagram.payload.size());
    if (from < there) {
      std::copy_n(datagram.payload.begin() + static_cast<std::ptrdiff_t>(from), there - from,
                  packet.begin() + 20);
    }
    wire::Ipv4Header ip;
    ip.identification = datagram.identification;
    ip.more_fragments = more;
    ip.fragment_offset_octets = static_cast<std::uint16_t>(from);
    ip.protocol = datagram.protocol;
    ip.source = datagram.source;
    ip.destination = datagram.destination;
    ip.write(packet, end - from);
    return packet;
  }
  void send_piece(const Datagram& datagram, std::size_t from, std::size_t end) {
    send_packet(cut(datagram, from, end, end < datagram.payload.size()));
  }
  // Sends it in fragments of `size` octets each.
  void send_in_pieces(const Datagram& datagram, std::size_t size) {
    for (std::size_t at = 0; at < datagram.payload.size(); at += size) {
      send_piece(datagram, at, std::min(at + size, datagram.payload.size()));
    }
  }
  // The data of the next echo reply, put together; nothing when none was sent.
  std::optional<std::string> next_reply() {
    auto fragment = next_icmp();
    if (!fragment || fragment->type != 0) return std::nullopt;
    Octets message;
    for (;;) {
      const auto ip = wire::Ipv4View::parse(fragment->octets);
      message.insert(message.end(), ip->payload().begin(), ip->payload().end());
      if (!ip->more_fragments()) break;
      fragment = next_icmp();
      if (!fragment) return std::nullopt;
    }
    return std::string(as_text(Bytes(message).subspan(8)));
  }
};

// --- The key ---

TEST_F(Fragments, R_791_3_2_REASMKEY_TheProtocolTellsDatagramsWithOneIdentificationApart) {
  bring_to(TcpState::Established);
  const Datagram ping = echo(100);
  const Datagram text = segment_with(pattern(0, 100));
  ASSERT_EQ(ping.identification, text.identification);
  send_piece(ping, 0, 64);
  send_piece(text, 0, 64);
  send_piece(ping, 64, 108);
  send_piece(text, 64, 120);
  EXPECT_EQ(next_reply(), pattern(1, 100));
  EXPECT_EQ(read_all(), pattern(0, 100));
}

TEST_F(Fragments, R_791_3_2_REASMKEY_SoDoSourceDestinationAndIdentification) {
  const IpPrefix second{IpAddress(198, 51, 100, 2), 24};
  ASSERT_TRUE(stack().add_address(second));
  std::array<Datagram, 4> datagrams{echo(100, 1), echo(100, 2), echo(100, 3), echo(100, 4)};
  datagrams[1].source = IpAddress(192, 0, 2, 3);
  datagrams[2].destination = second.address;
  datagrams[3].identification = 10;
  for (const Datagram& datagram : datagrams) send_piece(datagram, 64, 108);
  EXPECT_FALSE(next_reply());
  for (const Datagram& datagram : datagrams) send_piece(datagram, 0, 64);
  for (std::uint16_t i = 1; i <= 4; ++i) EXPECT_EQ(next_reply(), pattern(i, 100)) << i;
}

// --- Sizes ---

TEST_F(Fragments, R_791_3_2_REASMMAX_NothingReachesBehind65535Octets) {
  // Offset 8189 is octet 65,512: with a header of 20, three octets are left.
  const Datagram last = echo(65515);
  send_packet(cut(last, 65512, 65512 + 100, false));
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 1U) << "the ping of death";
  send_packet(cut(last, 65512, 65512 + 4, false));
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 2U) << "65,536 octets";
  EXPECT_EQ(stack().memory_octets(), 0U);
  send_packet(cut(last, 65512, 65512 + 3, false));
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 2U) << "65,535 octets are a datagram";
  EXPECT_GT(stack().memory_octets(), 0U);
  for (const std::size_t octets : {std::size_t{8}, std::size_t{1480}}) {
    send_packet(cut(last, 65528, 65528 + octets, true));
  }
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 4U) << "the largest offset that there is";
}

TEST_F(Fragments, R_791_3_2_REASMMAX_TheFirstFragmentsOptionsCountToo) {
  const Datagram datagram = echo(65500 - 8);
  for (std::size_t at = 1480; at < datagram.payload.size(); at += 1480) {
    send_piece(datagram, at, std::min(at + 1480, datagram.payload.size()));
  }
  Octets first = cut(datagram, 0, 1480, true);
  first.insert(first.begin() + 20, 40, 1);  // 40 options of one octet: 65,500 + 60 octets
  wire::Ipv4Header ip = wire::Ipv4Header::from(*wire::Ipv4View::parse(first));
  ip.write(first, first.size() - 20);
  first[0] = 0x4f;
  first[10] = first[11] = 0;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 60; i += 2) sum += (std::uint32_t{first[i]} << 8U) | first[i + 1];
  sum = ~((sum & 0xffffU) + (sum >> 16U));
  first[10] = static_cast<std::uint8_t>(sum >> 8U);
  first[11] = static_cast<std::uint8_t>(sum);
  send_packet(first);
  EXPECT_FALSE(next_reply());
  EXPECT_EQ(counters().ip_reasm_oks, 0U);
  EXPECT_EQ(dropped(DropReason::IpBadChecksum), 0U);
}

TEST_F(Fragments, R_791_3_1_576_A576OctetDatagramIsTakenWholeAndInPieces) {
  const Datagram datagram = echo(576 - 28);
  Octets whole = cut(datagram, 0, 556, false);
  ASSERT_EQ(whole.size(), 576U);
  send_packet(whole);
  EXPECT_EQ(next_reply(), pattern(1, 548));
  for (const std::size_t first : {8U, 280U, 552U}) {
    send_piece(datagram, 0, first);
    EXPECT_FALSE(next_reply());
    send_piece(datagram, first, 556);
    EXPECT_EQ(next_reply(), pattern(1, 548)) << "cut after " << first;
  }
  send_in_pieces(datagram, 16);
  EXPECT_EQ(next_reply(), pattern(1, 548));
}

TEST_F(Fragments, R_1122_3_3_2_EMTUR_65535OctetsIn45FragmentsAreOneDatagram) {
  const Datagram datagram = echo(65535 - 28);
  send_in_pieces(datagram, 1480);
  EXPECT_EQ(counters().ip_reasm_reqds, 45U);
  EXPECT_EQ(counters().ip_reasm_oks, 1U);
  EXPECT_EQ(next_reply(), pattern(1, 65507));
}

TEST_F(Fragments, R_791_3_2_FRAGUNIT_AFragmentOfAnOddLengthIsNone) {
  const Datagram datagram = echo(100);
  for (const std::size_t end : {1U, 7U, 9U, 63U}) send_packet(cut(datagram, 0, end, true));
  send_packet(cut(datagram, 8, 8, true));   // empty
  send_packet(cut(datagram, 8, 8, false));  // empty
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 6U);
  EXPECT_EQ(stack().memory_octets(), 0U);
  send_piece(datagram, 0, 8);
  send_piece(datagram, 8, 108);  // the last one may be of any length
  EXPECT_EQ(next_reply(), pattern(1, 100));
}

// --- In any order, and more than once ---

TEST_F(Fragments, R_815_3_HOLES_FiveFragmentsInEachOfTheir120Orders) {
  const Datagram datagram = echo(312);
  constexpr std::array<std::size_t, 6> kEdges{0, 64, 72, 200, 264, 320};
  std::array<std::size_t, 5> order{0, 1, 2, 3, 4};
  int orders = 0;
  do {
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_FALSE(next_icmp()) << "before the last one";
      send_piece(datagram, kEdges[order[i]], kEdges[order[i] + 1]);
    }
    ASSERT_EQ(next_reply(), pattern(1, 312)) << orders;
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 120);
  EXPECT_EQ(counters().ip_reasm_oks, 120U);
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(Fragments, R_1122_3_3_2_REASM_FourFragmentsInEachOfTheir24OrdersGiveTheSameOctets) {
  const Datagram datagram = echo(4000);
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  std::uint64_t orders = 0;
  do {
    for (const std::size_t i : order) {
      send_piece(datagram, i * 1000, i == 3 ? 4008 : (i + 1) * 1000);
    }
    ASSERT_EQ(next_reply(), pattern(1, 4000)) << orders;
    ++orders;
    EXPECT_EQ(counters().ip_reasm_oks, orders) << "one datagram each time";
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 24U);
}

TEST_F(Fragments, R_815_3_DUP__R_5722_V4_READING_AnExactDuplicateChangesNothing) {
  const Datagram datagram = echo(200);
  for (int i = 0; i < 3; ++i) send_piece(datagram, 64, 128);
  const std::size_t memory = stack().memory_octets();
  send_piece(datagram, 64, 128);
  EXPECT_EQ(stack().memory_octets(), memory);
  for (int i = 0; i < 2; ++i) send_piece(datagram, 128, 208);  // the last one twice
  for (int i = 0; i < 2; ++i) send_piece(datagram, 0, 64);
  EXPECT_EQ(next_reply(), pattern(1, 200));
  EXPECT_FALSE(next_reply()) << "delivered once";
  EXPECT_EQ(counters().ip_reasm_oks, 1U);
  EXPECT_EQ(dropped(DropReason::FragmentOverlap), 0U);
}

// --- Contradictions ---

TEST_F(Fragments, R_815_3_BEYOND_WhatReachesBehindTheEndCondemnsTheDatagram) {
  for (const bool end_first : {true, false}) {
    rebuild(Config{});
    const Datagram datagram = echo(200);
    const Octets last = cut(datagram, 128, 208, false);
    const Octets beyond = cut(datagram, 208, 216, true);
    send_packet(end_first ? last : beyond);
    send_packet(end_first ? beyond : last);
    EXPECT_EQ(dropped(DropReason::FragmentOverlap), 1U);
    EXPECT_EQ(stack().next_deadline(), now() + 60s) << "it is remembered until it times out";
    send_piece(datagram, 0, 128);
    EXPECT_FALSE(next_reply()) << "the whole datagram is dropped";
    EXPECT_EQ(dropped(DropReason::FragmentOverlap), 2U);
  }
  rebuild(Config{});
  const Datagram datagram = echo(200);
  send_packet(cut(datagram, 128, 208, false));
  send_packet(cut(datagram, 64, 128, false));  // another end
  EXPECT_EQ(dropped(DropReason::FragmentOverlap), 1U);
}

// RFC 791 lets the newer octets win. DEVIATES, and as Linux does: whoever sends overlapping
// fragments tries to show a filter something else than us (RFC 5722, which forbids it for IPv6).
TEST_F(Fragments, R_5722_V4_READING_AnOverlapWithOtherOctetsDropsTheWholeDatagram) {
  struct Case {
    std::size_t from;
    std::size_t end;
    bool changed;
  };
  for (const Case& bad : {Case{64, 128, true}, Case{56, 128, false}, Case{64, 136, false},
                          Case{72, 120, false}, Case{120, 136, false}, Case{56, 72, false}}) {
    rebuild(Config{});
    const Datagram datagram = echo(200);
    send_piece(datagram, 64, 128);
    Octets overlap = cut(datagram, bad.from, bad.end, true);
    if (bad.changed) overlap[30] ^= 1;
    send_packet(overlap);
    EXPECT_EQ(dropped(DropReason::FragmentOverlap), 1U) << bad.from << " to " << bad.end;
    send_piece(datagram, 0, 64);
    send_piece(datagram, 64, 128);
    send_piece(datagram, 128, 208);
    EXPECT_FALSE(next_icmp()) << "neither a reply nor an error";
    EXPECT_EQ(dropped(DropReason::FragmentOverlap), 4U) << "what comes later goes the same way";
    advance(60s - 1ns);
    send_in_pieces(datagram, 64);
    EXPECT_FALSE(next_icmp());
    advance(1ns);
    EXPECT_FALSE(next_icmp()) << "no Time Exceeded either: it was not for lack of fragments";
    send_in_pieces(datagram, 64);
    EXPECT_EQ(next_reply(), pattern(1, 200)) << "after the timeout the key is as good as new";
  }
}

TEST_F(Fragments, R_1858_TINY_ATcpHeaderMustNotBeCutApart) {
  bring_to(TcpState::Established);
  const Datagram datagram = segment_with(pattern(0, 100));
  send_packet(cut(datagram, 0, 8, true));     // ports and sequence number alone
  send_packet(cut(datagram, 8, 120, false));  // the flags at offset 1, where no filter looks
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 2U);
  send_packet(cut(datagram, 0, 16, true));
  send_packet(cut(datagram, 16, 120, false));
  EXPECT_EQ(dropped(DropReason::FragmentBadLength), 4U) << "16 octets are no TCP header either";
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(read_error(), Errc::would_block);
  send_packet(cut(datagram, 0, 24, true));
  send_packet(cut(datagram, 24, 120, false));
  EXPECT_EQ(read_all(), pattern(0, 100)) << "24 are";
  // Other protocols have no such rule.
  const Datagram ping = echo(16);
  send_in_pieces(ping, 8);
  EXPECT_EQ(next_reply(), pattern(1, 16));
}

// --- Resources ---

TEST_F(Fragments, R_5722_RESRC_AFloodOfFirstFragmentsStaysWithinTheLimit) {
  for (const bool from_one_host : {false, true}) {
    Config config;
    rebuild(config);
    Datagram flood = echo(64);
    std::size_t most = 0;
    const auto attack = [&](std::uint32_t i) {
      flood.source = IpAddress::from_v4(from_one_host ? 0xcb007109U : 0xcb000000U + i);
      flood.identification = static_cast<std::uint16_t>(i);
      stack().receive(cut(flood, 0, 64, true), now());
      most = std::max(most, stack().memory_octets());
    };
    const std::uint32_t count = from_one_host ? 20'000 : 100'000;
    for (std::uint32_t i = 0; i < count; ++i) attack(i);
    const std::size_t limit = config.reassembly_memory_octets;
    EXPECT_LE(most, from_one_host ? limit / 2 : limit);
    EXPECT_GT(dropped(DropReason::FragmentMemory), count - 10'000) << "the oldest go";
    const Datagram good = echo(1600);
    send_piece(good, 0, 800);
    for (std::uint32_t i = 0; i < 100; ++i) attack(count + i);
    send_piece(good, 800, 1608);
    EXPECT_EQ(next_reply(), pattern(1, 1600)) << "and a good one passes in the midst of it";
  }
}

TEST_F(Fragments, R_1122_3_3_2_NOTTL__R_1122_3_3_2_TIMEOUT_SixtySecondsWhateverTheTimeToLive) {
  for (const std::uint8_t ttl : {std::uint8_t{1}, std::uint8_t{15}, std::uint8_t{255}}) {
    rebuild(Config{});
    const Datagram datagram = echo(200);
    for (const bool first : {true, false}) {
      Octets piece = first ? cut(datagram, 0, 128, true) : cut(datagram, 128, 208, false);
      wire::Ipv4Header ip = wire::Ipv4Header::from(*wire::Ipv4View::parse(piece));
      ip.ttl = ttl;
      ip.write(piece, piece.size() - 20);
      send_packet(piece);
      if (first) advance(60s - 1ns);
    }
    EXPECT_EQ(next_reply(), pattern(1, 200)) << "TTL " << int{ttl};
    EXPECT_FALSE(next_icmp());
  }
}

TEST_F(Fragments, R_792_TYPE11__R_1122_3_3_2_TIMEOUT_TheErrorQuotesTheFirstFragment) {
  const Datagram datagram = echo(3000);
  const Octets first = cut(datagram, 0, 1480, true);
  send_packet(first);
  send_piece(datagram, 2960, 3008);
  advance(60s - 1ns);
  EXPECT_FALSE(next_icmp());
  advance(1ns);
  const auto error = next_icmp();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 11);
  EXPECT_EQ(error->code, 1);
  EXPECT_EQ(error->to, kPeer.address);
  ASSERT_GE(error->message.size(), 8U + 28U);
  EXPECT_TRUE(wire::Icmpv4View::parse(error->message)->has_valid_checksum());
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(error->message[i], 0) << "unused";
  EXPECT_TRUE(std::equal(error->message.begin() + 8, error->message.end(), first.begin()));
  EXPECT_FALSE(next_icmp());
}

}  // namespace
}  // namespace runnel::test
