// What the application has written and the peer has not acknowledged.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "runnel/packet.h"
#include "stack/buffer/slab.h"

namespace runnel::buffer {

// A stream of octets addressed by 64-bit offsets from its beginning, of which a range is held:
//
//    begin_offset()                      end_offset()
//        |  acknowledged next ...  written last |
//
// Any range inside can be gathered into a frame any number of times (transmission, retransmission)
// until release_until() gives it up. An empty queue owns no memory.
class SendQueue {
 public:
  SendQueue() noexcept = default;
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;
  ~SendQueue() { clear(); }

  [[nodiscard]] std::uint64_t begin_offset() const noexcept { return begin_; }
  [[nodiscard]] std::uint64_t end_offset() const noexcept { return end_; }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - begin_); }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  // What the blocks cost, which may be more than size().
  [[nodiscard]] std::size_t charged_octets() const noexcept { return charged_; }

  // Copies `data` to the end. Returns how many octets were taken: fewer when the budget is spent.
  std::size_t append(Bytes data, SlabPool& pool);
  // Adds a slice to the end without copying.
  void append(Slice slice);

  // Gives up everything before `offset`. REQUIRES: begin_offset() <= offset <= end_offset().
  void release_until(std::uint64_t offset) noexcept;

  // Appends the octets from `offset` on to the frame's payload, at most `octets`, and fewer when
  // the frame has no slices left; returns how many. The views in the frame are good until the next
  // non-const call. REQUIRES: begin_offset() <= offset; offset + octets <= end_offset().
  std::size_t gather(std::uint64_t offset, std::size_t octets, TxFrame& frame) const noexcept;

  void clear() noexcept;

 private:
  struct Chunk;
  // The chunk with `offset` in it. Starts at the chunk found last time: sending goes forward.
  [[nodiscard]] const Chunk* find(std::uint64_t offset) const noexcept;

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  mutable const Chunk* recent_ = nullptr;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::size_t charged_ = 0;
};

}  // namespace runnel::buffer
