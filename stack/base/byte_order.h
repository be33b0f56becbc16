// Numbers in network byte order, at any alignment.
#pragma once

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

// Writes an unsigned number most significant octet first.
// REQUIRES: offset + sizeof(T) <= octets.size().
template <typename T>
constexpr void store_be(MutableBytes octets, std::size_t offset, T value) noexcept {
  static_assert(std::is_unsigned_v<T>);
  assert(offset + sizeof(T) <= octets.size());
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    octets[offset + i] =
        static_cast<std::uint8_t>(std::uint64_t{value} >> (8U * (sizeof(T) - 1U - i)));
  }
}

}  // namespace runnel::base
