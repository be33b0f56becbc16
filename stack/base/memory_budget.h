// One limit on the octets that a stack holds, whatever they are held for.
#pragma once

#include <cassert>
#include <cstddef>

namespace runnel::base {

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

  [[nodiscard]] std::size_t used_octets() const noexcept { return used_; }
  [[nodiscard]] std::size_t limit_octets() const noexcept { return limit_; }

 private:
  std::size_t limit_;
  std::size_t used_ = 0;
};

}  // namespace runnel::base
