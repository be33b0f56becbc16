// Time as a value. Nothing in the stack reads a clock: whoever drives it passes `now`.
#pragma once

#include <chrono>

namespace runnel {

using Duration = std::chrono::nanoseconds;

// The stack's own time line: nanoseconds since an arbitrary origin, never going backwards.
// There is deliberately no now(); a real clock exists only in the program around the stack.
struct Timeline {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Timeline, duration>;
  static constexpr bool is_steady = true;
};

using Instant = Timeline::time_point;

// The deadline of a timer that is not running.
inline constexpr Instant kNever = Instant::max();

// A timeout that never comes.
inline constexpr Duration kForever = Duration::max();

}  // namespace runnel
