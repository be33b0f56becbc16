// One limit on the octets that a stack holds, whatever they are held for.
#pragma once

#include <cassert>
#include <cstddef>

namespace runnel::base {

// Three levels keep one use from starving the next: what applications have written may take half of
// it, what they have not read seven eighths with that, and packets on their way in and out all of
// it. So there is always room for an acknowledgment, which sets the first free, and for text in
// order, which brings acknowledgments along.
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

  // How many octets send queues, and receive queues, may take now.
  [[nodiscard]] std::size_t send_room_octets() const noexcept { return room_below(limit_ / 2); }
  [[nodiscard]] std::size_t receive_room_octets() const noexcept {
    return room_below(limit_ - limit_ / 8);
  }

  [[nodiscard]] std::size_t used_octets() const noexcept { return used_; }
  [[nodiscard]] std::size_t limit_octets() const noexcept { return limit_; }

 private:
  [[nodiscard]] std::size_t room_below(std::size_t most) const noexcept {
    return most - (used_ < most ? used_ : most);
  }

  std::size_t limit_;
  std::size_t used_ = 0;
};

}  // namespace runnel::base
