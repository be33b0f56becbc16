#include "stack/ip/reassembly.h"

#include <cassert>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"

namespace runnel::ip {
namespace {

// The ECN field's values that matter here (RFC 3168 section 5).
constexpr std::uint8_t kNotEct = 0;
constexpr std::uint8_t kCongestionExperienced = 3;
constexpr std::uint8_t kEcnMask = 0x03;

constexpr std::size_t kTcpMinHeaderOctets = 20;

// Where a fragment's payload belongs: from `begin` up to, not including, `end`.
struct Range {
  std::uint32_t begin;
  std::uint32_t end;
};

Range range_of(const wire::Ipv4View& fragment) noexcept {
  const std::size_t begin = fragment.fragment_offset_octets();
  return {static_cast<std::uint32_t>(begin),
          static_cast<std::uint32_t>(begin + fragment.payload().size())};
}

// RFC 1858: nobody cuts a TCP header apart but to hide its flags from a filter.
bool splits_tcp_header(const wire::Ipv4View& fragment) noexcept {
  if (fragment.protocol() != wire::kProtocolTcp) return false;
  const Range range = range_of(fragment);
  return range.begin == 0 ? range.end < kTcpMinHeaderOctets : range.begin < kTcpMinHeaderOctets;
}

// Whether the fragment is possible at all: not empty, whole units of 8 octets unless it is the last
// one, within the 65,535 octets of a packet.
bool is_well_formed(const wire::Ipv4View& fragment) noexcept {
  const std::size_t octets = fragment.payload().size();
  if (octets == 0) return false;
  if (fragment.more_fragments() && octets % 8 != 0) return false;
  if (fragment.header_octets() + range_of(fragment).end > wire::kIpv4MaxPacketOctets) return false;
  return !splits_tcp_header(fragment);
}

DatagramKey key_of(const wire::Ipv4View& fragment) noexcept {
  return {fragment.identification(), fragment.protocol(), fragment.source(),
          fragment.destination()};
}

enum class Fit : std::uint8_t { Gap, Duplicate, Contradiction };

// How a fragment agrees with what is there of its datagram.
Fit fit_of(const PartialDatagram& datagram, const wire::Ipv4View& fragment) noexcept {
  const Range range = range_of(fragment);
  const bool is_last = !fragment.more_fragments();
  const auto next = datagram.pieces.lower_bound(range.begin);

  if (next != datagram.pieces.end() && next->first < range.end) {  // it overlaps the next piece
    const Bytes there = next->second.bytes();
    const bool claimed_last = datagram.end_octets == next->first + there.size();
    const Bytes payload = fragment.payload();
    const bool is_duplicate = next->first == range.begin && there.size() == payload.size() &&
                              claimed_last == is_last &&
                              std::memcmp(there.data(), payload.data(), payload.size()) == 0;
    return is_duplicate ? Fit::Duplicate : Fit::Contradiction;
  }
  if (next != datagram.pieces.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second.length > range.begin) return Fit::Contradiction;
  }
  const bool is_behind_the_end = datagram.end_octets && range.end > *datagram.end_octets;
  const bool is_end_before_another = is_last && next != datagram.pieces.end();
  if (is_behind_the_end || is_end_before_another) return Fit::Contradiction;
  return Fit::Gap;
}

// The ECN field of a datagram whose fragments had those in `seen`; none when it must be dropped.
std::optional<std::uint8_t> merged_ecn(unsigned seen, std::uint8_t first) noexcept {
  const bool is_marked = (seen & (1U << kCongestionExperienced)) != 0;
  if (!is_marked) return first;
  if ((seen & (1U << kNotEct)) != 0) return std::nullopt;
  return kCongestionExperienced;
}

// Makes the first fragment's header that of the whole packet.
void repair_header(MutableBytes packet, std::size_t header_octets, std::uint8_t ecn) noexcept {
  constexpr std::uint16_t kDontFragment = 0x4000;
  const auto flags =
      static_cast<std::uint16_t>(base::load_be<std::uint16_t>(packet, 6) & kDontFragment);
  packet[1] = static_cast<std::uint8_t>((packet[1] & ~unsigned{kEcnMask}) | ecn);
  base::store_be(packet, 2, static_cast<std::uint16_t>(packet.size()));
  base::store_be(packet, 6, flags);
  base::store_be(packet, 10, std::uint16_t{0});
  base::store_be(packet, 10, wire::internet_checksum(packet.first(header_octets)));
}

}  // namespace

std::optional<buffer::Slice> Reassembler::add(const wire::Ipv4View& fragment, Instant now) {
  assert(fragment.is_fragment());
  ++counters_.ip_reasm_reqds;
  if (!is_well_formed(fragment)) {
    counters_.drop(DropReason::FragmentBadLength);
    return std::nullopt;
  }
  PartialDatagram* datagram =
      table_.find_or_create(key_of(fragment), now + config_.reassembly_timeout);
  if (datagram == nullptr) return std::nullopt;
  if (datagram->condemned) {
    counters_.drop(*datagram->condemned);
    return std::nullopt;
  }
  if (datagram->deadline <= now) {  // too late; advance() will give it up
    counters_.drop(DropReason::FragmentTimeout);
    return std::nullopt;
  }
  switch (fit_of(*datagram, fragment)) {
    case Fit::Duplicate:
      return std::nullopt;
    case Fit::Contradiction:
      condemn(*datagram, DropReason::FragmentOverlap);
      return std::nullopt;
    case Fit::Gap:
      break;
  }
  if (fragment.header_octets() + range_of(fragment).end > maximum_datagram(config_)) {
    condemn(*datagram, DropReason::FragmentTooLarge);
    return std::nullopt;
  }
  if (datagram->pieces.size() >= config_.reassembly_fragments_per_datagram) {
    condemn(*datagram, DropReason::FragmentTooMany);
    return std::nullopt;
  }
  if (!keep(*datagram, fragment) || !datagram->is_complete()) return std::nullopt;
  return complete(*datagram);
}

std::vector<buffer::Slice> Reassembler::advance(Instant now) {
  std::vector<buffer::Slice> first_fragments;
  for (;;) {
    PartialDatagram* datagram = table_.oldest();
    if (datagram == nullptr || datagram->deadline > now) return first_fragments;
    if (!datagram->condemned) counters_.drop(DropReason::FragmentTimeout);
    if (datagram->first_header_octets > 0) first_fragments.push_back(datagram->first_packet());
    table_.erase(*datagram);
  }
}

Instant Reassembler::next_deadline() const noexcept {
  const PartialDatagram* datagram = table_.oldest();
  return datagram != nullptr ? datagram->deadline : kNever;
}

void Reassembler::condemn(PartialDatagram& datagram, DropReason reason) noexcept {
  counters_.drop(reason);
  table_.condemn(datagram, reason);
}

bool Reassembler::keep(PartialDatagram& datagram, const wire::Ipv4View& fragment) {
  const Range range = range_of(fragment);
  const bool is_first = range.begin == 0;
  // Of the first fragment the header is needed too, for the datagram and for an ICMP error.
  buffer::Slice copy = pool_.copy(is_first ? fragment.packet() : fragment.payload());
  if (!copy.slab) {
    counters_.drop(DropReason::NoMemory);
    if (datagram.pieces.empty()) table_.erase(datagram);
    return false;
  }
  if (is_first) {
    datagram.first_header_octets = static_cast<std::uint32_t>(fragment.header_octets());
    copy.remove_prefix(datagram.first_header_octets);
  }
  if (!fragment.more_fragments()) datagram.end_octets = range.end;
  datagram.ecn_seen = static_cast<std::uint8_t>(datagram.ecn_seen | (1U << fragment.ecn()));
  return table_.store(datagram, range.begin, std::move(copy));
}

std::optional<buffer::Slice> Reassembler::complete(PartialDatagram& datagram) {
  const buffer::Slice first = datagram.first_packet();
  const std::size_t header_octets = datagram.first_header_octets;
  const std::size_t total = header_octets + *datagram.end_octets;
  if (total > maximum_datagram(config_)) {  // the first header was longer than the last one
    condemn(datagram, total > wire::kIpv4MaxPacketOctets ? DropReason::FragmentBadLength
                                                         : DropReason::FragmentTooLarge);
    return std::nullopt;
  }
  const auto first_ecn = static_cast<std::uint8_t>(first.bytes()[1] & kEcnMask);
  const auto ecn = merged_ecn(datagram.ecn_seen, first_ecn);
  if (!ecn) {  // they contradict each other, if not about octets
    condemn(datagram, DropReason::FragmentOverlap);
    return std::nullopt;
  }
  buffer::Slice whole{pool_.acquire(total), 0, static_cast<std::uint32_t>(total)};
  if (!whole.slab) {
    counters_.drop(DropReason::NoMemory);
    table_.erase(datagram);
    return std::nullopt;
  }
  std::uint8_t* out = whole.slab->data();
  std::memcpy(out, first.bytes().data(), header_octets);
  for (const auto& [begin, payload] : datagram.pieces) {
    std::memcpy(out + header_octets + begin, payload.bytes().data(), payload.length);
  }
  repair_header({out, total}, header_octets, *ecn);
  table_.erase(datagram);
  ++counters_.ip_reasm_oks;
  return whole;
}

}  // namespace runnel::ip
