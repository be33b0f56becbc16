#include "tests/support/segment.h"

#include <algorithm>
#include <ostream>

#include "stack/base/byte_order.h"
#include "stack/wire/format.h"
#include "stack/wire/ipv4.h"

namespace runnel::test {

std::vector<std::uint8_t> SegmentBuilder::build() const {
  const std::size_t options_octets = raw_options_ ? raw_options_->size() : header_.options.octets();
  const std::size_t header_octets = wire::kTcpMinHeaderOctets + options_octets;
  const std::size_t ip_octets = wire::kIpv4MinHeaderOctets + ip_options_.size();
  std::vector<std::uint8_t> packet(ip_octets + header_octets + payload_.size());

  const MutableBytes tcp = MutableBytes(packet).subspan(ip_octets);
  wire::TcpHeader header = header_;
  header.source_port = from_.port;
  header.destination_port = to_.port;
  if (raw_options_) header.options = {};
  header.write(tcp);
  if (raw_options_) {
    std::copy(raw_options_->begin(), raw_options_->end(),
              tcp.begin() + static_cast<std::ptrdiff_t>(wire::kTcpMinHeaderOctets));
    tcp[12] = static_cast<std::uint8_t>((header_octets / 4) << 4U | (tcp[12] & 0x0fU));
  }
  if (data_offset_) {
    tcp[12] = static_cast<std::uint8_t>((unsigned{*data_offset_} << 4U) | (tcp[12] & 0x0fU));
  }
  tcp[12] = static_cast<std::uint8_t>(tcp[12] | (unsigned{reserved_} << 1U));
  std::copy(payload_.begin(), payload_.end(),
            tcp.begin() + static_cast<std::ptrdiff_t>(header_octets));
  auto sum = wire::pseudo_header_sum(from_.address, to_.address, wire::kProtocolTcp, tcp.size());
  sum.add(tcp);
  auto checksum = sum.checksum();
  if (corrupts_checksum_) checksum = static_cast<std::uint16_t>(checksum ^ 0x0100U);
  base::store_be<std::uint16_t>(tcp, wire::kTcpChecksumOffset, checksum);

  wire::Ipv4Header ip;
  ip.ttl = ttl_;
  ip.ecn = static_cast<std::uint8_t>(ecn_);
  ip.dont_fragment = true;
  ip.protocol = wire::kProtocolTcp;
  ip.source = from_.address;
  ip.destination = to_.address;
  ip.write(packet, packet.size() - wire::kIpv4MinHeaderOctets);
  if (!ip_options_.empty()) {
    std::copy(ip_options_.begin(), ip_options_.end(), packet.begin() + 20);
    packet[0] = static_cast<std::uint8_t>(0x40U | (ip_octets / 4));
    base::store_be<std::uint16_t>(packet, 10, 0);
    base::store_be<std::uint16_t>(packet, 10,
                                  wire::internet_checksum(Bytes(packet).first(ip_octets)));
  }
  return packet;
}

std::optional<SentSegment> SentSegment::parse(Bytes packet, const PacketMeta& meta, Instant at) {
  const auto ip = wire::Ipv4View::parse(packet);
  if (!ip || ip->protocol() != wire::kProtocolTcp) return std::nullopt;
  const auto tcp = wire::TcpView::parse(ip->payload());
  if (!tcp) return std::nullopt;
  SentSegment segment;
  segment.at = at;
  segment.from = {ip->source(), tcp->source_port()};
  segment.to = {ip->destination(), tcp->destination_port()};
  segment.seq = tcp->seq().value();
  segment.ack = tcp->ack().value();
  segment.flags = tcp->flags();
  segment.window = tcp->window();
  segment.urgent_pointer = tcp->urgent_pointer();
  segment.options = tcp->options();
  segment.payload = std::string(as_text(tcp->payload()));
  segment.ttl = ip->ttl();
  segment.dscp = ip->dscp();
  segment.ecn = Ecn{ip->ecn()};
  segment.gso_size_octets = meta.gso_size_octets;
  segment.octets.assign(packet.begin(), packet.end());
  return segment;
}

std::ostream& operator<<(std::ostream& out, const SentSegment& segment) {
  return out << wire::format_packet(segment.octets);
}

}  // namespace runnel::test
