// What one connection looks like from outside: the STATUS call of RFC 9293 section 3.10.6, with
// the meanings of Linux's TCP_INFO.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/endpoint.h"
#include "runnel/tcp_state.h"
#include "runnel/time.h"

namespace runnel {

struct TcpInfo {
  TcpState state = TcpState::Closed;
  Endpoint local;
  Endpoint remote;

  std::uint16_t send_mss_octets = 0;     // effective send MSS, RFC 9293 section 3.7.1
  std::uint16_t receive_mss_octets = 0;  // what this side offered
  std::uint8_t send_window_scale = 0;
  std::uint8_t receive_window_scale = 0;

  std::uint64_t send_window_octets = 0;
  std::uint64_t receive_window_octets = 0;
  std::uint64_t congestion_window_octets = 0;
  std::uint64_t slow_start_threshold_octets = 0;
  std::uint64_t in_flight_octets = 0;

  Duration smoothed_rtt{0};  // zero before the first sample
  Duration rtt_variation{0};
  Duration retransmission_timeout{0};

  std::uint64_t octets_sent = 0;  // retransmissions not counted
  std::uint64_t octets_acknowledged = 0;
  std::uint64_t octets_received = 0;
  std::uint64_t octets_retransmitted = 0;
  std::uint64_t segments_retransmitted = 0;
  std::uint32_t retransmission_timeouts = 0;
  std::uint32_t fast_retransmits = 0;

  std::size_t send_queue_octets = 0;     // written and not acknowledged
  std::size_t receive_queue_octets = 0;  // received in order and not read
  std::size_t out_of_order_octets = 0;
};

}  // namespace runnel
