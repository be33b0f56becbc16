// The congestion controllers that there are, by name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace runnel {

enum class CongestionAlgorithm : std::uint8_t {
  NewReno,  // RFC 5681, RFC 6582
  Cubic,    // RFC 9438
  Bbr,      // BBRv3: draft-ietf-ccwg-bbr-06
  Dctcp,    // RFC 8257, only where TcpConfig says is_controlled_network
};

// All of them, in the order of the enumeration.
[[nodiscard]] std::span<const CongestionAlgorithm> all_congestion_algorithms() noexcept;

// As people write it: "newreno", ...
[[nodiscard]] std::string_view name_of(CongestionAlgorithm algorithm) noexcept;

// The one of that name; "reno" is NewReno too.
[[nodiscard]] std::optional<CongestionAlgorithm> find_congestion_algorithm(
    std::string_view name) noexcept;

}  // namespace runnel
