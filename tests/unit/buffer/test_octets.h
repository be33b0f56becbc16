// What the buffer tests share: a pool with its budget, and octets that tell where they belong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/packet.h"
#include "stack/base/memory_budget.h"
#include "stack/buffer/slab.h"
#include "stack/buffer/slice_queue.h"

namespace runnel::buffer {

struct PoolWithBudget {
  explicit PoolWithBudget(std::size_t limit_octets = std::size_t{1} << 30U)
      : budget(limit_octets) {}

  base::MemoryBudget budget;
  SlabPool pool{budget};
};

// The octet of a test stream at `offset`; 251 is prime, so block sizes do not hide a shift.
inline std::uint8_t octet_at(std::uint64_t offset) {
  return static_cast<std::uint8_t>(offset % 251);
}

inline std::vector<std::uint8_t> octets(std::uint64_t offset, std::size_t count) {
  std::vector<std::uint8_t> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = octet_at(offset + i);
  return out;
}

inline std::vector<std::uint8_t> to_vector(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Everything in the queue, which is empty afterwards.
inline std::vector<std::uint8_t> drain(SliceQueue& queue) {
  std::vector<std::uint8_t> out(queue.size());
  out.resize(queue.read(out));
  return out;
}

inline std::vector<std::uint8_t> payload_of(const TxFrame& frame) {
  std::vector<std::uint8_t> out;
  for (const Bytes slice : frame.payload()) out.insert(out.end(), slice.begin(), slice.end());
  return out;
}

// A slice that fills exactly `count` octets of the smallest block for `block_octets`.
inline Slice slice_of(SlabPool& pool, std::uint64_t offset, std::size_t count,
                      std::size_t block_octets) {
  Slice slice{pool.acquire(block_octets), 0, static_cast<std::uint32_t>(count)};
  for (std::size_t i = 0; i < count; ++i) slice.slab->data()[i] = octet_at(offset + i);
  return slice;
}

}  // namespace runnel::buffer
