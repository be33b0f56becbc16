#include "stack/wire/checksum.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace runnel::wire {
namespace {

std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum >> 32U) + (sum & 0xffffffffU);
  sum = (sum >> 32U) + (sum & 0xffffffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(sum);
}

// Adds both halves of eight octets, in this machine's byte order, to a 64-bit sum: it takes 2^32
// additions to overflow.
void add_word(std::uint64_t& sum, const std::uint8_t* octets) noexcept {
  std::uint64_t word;
  std::memcpy(&word, octets, sizeof word);
  sum += (word >> 32U) + (word & 0xffffffffU);
}

// The one's complement sum of an even number of octets as 16-bit words in network byte order.
//
// The sum is built in this machine's byte order and its octets are swapped at the end, which RFC
// 1071 section 2(B) shows to be the same. Four sums side by side keep the additions independent.
std::uint16_t sum_of_words(const std::uint8_t* octets, std::size_t count) noexcept {
  std::array<std::uint64_t, 4> sums{};
  for (; count >= 32; count -= 32, octets += 32) {
    for (std::size_t i = 0; i < 4; ++i) add_word(sums[i], octets + 8 * i);
  }
  for (; count >= 8; count -= 8, octets += 8) add_word(sums[0], octets);
  for (; count >= 2; count -= 2, octets += 2) {
    std::uint16_t word;
    std::memcpy(&word, octets, sizeof word);
    sums[1] += word;
  }
  // Folding each first leaves no sum that could overflow.
  const std::uint16_t sum =
      fold(std::uint64_t{fold(sums[0])} + fold(sums[1]) + fold(sums[2]) + fold(sums[3]));
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<std::uint16_t>((sum << 8U) | (sum >> 8U));
  } else {
    return sum;
  }
}

}  // namespace

void ChecksumBuilder::add(Bytes octets) noexcept {
  if (octets.empty()) return;
  if (odd_) {  // the low octet of the word that the last piece began
    sum_ += octets.front();
    octets = octets.subspan(1);
    odd_ = false;
  }
  const std::size_t even = octets.size() & ~std::size_t{1};
  sum_ += sum_of_words(octets.data(), even);
  if (even != octets.size()) {
    sum_ += std::uint64_t{octets.back()} << 8U;
    odd_ = true;
  }
}

std::uint16_t ChecksumBuilder::folded_sum() const noexcept {
  return fold(sum_);
}

std::uint16_t internet_checksum(Bytes octets) noexcept {
  ChecksumBuilder builder;
  builder.add(octets);
  return builder.checksum();
}

ChecksumBuilder pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                                  std::uint8_t protocol, std::size_t transport_octets) noexcept {
  assert(source.is_v4() && destination.is_v4());
  assert(transport_octets <= 0xffff);
  ChecksumBuilder builder;
  builder.add_u32(source.v4_value());
  builder.add_u32(destination.v4_value());
  builder.add_u16(protocol);
  builder.add_u16(static_cast<std::uint16_t>(transport_octets));
  return builder;
}

std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t before,
                               std::uint16_t after) noexcept {
  // ~(~HC + ~m + m'), every ~ on 16 bits. Unlike equation 4's form this is right in the corner
  // where the sum is zero: RFC 1624 section 3.
  const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~checksum)} +
                            static_cast<std::uint16_t>(~before) + after;
  return static_cast<std::uint16_t>(~fold(sum));
}

}  // namespace runnel::wire
