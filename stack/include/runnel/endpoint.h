// One end of a connection: an address and a port.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "runnel/ip_address.h"

namespace runnel {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  [[nodiscard]] std::string to_string() const {
    return address.to_string() + ":" + std::to_string(port);
  }

  friend constexpr bool operator==(const Endpoint&, const Endpoint&) noexcept = default;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};

}  // namespace runnel
