#include "stack/wire/tcp.h"

#include <cassert>

#include "stack/wire/ipv4.h"

namespace runnel::wire {

bool TcpView::has_valid_checksum(const IpAddress& source,
                                 const IpAddress& destination) const noexcept {
  ChecksumBuilder sum = pseudo_header_sum(source, destination, kProtocolTcp, octets_.size());
  sum.add(octets_);
  return sum.checksum() == 0;
}

TcpHeader TcpHeader::from(const TcpView& view) noexcept {
  TcpHeader header;
  header.source_port = view.source_port();
  header.destination_port = view.destination_port();
  header.seq = view.seq();
  header.ack = view.ack();
  header.flags = view.flags();
  header.window = view.window();
  header.urgent_pointer = view.urgent_pointer();
  header.options.read(view.option_octets());
  return header;
}

void TcpHeader::write(MutableBytes out) const noexcept {
  write_all(out.first(octets()));
}

void TcpHeader::write_all(MutableBytes out) const noexcept {
  const std::size_t header_octets = out.size();
  assert(header_octets == octets());
  const std::size_t offset_and_flags = (header_octets / 4) << 12U | flags.bits();
  base::store_be(out, 0, source_port);
  base::store_be(out, 2, destination_port);
  base::store_be(out, 4, seq.value());
  base::store_be(out, 8, ack.value());
  base::store_be(out, 12, static_cast<std::uint16_t>(offset_and_flags));
  base::store_be(out, 14, window);
  base::store_be(out, kTcpChecksumOffset, std::uint16_t{0});
  base::store_be(out, 18, urgent_pointer);
  options.write(out.subspan(kTcpMinHeaderOctets));
}

}  // namespace runnel::wire
