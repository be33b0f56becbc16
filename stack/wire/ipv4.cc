#include "stack/wire/ipv4.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "stack/wire/checksum.h"

namespace runnel::wire {
namespace {

constexpr std::uint8_t kOptionEndOfList = 0;
constexpr std::uint8_t kOptionNoOperation = 1;
constexpr std::uint8_t kOptionLooseSourceRoute = 131;
constexpr std::uint8_t kOptionStrictSourceRoute = 137;

// Why `octets` cannot begin an IPv4 packet, whatever its total length.
std::optional<DropReason> header_fault(Bytes octets) noexcept {
  if (octets.size() < kIpv4MinHeaderOctets) return DropReason::IpTruncated;
  if (octets[0] >> 4U != 4) return DropReason::IpBadVersion;
  const std::size_t header_octets = std::size_t{octets[0] & 0x0fU} * 4;
  if (header_octets < kIpv4MinHeaderOctets || header_octets > octets.size()) {
    return DropReason::IpBadHeaderLength;
  }
  if (base::load_be<std::uint16_t>(octets, 2) < header_octets) return DropReason::IpBadTotalLength;
  return std::nullopt;
}

}  // namespace

OptionalView<Ipv4View> Ipv4View::parse(Bytes octets, DropReason* reason) noexcept {
  std::optional<DropReason> fault = header_fault(octets);
  if (!fault && base::load_be<std::uint16_t>(octets, 2) > octets.size()) {
    fault = DropReason::IpTruncated;
  }
  if (fault) {
    if (reason != nullptr) *reason = *fault;
    return std::nullopt;
  }
  return Ipv4View{octets.first(base::load_be<std::uint16_t>(octets, 2))};
}

OptionalView<Ipv4View> Ipv4View::parse_quote(Bytes octets) noexcept {
  if (header_fault(octets)) return std::nullopt;
  const std::size_t total = base::load_be<std::uint16_t>(octets, 2);
  return Ipv4View{octets.first(std::min(total, octets.size()))};
}

bool Ipv4View::has_valid_checksum() const noexcept {
  if (header_octets() > kIpv4MinHeaderOctets) return internet_checksum(header()) == 0;
  ChecksumBuilder sum;  // of nearly all headers, without a loop
  sum.add_u32(base::load_be<std::uint32_t>(octets_, 0));
  sum.add_u32(base::load_be<std::uint32_t>(octets_, 4));
  sum.add_u32(base::load_be<std::uint32_t>(octets_, 8));
  sum.add_u32(base::load_be<std::uint32_t>(octets_, 12));
  sum.add_u32(base::load_be<std::uint32_t>(octets_, 16));
  return sum.checksum() == 0;
}

bool Ipv4View::has_source_route() const noexcept {
  Bytes rest = options();
  while (!rest.empty()) {
    const std::uint8_t type = rest[0];
    if (type == kOptionEndOfList) return false;
    if (type == kOptionLooseSourceRoute || type == kOptionStrictSourceRoute) return true;
    if (type == kOptionNoOperation) {
      rest = rest.subspan(1);
      continue;
    }
    if (rest.size() < 2 || rest[1] < 2 || rest[1] > rest.size()) return false;
    rest = rest.subspan(rest[1]);
  }
  return false;
}

Ipv4Header Ipv4Header::from(const Ipv4View& view) noexcept {
  Ipv4Header header;
  header.dscp = view.dscp();
  header.ecn = view.ecn();
  header.identification = view.identification();
  header.dont_fragment = view.dont_fragment();
  header.more_fragments = view.more_fragments();
  header.fragment_offset_octets = static_cast<std::uint16_t>(view.fragment_offset_octets());
  header.ttl = view.ttl();
  header.protocol = view.protocol();
  header.source = view.source();
  header.destination = view.destination();
  return header;
}

void Ipv4Header::write(MutableBytes out, std::size_t payload_octets) const noexcept {
  assert(out.size() >= kIpv4MinHeaderOctets);
  assert(kIpv4MinHeaderOctets + payload_octets <= kIpv4MaxPacketOctets);
  assert(fragment_offset_octets % 8 == 0);
  const std::size_t total_octets = kIpv4MinHeaderOctets + payload_octets;
  const unsigned fragment = (dont_fragment ? 0x4000U : 0U) | (more_fragments ? 0x2000U : 0U) |
                            (fragment_offset_octets / 8U);
  // The header's five rows as numbers, one by one: no loop, and no sum of what was just written in
  // smaller pieces, for which the processor would have to wait.
  const unsigned type_of_service = (std::uint32_t{dscp} << 2U & 0xffU) | (ecn & 0x03U);
  const std::uint32_t row_0 =
      0x45000000U | type_of_service << 16U | static_cast<std::uint32_t>(total_octets);
  const std::uint32_t row_1 = std::uint32_t{identification} << 16U | fragment;
  const std::uint32_t row_2 = std::uint32_t{ttl} << 24U | std::uint32_t{protocol} << 16U;
  const std::uint32_t row_3 = source.v4_value();
  const std::uint32_t row_4 = destination.v4_value();
  ChecksumBuilder sum;
  sum.add_u32(row_0);
  sum.add_u32(row_1);
  sum.add_u32(row_2);
  sum.add_u32(row_3);
  sum.add_u32(row_4);
  base::store_be(out, 0, row_0);
  base::store_be(out, 4, row_1);
  base::store_be(out, 8, row_2 | sum.checksum());
  base::store_be(out, 12, row_3);
  base::store_be(out, 16, row_4);
}

}  // namespace runnel::wire
