// The inner loops of the Internet checksum, one for each kind of processor.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace runnel::wire {

// A way to sum octets.
//
// Theory of operation. The sum of 16-bit words modulo 2^16 - 1 may be taken in words of any
// multiple of 16 bits and folded at the end, and in the machine's byte order, with the two octets
// of the result swapped at the end. So a processor adds whatever it is best at:
//
//    portable   one 64-bit word with its carry: 8 octets an addition
//    SSE2       four 32-bit halves in two registers of 64-bit sums: 16 octets
//    AVX2       the same with registers twice as wide: 32 octets
//
// GB/s, g++ 12 -O2 on a virtual processor of an AMD EPYC (Zen 4), octets in the first or second
// cache (tests/bench/micro.cc):
//
//                sum of 1,460   of 65,535     copy and sum of 1,460   of 65,535
//    portable              39          40                        23          23
//    SSE2                  45          48                        36          41
//    AVX2                  69          82                        63          58
struct ChecksumKernel {
  const char* name;
  // Adds `count` octets from `from` on and returns a one's complement sum in the machine's byte
  // order: fold it to 16 bits. A last octet without a partner is the first of its word.
  std::uint64_t (*sum)(const std::uint8_t* from, std::size_t count) noexcept;
  // The same, and copies the octets to `to`, which does not overlap them.
  std::uint64_t (*copy_and_sum)(std::uint8_t* to, const std::uint8_t* from,
                                std::size_t count) noexcept;
};

// Those that this processor can run, the fastest first and the portable one last.
[[nodiscard]] std::span<const ChecksumKernel> checksum_kernels() noexcept;

// One's complement addition: the carry comes back in at the other end.
inline void add_with_carry(std::uint64_t& sum, std::uint64_t word) noexcept {
  sum += word;
  sum += static_cast<std::uint64_t>(sum < word);
}

// The portable sum, in the header because for the octets of a header calling costs more than
// adding.
[[nodiscard]] inline std::uint64_t portable_sum(const std::uint8_t* from,
                                                std::size_t count) noexcept {
  std::uint64_t sum = 0;
  const auto add = [&]<typename Word>(Word word) {
    std::memcpy(&word, from, sizeof word);
    add_with_carry(sum, word);
    from += sizeof word;
    count -= sizeof word;
  };
  while (count >= 8) add(std::uint64_t{});
  if (count >= 4) add(std::uint32_t{});
  if (count >= 2) add(std::uint16_t{});
  if (count > 0) {
    constexpr unsigned kShift = std::endian::native == std::endian::little ? 0 : 8;
    add_with_carry(sum, std::uint64_t{*from} << kShift);
  }
  return sum;
}

}  // namespace runnel::wire
