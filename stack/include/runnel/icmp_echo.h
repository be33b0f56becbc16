// Ping: echo requests with one identifier, and their replies matched to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "runnel/stack.h"

namespace runnel {

// Sends ICMP echo requests to one host and matches what comes back (RFC 792).
//
// The payload is a pattern of the size asked for. One IcmpEcho per Stack at a time: it takes every
// reply that the stack has.
class IcmpEcho {
 public:
  struct Reply {
    std::uint16_t sequence = 0;
    IpAddress from;
    std::uint8_t ttl = 0;
    std::size_t payload_octets = 0;
    Duration round_trip{0};
    std::error_code error;  // an ICMP error instead of a reply
  };

  IcmpEcho(Stack& stack, const IpAddress& destination, std::uint16_t identifier);

  // Sends the next request, with `payload_octets` of payload; returns its sequence number.
  // Errors: as Stack::send_echo_request().
  Result<std::uint16_t> send(std::size_t payload_octets = 56);

  // The next reply to a request of this object that has not been answered before.
  [[nodiscard]] std::optional<Reply> poll();

 private:
  Stack& stack_;
  IpAddress destination_;
  std::uint16_t identifier_;
  std::uint16_t next_sequence_ = 1;
  std::map<std::uint16_t, Instant> outstanding_;
};

}  // namespace runnel
