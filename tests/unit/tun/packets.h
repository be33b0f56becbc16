// Packets and memory for the tests of the devices.
#pragma once

#include <cstdint>
#include <vector>

#include "runnel/packet.h"
#include "stack/base/memory_budget.h"
#include "stack/buffer/slab.h"

namespace runnel::tun {

// A buffer for one packet, with the memory that it needs.
class TestBuffer {
 public:
  [[nodiscard]] RxBuffer acquire() { return RxBuffer(pool_.acquire(pool_.kLargest).release()); }

 private:
  base::MemoryBudget budget_{std::size_t{1} << 20U};
  buffer::SlabPool pool_{budget_};
};

// Fills `frame`: the first `header_octets` of `packet` as its headers, the rest in two slices.
inline void fill(TxFrame& frame, Bytes packet, std::size_t header_octets) {
  frame.clear();
  const MutableBytes header = frame.prepend(header_octets);
  std::memcpy(header.data(), packet.data(), header_octets);
  const Bytes rest = packet.subspan(header_octets);
  if (rest.empty()) return;
  frame.append(rest.first(rest.size() / 3));
  frame.append(rest.subspan(rest.size() / 3));
}

// `count` octets in which every position is recognizable.
inline std::vector<std::uint8_t> pattern(std::size_t count) {
  std::vector<std::uint8_t> octets(count);
  for (std::size_t i = 0; i < count; ++i) {
    octets[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8U));
  }
  return octets;
}

inline std::vector<std::uint8_t> to_vector(Bytes octets) {
  return {octets.begin(), octets.end()};
}

}  // namespace runnel::tun
