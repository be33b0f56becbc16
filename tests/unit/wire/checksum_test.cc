#include "stack/wire/checksum.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::wire {
namespace {

// The example of RFC 1071 section 3.
constexpr std::array<std::uint8_t, 8> kExample = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

// The definition, word by word.
std::uint16_t plain_checksum(Bytes octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{octets[i]} << 8U : octets[i];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> random_octets(SeededRandom& random, std::size_t count) {
  std::vector<std::uint8_t> octets(count);
  for (auto& octet : octets) octet = static_cast<std::uint8_t>(random.next());
  return octets;
}

TEST(Checksum, OfTheExampleInRfc1071) {
  ChecksumBuilder sum;
  sum.add(kExample);
  EXPECT_EQ(sum.folded_sum(), 0xddf2);
  EXPECT_EQ(internet_checksum(kExample), 0x220d);
}

TEST(Checksum, OfNothingIsAllOnes) {
  EXPECT_EQ(internet_checksum({}), 0xffff);
  EXPECT_EQ(ChecksumBuilder{}.folded_sum(), 0);
}

TEST(Checksum, AnOddOctetIsTheHighHalfOfAWord) {
  const std::array<std::uint8_t, 3> octets = {0x12, 0x34, 0x56};
  EXPECT_EQ(internet_checksum(octets), static_cast<std::uint16_t>(~(0x1234 + 0x5600)));
}

TEST(Checksum, EqualsTheDefinitionAtEveryLengthAndAlignment) {
  SeededRandom random{1};
  const auto octets = random_octets(random, 300);
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t length = 0; length <= 290; ++length) {
      const Bytes piece = Bytes(octets).subspan(begin, length);
      ASSERT_EQ(internet_checksum(piece), plain_checksum(piece)) << begin << '+' << length;
    }
  }
}

TEST(Checksum, CarriesNothingAwayWhenEveryBitIsSet) {
  const std::vector<std::uint8_t> ones(65'535, 0xff);
  EXPECT_EQ(internet_checksum(ones), plain_checksum(ones));
  EXPECT_EQ(internet_checksum(Bytes(ones).first(65'534)), 0);
}

TEST(Checksum, OfPiecesEqualsTheWholeWhereverItIsCut) {
  SeededRandom random{2};
  const auto octets = random_octets(random, 67);
  const std::uint16_t whole = plain_checksum(octets);
  for (std::size_t a = 0; a <= octets.size(); ++a) {
    for (std::size_t b = a; b <= octets.size(); ++b) {
      ChecksumBuilder sum;
      sum.add(Bytes(octets).first(a));
      sum.add(Bytes(octets).subspan(a, b - a));
      sum.add(Bytes(octets).subspan(b));
      ASSERT_EQ(sum.checksum(), whole) << "cut at " << a << " and " << b;
    }
  }
}

TEST(Checksum, OfPiecesOfOneOctetEqualsTheWhole) {
  ChecksumBuilder sum;
  for (const std::uint8_t& octet : kExample) sum.add({&octet, 1});
  EXPECT_EQ(sum.checksum(), 0x220d);
}

TEST(Checksum, TakesNumbersInHostOrder) {
  ChecksumBuilder sum;
  sum.add_u16(0x0001);
  sum.add_u32(0xf203f4f5U);
  sum.add_u16(0xf6f7);
  EXPECT_EQ(sum.checksum(), 0x220d);
}

TEST(Checksum, OverDataThatIncludesItIsZero) {
  SeededRandom random{3};
  for (int i = 0; i < 100; ++i) {
    auto octets = random_octets(random, 2 + 2 * random.below(50));
    octets[0] = octets[1] = 0;
    const std::uint16_t checksum = internet_checksum(octets);
    octets[0] = static_cast<std::uint8_t>(checksum >> 8U);
    octets[1] = static_cast<std::uint8_t>(checksum);
    EXPECT_EQ(internet_checksum(octets), 0);
  }
}

TEST(Checksum, PseudoHeaderIsTwelveOctetsInFrontOfTheSegment) {
  // Source, destination, zero, protocol, length.
  const std::array<std::uint8_t, 12> octets = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0xfb, 0x04};
  ChecksumBuilder plain;
  plain.add(octets);
  const ChecksumBuilder sum =
      pseudo_header_sum(IpAddress(192, 0, 2, 1), IpAddress(198, 51, 100, 2), 6, 0xfb04);
  EXPECT_EQ(sum.folded_sum(), plain.folded_sum());
}

TEST(Checksum, UpdatingEqualsRecomputingForEveryWord) {
  SeededRandom random{4};
  for (int round = 0; round < 20; ++round) {
    auto octets = random_octets(random, 20);
    octets[10] = octets[11] = 0;
    const std::uint16_t before_checksum = internet_checksum(octets);
    const auto before = static_cast<std::uint16_t>(octets[4] << 8U | octets[5]);
    for (std::uint32_t after = 0; after <= 0xffff; after += 7) {
      octets[4] = static_cast<std::uint8_t>(after >> 8U);
      octets[5] = static_cast<std::uint8_t>(after);
      ASSERT_EQ(updated_checksum(before_checksum, before, static_cast<std::uint16_t>(after)),
                internet_checksum(octets));
    }
  }
}

TEST(Checksum, UpdatingIsRightInTheCornerThatRfc1624Describes) {
  // RFC 1624 section 4: the word 0x5555 becomes 0x3285, the checksum 0xdd2f becomes 0x0000 and
  // not 0xffff.
  EXPECT_EQ(updated_checksum(0xdd2f, 0x5555, 0x3285), 0x0000);
  // And back again.
  EXPECT_EQ(updated_checksum(0x0000, 0x3285, 0x5555), 0xdd2f);
}

TEST(Checksum, UpdatingAWordToItselfChangesNothing) {
  for (std::uint32_t word = 0; word <= 0xffff; word += 0x1111) {
    EXPECT_EQ(updated_checksum(0x1234, static_cast<std::uint16_t>(word),
                               static_cast<std::uint16_t>(word)),
              0x1234);
  }
}

}  // namespace
}  // namespace runnel::wire
