// The least of the samples of a sliding window of time.
#pragma once

#include <algorithm>
#include <optional>

#include "runnel/time.h"
#include "stack/base/optional_time.h"

namespace runnel::tcp {

// Keeps the minimum of this half of the window and of the half before. So a sample counts for half
// a window to a whole one: exact enough for what changes with routes, in three words.
class MinimumFilter {
 public:
  explicit MinimumFilter(Duration window) noexcept : half_(window / 2) {}

  void add(Duration sample, Instant now) noexcept {
    turn(now);
    current_ = std::min(current_, sample);
  }
  // Nothing without a sample in the window. The newest ones stay when none follows them.
  [[nodiscard]] base::OptionalDuration minimum() const noexcept {
    const Duration least = std::min(current_, previous_);
    if (least == kForever) return std::nullopt;
    return least;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(began_, current_, previous_);
  }

 private:
  void turn(Instant now) noexcept {
    if (now - began_ < half_) return;
    previous_ = now - began_ < 2 * half_ ? current_ : kForever;
    current_ = kForever;
    began_ = now;
  }

  Duration half_;
  Instant began_{};
  Duration current_ = kForever;
  Duration previous_ = kForever;
};

}  // namespace runnel::tcp
