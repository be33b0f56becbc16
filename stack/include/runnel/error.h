// runnel's error codes: std::error_code in a category of its own, comparable to std::errc, so
// that `error == std::errc::connection_reset` works and other APIs can pass the code through.
#pragma once

#include <string>
#include <system_error>

namespace runnel {

enum class Errc {
  would_block = 1,        // nothing to read, or no room to write, now
  invalid_handle,         // the connection or listener that was named is gone
  invalid_argument,       // a value outside what the call accepts
  not_connected,          // the connection is not established (any more)
  already_connected,      // the same pair of endpoints is in use by another connection
  broken_pipe,            // writing after shutdown_write() or close()
  connection_reset,       // the peer sent RST
  connection_refused,     // the peer answered the SYN with RST
  connection_aborted,     // this side aborted, or the peer was told so
  timed_out,              // R2 (RFC 9293 section 3.8.3), user timeout or keepalive gave up
  host_unreachable,       // ICMP said so while connecting
  network_unreachable,    // ICMP said so while connecting
  protocol_unreachable,   // ICMP said so while connecting
  address_in_use,         // another listener has the address and port
  address_not_available,  // the stack has no such local address, or no free port
  no_buffer_space,        // the stack's memory budget is spent
  not_supported,          // the stack does not do that
};

[[nodiscard]] const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

}  // namespace runnel

template <>
struct std::is_error_code_enum<runnel::Errc> : std::true_type {};
