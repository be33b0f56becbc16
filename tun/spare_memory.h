// Memory that many connections have left to the heap.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstddef>

namespace runnel::tun {

// Has the heap give back to the system what it no longer needs.
//
// Theory of operation. The heap keeps what is freed in its middle, however much that is, until it
// is told not to. That takes some time, so it is done when the loop has nothing else to do, and
// each time that half of the connections have gone.
class SpareMemory {
 public:
  // There are so many connections now.
  void count(std::size_t connections) noexcept { most_ = std::max(most_, connections); }
  // ... and there is time.
  void give_back(std::size_t connections) noexcept {
    if (most_ < kManyConnections || connections > most_ / 2) return;
    ::malloc_trim(0);
    most_ = connections;
  }

 private:
  // Fewer leave nothing behind that would be worth the heap's time.
  static constexpr std::size_t kManyConnections = 1000;
  std::size_t most_ = 0;  // since memory was given back
};

}  // namespace runnel::tun
