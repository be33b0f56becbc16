// Octets, octets a second and nanoseconds, multiplied without overflow.
#pragma once

#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp::bbr {

// "Infinity" of the draft: not limited.
inline constexpr std::uint64_t kInfinity = UINT64_MAX;

// No path is faster (8 Pbit/s): what a sample says above it is an artifact, and below it no product
// of a rate and a gain overflows.
inline constexpr std::uint64_t kHighestRate = 1'000'000'000'000'000;

struct Percent {
  std::uint64_t value;
};

[[nodiscard]] constexpr std::uint64_t add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? kInfinity : sum;
}
[[nodiscard]] constexpr std::uint64_t subtract(std::uint64_t a, std::uint64_t b) noexcept {
  return a < b ? 0 : a - b;
}
[[nodiscard]] constexpr std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kInfinity : product;
}

// A part of an amount, rounded down. Infinity stays what it is.
[[nodiscard]] constexpr std::uint64_t operator*(Percent part, std::uint64_t whole) noexcept {
  if (whole == kInfinity) return kInfinity;
  std::uint64_t product = 0;
  if (!__builtin_mul_overflow(whole, part.value, &product)) return product / 100;
  return add(multiply(whole / 100, part.value), whole % 100 * part.value / 100);
}

// What a rate, in octets a second, delivers in a time. Exact: where one product will not do, each of the products below stays
// under 2^64 for every time up to 500 years and every rate up to kHighestRate, saturating else.
[[nodiscard]] constexpr std::uint64_t octets_in(std::uint64_t rate, Duration time) noexcept {
  constexpr std::uint64_t kPerSecond = 1'000'000'000;
  if (time <= Duration{0}) return 0;
  const auto nanoseconds = static_cast<std::uint64_t>(time.count());
  std::uint64_t product = 0;
  if (!__builtin_mul_overflow(rate, nanoseconds, &product)) return product / kPerSecond;
  const std::uint64_t seconds = nanoseconds / kPerSecond;
  const std::uint64_t rest = nanoseconds % kPerSecond;
  const std::uint64_t in_rest =
      add(multiply(rate / kPerSecond, rest), rate % kPerSecond * rest / kPerSecond);
  return add(multiply(rate, seconds), in_rest);
}

// Octets a second.
[[nodiscard]] constexpr std::uint64_t rate_of(std::uint64_t octets, Duration time) noexcept {
  constexpr std::uint64_t kPerSecond = 1'000'000'000;
  if (time <= Duration{0}) return 0;
  const auto nanoseconds = static_cast<std::uint64_t>(time.count());
  const std::uint64_t whole = multiply(octets / nanoseconds, kPerSecond);
  const std::uint64_t rest = octets % nanoseconds;
  // Nanoseconds are dropped when the product is too large: from 18 seconds on.
  if (rest <= kInfinity / kPerSecond) return add(whole, rest * kPerSecond / nanoseconds);
  return add(whole, rest / (nanoseconds / kPerSecond));
}

}  // namespace runnel::tcp::bbr
