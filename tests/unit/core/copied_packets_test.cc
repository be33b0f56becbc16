// Packets that the link hands over as octets: they are copied, and summed on the way.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runnel/drop_reason.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class CopiedPackets : public TcpTester {
 protected:
  std::vector<std::uint8_t> packet(std::uint32_t offset, const std::string& text) {
    return ack_segment(offset, 0).payload(text).build();
  }
};

TEST_F(CopiedPackets, TextOfAnyLengthArrivesWhole) {
  bring_to(TcpState::Established);
  std::uint32_t offset = 0;
  for (std::size_t length = 1; length <= 200; ++length) {
    const std::string text(length, static_cast<char>('a' + length % 26));
    send_packet(packet(offset, text));
    offset += static_cast<std::uint32_t>(length);
    ASSERT_EQ(read_all(), text);
  }
  EXPECT_EQ(dropped(DropReason::TcpBadChecksum), 0U);
}

TEST_F(CopiedPackets, OctetsOfTheLinkBehindThePacketAreNotSummed) {
  bring_to(TcpState::Established);
  for (std::size_t padding = 1; padding <= 6; ++padding) {
    std::vector<std::uint8_t> octets = packet(static_cast<std::uint32_t>(padding - 1), "x");
    octets.insert(octets.end(), padding, 0xee);
    send_packet(octets);
    ASSERT_EQ(read_all(), "x") << padding;
  }
}

TEST_F(CopiedPackets, NoOctetOfASegmentMayDiffer) {
  bring_to(TcpState::Established);
  const std::vector<std::uint8_t> whole = packet(0, "an odd number of octets");
  constexpr std::size_t kIpHeaderOctets = 20;
  constexpr std::size_t kDataOffset = kIpHeaderOctets + 12;  // a lie there is found out before
  std::uint64_t refused = 0;
  for (std::size_t at = kIpHeaderOctets; at < whole.size(); ++at) {
    if (at == kDataOffset) continue;
    for (const unsigned bit : {0x01U, 0x80U}) {
      std::vector<std::uint8_t> damaged = whole;
      damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ bit);
      send_packet(damaged);
      ASSERT_EQ(dropped(DropReason::TcpBadChecksum), ++refused) << at;
    }
  }
  send_packet(whole);
  EXPECT_EQ(read_all(), "an odd number of octets");
}

}  // namespace
}  // namespace runnel::test
