// The checks that an incoming IPv4 packet passes before any protocol sees it: RFC 791, RFC 1122
// section 3.2.1, RFC 7126.
#pragma once

#include <optional>

#include "runnel/drop_reason.h"
#include "runnel/packet.h"
#include "stack/ip/address_set.h"
#include "stack/wire/ipv4.h"

namespace runnel::ip {

// What becomes of a packet: where it is addressed to, or why it is dropped.
struct InputVerdict {
  std::optional<DropReason> drop;
  DestinationClass destination = DestinationClass::Foreign;
};

// Checks header checksum, source, source route and destination, in this order. Unknown options are
// skipped, whatever their lengths claim. A zero TTL is not a reason to drop: it concerns who
// forwards (RFC 1122 section 3.2.1.7). LAND packets, whose source is one of this host's own
// addresses and which did not come from this host, are IpBadSource: what this host sends to itself
// never crosses the link.
[[nodiscard]] InputVerdict check_input(const wire::Ipv4View& packet,
                                       const AddressSet& addresses) noexcept;

}  // namespace runnel::ip
