#include "tests/simulation/middlebox.h"

#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"

namespace runnel::test {
namespace {

constexpr std::size_t kIpOctets = 20;
constexpr std::size_t kIpChecksum = 10;
constexpr std::size_t kTcpChecksum = 16;

void make_checksums_right(MutableBytes packet) {
  base::store_be<std::uint16_t>(packet, kIpChecksum, 0);
  base::store_be<std::uint16_t>(packet, kIpChecksum,
                                wire::internet_checksum(packet.first(kIpOctets)));
  const MutableBytes tcp = packet.subspan(kIpOctets);
  base::store_be<std::uint16_t>(tcp, kTcpChecksum, 0);
  auto sum = wire::pseudo_header_sum(IpAddress::from_v4(base::load_be<std::uint32_t>(packet, 12)),
                                     IpAddress::from_v4(base::load_be<std::uint32_t>(packet, 16)),
                                     6, tcp.size());
  sum.add(tcp);
  base::store_be<std::uint16_t>(tcp, kTcpChecksum, sum.checksum());
}

}  // namespace

void Middlebox::receive(Bytes packet, const PacketMeta& meta, Instant now) {
  packet_.assign(packet.begin(), packet.end());
  if (!rewrite_(packet_, true)) return;
  make_checksums_right(packet_);
  server_->receive(packet_, meta, now);
}

bool Middlebox::poll_transmit(TxFrame& frame, Instant now) {
  while (server_->poll_transmit(frame, now)) {
    packet_.resize(frame.size());
    frame.copy_to(packet_);
    if (!rewrite_(packet_, false)) continue;
    make_checksums_right(packet_);
    frame.clear();
    frame.append(packet_);
    return true;
  }
  return false;
}

}  // namespace runnel::test
