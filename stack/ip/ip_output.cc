#include "stack/ip/ip_output.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace runnel::ip {
namespace {

// One whole IPv4 packet in a slice of its own; an empty slice when the budget is spent.
buffer::Slice make_packet(const wire::Ipv4Header& header, Bytes payload,
                          buffer::SlabPool& pool) noexcept {
  const std::size_t total = wire::kIpv4MinHeaderOctets + payload.size();
  buffer::Slice packet{pool.acquire(total), 0, static_cast<std::uint32_t>(total)};
  if (!packet.slab) return {};
  const MutableBytes out{packet.slab->data(), total};
  header.write(out, payload.size());
  if (!payload.empty()) {
    std::memcpy(out.data() + wire::kIpv4MinHeaderOctets, payload.data(), payload.size());
  }
  return packet;
}

}  // namespace

void prepend_header(TxFrame& frame, const wire::Ipv4Header& header) noexcept {
  const std::size_t payload_octets = frame.size();
  assert(wire::kIpv4MinHeaderOctets + payload_octets <= wire::kIpv4MaxPacketOctets);
  header.write(frame.prepend(wire::kIpv4MinHeaderOctets), payload_octets);
  if (frame.meta.checksum == ChecksumStatus::Partial) {
    frame.meta.checksum_start =
        static_cast<std::uint16_t>(frame.meta.checksum_start + wire::kIpv4MinHeaderOctets);
  }
}

std::vector<buffer::Slice> make_packets(const wire::Ipv4Header& header, Bytes payload,
                                        std::size_t mtu_octets, buffer::SlabPool& pool) {
  assert(mtu_octets >= wire::kIpv4MinHeaderOctets + 8);
  assert(wire::kIpv4MinHeaderOctets + payload.size() <= wire::kIpv4MaxPacketOctets);
  const std::size_t room = mtu_octets - wire::kIpv4MinHeaderOctets;
  std::vector<buffer::Slice> packets;
  if (payload.size() <= room) {
    packets.push_back(make_packet(header, payload, pool));
    if (!packets.back().slab) packets.clear();
    return packets;
  }
  if (header.dont_fragment) return packets;  // RFC 6864 section 4.3

  const std::size_t step = room - room % 8;  // offsets count in units of 8 octets
  packets.reserve((payload.size() + step - 1) / step);
  for (std::size_t at = 0; at < payload.size(); at += step) {
    const Bytes piece = payload.subspan(at, std::min(step, payload.size() - at));
    wire::Ipv4Header fragment = header;
    fragment.fragment_offset_octets =
        static_cast<std::uint16_t>(header.fragment_offset_octets + at);
    // The last one inherits the flag: `header` may itself belong to a fragment.
    if (at + piece.size() < payload.size()) fragment.more_fragments = true;
    packets.push_back(make_packet(fragment, piece, pool));
    if (!packets.back().slab) return {};
  }
  return packets;
}

}  // namespace runnel::ip
