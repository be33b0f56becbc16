// What an ICMP error says about a connection.
#pragma once

#include <cstdint>
#include <system_error>

#include "stack/wire/icmpv4.h"
#include "stack/wire/seq_num.h"

namespace runnel::tcp {

// An ICMP error, and the segment of ours that it quotes.
struct IcmpReport {
  wire::IcmpType type = wire::IcmpType::DestinationUnreachable;
  std::uint8_t code = 0;
  std::uint16_t next_hop_mtu = 0;          // octets; 0 when the router does not say
  wire::SeqNum quoted_seq;                 // where the quoted segment begins
  std::uint16_t quoted_packet_octets = 0;  // how long its packet was, by the quoted header
  std::error_code error;                   // what it means to the application
};

}  // namespace runnel::tcp
