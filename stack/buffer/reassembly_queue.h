// Out-of-order octets of a stream, until the gap before them is filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "stack/buffer/ring.h"
#include "stack/buffer/slab.h"
#include "stack/buffer/slice_queue.h"

namespace runnel::buffer {

// Disjoint, non-adjacent ranges of a stream in ascending order, by 64-bit offset.
//
// Octets that are there already are never replaced: the copy that came first is kept (a peer that
// sends two versions of the same octets does not choose between them later).
//
// Bounds, whatever the order in which a peer sends:
// - Ranges: at most kMaxRanges, as many as there are gaps when a window of 24 MiB meets a queue
// that
//   drops every second pair of segments, as slow start does to it. Lowest offsets win over higher
//   ones, so that the stream can always go on: the highest range is given up for a lower one, and a
//   higher one is refused.
// - Memory: a slice that fills less than half of its block is copied, and copies coalesce forwards
//   and backwards, so one octet does not pin a block of 64 KiB. charged_octets() is what is really
//   held; the caller compares it with its limit before add().
// - Work: a search among the ranges, plus the ranges that a slice touches. Joining two ranges moves
//   the slices of the one that has fewer. A range comes and goes by moving those on its shorter
//   side, which are few where things happen: at the highest range, and at the lowest.
class ReassemblyQueue {
 public:
  static constexpr std::size_t kMaxRanges = 4096;

  ReassemblyQueue() noexcept = default;
  ReassemblyQueue(const ReassemblyQueue&) = delete;
  ReassemblyQueue& operator=(const ReassemblyQueue&) = delete;
  ~ReassemblyQueue() = default;

  // Added, duplicate and refused octets are together the slice's length.
  struct AddOutcome {
    std::size_t added_octets = 0;
    std::size_t duplicate_octets = 0;
    std::size_t refused_octets = 0;  // beyond the limit of ranges, or no memory
    std::size_t evicted_octets = 0;  // given up at the high end to make room
  };

  // Takes the part of `slice`, whose first octet is at `offset`, that is not there yet: also when
  // that lies before and behind what is there. REQUIRES: offset + slice.length does not wrap.
  AddOutcome add(std::uint64_t offset, const Slice& slice) noexcept;

  // Moves the octets that begin at `offset` without a gap to the back of `queue`, dropping what
  // lies before `offset`; returns how many were moved. Moves none when `queue` has no memory for
  // them: they stay for the next call.
  std::size_t pop_contiguous(std::uint64_t offset, SliceQueue& queue) noexcept;

  // Gives up the highest range; returns its octets. REQUIRES: !empty().
  std::size_t drop_highest() noexcept;

  [[nodiscard]] bool empty() const noexcept { return octets_ == 0; }
  [[nodiscard]] std::size_t octets() const noexcept { return octets_; }
  // What the blocks and the ranges cost.
  [[nodiscard]] std::size_t charged_octets() const noexcept {
    return charged_ + ranges_.allocated_octets();
  }
  [[nodiscard]] std::size_t range_count() const noexcept { return ranges_.count(); }

  // A range that is held: offsets begin to end - 1.
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  // The i-th range from the lowest. REQUIRES: i < range_count().
  [[nodiscard]] Range range(std::size_t i) const noexcept;

  // The lowest range that holds an octet of `begin` to `end` - 1.
  [[nodiscard]] std::optional<Range> first_overlapping(std::uint64_t begin,
                                                       std::uint64_t end) const noexcept;

  void clear() noexcept;

 private:
  struct HeldRange {
    std::uint64_t begin = 0;
    SliceQueue slices;

    [[nodiscard]] std::uint64_t end() const noexcept { return begin + slices.size(); }
  };

  // The index of the first range that ends at `offset` or behind it; range_count() when there is
  // none.
  [[nodiscard]] std::size_t first_reaching(std::uint64_t offset) const noexcept;
  AddOutcome add_apart(std::size_t index, std::uint64_t offset, const Slice& slice) noexcept;
  std::size_t extend_backwards(HeldRange& range, const Slice& slice) noexcept;
  std::size_t extend_forwards(HeldRange& range, const Slice& slice) noexcept;
  [[nodiscard]] bool join_next(std::size_t index) noexcept;
  void remove(std::size_t index) noexcept;

  Ring<HeldRange> ranges_;  // in ascending order
  std::size_t octets_ = 0;
  std::size_t charged_ = 0;  // for slices
};

}  // namespace runnel::buffer
