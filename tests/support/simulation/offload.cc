#include "tests/support/simulation/offload.h"

#include <algorithm>
#include <cstring>

#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"

namespace runnel::test {
namespace {

using base::load_be;
using base::store_be;

constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kCwr = 0x80;

// Where the parts of a TCP packet lie.
struct Layout {
  std::size_t tcp;      // the TCP header's first octet
  std::size_t payload;  // behind its last
};

Layout layout_of(Bytes packet) {
  const std::size_t tcp = std::size_t{packet[0] & 0x0fU} * 4;
  return {tcp, tcp + static_cast<std::size_t>(packet[tcp + 12] >> 4U) * 4};
}

void set_total_length(MutableBytes packet) {
  store_be<std::uint16_t>(packet, 2, static_cast<std::uint16_t>(packet.size()));
  store_be<std::uint16_t>(packet, 10, 0);
  const std::size_t header = std::size_t{packet[0] & 0x0fU} * 4;
  store_be<std::uint16_t>(packet, 10, wire::internet_checksum(Bytes(packet).first(header)));
}

}  // namespace

std::size_t segment_count(Bytes super_packet, std::size_t gso_size_octets) {
  const std::size_t payload = super_packet.size() - layout_of(super_packet).payload;
  return std::max<std::size_t>(1, (payload + gso_size_octets - 1) / gso_size_octets);
}

void write_segment(Bytes super_packet, std::size_t gso_size_octets, std::size_t index,
                   SimPacket& out) {
  const Layout layout = layout_of(super_packet);
  const std::size_t offset = index * gso_size_octets;
  const Bytes rest = super_packet.subspan(layout.payload + offset);
  const Bytes text = rest.first(std::min(rest.size(), gso_size_octets));
  const bool is_last = text.size() == rest.size();
  out.resize(layout.payload + text.size());
  const MutableBytes octets = out.octets();
  std::memcpy(octets.data(), super_packet.data(), layout.payload);
  std::memcpy(octets.data() + layout.payload, text.data(), text.size());
  store_be<std::uint32_t>(
      octets, layout.tcp + 4,
      load_be<std::uint32_t>(super_packet, layout.tcp + 4) + static_cast<std::uint32_t>(offset));
  std::uint8_t& flags = octets[layout.tcp + 13];
  if (!is_last) flags = static_cast<std::uint8_t>(flags & ~(kFin | kPsh));
  if (index > 0) flags = static_cast<std::uint8_t>(flags & ~kCwr);
  set_total_length(octets);
}

bool coalesce(SimPacket& head, const SimPacket& next) {
  if (head.meta.checksum != ChecksumStatus::Verified || next.size < 40 ||
      next.meta.checksum != ChecksumStatus::Verified || head.size + next.size > 65000) {
    return false;
  }
  const MutableBytes a = head.octets();
  const Bytes b = next.octets();
  if (a[9] != wire::kProtocolTcp || b[9] != wire::kProtocolTcp) return false;
  const Layout layout = layout_of(a);
  const Layout other = layout_of(b);
  if (layout.tcp != other.tcp || layout.payload != other.payload) return false;
  const std::size_t have = a.size() - layout.payload;
  const std::size_t more = b.size() - layout.payload;
  const std::size_t segment = head.meta.gso_size_octets > 0 ? head.meta.gso_size_octets : have;
  if (have == 0 || more == 0 || have % segment != 0 || more > segment) return false;

  const std::size_t tcp = layout.tcp;
  const bool same_hosts = std::equal(a.begin() + 12, a.begin() + 20, b.begin() + 12);
  const auto same = [&](std::size_t from, std::size_t to) {
    return std::memcmp(a.data() + from, b.data() + from, to - from) == 0;
  };
  if (a[1] != b[1]) return false;  // DSCP and ECN
  // Ports, then ACK, data offset, all but the flags of the end, window, and options.
  if (!same_hosts || !same(tcp, tcp + 4) || !same(tcp + 8, tcp + 13) || !same(tcp + 14, tcp + 16) ||
      !same(tcp + 18, layout.payload)) {
    return false;
  }
  if (a[tcp + 13] != kAck) return false;  // PSH and FIN end a super-packet
  if ((b[tcp + 13] | kFin | kPsh) != (kAck | kFin | kPsh)) return false;
  if (load_be<std::uint32_t>(Bytes(a), tcp + 4) + have != load_be<std::uint32_t>(b, tcp + 4)) {
    return false;
  }
  const std::size_t size = a.size();
  head.resize(size + more);
  std::memcpy(head.storage.data() + size, b.data() + layout.payload, more);
  head.storage[tcp + 13] = b[tcp + 13];
  head.meta.gso_size_octets = static_cast<std::uint16_t>(segment);
  set_total_length(head.octets());
  return true;
}

void finish_checksum(SimPacket& packet) {
  const MutableBytes octets = packet.octets();
  if (packet.meta.checksum != ChecksumStatus::Verified || octets[9] != wire::kProtocolTcp) return;
  const Layout layout = layout_of(octets);
  store_be<std::uint16_t>(octets, layout.tcp + 16, 0);
  const Bytes segment = Bytes(octets).subspan(layout.tcp);
  auto sum = wire::pseudo_header_sum(IpAddress::from_v4(load_be<std::uint32_t>(Bytes(octets), 12)),
                                     IpAddress::from_v4(load_be<std::uint32_t>(Bytes(octets), 16)),
                                     wire::kProtocolTcp, segment.size());
  sum.add(segment);
  store_be<std::uint16_t>(octets, layout.tcp + 16, sum.checksum());
}

void write_fragmentation_needed(Bytes packet, std::uint16_t mtu_octets, SimPacket& out) {
  constexpr std::size_t kIpHeader = 20;
  constexpr std::size_t kIcmpHeader = 8;
  const std::size_t quoted = std::min<std::size_t>(packet.size(), 128);
  out.resize(kIpHeader + kIcmpHeader + quoted);
  const MutableBytes octets = out.octets();
  std::fill(octets.begin(), octets.end(), std::uint8_t{0});
  octets[0] = 0x45;
  octets[8] = 64;
  octets[9] = wire::kProtocolIcmp;
  store_be<std::uint32_t>(octets, 12, IpAddress(192, 0, 2, 254).v4_value());
  std::copy_n(packet.begin() + 12, 4, octets.begin() + 16);
  set_total_length(octets);
  octets[kIpHeader] = 3;      // destination unreachable:
  octets[kIpHeader + 1] = 4;  // fragmentation needed and DF set
  store_be<std::uint16_t>(octets, kIpHeader + 6, mtu_octets);
  std::copy_n(packet.begin(), quoted, octets.begin() + kIpHeader + kIcmpHeader);
  store_be<std::uint16_t>(octets, kIpHeader + 2,
                          wire::internet_checksum(Bytes(octets).subspan(kIpHeader)));
}

bool mark_congestion(SimPacket& packet) {
  constexpr unsigned kNotEct = 0;
  constexpr unsigned kCe = 3;
  const MutableBytes octets = packet.octets();
  const unsigned codepoint = octets[1] & kCe;
  if (codepoint == kNotEct) return false;
  const auto before = load_be<std::uint16_t>(Bytes(octets), 0);
  octets[1] = static_cast<std::uint8_t>(octets[1] | kCe);
  const auto checksum = load_be<std::uint16_t>(Bytes(octets), 10);
  store_be<std::uint16_t>(
      octets, 10,
      wire::updated_checksum(checksum, before, load_be<std::uint16_t>(Bytes(octets), 0)));
  return codepoint != kCe;
}

}  // namespace runnel::test
