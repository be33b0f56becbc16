// Every way to compute the Internet checksum against its definition.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"
#include "stack/wire/checksum.h"
#include "stack/wire/checksum_kernel.h"

namespace runnel::wire {
namespace {

// RFC 1071 section 1, a pair of octets at a time.
std::uint16_t sum_by_definition(Bytes octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    const std::uint32_t low = i + 1 < octets.size() ? octets[i + 1] : 0;
    sum += (std::uint32_t{octets[i]} << 8U) | low;
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

// A kernel's sum as the definition has it: folded, in network byte order. The two zeros of one's
// complement arithmetic are told apart, because all of this code keeps them apart: only a sum of
// nothing but zeros is 0.
std::uint16_t in_network_order(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  std::uint16_t folded = static_cast<std::uint16_t>(sum);
  if constexpr (std::endian::native == std::endian::little) {
    folded = static_cast<std::uint16_t>((folded << 8U) | (folded >> 8U));
  }
  return folded;
}

std::vector<std::uint8_t> random_octets(SeededRandom& random, std::size_t count) {
  std::vector<std::uint8_t> octets(count);
  for (auto& octet : octets) octet = static_cast<std::uint8_t>(random.next());
  return octets;
}

class ChecksumKernels : public ::testing::Test {
 protected:
  // Both functions of every kernel; copies land in the middle of a room whose ends stay as they
  // are.
  static void check(Bytes octets, std::size_t to_alignment) {
    constexpr std::size_t kMargin = 64;
    const std::uint16_t expected = sum_by_definition(octets);
    for (const ChecksumKernel& kernel : checksum_kernels()) {
      const auto where = std::string(kernel.name) + ", " + std::to_string(octets.size());
      ASSERT_EQ(in_network_order(kernel.sum(octets.data(), octets.size())), expected) << where;
      std::vector<std::uint8_t> room(octets.size() + 2 * kMargin, 0xa5);
      std::uint8_t* const to = room.data() + kMargin + to_alignment;
      ASSERT_EQ(in_network_order(kernel.copy_and_sum(to, octets.data(), octets.size())), expected)
          << where;
      ASSERT_TRUE(std::equal(octets.begin(), octets.end(), to)) << where;
      const auto is_untouched = [](std::uint8_t octet) { return octet == 0xa5; };
      ASSERT_TRUE(std::all_of(room.data(), to, is_untouched)) << where;
      ASSERT_TRUE(std::all_of(to + octets.size(), room.data() + room.size(), is_untouched))
          << where;
    }
  }
};

TEST_F(ChecksumKernels, EndWithThePortableOne) {
  ASSERT_FALSE(checksum_kernels().empty());
  EXPECT_STREQ(checksum_kernels().back().name, "portable");
}

TEST_F(ChecksumKernels, AgreeWithTheDefinitionAtEveryLengthAndAlignment) {
  SeededRandom random{1};
  const auto octets = random_octets(random, 400);
  for (std::size_t begin = 0; begin < 32; ++begin) {
    for (std::size_t length = 0; length <= 300; ++length) {
      ASSERT_NO_FATAL_FAILURE(check(Bytes(octets).subspan(begin, length), (begin * 7) % 32))
          << begin;
    }
  }
}

TEST_F(ChecksumKernels, LoseNoCarry) {
  for (std::size_t length : {1U, 2U, 20U, 127U, 128U, 1460U, 65535U, 66049U}) {
    const std::vector<std::uint8_t> ones(length, 0xff);
    ASSERT_NO_FATAL_FAILURE(check(ones, 0));
    const std::vector<std::uint8_t> zeros(length, 0);
    ASSERT_NO_FATAL_FAILURE(check(zeros, 0));
  }
}

TEST_F(ChecksumKernels, AgreeWithTheDefinitionOnLongRandomOctets) {
  SeededRandom random{2};
  const auto octets = random_octets(random, 200'000);
  for (int round = 0; round < 300; ++round) {
    const std::size_t begin = random.below(1000);
    const std::size_t length = random.below(octets.size() - begin);
    ASSERT_NO_FATAL_FAILURE(check(Bytes(octets).subspan(begin, length), random.below(32)));
  }
}

// However a packet is cut into pieces, odd ones too, and whichever of them are copied on the way.
TEST_F(ChecksumKernels, BuildersAgreeWithTheDefinitionOverPiecesOfAnyLength) {
  SeededRandom random{3};
  for (int round = 0; round < 2000; ++round) {
    const auto octets = random_octets(random, random.below(round % 10 == 0 ? 70'000 : 600));
    std::vector<std::uint8_t> copy(octets.size());
    ChecksumBuilder sum;
    for (std::size_t at = 0; at < octets.size();) {
      const std::size_t most = std::min<std::size_t>(octets.size() - at, 1 + random.below(2000));
      const std::size_t length = random.below(most + 1);
      const Bytes piece = Bytes(octets).subspan(at, length);
      if (random.below(2) == 0) {
        sum.add(piece);
        std::copy(piece.begin(), piece.end(), copy.data() + at);
      } else {
        sum.add_copying(MutableBytes(copy).subspan(at, length), piece);
      }
      at += length;
    }
    ASSERT_EQ(sum.folded_sum(), sum_by_definition(octets)) << round;
    ASSERT_EQ(copy, octets) << round;
  }
}

}  // namespace
}  // namespace runnel::wire
