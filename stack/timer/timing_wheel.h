// A hierarchical timing wheel: any number of timers, every operation O(1), nothing allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runnel/time.h"
#include "stack/base/intrusive_list.h"

namespace runnel::timer {

// What is armed: embed or derive. `owner_kind` is the user's, to tell several kinds of owners
// apart when one expires.
struct TimerNode : base::ListNode {
  Instant deadline = kNever;
  std::uint8_t owner_kind = 0;
  std::uint8_t level = 0;  // the wheel's own: where the node is listed
  std::uint8_t slot = 0;

  [[nodiscard]] bool is_armed() const noexcept { return is_listed(); }
};

// Varghese and Lauck's hierarchical wheel: level 0 has slots of 1,024 ns, each level above has
// slots 64 times as long. A node sits on the lowest level whose current turn includes its deadline,
// and moves down as time comes near. Deadlines themselves are exact to the nanosecond: a node
// expires at the first advance(now) with now >= deadline, never before.
class TimingWheel {
 public:
  TimingWheel() noexcept = default;
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  // Arms `node` for `deadline`, or moves it there when it is armed. A deadline in the past expires
  // at the next advance(). kNever cancels.
  void arm(TimerNode& node, Instant deadline) noexcept;
  void cancel(TimerNode& node) noexcept;

  // Moves time forward and lists the nodes that are due, which are then no longer armed, in
  // `expired`; those of one call are in order of deadline, equal ones in the order of arming.
  void advance(Instant now, base::IntrusiveList& expired) noexcept;

  // When to call advance() next: never later than the earliest deadline, exactly it when that is
  // less than 1,024 ns away from the last advance() slot, earlier when nodes must move down a level
  // first. kNever when nothing is armed.
  [[nodiscard]] Instant next_deadline() const noexcept;

  [[nodiscard]] std::size_t armed_count() const noexcept { return armed_; }

 private:
  static constexpr unsigned kTickBits = 10;  // 1,024 ns
  static constexpr unsigned kSlotBits = 6;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
  static constexpr std::size_t kLevels = 9;  // 10 + 9 * 6 = 64 bits

  std::array<std::array<base::IntrusiveList, kSlots>, kLevels> slots_{};
  std::array<std::uint64_t, kLevels> occupied_{};  // one bit per slot
  std::uint64_t current_tick_ = 0;
  std::size_t armed_ = 0;
};

}  // namespace runnel::timer
