#include "stack/base/siphash.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace runnel::base {
namespace {

// Reads up to eight octets, least significant first; what is missing is zero.
std::uint64_t load_le(const std::uint8_t* octets, std::size_t count) noexcept {
  std::uint64_t value = 0;
  std::size_t at = 0;
  if constexpr (std::endian::native == std::endian::little) {
    if (count >= 4) {  // half a word at once: a four-tuple of IPv4 ends with one
      std::uint32_t half;
      std::memcpy(&half, octets, sizeof half);
      value = half;
      at = 4;
    }
  }
  for (; at < count; ++at) value |= std::uint64_t{octets[at]} << (8U * at);
  return value;
}

std::uint64_t load_le_word(const std::uint8_t* octets) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    std::uint64_t value;
    std::memcpy(&value, octets, sizeof value);
    return value;
  } else {
    return load_le(octets, 8);
  }
}

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  explicit SipState(const SipHashKey& key) noexcept
      : v0(key.k0 ^ 0x736f6d6570736575U),
        v1(key.k1 ^ 0x646f72616e646f6dU),
        v2(key.k0 ^ 0x6c7967656e657261U),
        v3(key.k1 ^ 0x7465646279746573U) {}

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  template <int kRounds>
  void rounds() noexcept {
    for (int i = 0; i < kRounds; ++i) round();
  }
};

template <int kCompressionRounds, int kFinalizationRounds>
std::uint64_t siphash(const SipHashKey& key, Bytes data) noexcept {
  SipState state{key};
  const auto absorb = [&state](std::uint64_t word) noexcept {
    state.v3 ^= word;
    state.template rounds<kCompressionRounds>();
    state.v0 ^= word;
  };
  std::size_t at = 0;
  for (; data.size() - at >= 8; at += 8) absorb(load_le_word(data.data() + at));
  // The last word carries the remaining octets and, on top, the length modulo 256.
  absorb(load_le(data.data() + at, data.size() - at) | std::uint64_t{data.size()} << 56U);
  state.v2 ^= 0xffU;
  state.rounds<kFinalizationRounds>();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace

SipHashKey SipHashKey::draw(Random& random) {
  SipHashKey key;
  key.k0 = random.next();
  key.k1 = random.next();
  return key;
}

std::uint64_t siphash_2_4(const SipHashKey& key, Bytes data) noexcept {
  return siphash<2, 4>(key, data);
}

std::uint64_t siphash_1_3(const SipHashKey& key, Bytes data) noexcept {
  return siphash<1, 3>(key, data);
}

}  // namespace runnel::base
