#include "tests/support/packet_check.h"

#include <vector>

#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::test {
namespace {

// The Internet checksum written as RFC 1071 section 4.1 does, so that the stack's own is not its
// own judge.
std::uint32_t plain_sum(Bytes octets, std::uint32_t sum) {
  for (std::size_t i = 0; i + 1 < octets.size(); i += 2) {
    sum += (std::uint32_t{octets[i]} << 8U) | octets[i + 1];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  if (octets.size() % 2 == 1) sum += std::uint32_t{octets.back()} << 8U;
  return (sum & 0xffffU) + (sum >> 16U);
}

std::uint32_t plain_pseudo_header_sum(Bytes packet, std::size_t transport_octets) {
  std::uint32_t sum = plain_sum(packet.subspan(12, 8), packet[9]);
  sum += static_cast<std::uint32_t>(transport_octets);
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum;
}

std::optional<std::string> find_tcp_fault(const wire::Ipv4View& ip, const PacketMeta& meta,
                                          std::size_t mtu_octets) {
  const auto tcp = wire::TcpView::parse(ip.payload());
  if (!tcp) return "TCP header does not parse";
  if (!ip.dont_fragment()) return "TCP segment without DF";
  if (tcp->reserved_bits() != 0) return "reserved TCP header bits are set";
  const std::uint32_t pseudo = plain_pseudo_header_sum(ip.packet(), ip.payload().size());
  if (meta.checksum == ChecksumStatus::Partial) {
    if (meta.checksum_start != ip.header_octets()) return "checksum_start is not the TCP header";
    if (meta.checksum_offset != wire::kTcpChecksumOffset) return "checksum_offset is not 16";
    if (tcp->checksum() != pseudo) return "partial checksum is not the pseudo-header's sum";
  } else if (plain_sum(ip.payload(), pseudo) != 0xffffU) {
    return "TCP checksum is wrong";
  }
  if (meta.gso_size_octets > 0) {
    if (meta.checksum != ChecksumStatus::Partial) return "super-packet with a finished checksum";
    if (tcp->payload().size() <= meta.gso_size_octets) return "super-packet of one segment";
    const std::size_t segment = ip.header_octets() + tcp->header_octets() + meta.gso_size_octets;
    if (segment > mtu_octets) return "segments of the super-packet exceed the MTU";
    if (tcp->flags().syn || tcp->flags().rst) return "super-packet with SYN or RST";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_fault(Bytes packet, const PacketMeta& meta,
                                      std::size_t mtu_octets) {
  const auto ip = wire::Ipv4View::parse(packet);
  if (!ip) return "IPv4 header does not parse";
  if (ip->total_octets() != packet.size()) return "octets behind the total length";
  if (plain_sum(ip->header(), 0) != 0xffffU) return "IPv4 header checksum is wrong";
  if (ip->ttl() == 0) return "TTL is zero";
  if (meta.gso_size_octets == 0 && packet.size() > mtu_octets) return "longer than the MTU";
  if (ip->protocol() == wire::kProtocolTcp && !ip->is_fragment()) {
    return find_tcp_fault(*ip, meta, mtu_octets);
  }
  return std::nullopt;
}

}  // namespace runnel::test
