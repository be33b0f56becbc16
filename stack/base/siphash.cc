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

template <int kCompressionRounds, int kFinalizationRounds>
std::uint64_t siphash(const SipHashKey& key, Bytes data) noexcept {
  SipState state{key};
  std::size_t at = 0;
  for (; data.size() - at >= 8; at += 8) {
    state.absorb<kCompressionRounds>(load_le_word(data.data() + at));
  }
  state.absorb<kCompressionRounds>(
      SipState::last_word(load_le(data.data() + at, data.size() - at), data.size()));
  return state.finish<kFinalizationRounds>();
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
