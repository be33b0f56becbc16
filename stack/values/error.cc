#include "runnel/error.h"

namespace runnel {
namespace {

class ErrorCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "runnel"; }

  [[nodiscard]] std::string message(int code) const override {
    switch (Errc{code}) {
      case Errc::would_block:
        return "operation would block";
      case Errc::invalid_handle:
        return "no such connection or listener";
      case Errc::invalid_argument:
        return "invalid argument";
      case Errc::not_connected:
        return "not connected";
      case Errc::already_connected:
        return "already connected";
      case Errc::broken_pipe:
        return "writing after the end";
      case Errc::connection_reset:
        return "connection reset by peer";
      case Errc::connection_refused:
        return "connection refused";
      case Errc::connection_aborted:
        return "connection aborted";
      case Errc::timed_out:
        return "connection timed out";
      case Errc::host_unreachable:
        return "host unreachable";
      case Errc::network_unreachable:
        return "network unreachable";
      case Errc::protocol_unreachable:
        return "protocol unreachable";
      case Errc::address_in_use:
        return "address already in use";
      case Errc::address_not_available:
        return "address not available";
      case Errc::no_buffer_space:
        return "memory budget is spent";
      case Errc::not_supported:
        return "not supported";
    }
    return "unknown error " + std::to_string(code);
  }

  [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
    switch (Errc{code}) {
      case Errc::would_block:
        return std::errc::operation_would_block;
      case Errc::invalid_handle:
        return std::errc::bad_file_descriptor;
      case Errc::invalid_argument:
        return std::errc::invalid_argument;
      case Errc::not_connected:
        return std::errc::not_connected;
      case Errc::already_connected:
        return std::errc::already_connected;
      case Errc::broken_pipe:
        return std::errc::broken_pipe;
      case Errc::connection_reset:
        return std::errc::connection_reset;
      case Errc::connection_refused:
        return std::errc::connection_refused;
      case Errc::connection_aborted:
        return std::errc::connection_aborted;
      case Errc::timed_out:
        return std::errc::timed_out;
      case Errc::host_unreachable:
        return std::errc::host_unreachable;
      case Errc::network_unreachable:
        return std::errc::network_unreachable;
      case Errc::protocol_unreachable:
        return std::errc::no_protocol_option;  // what Linux reports for this ICMP code
      case Errc::address_in_use:
        return std::errc::address_in_use;
      case Errc::address_not_available:
        return std::errc::address_not_available;
      case Errc::no_buffer_space:
        return std::errc::no_buffer_space;
      case Errc::not_supported:
        return std::errc::operation_not_supported;
    }
    return {code, *this};
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const ErrorCategory category;
  return category;
}

}  // namespace runnel
