// The eleven states of RFC 9293 section 3.3.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runnel {

enum class TcpState : std::uint8_t {
  Closed,
  Listen,
  SynSent,
  SynReceived,
  Established,
  FinWait1,
  FinWait2,
  CloseWait,
  Closing,
  LastAck,
  TimeWait,
};

inline constexpr std::size_t kTcpStateCount = 11;

// The RFC's spelling, such as "SYN-SENT".
[[nodiscard]] std::string_view name_of(TcpState state) noexcept;

}  // namespace runnel
