// What two SYNs agree on: MSS and window scale (RFC 9293 section 3.7.1, RFC 7323 section 2). Of
// timestamps and SACK they only say whether.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/config.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

inline constexpr std::size_t kIpv4HeaderOctets = 20;  // what the stack sends: no options
inline constexpr std::size_t kTcpHeaderOctets = 20;
inline constexpr std::uint16_t kDefaultMssOctets = 536;  // RFC 9293 section 3.7.1, MUST-15
inline constexpr std::uint8_t kMaxWindowScale = 14;      // RFC 7323 section 2.3
inline constexpr std::uint32_t kMaxUnscaledWindow = 65535;

// The MSS to offer: the largest segment that the link's MTU takes (RFC 6691's reading: without
// options).
[[nodiscard]] constexpr std::uint16_t offered_mss(std::uint16_t mtu_octets) noexcept {
  return static_cast<std::uint16_t>(mtu_octets - kIpv4HeaderOctets - kTcpHeaderOctets);
}

// The smallest scale with which the header's field can hold the whole receive buffer.
[[nodiscard]] constexpr std::uint8_t offered_window_scale(std::size_t receive_buffer) noexcept {
  constexpr int kFieldBits = 16;
  const int scale = std::max(static_cast<int>(std::bit_width(receive_buffer)) - kFieldBits, 0);
  return static_cast<std::uint8_t>(std::min<int>(scale, kMaxWindowScale));
}

// The scale that a connection with these parameters offers: for the buffer as large as it may grow,
// but with a unit small enough to tell what is free in the one that it begins with: no more than an
// eighth of that.
[[nodiscard]] constexpr std::uint8_t offered_window_scale(const TcpConfig& config) noexcept {
  const std::size_t first = config.receive_buffer_octets;
  const std::uint8_t wanted =
      offered_window_scale(std::max(first, config.receive_buffer_maximum_octets));
  return std::min(wanted, static_cast<std::uint8_t>(std::bit_width(first / 16)));
}

// The window in a SYN or SYN-ACK, which is never scaled.
[[nodiscard]] constexpr std::uint16_t syn_window(std::size_t receive_buffer) noexcept {
  return static_cast<std::uint16_t>(std::min<std::size_t>(receive_buffer, kMaxUnscaledWindow));
}

// The MSS to send with, options not subtracted: what the peer takes and the path carries.
[[nodiscard]] constexpr std::uint16_t send_mss(std::optional<std::uint16_t> peer_mss,
                                               std::uint16_t mtu_octets,
                                               std::uint16_t minimum) noexcept {
  const std::uint16_t wanted = std::max(peer_mss.value_or(kDefaultMssOctets), minimum);
  return std::min(wanted, offered_mss(mtu_octets));
}

// What `options` of every segment leave of an MSS: never nothing, however small the path's MTU.
[[nodiscard]] constexpr std::uint16_t less_options(std::uint16_t mss_octets,
                                                   std::uint16_t options) noexcept {
  constexpr std::uint16_t kLeastText = 8;
  return mss_octets > options + kLeastText ? static_cast<std::uint16_t>(mss_octets - options)
                                           : kLeastText;
}

// A shift count above 14 counts as 14 (RFC 7323 section 2.3).
[[nodiscard]] constexpr std::uint8_t clamped_scale(std::uint8_t scale) noexcept {
  return std::min(scale, kMaxWindowScale);
}

}  // namespace runnel::tcp
