// Putting an IPv4 header before a payload, and cutting what is too long for the link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runnel/packet.h"
#include "stack/buffer/slab.h"
#include "stack/wire/ipv4.h"

namespace runnel::ip {

// Prepends the IPv4 header to the transport header and payload in `frame`; with a Partial checksum
// moves meta.checksum_start by the header's length.
// REQUIRES: 20 + frame.size() <= 65,535.
void prepend_header(TxFrame& frame, const wire::Ipv4Header& header) noexcept;

// Cuts a datagram into fragments that fit `mtu_octets` (RFC 791 section 2.3), each a whole IPv4
// packet in a slice of its own; one slice, with the header as it is, when it fits. None at all when
// the memory budget has no room for every one of them (a part of a datagram is of no use), or when
// it does not fit and header.dont_fragment is set.
// REQUIRES: mtu_octets >= 28; 20 + payload.size() <= 65,535.
[[nodiscard]] std::vector<buffer::Slice> make_packets(const wire::Ipv4Header& header, Bytes payload,
                                                      std::size_t mtu_octets,
                                                      buffer::SlabPool& pool);

}  // namespace runnel::ip
