#include "runnel/config.h"

namespace runnel {

TcpConfig rfc_profile() noexcept {
  using namespace std::chrono_literals;
  TcpConfig config;
  config.minimum_mss_octets = 28;               // RFC 9293 section 3.7.1, of an MTU of 68
  config.accept_missing_timestamps = false;     // RFC 7323 section 3.2
  config.rto_minimum = 1s;                      // RFC 6298 section 2
  config.syn_ack_retransmissions = 7;           // RFC 9293 section 3.8.3: three minutes
  config.fin_wait_2 = kForever;                 // RFC 9293 section 3.6
  config.window_by_new_ack = false;             // RFC 9293 section 3.10.7.4, fifth step
  config.time_wait = 4min;                      // RFC 9293 section 3.4.2: MSL is 2 minutes
  config.path_mtu_floor_octets = 68;            // RFC 1191 section 3
  config.slow_start_counts_all_octets = false;  // RFC 5681 section 3.1
  config.congestion_control = CongestionAlgorithm::NewReno;  // RFC 5681
  return config;
}

}  // namespace runnel
