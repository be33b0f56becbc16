#include "runnel/config.h"

namespace runnel {

TcpConfig rfc_profile() noexcept {
  using namespace std::chrono_literals;
  TcpConfig config;
  config.accept_missing_timestamps = false;  // RFC 7323 section 3.2
  config.rto_minimum = 1s;                   // RFC 6298 section 2
  config.time_wait = 4min;                   // RFC 9293 section 3.4.2: MSL is 2 minutes
  config.path_mtu_floor_octets = 68;         // RFC 1191 section 3
  return config;
}

}  // namespace runnel
