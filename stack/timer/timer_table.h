// The named deadlines of one owner, and the earliest of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "runnel/time.h"

namespace runnel::timer {

// `Kind` is an enum class whose last enumerator is `Count`.
//
// Setting a deadline only writes the table; the owner arms one wheel node for earliest() and may
// leave it alone when the deadline moved later (it then wakes early once and arms anew).
template <typename Kind>
class TimerTable {
 public:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Kind::Count);

  TimerTable() noexcept { deadlines_.fill(kNever); }

  void set(Kind kind, Instant deadline) noexcept { at(kind) = deadline; }
  void cancel(Kind kind) noexcept { at(kind) = kNever; }
  void cancel_all() noexcept { deadlines_.fill(kNever); }

  [[nodiscard]] bool is_set(Kind kind) const noexcept { return deadline(kind) != kNever; }
  [[nodiscard]] Instant deadline(Kind kind) const noexcept {
    return deadlines_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] bool is_due(Kind kind, Instant now) const noexcept { return deadline(kind) <= now; }
  [[nodiscard]] Instant earliest() const noexcept {
    return *std::min_element(deadlines_.begin(), deadlines_.end());
  }

  template <typename Archive>
  void archive(Archive& archive) {
    std::uint32_t are_set = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      if (deadlines_[i] != kNever) are_set |= 1U << i;
    }
    archive(are_set);
    for (std::size_t i = 0; i < kCount; ++i) {
      if ((are_set >> i & 1U) != 0) archive(deadlines_[i]);
    }
  }

 private:
  [[nodiscard]] Instant& at(Kind kind) noexcept {
    return deadlines_[static_cast<std::size_t>(kind)];
  }
  std::array<Instant, kCount> deadlines_;
};

}  // namespace runnel::timer
