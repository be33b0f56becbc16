// Chance, reproducible from a seed, in eight octets.
#pragma once

#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp::bbr {

// SplitMix64 (Steele, Lea and Flood). Flows that throw different dice probe at different times; it
// need not be hard to predict.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  [[nodiscard]] bool coin() noexcept { return (next() >> 63U) != 0; }
  // From zero up to, but not including, `end`.
  [[nodiscard]] Duration below(Duration end) noexcept {
    return Duration(static_cast<Duration::rep>(next() % static_cast<std::uint64_t>(end.count())));
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(state_);
  }

 private:
  std::uint64_t state_;
};

}  // namespace runnel::tcp::bbr
