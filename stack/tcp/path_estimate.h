// What connections to one host teach each other: RFC 9040 (TCB sharing), RFC 7413 section 4.1.3.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

// SRTT and RTTVAR of RFC 6298.
struct RttEstimate {
  Duration smoothed{0};
  Duration variation{0};
  friend bool operator==(const RttEstimate&, const RttEstimate&) noexcept = default;
};

// One type for both ways: what a connection begins with, and what it gives back. What is absent is
// not known, or nothing new.
//
// The congestion window is not among it: it says what the network held a while ago, and a new
// connection starts with the initial window of RFC 6928 whatever that was (RFC 9040 section 8.2
// leaves anything else to experiments).
struct PathEstimate {
  std::optional<RttEstimate> rtt;
  std::optional<std::uint64_t> ssthresh_octets;  // only when losses have brought it down
  std::optional<std::uint16_t> path_mtu_octets;  // of IP packets
  std::optional<std::uint16_t> peer_mss_octets;  // the peer's MSS option
  std::optional<wire::TcpFastOpenCookie> fast_open_cookie;
  std::optional<bool> fast_open_works;  // false: SYNs with data are lost or ignored
  // SYNs with Fast Open's option that were lost in a row, where a plain one then passed.
  std::optional<std::uint8_t> fast_open_losses;

  friend bool operator==(const PathEstimate&, const PathEstimate&) noexcept = default;
};

}  // namespace runnel::tcp
