#include "stack/base/siphash.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

// The key 00 01 02 ... 0f of the published test vectors; the messages are 00 01 02 ..., too.
constexpr SipHashKey kKey{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::vector<std::uint8_t> message(std::size_t octets) {
  std::vector<std::uint8_t> message(octets);
  for (std::size_t i = 0; i < octets; ++i) message[i] = static_cast<std::uint8_t>(i);
  return message;
}

TEST(SipHash, TwoFourGivesTheVectorsOfTheReferenceImplementation) {
  constexpr std::array<std::uint64_t, 16> kVectors = {
      0x726fdb47dd0e0e31U, 0x74f839c593dc67fdU, 0x0d6c8009d9a94f5aU, 0x85676696d7fb7e2dU,
      0xcf2794e0277187b7U, 0x18765564cd99a68dU, 0xcbc9466e58fee3ceU, 0xab0200f58b01d137U,
      0x93f5f5799a932462U, 0x9e0082df0ba9e4b0U, 0x7a5dbbc594ddb9f3U, 0xf4b32f46226bada7U,
      0x751e8fbc860ee5fbU, 0x14ea5627c0843d90U, 0xf723ca908e7af2eeU, 0xa129ca6149be45e5U};
  for (std::size_t length = 0; length < kVectors.size(); ++length) {
    EXPECT_EQ(siphash_2_4(kKey, message(length)), kVectors[length]) << length << " octets";
  }
}

TEST(SipHash, OneThreeGivesTheVectorsOfTheLinuxKernel) {
  // lib/siphash_kunit.c, test_vectors_hsiphash, 64 bits.
  constexpr std::array<std::uint64_t, 12> kVectors = {
      0xabac0158050fc4dcU, 0xc9f49bf37d57ca93U, 0x82cb9b024dc7d44dU, 0x8bf80ab8e7ddf7fbU,
      0xcf75576088d38328U, 0xdef9d52f49533b67U, 0xc50d2b50c59f22a7U, 0xd3927d989bb11140U,
      0x369095118d299a8eU, 0x25a48eb36c063de4U, 0x79de85ee92ff097fU, 0x70c118c1f94dc352U};
  for (std::size_t length = 0; length < kVectors.size(); ++length) {
    EXPECT_EQ(siphash_1_3(kKey, message(length)), kVectors[length]) << length << " octets";
  }
}

TEST(SipHash, OfTwelveOctetsIsTheSame) {
  EXPECT_EQ(siphash_1_3(kKey, 0x0706050403020100U, 0x0b0a0908U), siphash_1_3(kKey, message(12)));
  EXPECT_EQ(siphash_2_4(kKey, 0x0706050403020100U, 0x0b0a0908U), siphash_2_4(kKey, message(12)));
}

TEST(SipHash, DependsOnEveryOctetOfMessageAndKey) {
  const auto octets = message(37);
  const std::uint64_t hash = siphash_1_3(kKey, octets);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    auto changed = octets;
    changed[i] ^= 1;
    EXPECT_NE(siphash_1_3(kKey, changed), hash) << "octet " << i;
  }
  EXPECT_NE(siphash_1_3({kKey.k0 ^ 1, kKey.k1}, octets), hash);
  EXPECT_NE(siphash_1_3({kKey.k0, kKey.k1 ^ 1}, octets), hash);
}

TEST(SipHash, DoesNotDependOnAlignment) {
  const auto octets = message(24);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::vector<std::uint8_t> shifted(shift + octets.size());
    std::copy_backward(octets.begin(), octets.end(), shifted.end());
    EXPECT_EQ(siphash_2_4(kKey, Bytes(shifted).subspan(shift)), siphash_2_4(kKey, octets));
  }
}

TEST(SipHash, DrawsItsKeyFromTheRandomSource) {
  SeededRandom random{5};
  SeededRandom same{5};
  const SipHashKey key = SipHashKey::draw(random);
  EXPECT_EQ(key.k0, same.next());
  EXPECT_EQ(key.k1, same.next());
}

}  // namespace
}  // namespace runnel::base
