// The stack and libtins understand each other's packets: random ones by the hundred thousand.
#include <tins/tins.h>

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"
#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/format.h"
#include "stack/wire/icmpv4.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "tests/support/oracle.h"

namespace runnel {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr int kPackets = 200'000;

// Draws what packets are made of.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  template <typename T>
  T number() {
    // A quarter of all numbers are at an edge.
    switch (random_.below(8)) {
      case 0:
        return 0;
      case 1:
        return static_cast<T>(~T{0});
      default:
        return static_cast<T>(random_.next());
    }
  }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool chance(std::uint64_t one_in) { return random_.below(one_in) == 0; }
  Octets octets(std::size_t count) {
    Octets octets(count);
    for (auto& octet : octets) octet = static_cast<std::uint8_t>(random_.next());
    return octets;
  }
  // Mostly short, at times as long as a packet can carry.
  Octets payload(std::size_t limit) {
    return octets(chance(1000) ? limit - below(10) : below(chance(10) ? 1500 : 40));
  }
  IpAddress address() { return IpAddress::from_v4(number<std::uint32_t>()); }
  // libtins writes an address of this machine where the source is 0.0.0.0.
  IpAddress specified_address() { return IpAddress::from_v4(number<std::uint32_t>() | 1U); }

 private:
  SeededRandom random_;
};

wire::TcpOptions random_options(Dice& dice) {
  wire::TcpOptions options;
  do {
    options = {};
    if (dice.chance(2)) options.maximum_segment_size = dice.number<std::uint16_t>();
    if (dice.chance(2)) options.window_scale = dice.number<std::uint8_t>();
    options.sack_permitted = dice.chance(2);
    if (dice.chance(2)) {
      options.timestamps = {dice.number<std::uint32_t>(), dice.number<std::uint32_t>()};
    }
    if (dice.chance(4)) {
      options.sack.count = static_cast<std::uint8_t>(dice.below(5));
      for (std::size_t i = 0; i < options.sack.count; ++i) {
        options.sack.blocks[i] = {wire::SeqNum{dice.number<std::uint32_t>()},
                                  wire::SeqNum{dice.number<std::uint32_t>()}};
      }
    }
    if (dice.chance(4)) {
      options.user_timeout = {dice.chance(2), static_cast<std::uint16_t>(dice.below(0x8000))};
    }
    if (dice.chance(4)) {
      auto& cookie = options.fast_open.emplace();
      cookie.length = static_cast<std::uint8_t>(dice.chance(4) ? 0 : 4 + 2 * dice.below(7));
      const Octets octets = dice.octets(cookie.length);
      std::copy(octets.begin(), octets.end(), cookie.octets.begin());
    }
    if (dice.chance(4)) {
      auto& acc_ecn = options.acc_ecn.emplace();
      acc_ecn.is_order_1 = dice.chance(2);
      acc_ecn.count = static_cast<std::uint8_t>(dice.below(4));
      for (std::size_t i = 0; i < acc_ecn.count; ++i) {
        acc_ecn.counters[i] = dice.number<std::uint32_t>() & 0xffffffU;
      }
    }
  } while (!options.fits());
  return options;
}

wire::TcpHeader random_tcp_header(Dice& dice) {
  wire::TcpHeader header;
  header.source_port = dice.number<std::uint16_t>();
  header.destination_port = dice.number<std::uint16_t>();
  header.seq = wire::SeqNum{dice.number<std::uint32_t>()};
  header.ack = wire::SeqNum{dice.number<std::uint32_t>()};
  header.flags = wire::TcpFlags::from_bits(static_cast<std::uint16_t>(dice.below(512)));
  header.window = dice.number<std::uint16_t>();
  header.urgent_pointer = dice.number<std::uint16_t>();
  header.options = random_options(dice);
  return header;
}

wire::Ipv4Header random_ip_header(Dice& dice, std::uint8_t protocol) {
  wire::Ipv4Header header;
  header.dscp = static_cast<std::uint8_t>(dice.below(64));
  header.ecn = static_cast<std::uint8_t>(dice.below(4));
  header.identification = dice.number<std::uint16_t>();
  header.dont_fragment = dice.chance(2);
  header.ttl = dice.number<std::uint8_t>();
  header.protocol = protocol;
  header.source = dice.address();
  header.destination = dice.address();
  if (dice.chance(10)) {
    header.more_fragments = dice.chance(2);
    header.fragment_offset_octets = static_cast<std::uint16_t>(8 * dice.below(8192));
  }
  return header;
}

Octets packet_of(const wire::Ipv4Header& header, const Octets& payload) {
  Octets packet(wire::kIpv4MinHeaderOctets);
  header.write(packet, payload.size());
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

TEST(WireAndLibtins, LibtinsUnderstandsOurSegments) {
  Dice dice{1};
  for (int i = 0; i < kPackets; ++i) {
    const wire::TcpHeader header = random_tcp_header(dice);
    const wire::Ipv4Header ip = random_ip_header(dice, wire::kProtocolTcp);
    Octets segment(header.octets());
    header.write(segment);
    const Octets text = dice.payload(65'535 - 20 - segment.size());
    segment.insert(segment.end(), text.begin(), text.end());

    auto sum = wire::pseudo_header_sum(ip.source, ip.destination, ip.protocol, segment.size());
    const bool is_partial = dice.chance(4);
    const std::uint16_t pseudo = sum.folded_sum();
    sum.add(segment);
    base::store_be(MutableBytes(segment), wire::kTcpChecksumOffset,
                   is_partial ? pseudo : sum.checksum());

    const Octets packet = packet_of(ip, segment);
    ASSERT_EQ(test::explain_fault_in_emitted(
                  packet, is_partial ? ChecksumStatus::Partial : ChecksumStatus::Unchecked),
              "")
        << "packet " << i << ": " << wire::format_packet(packet);
    // And our own view returns what went in.
    const auto view = wire::Ipv4View::parse(packet);
    ASSERT_EQ(wire::Ipv4Header::from(*view), ip);
    if (!is_partial && !view->is_fragment()) {
      const auto tcp = wire::TcpView::parse(view->payload());
      ASSERT_EQ(wire::TcpHeader::from(*tcp), header);
      ASSERT_TRUE(tcp->has_valid_checksum(ip.source, ip.destination));
    }
  }
}

TEST(WireAndLibtins, LibtinsUnderstandsOurIcmpMessages) {
  Dice dice{2};
  const std::vector<wire::IcmpType> types = {wire::IcmpType::EchoReply, wire::IcmpType::EchoRequest,
                                             wire::IcmpType::DestinationUnreachable,
                                             wire::IcmpType::TimeExceeded,
                                             wire::IcmpType::ParameterProblem};
  for (int i = 0; i < kPackets / 2; ++i) {
    wire::Icmpv4Header header;
    header.type = types[dice.below(types.size())];
    header.code = static_cast<std::uint8_t>(dice.below(16));
    header.identifier = dice.number<std::uint16_t>();
    header.sequence = dice.number<std::uint16_t>();
    const bool is_echo =
        header.type == wire::IcmpType::EchoReply || header.type == wire::IcmpType::EchoRequest;
    if (!is_echo) header.identifier &= 0xff00U;  // the low octet is RFC 4884's length of the quote
    const Octets body = dice.payload(65'535 - 28);
    Octets message(wire::kIcmpHeaderOctets);
    header.write(message, body);
    message.insert(message.end(), body.begin(), body.end());
    const Octets packet = packet_of(random_ip_header(dice, wire::kProtocolIcmp), message);
    ASSERT_EQ(test::explain_fault_in_emitted(packet), "")
        << "packet " << i << ": " << wire::format_packet(packet);
  }
}

// Adds any options, right or of a wrong length for their kind, as long as there is room.
void add_random_options(Tins::TCP& tcp, Dice& dice) {
  constexpr std::uint8_t kKinds[] = {1, 2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 172, 174, 253, 254};
  std::size_t room = wire::kTcpMaxOptionOctets;
  while (room > 0 && !dice.chance(6)) {
    std::uint8_t kind = kKinds[dice.below(std::size(kKinds))];
    if (dice.chance(20)) kind = static_cast<std::uint8_t>(2 + dice.below(254));
    if (kind == 1) {
      tcp.add_option(Tins::TCP::option(kind));
      room -= 1;
      continue;
    }
    constexpr std::size_t kUsual[] = {0, 1, 2, 3, 4, 6, 8, 9, 16, 24, 32};
    const std::size_t size =
        dice.chance(4) ? dice.below(39) : kUsual[dice.below(std::size(kUsual))];
    if (size + 2 > room) break;
    if (size == 0 && kind != Tins::TCP::SACK_OK) continue;  // libtins would leave the length out
    const Octets body = dice.octets(size);
    tcp.add_option(Tins::TCP::option(kind, body.begin(), body.end()));
    room -= size + 2;
  }
}

// Puts IPv4 options into a packet that has none: libtins counts them two octets short when it
// writes them, and its padding then runs into the segment.
void insert_random_ip_options(Octets& packet, Dice& dice) {
  // Security, record route, timestamp, stream identifier, router alert, source routes.
  constexpr std::uint8_t kTypes[] = {130, 7, 68, 136, 148, 131, 137};
  Octets options;
  while (!dice.chance(3)) {
    const Octets body = dice.octets(dice.below(12));
    if (options.size() + body.size() + 2 > 40) break;
    options.push_back(kTypes[dice.below(std::size(kTypes))]);
    options.push_back(static_cast<std::uint8_t>(body.size() + 2));
    options.insert(options.end(), body.begin(), body.end());
    // No-Operations align: libtins rejects more than one End of List, which RFC 791 allows.
    while (options.size() % 4 != 0) options.push_back(1);
  }
  packet.insert(packet.begin() + 20, options.begin(), options.end());
  const MutableBytes header = MutableBytes(packet).first(20 + options.size());
  header[0] = static_cast<std::uint8_t>(0x40U | header.size() / 4);
  base::store_be(header, 2, static_cast<std::uint16_t>(packet.size()));
  base::store_be(header, 10, std::uint16_t{0});
  base::store_be(header, 10, wire::internet_checksum(header));
}

TEST(WireAndLibtins, WeUnderstandSegmentsThatLibtinsBuilds) {
  Dice dice{3};
  for (int i = 0; i < kPackets; ++i) {
    const auto sport = dice.number<std::uint16_t>();
    const auto dport = dice.number<std::uint16_t>();
    Tins::TCP tcp(dport, sport);
    const auto seq = dice.number<std::uint32_t>();
    const auto ack = dice.number<std::uint32_t>();
    const auto window = dice.number<std::uint16_t>();
    const auto urgent = dice.number<std::uint16_t>();
    const auto flags = static_cast<std::uint16_t>(dice.below(4096));
    tcp.seq(seq);
    tcp.ack_seq(ack);
    tcp.window(window);
    tcp.urg_ptr(urgent);
    tcp.flags(flags);
    add_random_options(tcp, dice);

    const IpAddress source = dice.specified_address();
    const IpAddress destination = dice.address();
    Tins::IP ip(destination.to_string(), source.to_string());
    const auto tos = dice.number<std::uint8_t>();
    ip.tos(tos);
    ip.id(dice.number<std::uint16_t>());
    ip.ttl(dice.number<std::uint8_t>());
    ip.flags(dice.chance(2) ? Tins::IP::DONT_FRAGMENT : Tins::IP::Flags{});
    const Octets text = dice.payload(65'535 - 120);
    ip /= tcp;
    if (!text.empty()) ip /= Tins::RawPDU(text);
    Octets packet = ip.serialize();
    if (dice.chance(4)) insert_random_ip_options(packet, dice);

    ASSERT_EQ(test::explain_difference(packet), "")
        << "packet " << i << ": " << wire::format_packet(packet);
    // Not only what libtins reads, but what it was told to write.
    const auto view = wire::Ipv4View::parse(packet);
    ASSERT_EQ(view->source(), source);
    ASSERT_EQ(view->destination(), destination);
    ASSERT_EQ(view->dscp() << 2 | view->ecn(), tos);
    const auto segment = wire::TcpView::parse(view->payload());
    ASSERT_EQ(segment->source_port(), sport);
    ASSERT_EQ(segment->destination_port(), dport);
    ASSERT_EQ(segment->seq().value(), seq);
    ASSERT_EQ(segment->ack().value(), ack);
    ASSERT_EQ(segment->flags().bits(), flags & 0x1ffU);
    ASSERT_EQ(segment->reserved_bits(), flags >> 9U);
    ASSERT_EQ(segment->window(), window);
    ASSERT_EQ(segment->urgent_pointer(), urgent);
    ASSERT_TRUE(
        std::equal(text.begin(), text.end(), segment->payload().begin(), segment->payload().end()));
    ASSERT_TRUE(segment->has_valid_checksum(source, destination));
  }
}

TEST(WireAndLibtins, WeUnderstandIcmpMessagesThatLibtinsBuilds) {
  Dice dice{4};
  for (int i = 0; i < kPackets / 4; ++i) {
    Tins::ICMP icmp;
    const auto id = dice.number<std::uint16_t>();
    const auto seq = dice.number<std::uint16_t>();
    if (dice.chance(2)) {
      icmp.set_echo_request(id, seq);
    } else {
      icmp.set_echo_reply(id, seq);
    }
    const Octets data = dice.payload(65'535 - 28);
    Tins::IP ip(dice.address().to_string(), dice.specified_address().to_string());
    ip /= icmp;
    if (!data.empty()) ip /= Tins::RawPDU(data);
    const Octets packet = ip.serialize();
    ASSERT_EQ(test::explain_difference(packet), "") << "packet " << i;
    const auto message = wire::Icmpv4View::parse(wire::Ipv4View::parse(packet)->payload());
    ASSERT_EQ(message->identifier(), id);
    ASSERT_EQ(message->sequence(), seq);
    ASSERT_TRUE(message->has_valid_checksum());
  }
}

TEST(WireAndLibtins, TheSameRandomOptionListsAreMalformedToBoth) {
  Dice dice{5};
  int malformed = 0;
  for (int i = 0; i < kPackets; ++i) {
    // No zero: libtins reads on behind an End of List, which no receiver may.
    Octets segment(20 + 4 * dice.below(11));
    for (std::size_t at = 20; at < segment.size(); ++at) {
      segment[at] = static_cast<std::uint8_t>(1 + dice.below(dice.chance(8) ? 255 : 11));
    }
    segment[12] = static_cast<std::uint8_t>(segment.size() / 4 << 4U);
    const auto view = wire::TcpView::parse(segment);
    ASSERT_TRUE(view);
    bool is_malformed = false;
    try {
      const Tins::TCP tcp(segment.data(), static_cast<std::uint32_t>(segment.size()));
    } catch (const Tins::malformed_packet&) {
      is_malformed = true;
    }
    ASSERT_EQ(view->options().is_malformed, is_malformed) << "segment " << i;
    malformed += is_malformed ? 1 : 0;
  }
  EXPECT_GT(malformed, kPackets / 10);
  EXPECT_LT(malformed, kPackets - kPackets / 10);
}

TEST(Oracle, NoticesEveryDamagedOctet) {
  Dice dice{6};
  for (int i = 0; i < 1000; ++i) {
    const wire::TcpHeader header = random_tcp_header(dice);
    wire::Ipv4Header ip = random_ip_header(dice, wire::kProtocolTcp);
    ip.more_fragments = false;
    ip.fragment_offset_octets = 0;
    Octets segment(header.octets());
    header.write(segment);
    auto sum = wire::pseudo_header_sum(ip.source, ip.destination, ip.protocol, segment.size());
    sum.add(segment);
    base::store_be(MutableBytes(segment), wire::kTcpChecksumOffset, sum.checksum());
    Octets packet = packet_of(ip, segment);
    ASSERT_EQ(test::explain_fault_in_emitted(packet), "");
    packet[dice.below(packet.size())] ^= static_cast<std::uint8_t>(1U << dice.below(8));
    EXPECT_NE(test::explain_fault_in_emitted(packet), "");
  }
}

}  // namespace
}  // namespace runnel
