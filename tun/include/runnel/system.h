// The two things that the stack does not have: a clock and entropy.
#pragma once

#include "runnel/random.h"
#include "runnel/time.h"

namespace runnel::tun {

// CLOCK_MONOTONIC.
[[nodiscard]] Instant monotonic_now();

// Numbers from getrandom(2), fetched a few at a time.
class SystemRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override;

 private:
  std::array<std::uint64_t, 32> pool_{};
  std::size_t left_ = 0;
};

}  // namespace runnel::tun
