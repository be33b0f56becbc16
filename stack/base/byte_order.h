// Numbers in network byte order, at any alignment.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "runnel/bytes.h"

namespace runnel::base {

// Reads an unsigned number that is stored most significant octet first.
// REQUIRES: offset + sizeof(T) <= octets.size().
template <typename T>
[[nodiscard]] constexpr T load_be(Bytes octets, std::size_t offset = 0) noexcept {
  static_assert(std::is_unsigned_v<T>);
  assert(offset + sizeof(T) <= octets.size());
  // Spelled out without a loop, which g++ 12 at -O2 would not turn into one load and a swap.
  return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
    return static_cast<T>(
        ((std::uint64_t{octets[offset + kIndex]} << (8U * (sizeof(T) - 1U - kIndex))) | ...));
  }
  (std::make_index_sequence<sizeof(T)>{});
}

// Swaps the octets of `value` where this machine's order is not the network's.
template <typename T>
[[nodiscard]] constexpr T in_network_order(T value) noexcept {
  static_assert(std::is_unsigned_v<T>);
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

// Writes an unsigned number most significant octet first.
// REQUIRES: offset + sizeof(T) <= octets.size().
template <typename T>
constexpr void store_be(MutableBytes octets, std::size_t offset, T value) noexcept {
  assert(offset + sizeof(T) <= octets.size());
  // One store; the octets one by one become a dozen instructions with g++ 12.
  const auto ordered = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(in_network_order(value));
  std::copy_n(ordered.begin(), sizeof(T), octets.data() + offset);
}

}  // namespace runnel::base
