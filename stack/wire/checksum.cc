#include "stack/wire/checksum.h"

#include <bit>
#include <cassert>

#include "stack/wire/checksum_kernel.h"

namespace runnel::wire {
namespace {

// From the machine's byte order to the network's: swapping the octets of every word only moves the
// carries of a one's complement sum, which come back in at the other end, so that swapping those of
// the sum is the same.
std::uint16_t in_network_order(std::uint64_t sum) noexcept {
  const std::uint16_t words = folded(sum);
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<std::uint16_t>((words << 8U) | (words >> 8U));
  } else {
    return words;
  }
}

// Below this many octets, the headers' sizes, calling a kernel costs more than it saves.
constexpr std::size_t kWorthAKernel = 128;

const ChecksumKernel& kernel() noexcept {
  static const ChecksumKernel& best = checksum_kernels().front();
  return best;
}

std::uint64_t sum_of(Bytes octets) noexcept {
  if (octets.size() < kWorthAKernel) return portable_sum(octets.data(), octets.size());
  return kernel().sum(octets.data(), octets.size());
}

}  // namespace

void ChecksumBuilder::add(Bytes octets) noexcept {
  if (octets.empty()) return;
  if (odd_) {  // the low octet of the word that the last piece began
    sum_ += octets.front();
    octets = octets.subspan(1);
    odd_ = false;
  }
  sum_ += in_network_order(sum_of(octets));
  odd_ = octets.size() % 2 != 0;
}

void ChecksumBuilder::add_copying(MutableBytes to, Bytes octets) noexcept {
  assert(to.size() >= octets.size());
  if (octets.empty()) return;
  if (odd_) {
    to.front() = octets.front();
    sum_ += octets.front();
    to = to.subspan(1);
    octets = octets.subspan(1);
    odd_ = false;
  }
  sum_ += in_network_order(kernel().copy_and_sum(to.data(), octets.data(), octets.size()));
  odd_ = octets.size() % 2 != 0;
}

std::uint16_t internet_checksum(Bytes octets) noexcept {
  return static_cast<std::uint16_t>(~in_network_order(sum_of(octets)));
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
  return static_cast<std::uint16_t>(~folded(sum));
}

}  // namespace runnel::wire
