// a * b / c in 64 bits, however large a * b is.
#pragma once

#include <cstdint>

namespace runnel::base {

// floor(a * b / c), exactly; UINT64_MAX when even that is too large. REQUIRES: c > 0.
//
// The product of two 64-bit numbers may have 128 bits. Nearly always it has not, and then this is
// one multiplication and one division.
[[nodiscard]] constexpr std::uint64_t mul_div(std::uint64_t a, std::uint64_t b,
                                              std::uint64_t c) noexcept {
  std::uint64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product / c;

  // The product as high * 2^64 + low, by halves of 32 bits. None of these sums can overflow: each
  // is at most (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1.
  constexpr std::uint64_t kHalf = 0xffffffff;
  const std::uint64_t lowest = (a & kHalf) * (b & kHalf);
  const std::uint64_t middle = (a >> 32U) * (b & kHalf) + (lowest >> 32U);
  const std::uint64_t other = (a & kHalf) * (b >> 32U) + (middle & kHalf);
  std::uint64_t high = (a >> 32U) * (b >> 32U) + (middle >> 32U) + (other >> 32U);
  std::uint64_t low = other << 32U | (lowest & kHalf);
  if (high >= c) return UINT64_MAX;

  // Long division, one binary digit at a time. INVARIANT: high, the remainder so far, is below c.
  for (int digit = 0; digit < 64; ++digit) {
    const bool carry = high >> 63U != 0;
    high = high << 1U | low >> 63U;
    low <<= 1U;  // makes room for a digit of the quotient
    if (carry || high >= c) {
      high -= c;
      low |= 1U;
    }
  }
  return low;
}

}  // namespace runnel::base
