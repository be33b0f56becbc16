// What the application has written and the peer has not acknowledged.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/buffer.h"
#include "runnel/bytes.h"
#include "runnel/packet.h"
#include "stack/buffer/ring.h"
#include "stack/buffer/slab.h"

namespace runnel::buffer {

// A stream of octets addressed by 64-bit offsets from its beginning, of which a range is held:
//
//    begin_offset()                      end_offset()
//        |  acknowledged next ...  written last |
//        [  chunk  ][     chunk     ][ chunk ...room ]
//
// Any range inside can be gathered into a frame any number of times (transmission, retransmission)
// until release_until() gives it up. Going forward from the range gathered last takes no search;
// any other offset is found by halving. An empty queue owns no memory.
//
// Octets never move once they are written: what is copied in goes behind the octets of the last
// chunk while its block has room and nobody else refers to it, else into a new block as large as
// the queue is by then. So single octets coalesce, and a stream comes to lie in the largest blocks.
//
// Octets that somebody owns need not be copied in: the queue refers to them. Two things speak
// against it. A frame holds TxFrame::kMaxSlices slices, so small chunks make small super-packets:
// less than kLeastReferenceOctets are copied, unless the queue is empty, where one chunk does no
// harm, and a copy would cost a block of the same size. And a reference pins the whole of a block:
// as much as the caller allows, the rest is copied.
//
// INVARIANT: chunks are in order without a gap, none of them empty, from begin_offset() or before
// it to end_offset().
class SendQueue {
 public:
  SendQueue() noexcept = default;
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;
  ~SendQueue() = default;

  [[nodiscard]] std::uint64_t begin_offset() const noexcept { return begin_; }
  [[nodiscard]] std::uint64_t end_offset() const noexcept { return end_; }
  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(end_ - begin_);
  }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  // What the blocks cost, which may be more than size().
  [[nodiscard]] std::size_t charged_octets() const noexcept {
    return charged_ + chunks_.allocated_octets();
  }
  // How many slices the whole queue would make.
  [[nodiscard]] std::size_t chunk_count() const noexcept { return chunks_.count(); }

  // Copies `data` to the end. Returns how many octets were taken: fewer when the budget is spent.
  std::size_t append(Bytes data, SlabPool& pool) noexcept;
  // Adds a slice to the end without copying. Returns false when there is no memory for it.
  [[nodiscard]] bool append(Slice slice) noexcept;

  // What an append() of owned octets may cost.
  struct Allowance {
    std::size_t charged_octets;  // the queue's blocks, all of them together
    std::size_t new_octets;      // what the budget is charged for by this append() alone
  };
  // Forty of these fill the largest super-packet, with a few shorter ones among them. By the cost
  // alone it could be half of it: a reference takes 15 to 24 ns, counting and all, whatever it
  // refers to, and a copy of 1,024 octets takes 26 ns from the cache and 140 ns from memory.
  static constexpr std::size_t kLeastReferenceOctets = 2048;
  // Adds the first octets of `data`, at most `most`, by reference or by copy. Returns how many were
  // taken: fewer when there is no memory.
  std::size_t append(const Buffer& data, std::size_t most, const Allowance& allowance,
                     SlabPool& pool) noexcept;

  // Gives up everything before `offset`. REQUIRES: begin_offset() <= offset <= end_offset().
  void release_until(std::uint64_t offset) noexcept;

  // Appends the octets from `offset` on to the frame's payload, at most `octets`, and fewer when
  // the frame has no slices left; returns how many. The views in the frame are good until the next
  // non-const call. REQUIRES: begin_offset() <= offset; offset + octets <= end_offset().
  std::size_t gather(std::uint64_t offset, std::size_t octets, TxFrame& frame) const noexcept;

  // Goes on at `offset`, as a queue that was empty there. REQUIRES: nothing was ever appended.
  void begin_at(std::uint64_t offset) noexcept { begin_ = end_ = offset; }

  // Gives up everything. What is written next begins at end_offset().
  void clear() noexcept;

 private:
  struct Chunk {
    std::uint64_t begin;
    Slice slice;

    [[nodiscard]] std::uint64_t end() const noexcept { return begin + slice.length; }
  };

  [[nodiscard]] bool should_refer_to(const Buffer& data, std::size_t octets,
                                     const Allowance& allowance,
                                     const SlabPool& pool) const noexcept;
  [[nodiscard]] bool holds(std::size_t index, std::uint64_t offset) const noexcept;
  // The index of the chunk with `offset` in it. REQUIRES: begin_offset() <= offset < end_offset().
  [[nodiscard]] std::size_t find(std::uint64_t offset) const noexcept;

  Ring<Chunk, 1> chunks_;  // a request is one
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::size_t charged_ = 0;         // for blocks
  mutable std::size_t recent_ = 0;  // the chunk gathered last: a hint, perhaps out of range
};

}  // namespace runnel::buffer
