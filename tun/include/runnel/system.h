// The two things that the stack does not have: a clock and entropy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runnel/random.h"
#include "runnel/time.h"

namespace runnel::tun {

// CLOCK_MONOTONIC: what a stack is driven by.
[[nodiscard]] Instant monotonic_now();

// CLOCK_REALTIME, nanoseconds since 1970: for the times in a capture file. It may be set back, so
// it must not drive a stack.
[[nodiscard]] Instant wall_clock_now();

// Numbers from getrandom(2), fetched a few at a time. Throws std::system_error when the system has
// no entropy to give.
class SystemRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override;

 private:
  std::array<std::uint64_t, 32> pool_{};
  std::size_t left_ = 0;
};

}  // namespace runnel::tun
