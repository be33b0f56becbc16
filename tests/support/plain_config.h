// Buffers that do not grow, ACKs that are not quick, no pacing, and a slow start that counts
// everything, for tests that count octets and segments.
#pragma once

#include "runnel/config.h"

namespace runnel::test {

// Where `tcp` has the product's defaults, the buffers get a fixed size of 1 MiB, and every segment
// may have a delayed ACK; what the windows permit leaves at once, and congestion control is RFC
// 5681's, without HyStart++. Where a test has chosen a buffer's first size alone, that is the size.
inline void make_plain(TcpConfig& tcp) noexcept {
  constexpr std::size_t kFixed = std::size_t{1} << 20U;
  const TcpConfig defaults;
  const auto fix = [](std::size_t& first, std::size_t& maximum, std::size_t default_first,
                      std::size_t default_maximum) {
    if (maximum != default_maximum) return;
    maximum = 0;
    if (first == default_first) first = kFixed;
  };
  fix(tcp.receive_buffer_octets, tcp.receive_buffer_maximum_octets, defaults.receive_buffer_octets,
      defaults.receive_buffer_maximum_octets);
  fix(tcp.send_buffer_octets, tcp.send_buffer_maximum_octets, defaults.send_buffer_octets,
      defaults.send_buffer_maximum_octets);
  if (tcp.quick_acks == defaults.quick_acks) tcp.quick_acks = 0;
  if (tcp.congestion_control == defaults.congestion_control) {
    tcp.congestion_control = CongestionAlgorithm::NewReno;
  }
  tcp.pacing = false;
  tcp.hystart = false;
}

}  // namespace runnel::test
