// One controller out of those there are, held by value.
#pragma once

#include <variant>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/new_reno.h"

namespace runnel::tcp {

// A new algorithm is one file and one more alternative here.
class AnyCongestionControl {
 public:
  AnyCongestionControl(std::uint32_t smss_octets, std::uint64_t initial_window_octets) noexcept
      : controller_(std::in_place_type<NewReno>, smss_octets, initial_window_octets) {}

  [[nodiscard]] CongestionControl& operator*() noexcept {
    return std::visit([](auto& controller) -> CongestionControl& { return controller; },
                      controller_);
  }
  [[nodiscard]] const CongestionControl& operator*() const noexcept {
    return std::visit([](const auto& controller) -> const CongestionControl& { return controller; },
                      controller_);
  }
  [[nodiscard]] CongestionControl* operator->() noexcept { return &**this; }
  [[nodiscard]] const CongestionControl* operator->() const noexcept { return &**this; }

 private:
  std::variant<NewReno> controller_;
};

}  // namespace runnel::tcp
