#include "stack/wire/ipv4.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "stack/wire/checksum.h"

namespace runnel::wire {
namespace {

using Octets = std::vector<std::uint8_t>;

const IpAddress kSource(192, 0, 2, 1);
const IpAddress kDestination(198, 51, 100, 2);

// A packet with options and payload, its checksum right.
Octets packet(Octets options = {}, std::size_t payload_octets = 0) {
  Ipv4Header header;
  header.protocol = kProtocolTcp;
  header.source = kSource;
  header.destination = kDestination;
  const std::size_t header_octets = 20 + options.size();
  Octets octets(header_octets + payload_octets);
  header.write(octets, octets.size() - 20);
  std::copy(options.begin(), options.end(), octets.begin() + 20);
  octets[0] = static_cast<std::uint8_t>(0x40 + header_octets / 4);
  octets[10] = octets[11] = 0;
  base::store_be(MutableBytes(octets), 10, internet_checksum(Bytes(octets).first(header_octets)));
  return octets;
}

DropReason fault_of(Bytes octets) {
  DropReason reason = DropReason::OutputQueueFull;
  EXPECT_FALSE(Ipv4View::parse(octets, &reason));
  EXPECT_FALSE(Ipv4View::parse(octets)) << "the reason is optional";
  return reason;
}

TEST(Ipv4, HeaderIsWrittenOctetByOctetAsRfc791DrawsIt) {
  Ipv4Header header;
  header.dscp = 0x2e;
  header.ecn = 1;
  header.identification = 0xbeef;
  header.dont_fragment = true;
  header.ttl = 63;
  header.protocol = 6;
  header.source = kSource;
  header.destination = kDestination;
  std::array<std::uint8_t, 20> octets{};
  header.write(octets, 0x0123);
  const std::array<std::uint8_t, 20> expected = {
      0x45, 0xb9, 0x01, 0x37, 0xbe, 0xef, 0x40, 0x00, 63, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2};
  EXPECT_EQ(internet_checksum(octets), 0);
  octets[10] = octets[11] = 0;
  EXPECT_EQ(octets, expected);
}

TEST(Ipv4, ParsesWhatItWrites) {
  Ipv4Header header;
  header.dscp = 63;
  header.ecn = 3;
  header.identification = 0xffff;
  header.more_fragments = true;
  header.fragment_offset_octets = 65'528;
  header.ttl = 255;
  header.protocol = 255;
  header.source = kSource;
  header.destination = kDestination;
  std::array<std::uint8_t, 28> octets{};
  header.write(octets, 8);
  const auto view = Ipv4View::parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(Ipv4Header::from(*view), header);
  EXPECT_EQ(view->total_octets(), 28U);
  EXPECT_EQ(view->header_octets(), 20U);
  EXPECT_EQ(view->payload().size(), 8U);
  EXPECT_TRUE(view->is_fragment());
  EXPECT_TRUE(view->has_valid_checksum());
}

TEST(Ipv4, ADscpOfMoreThanSixBitsReachesNoOtherField) {
  Ipv4Header header;
  header.dscp = 0xff;
  Octets octets(20);
  header.write(octets, 0);
  EXPECT_EQ(octets[0], 0x45);
  EXPECT_EQ(octets[1], 0xfc);
}

TEST(Ipv4, EachFragmentFieldAloneMakesAFragment) {
  auto octets = packet();
  const auto is_fragment = [&](std::uint16_t word) {
    base::store_be(MutableBytes(octets), 6, word);
    const auto view = Ipv4View::parse(octets);
    return view && view->is_fragment();
  };
  EXPECT_FALSE(is_fragment(0x0000));
  EXPECT_FALSE(is_fragment(0x4000)) << "DF";
  EXPECT_FALSE(is_fragment(0x8000)) << "the reserved bit";
  EXPECT_TRUE(is_fragment(0x2000)) << "MF";
  EXPECT_TRUE(is_fragment(0x0001)) << "offset";
  EXPECT_TRUE(is_fragment(0x1000)) << "offset";
}

TEST(Ipv4, IsTruncatedAtEveryLengthBelowItsOwn) {
  const auto octets = packet({1, 1, 1, 0}, 10);
  ASSERT_TRUE(Ipv4View::parse(octets));
  for (std::size_t length = 0; length < octets.size(); ++length) {
    // A copy of exactly this length, so that a sanitizer sees a read beyond it.
    const Octets cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(length));
    const DropReason expected =
        length < 20 || length >= 24 ? DropReason::IpTruncated : DropReason::IpBadHeaderLength;
    EXPECT_EQ(fault_of(cut), expected) << length;
  }
}

TEST(Ipv4, RejectsEveryOtherVersion) {
  for (std::uint8_t version = 0; version < 16; ++version) {
    auto octets = packet();
    octets[0] = static_cast<std::uint8_t>(version * 16 + 5);
    if (version == 4) {
      EXPECT_TRUE(Ipv4View::parse(octets));
    } else {
      EXPECT_EQ(fault_of(octets), DropReason::IpBadVersion) << int{version};
    }
  }
}

TEST(Ipv4, RejectsAHeaderLengthBelowFiveWordsOrBeyondThePacket) {
  for (std::uint8_t words = 0; words < 16; ++words) {
    auto octets = packet({}, 20);
    octets[0] = static_cast<std::uint8_t>(0x40U | words);
    const bool is_right = words >= 5 && words <= 10;
    EXPECT_EQ(Ipv4View::parse(octets).has_value(), is_right) << int{words};
    if (!is_right) {
      EXPECT_EQ(fault_of(octets), DropReason::IpBadHeaderLength);
    }
  }
}

TEST(Ipv4, RejectsATotalLengthBelowTheHeaderOrBeyondTheOctets) {
  auto octets = packet({1, 1, 1, 0}, 6);
  base::store_be(MutableBytes(octets), 2, std::uint16_t{23});
  EXPECT_EQ(fault_of(octets), DropReason::IpBadTotalLength);
  base::store_be(MutableBytes(octets), 2, std::uint16_t{24});
  ASSERT_TRUE(Ipv4View::parse(octets));
  EXPECT_TRUE(Ipv4View::parse(octets)->payload().empty());
  base::store_be(MutableBytes(octets), 2, std::uint16_t{31});
  EXPECT_EQ(fault_of(octets), DropReason::IpTruncated);
}

TEST(Ipv4, CutsOffWhatTheLinkPadded) {
  auto octets = packet({}, 6);
  octets.resize(46, 0xee);
  const auto view = Ipv4View::parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->total_octets(), 26U);
  EXPECT_EQ(view->payload().size(), 6U);
  EXPECT_EQ(view->packet().size(), 26U);
}

TEST(Ipv4, AQuoteMayEndBeforeItsTotalLength) {
  auto octets = packet({}, 100);
  octets.resize(28);
  EXPECT_FALSE(Ipv4View::parse(octets));
  const auto quote = Ipv4View::parse_quote(octets);
  ASSERT_TRUE(quote);
  EXPECT_EQ(quote->payload().size(), 8U);
  EXPECT_EQ(quote->source(), kSource);
  octets.resize(19);
  EXPECT_FALSE(Ipv4View::parse_quote(octets));
}

TEST(Ipv4, ChecksumFailsForEverySingleBitError) {
  const auto octets = packet({1, 1, 1, 0}, 4);
  ASSERT_TRUE(Ipv4View::parse(octets)->has_valid_checksum());
  for (std::size_t bit = 8; bit < 24 * 8; ++bit) {
    auto damaged = octets;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    const auto view = Ipv4View::parse(damaged);
    if (view) {
      EXPECT_FALSE(view->has_valid_checksum()) << "bit " << bit;
    }
  }
}

TEST(Ipv4, FindsASourceRouteBehindOtherOptions) {
  const auto has_route = [](Octets options) {
    const auto octets = packet(std::move(options));
    return Ipv4View::parse(octets)->has_source_route();
  };
  EXPECT_FALSE(has_route({}));
  EXPECT_TRUE(has_route({131, 3, 4, 0}));
  EXPECT_TRUE(has_route({137, 3, 4, 0}));
  EXPECT_TRUE(has_route({1, 1, 1, 131, 7, 4, 1, 2, 3, 4, 0, 0}));
  EXPECT_TRUE(has_route({7, 7, 4, 0, 0, 0, 0, 137, 7, 4, 1, 2, 3, 4, 0, 0}));
  EXPECT_TRUE(has_route({1, 1, 1, 131})) << "even without a length";
  EXPECT_FALSE(has_route({148, 4, 0, 0})) << "router alert";
  EXPECT_FALSE(has_route({0, 131, 3, 4})) << "behind the end of the list";
  EXPECT_FALSE(has_route({7, 7, 131, 137, 131, 137, 131, 0})) << "inside another option";
}

TEST(Ipv4, OptionsThatLieEndTheSearch) {
  for (const std::uint8_t length : Octets{0, 1, 5, 255}) {
    const auto octets = packet({7, length, 131, 0});
    EXPECT_FALSE(Ipv4View::parse(octets)->has_source_route()) << int{length};
  }
  const auto octets = packet({1, 1, 1, 7});
  EXPECT_FALSE(Ipv4View::parse(octets)->has_source_route()) << "no room for a length";
}

TEST(Ipv4, TheLargestPacketIs65535Octets) {
  const auto octets = packet({}, 65'515);
  const auto view = Ipv4View::parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->total_octets(), kIpv4MaxPacketOctets);
}

}  // namespace
}  // namespace runnel::wire
