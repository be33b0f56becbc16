// Octets in order, as slices of shared blocks: take from the front, add at the back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "stack/buffer/ring.h"
#include "stack/buffer/slab.h"

namespace runnel::buffer {

// What was received in order and waits for the application.
//
// An empty queue owns no memory. charged_octets() is what its blocks cost, not what is in them, so
// that a peer cannot pin a large block with one octet unnoticed. A block that is in two slices of
// the queue counts twice.
//
// Slices are added by reference or by copy; keep() chooses (copy-break). Copies coalesce: they
// first fill the room that the neighbouring block has left, when nobody else refers to it.
// What needs memory may be refused; the return values say what was taken.
//
// INVARIANT: size() is the sum of the slices' lengths, none of which is 0.
class SliceQueue {
 public:
  SliceQueue() noexcept = default;
  SliceQueue(SliceQueue&& other) noexcept;
  SliceQueue& operator=(SliceQueue&& other) noexcept;
  SliceQueue(const SliceQueue&) = delete;
  SliceQueue& operator=(const SliceQueue&) = delete;
  ~SliceQueue() = default;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t slice_count() const noexcept { return slices_.count(); }
  [[nodiscard]] std::size_t charged_octets() const noexcept {
    return charged_ + slices_.allocated_octets();
  }

  // Adds a slice without copying, unless it is small and fits behind what is there. Empty slices
  // are ignored. Returns false when there is no memory for it.
  [[nodiscard]] bool push(Slice slice) noexcept;
  // Adds a copy, filling up the last block when it is not shared and has room. Returns how many
  // octets were copied: fewer than given when the budget is spent.
  std::size_t push_copy(Bytes octets, SlabPool& pool) noexcept;
  // Adds the slice itself when it fills at least half of its block, else a copy of its octets in
  // blocks of the same pool. Returns how many octets, from the first on, were taken.
  std::size_t keep(const Slice& slice) noexcept { return keep(slice.slab, slice.bytes()); }
  // The same for octets of a block.
  std::size_t keep(const SlabRef& block, Bytes octets) noexcept;
  // The same in front of what is there. Returns how many octets, from the last backwards, were
  // taken.
  std::size_t keep_in_front(const Slice& slice) noexcept;
  // Moves everything from `other` behind what is here, at a cost of the shorter queue's slices.
  // Returns false, and moves nothing, when there is no memory for it.
  [[nodiscard]] bool splice(SliceQueue& other) noexcept;

  // The first octets that lie together; empty when the queue is.
  [[nodiscard]] Bytes front() const noexcept {
    return slices_.empty() ? Bytes{} : slices_.front().bytes();
  }
  // The same as a reference to them, at most `most`. REQUIRES: !empty().
  [[nodiscard]] Slice front_slice(std::size_t most) const noexcept {
    const Slice& first = slices_.front();
    return first.part(0, std::min<std::size_t>(most, first.length));
  }
  // Takes them out without copying. REQUIRES: !empty(), most > 0.
  [[nodiscard]] Slice take_front(std::size_t most) noexcept;
  // Drops octets from the front. REQUIRES: octets <= size().
  void consume(std::size_t octets) noexcept;
  // Copies from the front and drops what was copied; returns how much.
  std::size_t read(MutableBytes out) noexcept;
  void clear() noexcept;

 private:
  [[nodiscard]] bool push_front(Slice slice) noexcept;
  std::size_t push_front_copy(Bytes octets, SlabPool& pool) noexcept;
  // Copies as many octets as fit beside the last (first) slice; returns how many.
  std::size_t fill_behind(Bytes octets) noexcept;
  std::size_t fill_in_front(Bytes octets) noexcept;

  Ring<Slice, 1> slices_;
  std::size_t size_ = 0;
  std::size_t charged_ = 0;  // for blocks
};

}  // namespace runnel::buffer
