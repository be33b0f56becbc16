// Putting an IPv4 header before a payload, and cutting what is too long for the link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runnel/packet.h"
#include "runnel/random.h"
#include "stack/buffer/slab.h"
#include "stack/wire/ipv4.h"

namespace runnel::ip {

// The identification field of packets that may be fragmented, RFC 6864: unique for a (source,
// destination, protocol) for as long as 16 bits allow, starting where nobody can guess.
class IdentificationSource {
 public:
  explicit IdentificationSource(Random& random)
      : next_(static_cast<std::uint16_t>(random.next())) {}
  [[nodiscard]] std::uint16_t next() noexcept { return next_++; }

 private:
  std::uint16_t next_;
};

// Prepends the IPv4 header to the transport header and payload in `frame`; with a Partial checksum
// moves meta.checksum_start by the header's length.
void prepend_header(TxFrame& frame, const wire::Ipv4Header& header) noexcept;

// Cuts a datagram into fragments that fit `mtu_octets` (RFC 791 section 2.3), each a whole IPv4
// packet in a slice of its own; one slice when it fits as it is. Fewer than needed, and none at
// all, when the memory budget is spent. `header.dont_fragment` must be false when it does not fit.
[[nodiscard]] std::vector<buffer::Slice> make_packets(const wire::Ipv4Header& header, Bytes payload,
                                                      std::size_t mtu_octets,
                                                      buffer::SlabPool& pool);

}  // namespace runnel::ip
