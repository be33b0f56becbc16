#include "apps/packet_printer.h"

#include <gtest/gtest.h>
#include <tins/icmp.h>
#include <tins/ip.h>
#include <tins/rawpdu.h>
#include <tins/tcp.h>

#include <string>
#include <vector>

namespace runnel::apps {
namespace {

std::vector<std::uint8_t> tcp_packet(Tins::TCP tcp, const std::string& payload = {}) {
  Tins::IP packet = Tins::IP("192.0.2.2", "192.0.2.1") / tcp;
  if (!payload.empty()) packet /= Tins::RawPDU(payload);
  return packet.serialize();
}

TEST(DescribePacket, ShowsASynAsTcpdumpDoes) {
  Tins::TCP tcp(80, 40000);
  tcp.flags(Tins::TCP::SYN);
  tcp.seq(100);
  tcp.window(64240);
  tcp.mss(1460);
  tcp.sack_permitted();
  tcp.timestamp(3, 4);
  tcp.add_option({Tins::TCP::NOP});
  tcp.winscale(7);
  EXPECT_EQ(describe_packet(tcp_packet(tcp)),
            "IP 192.0.2.1.40000 > 192.0.2.2.80: Flags [S], seq 100, win 64240, "
            "options [mss 1460,sackOK,TS val 3 ecr 4,nop,wscale 7], length 0");
}

TEST(DescribePacket, ShowsTheRangeOfDataAndTheAcknowledgment) {
  Tins::TCP tcp(7, 40000);
  tcp.flags(Tins::TCP::ACK | Tins::TCP::PSH);
  tcp.seq(0xFFFFFFFE);
  tcp.ack_seq(7);
  tcp.window(5);
  EXPECT_EQ(describe_packet(tcp_packet(tcp, "hello")),
            "IP 192.0.2.1.40000 > 192.0.2.2.7: Flags [P.], seq 4294967294:3, ack 7, win 5, "
            "length 5");
}

TEST(DescribePacket, ShowsEcho) {
  Tins::ICMP icmp(Tins::ICMP::ECHO_REQUEST);
  icmp.id(9);
  icmp.sequence(2);
  Tins::IP packet = Tins::IP("192.0.2.2", "192.0.2.1") / icmp / Tins::RawPDU("12345678");
  EXPECT_EQ(describe_packet(packet.serialize()),
            "IP 192.0.2.1 > 192.0.2.2: ICMP echo request, id 9, seq 2, length 16");
}

TEST(DescribePacket, AnyPrefixAndAnyOctetAreDescribedWithoutAThrow) {
  Tins::TCP tcp(80, 40000);
  tcp.flags(Tins::TCP::SYN);
  tcp.mss(1460);
  tcp.timestamp(1, 2);
  const std::vector<std::uint8_t> packet = tcp_packet(tcp, "hello");
  for (std::size_t length = 0; length <= packet.size(); ++length) {
    EXPECT_NE(describe_packet(Bytes(packet).first(length)), "");
  }
  for (std::size_t at = 0; at < packet.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      std::vector<std::uint8_t> changed = packet;
      changed[at] = static_cast<std::uint8_t>(value);
      EXPECT_NE(describe_packet(changed), "");
    }
  }
}

TEST(DescribePacket, SaysWhatItCannotRead) {
  EXPECT_EQ(describe_packet({}), "malformed: no octets");
  const std::vector<std::uint8_t> cut{0x45, 0, 0, 20};
  EXPECT_EQ(describe_packet(cut), "malformed, 4 octets");
  const std::vector<std::uint8_t> version6(40, 0x60);
  EXPECT_EQ(describe_packet(version6), "IP version 6, 40 octets");
}

}  // namespace
}  // namespace runnel::apps
