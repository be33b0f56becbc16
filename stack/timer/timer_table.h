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
// leave it alone when the deadline moved later (it then wakes early once and arms anew). The
// earliest is asked for after every packet, and looked for only when it may have moved later.
//
// INVARIANT: earliest_ is the least of deadlines_, or has_moved_later_ and none is before it.
template <typename Kind>
class TimerTable {
 public:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Kind::Count);

  TimerTable() noexcept { deadlines_.fill(kNever); }

  void set(Kind kind, Instant deadline) noexcept {
    Instant& entry = deadlines_[static_cast<std::size_t>(kind)];
    const Instant before = entry;
    if (deadline == before) return;  // most of what is cancelled was not set
    entry = deadline;
    if (deadline <= earliest_) {
      earliest_ = deadline;
      has_moved_later_ = false;
    } else if (before == earliest_) {
      has_moved_later_ = true;
    }
  }
  void cancel(Kind kind) noexcept { set(kind, kNever); }
  void cancel_all() noexcept {
    deadlines_.fill(kNever);
    earliest_ = kNever;
    has_moved_later_ = false;
  }

  [[nodiscard]] bool is_set(Kind kind) const noexcept { return deadline(kind) != kNever; }
  [[nodiscard]] Instant deadline(Kind kind) const noexcept {
    return deadlines_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] bool is_due(Kind kind, Instant now) const noexcept { return deadline(kind) <= now; }
  [[nodiscard]] Instant earliest() const noexcept {
    if (has_moved_later_) look_for_earliest();
    return earliest_;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(deadlines_);
    if constexpr (!Archive::is_writer()) look_for_earliest();
  }

 private:
  void look_for_earliest() const noexcept {
    Instant earliest = deadlines_[0];
    for (std::size_t i = 1; i < kCount; ++i) earliest = std::min(earliest, deadlines_[i]);
    earliest_ = earliest;
    has_moved_later_ = false;
  }

  std::array<Instant, kCount> deadlines_;
  mutable Instant earliest_ = kNever;
  mutable bool has_moved_later_ = false;
};

}  // namespace runnel::timer
