// Octets in order, as slices of shared blocks: take from the front, add at the back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "stack/buffer/slab.h"

namespace runnel::buffer {

// What was received in order and waits for the application.
//
// An empty queue owns no memory. charged_octets() is what its blocks cost, not what is in them, so
// that a peer cannot pin a large block with one octet unnoticed.
//
// INVARIANT: size() is the sum of the slices' lengths, none of which is 0.
class SliceQueue {
 public:
  SliceQueue() noexcept = default;
  SliceQueue(SliceQueue&& other) noexcept;
  SliceQueue& operator=(SliceQueue&& other) noexcept;
  SliceQueue(const SliceQueue&) = delete;
  SliceQueue& operator=(const SliceQueue&) = delete;
  ~SliceQueue() { clear(); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t charged_octets() const noexcept { return charged_; }

  // Adds a slice without copying. Empty slices are ignored.
  void push(Slice slice);
  // Adds a copy, filling up the last block when it is not shared and has room. Returns how many
  // octets were copied: fewer than given when the budget is spent.
  std::size_t push_copy(Bytes octets, SlabPool& pool);

  // The first octets that lie together; empty when the queue is.
  [[nodiscard]] Bytes front() const noexcept;
  // Drops octets from the front. REQUIRES: octets <= size().
  void consume(std::size_t octets) noexcept;
  // Copies from the front and drops what was copied; returns how much.
  std::size_t read(MutableBytes out) noexcept;
  void clear() noexcept;

 private:
  struct Node;
  Node* first_ = nullptr;
  Node* last_ = nullptr;
  std::size_t size_ = 0;
  std::size_t charged_ = 0;
};

}  // namespace runnel::buffer
