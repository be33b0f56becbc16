// The wheel's nodes inside the stack.
#pragma once

#include <cstdint>

#include "stack/timer/timing_wheel.h"

namespace runnel::core {

// Whose timer has expired, in TimerNode::owner_kind.
enum class TimerOwner : std::uint8_t { Connection, SynReceived, TimeWait, Listener };

// A wheel node that knows the index of its owner in the table of that kind.
struct OwnedTimer : timer::TimerNode {
  OwnedTimer(TimerOwner kind, std::uint32_t index) noexcept : owner_index(index) {
    owner_kind = static_cast<std::uint8_t>(kind);
  }
  std::uint32_t owner_index;
};

}  // namespace runnel::core
