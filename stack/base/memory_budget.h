// One limit on the octets that a stack holds, whatever they are held for.
#pragma once

#include <cassert>
#include <cstddef>

namespace runnel::base {

// Streams (what applications have written, and what they have not read) may take seven eighths of
// it. The rest is for packets on their way in and out: without them no acknowledgment could come
// that sets the streams' memory free.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_octets) noexcept : limit_(limit_octets) {}

  // Charges `octets`, or refuses and charges nothing.
  [[nodiscard]] bool try_charge(std::size_t octets) noexcept {
    if (octets > limit_ - used_) return false;
    used_ += octets;
    return true;
  }
  void release(std::size_t octets) noexcept {
    assert(octets <= used_);
    used_ -= octets;
  }

  // How many octets streams may take now.
  [[nodiscard]] std::size_t stream_room_octets() const noexcept {
    const std::size_t most = limit_ - limit_ / 8;
    return most - (used_ < most ? used_ : most);
  }

  [[nodiscard]] std::size_t used_octets() const noexcept { return used_; }
  [[nodiscard]] std::size_t limit_octets() const noexcept { return limit_; }

 private:
  std::size_t limit_;
  std::size_t used_ = 0;
};

}  // namespace runnel::base
