// Putting a TCP header before the payload of a frame.
#pragma once

#include "runnel/packet.h"
#include "stack/tcp/segment.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

// A header from the local end of `tuple` to the remote one, everything else empty.
[[nodiscard]] wire::TcpHeader header_for(const FourTuple& tuple) noexcept;

// Prepends `header` to the payload in `frame` and sees to the checksum: the pseudo-header's sum
// for a link that adds the rest, the whole of it for any other.
void write_tcp_header(TxFrame& frame, const FourTuple& tuple, const wire::TcpHeader& header,
                      bool checksum_offload) noexcept;

}  // namespace runnel::tcp
