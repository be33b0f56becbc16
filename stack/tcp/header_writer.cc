#include "stack/tcp/header_writer.h"

#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"

namespace runnel::tcp {

wire::TcpHeader header_for(const FourTuple& tuple) noexcept {
  wire::TcpHeader header;
  header.source_port = tuple.local.port;
  header.destination_port = tuple.remote.port;
  return header;
}

void write_tcp_header(TxFrame& frame, const FourTuple& tuple, const wire::TcpHeader& header,
                      bool checksum_offload) noexcept {
  const MutableBytes out = frame.prepend(header.octets());
  header.write_all(out);
  wire::ChecksumBuilder sum =
      wire::pseudo_header_sum(tuple.local.address, tuple.remote.address, wire::kProtocolTcp,
                              out.size() + frame.payload_octets());
  if (checksum_offload) {
    frame.meta.checksum = ChecksumStatus::Partial;
    frame.meta.checksum_start = 0;  // grows with the IP header
    frame.meta.checksum_offset = wire::kTcpChecksumOffset;
    base::store_be<std::uint16_t>(out, wire::kTcpChecksumOffset, sum.folded_sum());
    return;
  }
  sum.add(out);
  for (const Bytes slice : frame.payload()) sum.add(slice);
  base::store_be<std::uint16_t>(out, wire::kTcpChecksumOffset, sum.checksum());
}

}  // namespace runnel::tcp
