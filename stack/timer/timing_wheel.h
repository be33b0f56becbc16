// A hierarchical timing wheel: any number of timers, every operation O(1), nothing allocated.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/base/intrusive_list.h"

namespace runnel::timer {

// What is armed: embed or derive. `owner_kind` is the user's, to tell several kinds of owners
// apart when one expires.
//
// REQUIRES: a node is cancelled before it is destroyed, unless its wheel is destroyed first.
struct TimerNode : base::ListNode {
  static constexpr std::uint8_t kNoLevel = 0xff;

  TimerNode() = default;
  ~TimerNode() { assert(!is_armed()); }
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;

  Instant deadline = kNever;
  std::uint8_t owner_kind = 0;
  std::uint8_t level = kNoLevel;  // the wheel's own: where the node is listed
  std::uint8_t slot = 0;

  // Whether the node will expire. False once it is in a list of expired nodes.
  [[nodiscard]] bool is_armed() const noexcept { return level != kNoLevel; }
};

// Varghese and Lauck's hierarchical wheel: level 0 has slots of 1,024 ns (a tick), each level above
// has slots 64 times as long.
//
//    level 2   [ | | |x| ... ]   a slot is 64 * 64 ticks
//    level 1   [ | |x| | ... ]   a slot is 64 ticks
//    level 0   [ |x|x| | ... ]   a slot is a tick
//
// Read a deadline's tick as digits of 6 bits. A node sits on the level of the highest digit in
// which its tick differs from the current tick, in the slot which that digit names, and moves down
// as time comes near. So where a node is follows from its deadline and the current tick alone, and
// all of level n lies before all of level n + 1: one bit per slot finds what comes next, however
// far away it is. Nodes of equal deadlines share a slot always and keep their order in it.
//
// Deadlines are exact to the nanosecond: a node expires at the first advance(now) with
// now >= deadline, never before.
//
// With one exception: of a slot with a hundred thousand nodes, whose time comes near, one advance()
// moves down kMostMoves at most, or everything else would wait for it. The others stay in
// `spreading_` until the next calls, for which next_deadline() asks at once; the few that are due
// meanwhile are that late. Moving all of them first would make all of them later.
class TimingWheel {
 public:
  TimingWheel() noexcept = default;
  // How many nodes one advance() moves from level to level.
  static constexpr std::size_t kMostMoves = 1024;

  // Disarms every node.
  ~TimingWheel();
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  // Arms `node` for `deadline`, or moves it there when it is armed. A deadline in the past expires
  // at the next advance(). kNever cancels. A node in a list of expired nodes leaves it.
  void arm(TimerNode& node, Instant deadline) noexcept;
  // Disarms the node; takes it out of a list of expired nodes when it is in one.
  void cancel(TimerNode& node) noexcept;

  // Moves time forward and appends the nodes that are due, which are then no longer armed, to
  // `expired`; those of one call are in order of deadline, equal ones in the order of arming.
  // A `now` before an earlier one finds deadlines up to `now` only.
  void advance(Instant now, base::IntrusiveList& expired) noexcept;

  // When to call advance() next: never later than the earliest deadline, and exactly it unless a
  // node has been cancelled or moved away (then perhaps earlier, once). kNever when nothing is
  // armed.
  [[nodiscard]] Instant next_deadline() const noexcept;

  [[nodiscard]] std::size_t armed_count() const noexcept { return armed_; }
  // How many moves from level to level there have been.
  [[nodiscard]] std::uint64_t move_count() const noexcept { return moves_; }

 private:
  static constexpr unsigned kTickBits = 10;  // 1,024 ns
  static constexpr unsigned kSlotBits = 6;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
  static constexpr std::size_t kLevels = 9;  // 10 + 9 * 6 = 64 bits

  struct Slot {
    base::IntrusiveList nodes;
    Instant earliest = kNever;  // no later than any deadline in `nodes`; of no meaning while empty
  };
  struct Position {
    std::size_t level;
    std::size_t slot;
  };

  [[nodiscard]] static std::uint64_t tick_of(Instant instant) noexcept;
  [[nodiscard]] Position position_of(Instant deadline) const noexcept;
  // The first slot in time that has nodes.
  [[nodiscard]] std::optional<Position> first_occupied() const noexcept;
  [[nodiscard]] std::uint64_t first_tick(Position position) const noexcept;

  void insert(TimerNode& node) noexcept;
  void remove(TimerNode& node) noexcept;
  void move_down(Position position) noexcept;
  void spread(std::size_t& moves_left) noexcept;
  void expire(Position position, Instant now, base::IntrusiveList& expired) noexcept;

  std::array<std::array<Slot, kSlots>, kLevels> slots_{};
  std::array<std::uint64_t, kLevels> occupied_{};  // one bit per slot
  Slot spreading_;  // nodes whose slot has begun and that are not on a lower level yet
  std::uint64_t current_tick_ = 0;
  std::size_t armed_ = 0;
  std::uint64_t moves_ = 0;
};

}  // namespace runnel::timer
