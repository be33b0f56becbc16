#include "stack/wire/format.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"
#include "stack/wire/icmpv4.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::wire {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets ip_packet(std::uint8_t protocol, const Octets& payload, Ipv4Header header = {}) {
  header.protocol = protocol;
  header.source = IpAddress(192, 0, 2, 1);
  header.destination = IpAddress(192, 0, 2, 2);
  Octets octets(20 + payload.size());
  header.write(octets, payload.size());
  std::copy(payload.begin(), payload.end(), octets.begin() + 20);
  return octets;
}

TcpHeader segment() {
  TcpHeader header;
  header.source_port = 51'000;
  header.destination_port = 7;
  header.seq = SeqNum{7};
  header.window = 64'240;
  return header;
}

Octets tcp_octets(const TcpHeader& header, std::string_view text = "") {
  Octets octets(header.octets() + text.size());
  header.write(octets);
  std::copy(text.begin(), text.end(),
            octets.begin() + static_cast<std::ptrdiff_t>(header.octets()));
  return octets;
}

std::string format_tcp(const TcpHeader& header, std::string_view text = "") {
  return format_packet(ip_packet(kProtocolTcp, tcp_octets(header, text)));
}

std::string format_icmp(const Icmpv4Header& header, const Octets& body) {
  Octets octets(8 + body.size());
  header.write(octets, body);
  std::copy(body.begin(), body.end(), octets.begin() + 8);
  return format_packet(ip_packet(kProtocolIcmp, octets));
}

TEST(Format, ASynShowsItsOptionsInTheOrderOfTheHeader) {
  TcpHeader syn = segment();
  syn.flags.syn = true;
  syn.options.maximum_segment_size = 1460;
  syn.options.sack_permitted = true;
  syn.options.timestamps = TcpTimestamps{5, 0};
  syn.options.window_scale = 7;
  EXPECT_EQ(format_tcp(syn),
            "192.0.2.1.51000 > 192.0.2.2.7: Flags [S], seq 7, win 64240, "
            "options [mss 1460,sackOK,TS val 5 ecr 0,wscale 7], length 0");
}

TEST(Format, DataShowsItsRangeAndTheAcknowledgment) {
  TcpHeader data = segment();
  data.flags.psh = data.flags.ack = true;
  data.seq = SeqNum{0xfffffffeU};
  data.ack = SeqNum{100};
  EXPECT_EQ(format_tcp(data, "hello"),
            "192.0.2.1.51000 > 192.0.2.2.7: Flags [P.], seq 4294967294:3, ack 100, win 64240, "
            "length 5");
}

TEST(Format, EveryFlagHasItsLetter) {
  TcpHeader all = segment();
  all.flags = TcpFlags::from_bits(0x1ff);
  all.urgent_pointer = 3;
  EXPECT_EQ(format_tcp(all),
            "192.0.2.1.51000 > 192.0.2.2.7: Flags [SFRPUEWA.], seq 7, ack 0, win 64240, urg 3, "
            "length 0");
  const std::array<char, 9> letters = {'F', 'S', 'R', 'P', '.', 'U', 'E', 'W', 'A'};
  for (std::size_t bit = 0; bit < letters.size(); ++bit) {
    TcpHeader one = segment();
    one.flags = TcpFlags::from_bits(static_cast<std::uint16_t>(1U << bit));
    EXPECT_NE(format_tcp(one).find(std::string("Flags [") + letters[bit] + "],"), std::string::npos)
        << format_tcp(one);
  }
  EXPECT_NE(format_tcp(segment()).find("Flags [none],"), std::string::npos);
}

std::string options_of(const Octets& list) {
  Octets octets = tcp_octets(segment());
  octets.insert(octets.end(), list.begin(), list.end());
  octets[12] = static_cast<std::uint8_t>(octets.size() / 4 << 4U);
  const std::string line = format_packet(ip_packet(kProtocolTcp, octets));
  const std::size_t begin = line.find("options ");
  return begin == std::string::npos ? line
                                    : line.substr(begin + 8, line.rfind(", length") - begin - 8);
}

TEST(Format, EveryOptionHasItsName) {
  EXPECT_EQ(options_of({1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4}),
            "[sack 2 {1:2}{3:4}]");
  EXPECT_EQ(options_of({28, 4, 0, 90}), "[uto 90s]");
  EXPECT_EQ(options_of({28, 4, 0x80, 10}), "[uto 10m]");
  EXPECT_EQ(options_of({34, 2, 0, 0}), "[tfo cookiereq]");
  EXPECT_EQ(options_of({34, 6, 0x0a, 0xbc, 0, 1, 0, 0}), "[tfo cookie 0abc0001]");
  EXPECT_EQ(options_of({172, 8, 0, 0, 1, 0, 1, 0}), "[accecn0 1 256]");
  EXPECT_EQ(options_of({174, 2, 1, 1}), "[accecn1]");
  EXPECT_EQ(options_of({19, 4, 0xab, 0xcd}), "[md5 0xabcd]");
  EXPECT_EQ(options_of({29, 4, 1, 2}), "[tcp-ao 0x0102]");
  EXPECT_EQ(options_of({30, 4, 0, 0}), "[mptcp 0x0000]");
  EXPECT_EQ(options_of({253, 4, 0x12, 0x34}), "[opt-253 0x1234]");
}

TEST(Format, OptionsOfAWrongLengthAreShownAsOctets) {
  EXPECT_EQ(options_of({2, 3, 9, 1}), "[opt-2 0x09]");
  EXPECT_EQ(options_of({34, 3, 9, 1}), "[opt-34 0x09]");
}

TEST(Format, AnOptionListThatLiesSaysSo) {
  EXPECT_EQ(options_of({2, 0, 0, 0}), "[bad list]");
  EXPECT_EQ(options_of({3, 3, 7, 8}), "[wscale 7,bad list]");
}

TEST(Format, NothingButPaddingIsAnEmptyList) {
  EXPECT_EQ(options_of({1, 1, 1, 0}), "[]");
}

TEST(Format, ReservedBitsAreShownWhenSet) {
  Octets octets = tcp_octets(segment());
  octets[12] |= 0x0a;
  EXPECT_NE(format_packet(ip_packet(kProtocolTcp, octets)).find(", reserved 0x5,"),
            std::string::npos);
}

TEST(Format, EchoShowsItsIdentifierAndSequence) {
  EXPECT_EQ(format_icmp({IcmpType::EchoRequest, 0, 7, 1}, Octets(56)),
            "192.0.2.1 > 192.0.2.2: ICMP echo request, id 7, seq 1, length 64");
  EXPECT_EQ(format_icmp({IcmpType::EchoReply, 0, 7, 1}, {}),
            "192.0.2.1 > 192.0.2.2: ICMP echo reply, id 7, seq 1, length 8");
}

TEST(Format, AnIcmpErrorShowsWhatItQuotes) {
  Octets quote = ip_packet(kProtocolTcp, tcp_octets(segment(), "payload"));
  quote.resize(28);
  EXPECT_EQ(format_icmp({IcmpType::DestinationUnreachable, kIcmpPortUnreachable, 0, 0}, quote),
            "192.0.2.1 > 192.0.2.2: ICMP port unreachable (type 3 code 3), quoting "
            "192.0.2.1.51000 > 192.0.2.2.7: TCP seq 7, length 36");
  EXPECT_EQ(
      format_icmp({IcmpType::DestinationUnreachable, kIcmpFragmentationNeeded, 0, 1400}, quote),
      "192.0.2.1 > 192.0.2.2: ICMP fragmentation needed, mtu 1400, quoting "
      "192.0.2.1.51000 > 192.0.2.2.7: TCP seq 7, length 36");
  EXPECT_EQ(format_icmp({IcmpType::TimeExceeded, 0, 0, 0}, {1, 2, 3}),
            "192.0.2.1 > 192.0.2.2: ICMP time exceeded in transit (type 11 code 0), quoting "
            "no packet, length 11");
}

TEST(Format, EveryIcmpTypeHasAName) {
  const auto name = [](std::uint8_t type, std::uint8_t code) {
    const std::string line = format_icmp({IcmpType{type}, code, 0, 0}, {});
    const std::size_t begin = line.find("ICMP ") + 5;
    return line.substr(begin, line.find_first_of(",(") - begin);
  };
  EXPECT_EQ(name(3, 0), "net unreachable ");
  EXPECT_EQ(name(3, 1), "host unreachable ");
  EXPECT_EQ(name(3, 2), "protocol unreachable ");
  EXPECT_EQ(name(3, 13), "destination unreachable ");
  EXPECT_EQ(name(4, 0), "source quench ");
  EXPECT_EQ(name(5, 1), "redirect ");
  EXPECT_EQ(name(11, 1), "reassembly time exceeded ");
  EXPECT_EQ(name(12, 0), "parameter problem ");
  EXPECT_EQ(name(13, 0), "timestamp request ");
  EXPECT_EQ(name(14, 0), "timestamp reply ");
  EXPECT_EQ(name(42, 0), "message ");
}

TEST(Format, OtherProtocolsShowWhatIsKnown) {
  EXPECT_EQ(format_packet(ip_packet(kProtocolUdp, {0, 53, 0x13, 0x88, 0, 8, 0, 0})),
            "192.0.2.1.53 > 192.0.2.2.5000: UDP, length 8");
  EXPECT_EQ(format_packet(ip_packet(47, {1, 2, 3})),
            "192.0.2.1 > 192.0.2.2: protocol 47, length 3");
}

TEST(Format, FragmentsShowTheirPlace) {
  Ipv4Header first;
  first.identification = 99;
  first.more_fragments = true;
  EXPECT_EQ(format_packet(ip_packet(kProtocolIcmp, Octets(16), first)),
            "192.0.2.1 > 192.0.2.2: ICMP fragment, id 99, offset 0, more follow, length 16");
  Ipv4Header last;
  last.identification = 99;
  last.fragment_offset_octets = 1480;
  EXPECT_EQ(format_packet(ip_packet(kProtocolTcp, Octets(16), last)),
            "192.0.2.1 > 192.0.2.2: TCP fragment, id 99, offset 1480, the last, length 16");
}

TEST(Format, CongestionMarksAreShown) {
  Ipv4Header marked;
  const auto line = [&](std::uint8_t ecn) {
    marked.ecn = ecn;
    return format_packet(ip_packet(47, {}, marked));
  };
  EXPECT_EQ(line(0), "192.0.2.1 > 192.0.2.2: protocol 47, length 0");
  EXPECT_EQ(line(1), "192.0.2.1 > 192.0.2.2: protocol 47, length 0, ECT(1)");
  EXPECT_EQ(line(2), "192.0.2.1 > 192.0.2.2: protocol 47, length 0, ECT(0)");
  EXPECT_EQ(line(3), "192.0.2.1 > 192.0.2.2: protocol 47, length 0, CE");
}

TEST(Format, MalformedPacketsSayWhatIsWrong) {
  EXPECT_EQ(format_packet({}),
            "IP malformed: shorter than an IPv4 header, or than its own length field, length 0");
  EXPECT_EQ(format_packet(Octets(40, 0x60)), "IP malformed: version is not 4, length 40");
  EXPECT_EQ(format_packet(ip_packet(kProtocolTcp, {0, 1, 0, 2})),
            "192.0.2.1.1 > 192.0.2.2.2: TCP malformed: shorter than a TCP header, length 4");
  EXPECT_EQ(format_packet(ip_packet(kProtocolTcp, {0})),
            "192.0.2.1 > 192.0.2.2: TCP malformed: shorter than a TCP header, length 1");
  EXPECT_EQ(format_packet(ip_packet(kProtocolTcp, Octets(20))),
            "192.0.2.1.0 > 192.0.2.2.0: TCP malformed: data offset below 5 words or beyond the "
            "segment, length 20");
  EXPECT_EQ(format_packet(ip_packet(kProtocolIcmp, Octets(7))),
            "192.0.2.1 > 192.0.2.2: ICMP malformed: shorter than an ICMP header, length 7");
}

TEST(Format, AFrameShowsTheWholePacketAndItsSegmentSize) {
  TcpHeader data = segment();
  data.flags.ack = true;
  const Octets packet = ip_packet(kProtocolTcp, tcp_octets(data, "0123456789"));
  TxFrame frame;
  frame.clear();
  const MutableBytes header = frame.prepend(40);
  std::copy(packet.begin(), packet.begin() + 40, header.begin());
  frame.append(Bytes(packet).subspan(40, 3));
  frame.append(Bytes(packet).subspan(43));
  EXPECT_EQ(format_frame(frame), format_packet(packet));
  frame.meta.gso_size_octets = 4;
  EXPECT_EQ(format_frame(frame), format_packet(packet) + ", segments of 4");
}

TEST(Format, AnyOctetsGiveOneLine) {
  SeededRandom random{11};
  for (int i = 0; i < 50'000; ++i) {
    Octets octets(random.below(120));
    for (auto& octet : octets) octet = static_cast<std::uint8_t>(random.next());
    if (octets.size() >= 20 && i % 4 != 0) {  // an IPv4 header that parses
      octets[0] = 0x45;
      octets[2] = 0;
      octets[3] = static_cast<std::uint8_t>(octets.size());
      octets[6] &= 0x40;
      octets[9] = i % 2 == 0 ? kProtocolTcp : kProtocolIcmp;
    }
    const std::string line = format_packet(octets);
    ASSERT_FALSE(line.empty());
    ASSERT_EQ(line.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace runnel::wire
