// What this host says, and hears, by ICMP: RFC 792, RFC 1122 section 3.2.2, RFC 1812 4.3.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/ip_address.h"
#include "stack/buffer/slab.h"
#include "stack/ip/address_set.h"
#include "stack/wire/icmpv4.h"
#include "stack/wire/ipv4.h"

namespace runnel::ip {

// The largest ICMP error that is sent, in octets of IP packet (RFC 1812 section 4.3.2.3).
inline constexpr std::size_t kIcmpErrorMaxOctets = 576;

// An ICMP error that arrived: what it says, and the packet of ours that it quotes.
struct IcmpError {
  wire::IcmpType type = wire::IcmpType::DestinationUnreachable;
  std::uint8_t code = 0;
  std::uint16_t next_hop_mtu = 0;  // octets; fragmentation needed only
  IpAddress reporter;              // who sent the error

  std::uint16_t quoted_octets = 0;  // of the whole packet, by its header

  // The quoted packet's header and what is left of its payload (at least 8 octets).
  wire::Ipv4Header quoted_header;
  Bytes quoted_payload;
};

// Reads an ICMP error: its quote must be an IPv4 header with at least 8 octets behind it, of a
// packet from an address of ours that is not a fragment other than the first. Nothing when the
// quote is no such thing.
[[nodiscard]] std::optional<IcmpError> parse_icmp_error(const wire::Ipv4View& packet,
                                                        const wire::Icmpv4View& message,
                                                        const AddressSet& addresses) noexcept;

// Whether an ICMP error may be sent about `offender`: not about an ICMP error (or what may be one:
// an ICMP message of a type that is not a known query), a fragment other than the first, a packet
// to anything but an address of ours, or from a source that is no single other host.
[[nodiscard]] bool may_report_error(const wire::Ipv4View& offender,
                                    const AddressSet& addresses) noexcept;

// The ICMP message (header and body, no IP header) that reports an error about `offender`, quoting
// as much of it as fits into kIcmpErrorMaxOctets with the IP header.
[[nodiscard]] std::vector<std::uint8_t> make_icmp_error(const wire::Ipv4View& offender,
                                                        wire::IcmpType type, std::uint8_t code,
                                                        std::uint16_t next_hop_mtu = 0);

// The reply to an echo request: the same identifier, sequence and data.
[[nodiscard]] std::vector<std::uint8_t> make_echo_reply(const wire::Icmpv4View& request);
[[nodiscard]] std::vector<std::uint8_t> make_echo_request(std::uint16_t identifier,
                                                          std::uint16_t sequence, Bytes data);

// What an ICMP error means for a caller: host_unreachable, network_unreachable,
// protocol_unreachable, connection_refused (port unreachable), not_supported (parameter problem).
// No error for messages that report none which stops a packet: redirects, source quenches, queries.
[[nodiscard]] std::error_code error_of(wire::IcmpType type, std::uint8_t code) noexcept;

}  // namespace runnel::ip
