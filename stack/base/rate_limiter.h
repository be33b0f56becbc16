// A token bucket in virtual time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runnel/time.h"

namespace runnel::base {

// Lets `per_second` things happen in a second on average, and as many at once after a quiet second.
class RateLimiter {
 public:
  explicit RateLimiter(std::uint32_t per_second) noexcept
      : per_second_(per_second), credit_(kOneToken * per_second) {}

  // Takes one token, or returns false when there is none.
  [[nodiscard]] bool allow(Instant now) noexcept {
    refill(now);
    if (credit_ < kOneToken) return false;
    credit_ -= kOneToken;
    return true;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    const std::uint64_t full = kOneToken * per_second_;
    std::uint64_t spent = full - credit_;
    archive(spent, last_);
    credit_ = full - spent;
  }

 private:
  // Credit is counted in nanoseconds times tokens per second: a token costs one second's worth.
  static constexpr std::uint64_t kOneToken = 1'000'000'000;

  void refill(Instant now) noexcept {
    if (now <= last_) return;
    const auto elapsed = static_cast<std::uint64_t>((now - last_).count());
    last_ = now;
    const std::uint64_t full = kOneToken * per_second_;
    credit_ = elapsed >= kOneToken ? full : std::min(full, credit_ + elapsed * per_second_);
  }

  std::uint32_t per_second_;
  std::uint64_t credit_;
  Instant last_{};
};

}  // namespace runnel::base
