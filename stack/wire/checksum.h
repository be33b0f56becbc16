// The Internet checksum, RFC 791 section 3.1, and updating it in place, RFC 1624.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "runnel/ip_address.h"

namespace runnel::wire {

// A sum of 16-bit words folded to 16 bits: carries come back in at the low end. Words that are two
// or four times as wide may be among them, because 2^16 counts as 1.
[[nodiscard]] constexpr std::uint16_t folded(std::uint64_t sum) noexcept {
  sum = (sum >> 32U) + (sum & 0xffffffffU);
  sum = (sum >> 32U) + (sum & 0xffffffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(sum);
}

// A one's complement sum that is being built, of 16-bit words in network byte order.
//
// Pieces may have odd lengths: the next piece then continues in the low octet of the same word.
class ChecksumBuilder {
 public:
  // Adds octets that follow those added so far.
  void add(Bytes octets) noexcept;
  // Adds octets on their way: what add() does, and copies them to `to`, which has room for them and
  // does not overlap. Costs little more than the copy alone.
  void add_copying(MutableBytes to, Bytes octets) noexcept;
  // Adds one 16-bit number in host byte order. REQUIRES: an even number of octets so far.
  void add_u16(std::uint16_t value) noexcept { sum_ += value; }
  void add_u32(std::uint32_t value) noexcept { sum_ += value; }  // its halves meet in folded()

  // The sum folded to 16 bits, not complemented: what a Partial checksum field holds.
  [[nodiscard]] std::uint16_t folded_sum() const noexcept { return folded(sum_); }
  // The checksum field's value: the complement of the sum. 0 over data that includes a correct
  // checksum field.
  [[nodiscard]] std::uint16_t checksum() const noexcept {
    return static_cast<std::uint16_t>(~folded_sum());
  }

 private:
  std::uint64_t sum_ = 0;
  bool odd_ = false;
};

// The checksum of `octets` alone.
[[nodiscard]] std::uint16_t internet_checksum(Bytes octets) noexcept;

// A builder that already holds the IPv4 pseudo-header (RFC 9293 section 3.1).
// REQUIRES: both addresses are IPv4.
[[nodiscard]] ChecksumBuilder pseudo_header_sum(const IpAddress& source,
                                                const IpAddress& destination, std::uint8_t protocol,
                                                std::size_t transport_octets) noexcept;

// The checksum field after one 16-bit word that it covers changed from `before` to `after`
// (RFC 1624, equation 3).
[[nodiscard]] std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t before,
                                             std::uint16_t after) noexcept;

}  // namespace runnel::wire
