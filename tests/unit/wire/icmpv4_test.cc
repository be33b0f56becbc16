#include "stack/wire/icmpv4.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "stack/wire/checksum.h"

namespace runnel::wire {
namespace {

std::vector<std::uint8_t> message(const Icmpv4Header& header, std::string_view body) {
  std::vector<std::uint8_t> octets(kIcmpHeaderOctets + body.size());
  std::copy(body.begin(), body.end(), octets.begin() + kIcmpHeaderOctets);
  header.write(octets, as_bytes(body));
  return octets;
}

TEST(Icmpv4, EchoRequestIsWrittenAsRfc792DrawsIt) {
  const auto octets = message({IcmpType::EchoRequest, 0, 0x1234, 0x5678}, "ab");
  // 0x0800 + 0x1234 + 0x5678 + 0x6162 = 0xd20e
  EXPECT_EQ(octets,
            (std::vector<std::uint8_t>{8, 0, 0x2d, 0xf1, 0x12, 0x34, 0x56, 0x78, 'a', 'b'}));
}

TEST(Icmpv4, ParsesWhatItWrites) {
  for (const std::string_view body : {"", "x", "an odd body"}) {
    const auto octets = message({IcmpType::EchoReply, 0, 7, 0xffff}, body);
    const auto view = Icmpv4View::parse(octets);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->type(), IcmpType::EchoReply);
    EXPECT_EQ(view->code(), 0);
    EXPECT_EQ(view->identifier(), 7);
    EXPECT_EQ(view->sequence(), 0xffff);
    EXPECT_EQ(as_text(view->body()), body);
    EXPECT_EQ(view->message().size(), octets.size());
    EXPECT_TRUE(view->has_valid_checksum());
  }
}

TEST(Icmpv4, NeedsEightOctets) {
  const auto octets = message({}, "");
  for (std::size_t length = 0; length < octets.size(); ++length) {
    const std::vector<std::uint8_t> cut(octets.begin(),
                                        octets.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(Icmpv4View::parse(cut)) << length;
  }
  ASSERT_TRUE(Icmpv4View::parse(octets));
  EXPECT_TRUE(Icmpv4View::parse(octets)->body().empty());
}

TEST(Icmpv4, FragmentationNeededCarriesTheNextHopsMtu) {
  const auto octets =
      message({IcmpType::DestinationUnreachable, kIcmpFragmentationNeeded, 0, 1400}, "");
  const auto view = Icmpv4View::parse(octets);
  EXPECT_EQ(view->next_hop_mtu(), 1400);
  EXPECT_EQ(view->code(), 4);
}

TEST(Icmpv4, ErrorsAreTheFiveTypesThatQuoteAPacket) {
  for (int type = 0; type < 256; ++type) {
    const std::array<std::uint8_t, 8> octets = {static_cast<std::uint8_t>(type)};
    const bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    EXPECT_EQ(Icmpv4View::parse(octets)->is_error(), is_error) << type;
  }
}

TEST(Icmpv4, ChecksumFailsForEverySingleBitError) {
  const auto octets = message({IcmpType::EchoRequest, 0, 7, 1}, "body!");
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    auto damaged = octets;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    EXPECT_FALSE(Icmpv4View::parse(damaged)->has_valid_checksum()) << "bit " << bit;
  }
}

}  // namespace
}  // namespace runnel::wire
