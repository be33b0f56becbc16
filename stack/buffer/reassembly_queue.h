// Out-of-order octets of a stream, until the gap before them is filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "stack/buffer/slab.h"
#include "stack/buffer/slice_queue.h"

namespace runnel::buffer {

// Disjoint, non-adjacent ranges of a stream in ascending order, by 64-bit offset.
//
// Octets that are there already are never replaced: the copy that came first is kept (a peer that
// sends two versions of the same octets does not choose between them later). Both the number of
// ranges and the memory are bounded; what does not fit is refused, lowest offsets winning over
// higher ones so that the stream can always go on. Adding one slice costs at most the number of
// ranges it touches plus a search, whatever the order in which a peer sends.
class ReassemblyQueue {
 public:
  static constexpr std::size_t kMaxRanges = 64;

  ReassemblyQueue() noexcept;
  ReassemblyQueue(const ReassemblyQueue&) = delete;
  ReassemblyQueue& operator=(const ReassemblyQueue&) = delete;
  ~ReassemblyQueue();

  struct AddOutcome {
    std::size_t added_octets = 0;
    std::size_t duplicate_octets = 0;
    std::size_t refused_octets = 0;  // beyond the limit of ranges
    std::size_t evicted_octets = 0;  // given up at the high end to make room
  };

  // Takes the part of `slice`, whose first octet is at `offset`, that is not there yet.
  AddOutcome add(std::uint64_t offset, const Slice& slice);

  // Moves the octets that begin at `offset` without a gap to the back of `queue`, dropping what
  // lies before `offset`; returns how many were moved.
  std::size_t pop_contiguous(std::uint64_t offset, SliceQueue& queue);

  [[nodiscard]] bool empty() const noexcept { return octets_ == 0; }
  [[nodiscard]] std::size_t octets() const noexcept { return octets_; }
  [[nodiscard]] std::size_t charged_octets() const noexcept { return charged_; }
  [[nodiscard]] std::size_t range_count() const noexcept;

  // A range that is held: offsets begin to end - 1.
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  // The i-th range from the lowest. REQUIRES: i < range_count().
  [[nodiscard]] Range range(std::size_t i) const noexcept;

  void clear() noexcept;

 private:
  struct Ranges;
  std::unique_ptr<Ranges> ranges_;  // none while empty: the common case costs one pointer
  std::size_t octets_ = 0;
  std::size_t charged_ = 0;
};

}  // namespace runnel::buffer
