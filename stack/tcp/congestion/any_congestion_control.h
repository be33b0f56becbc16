// One controller out of those there are, held by value.
#pragma once

#include <cstdint>
#include <variant>

#include "runnel/config.h"
#include "runnel/congestion_algorithm.h"
#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/congestion/bbr/bbr.h"
#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/dctcp.h"
#include "stack/tcp/congestion/new_reno.h"

namespace runnel::tcp {

// What a controller begins with.
struct CongestionParameters {
  std::uint32_t smss_octets = 0;
  std::uint64_t initial_window_octets = 0;
  std::uint64_t seed = 0;  // for controllers that throw dice: not known to the network
  base::OptionalDuration smoothed_rtt{};  // the handshake's, as a rule
  Instant now{};
  bool has_selective_acks = true;
};

// A new algorithm is one file and one more alternative here.
class AnyCongestionControl {
 public:
  AnyCongestionControl(CongestionAlgorithm algorithm, const TcpConfig& config,
                       const CongestionParameters& parameters) noexcept {
    choose(algorithm, config, parameters);
  }
  // As long as the handshake has not agreed upon what controllers begin with, which choose() is
  // told then, only the window is asked for. Any controller has that, so the one that is meant,
  // which would be thrown away, is not made yet.
  AnyCongestionControl(CongestionAlgorithm algorithm, const TcpConfig& config,
                       std::uint32_t smss_octets, std::uint64_t initial_window_octets) noexcept
      : algorithm_(permitted(algorithm, config)),
        controller_(std::in_place_type<NewReno>, smss_octets, initial_window_octets) {}

  // Whether that one may be chosen: DCTCP takes marks so lightly that it would starve others, and
  // is for networks where there are none (RFC 8257 section 1).
  [[nodiscard]] static bool is_permitted(CongestionAlgorithm algorithm,
                                         const TcpConfig& config) noexcept {
    return algorithm != CongestionAlgorithm::Dctcp || config.is_controlled_network;
  }

  // Another controller takes over, without a history. What is not permitted becomes NewReno.
  void choose(CongestionAlgorithm algorithm, const TcpConfig& config,
              const CongestionParameters& parameters) noexcept;
  [[nodiscard]] CongestionAlgorithm algorithm() const noexcept { return algorithm_; }

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

  // A reader may find another controller in the record than the one that is here.
  template <typename Archive>
  void archive(Archive& archive, const TcpConfig& config, const CongestionParameters& parameters) {
    CongestionAlgorithm algorithm = algorithm_;
    archive(algorithm);
    if (algorithm != algorithm_ || !is_chosen_) choose(algorithm, config, parameters);
    std::visit([&](auto& controller) { archive(controller); }, controller_);
  }

 private:
  [[nodiscard]] static CongestionAlgorithm permitted(CongestionAlgorithm algorithm,
                                                     const TcpConfig& config) noexcept {
    return is_permitted(algorithm, config) ? algorithm : CongestionAlgorithm::NewReno;
  }

  CongestionAlgorithm algorithm_ = CongestionAlgorithm::NewReno;
  bool is_chosen_ = false;  // `controller_` is of that algorithm
  std::variant<NewReno, Cubic, Bbr, Dctcp> controller_{std::in_place_type<NewReno>, 1U,
                                                       std::uint64_t{1}};
};

}  // namespace runnel::tcp
