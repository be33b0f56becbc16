// When the next octets may leave: a rate turned into release times and quanta.
// draft-ietf-ccwg-bbr-06 sections 5.6.2 and 5.6.3.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. What leaves at once is a quantum: about a millisecond of the rate, two
// segments at least, a super-packet at most. After each transmission the next may leave when the
// path, at this rate, has had the time for it:
//
//     |quantum|      |quantum|      |quantum|
//     +--------------+--------------+-------->  quantum / rate apart
//
// A timer that fires late, and an idle time, must not cost rate for ever nor turn into a burst: up
// to one quantum of the time that has passed is made up for.
//
// All amounts are octets, rates octets a second. A rate of 0: unpaced.
class Pacer {
 public:
  static constexpr Duration kQuantumTime = std::chrono::milliseconds(1);
  static constexpr std::uint64_t kMostAtOnce = 65535;
  static constexpr std::uint64_t kFewestSegments = 2;

  void set_rate(std::uint64_t octets_per_second) noexcept { rate_ = octets_per_second; }
  [[nodiscard]] std::uint64_t rate() const noexcept { return rate_; }
  [[nodiscard]] bool is_pacing() const noexcept { return rate_ != 0; }

  // When the next transmission may leave.
  [[nodiscard]] Instant release_at() const noexcept {
    return is_pacing() ? release_at_ : Instant{};
  }
  [[nodiscard]] bool holds(Instant now) const noexcept { return now < release_at(); }

  // How much may leave in one frame.
  [[nodiscard]] std::uint64_t quantum_octets(std::uint32_t smss_octets) const noexcept {
    if (!is_pacing()) return kMostAtOnce;
    const std::uint64_t fewest = kFewestSegments * smss_octets;
    return std::max(fewest, std::min(rate_ / kQuantaPerSecond, kMostAtOnce));
  }

  void on_transmit(std::uint64_t octets, Instant now) noexcept;

 private:
  static constexpr std::uint64_t kQuantaPerSecond = std::chrono::seconds(1) / kQuantumTime;

  std::uint64_t rate_ = 0;
  Instant release_at_{};
};

}  // namespace runnel::tcp
