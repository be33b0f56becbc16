// Randomness as an argument: the stack never asks the system for entropy.
#pragma once

#include <array>
#include <cstdint>

#include "runnel/bytes.h"

namespace runnel {

// A source of random numbers. A program on a network passes one seeded from the system's entropy
// (tun::SystemRandom): initial sequence numbers, ports and hash keys are derived from it, and an
// attacker who can predict it can forge segments. A simulation passes SeededRandom.
class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;

  [[nodiscard]] virtual std::uint64_t next() = 0;
};

// xoshiro256** (Blackman and Vigna): fast, reproducible, not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept;
  [[nodiscard]] std::uint64_t next() override;

  // A number from 0 to bound - 1, all equally likely. REQUIRES: bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace runnel
