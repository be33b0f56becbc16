// Reference-counted blocks of memory, from a pool with a hard limit.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "runnel/bytes.h"
#include "stack/base/memory_budget.h"

namespace runnel::buffer {

class ApplicationMemory;
class SlabPool;

// One block: this header, then capacity() octets. Made and freed by a SlabPool alone.
//
// A block may also stand for octets that lie elsewhere, in memory that was lent to the stack:
//
//    | header | octets ... |          | header | Lease |      octets ...
//         data() ^                        data() ─────────────^
class Slab {
 public:
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // Octets that were lent are only read: see is_writable().
  [[nodiscard]] std::uint8_t* data() noexcept { return data_; }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  // What the block costs in memory, header and all.
  [[nodiscard]] std::size_t charged_octets() const noexcept {
    return is_lent() ? lease().charged_octets : sizeof(Slab) + capacity_;
  }

  // The octets are not the stack's own.
  [[nodiscard]] bool is_lent() const noexcept { return data_ != own_octets(); }
  [[nodiscard]] bool is_shared() const noexcept { return references_ > 1; }
  // Whether octets that no slice names may be written over.
  [[nodiscard]] bool is_writable() const noexcept { return !is_shared() && !is_lent(); }
  void add_reference() noexcept { ++references_; }
  // Gives the block back to its pool with the last reference.
  inline void drop_reference() noexcept;

  // Where the block came from, and where copies of what is in it may come from.
  [[nodiscard]] SlabPool& pool() const noexcept { return *pool_; }

 private:
  friend class SlabPool;
  // What a block for lent octets has instead of octets.
  struct Lease {
    ApplicationMemory* owner;  // one reference to it; null: nobody's
    std::size_t charged_octets;
  };

  Slab(SlabPool& pool, std::uint32_t capacity) noexcept
      : pool_(&pool), data_(own_octets()), capacity_(capacity) {}
  ~Slab() = default;

  [[nodiscard]] const std::uint8_t* own_octets() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this + 1);
  }
  [[nodiscard]] std::uint8_t* own_octets() noexcept {
    return reinterpret_cast<std::uint8_t*>(this + 1);
  }
  [[nodiscard]] const Lease& lease() const noexcept {
    return *std::launder(reinterpret_cast<const Lease*>(this + 1));
  }

  SlabPool* pool_;
  union {
    std::uint8_t* data_;
    Slab* next_free_;  // while it is kept for reuse
  };
  std::uint32_t references_ = 1;
  std::uint32_t capacity_;
};

// An owning reference to a block; may be empty.
class SlabRef {
 public:
  SlabRef() noexcept = default;
  // Takes over one reference that the caller owns.
  [[nodiscard]] static SlabRef adopt(Slab* slab) noexcept {
    SlabRef reference;
    reference.slab_ = slab;
    return reference;
  }
  SlabRef(const SlabRef& other) noexcept : slab_(other.slab_) {
    if (slab_ != nullptr) slab_->add_reference();
  }
  SlabRef(SlabRef&& other) noexcept : slab_(std::exchange(other.slab_, nullptr)) {}
  SlabRef& operator=(SlabRef other) noexcept {
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~SlabRef() {
    if (slab_ != nullptr) slab_->drop_reference();
  }

  explicit operator bool() const noexcept { return slab_ != nullptr; }
  [[nodiscard]] Slab* get() const noexcept { return slab_; }
  Slab* operator->() const noexcept { return slab_; }
  // Gives up the reference; the caller owns it.
  [[nodiscard]] Slab* release() noexcept { return std::exchange(slab_, nullptr); }

 private:
  Slab* slab_ = nullptr;
};

// A run of octets in a block, keeping the block alive.
struct Slice {
  SlabRef slab;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;

  // REQUIRES: the octets are `block`'s.
  [[nodiscard]] static Slice of(const SlabRef& block, Bytes octets) noexcept {
    assert(block->data() <= octets.data());
    return {block, static_cast<std::uint32_t>(octets.data() - block->data()),
            static_cast<std::uint32_t>(octets.size())};
  }

  [[nodiscard]] Bytes bytes() const noexcept {
    return slab ? Bytes{slab->data() + offset, length} : Bytes{};
  }
  // Whether the octets fill at least half of their block, so that holding on to it is fair. If not,
  // copy them (copy-break): a reference would pin far more memory than it uses.
  [[nodiscard]] bool is_compact() const noexcept {
    return slab && std::size_t{length} * 2 >= slab->capacity();
  }
  // How many octets behind (in front of) these may be written over: none when others refer to the
  // block too, or it was lent.
  [[nodiscard]] std::size_t room_behind() const noexcept {
    return slab && slab->is_writable() ? slab->capacity() - offset - length : 0;
  }
  [[nodiscard]] std::size_t room_in_front() const noexcept {
    return slab && slab->is_writable() ? offset : 0;
  }
  // Whether `next` is in the same block right behind these octets.
  [[nodiscard]] bool continues_in(const Slice& next) const noexcept {
    return slab.get() == next.slab.get() && offset + length == next.offset;
  }

  // The `octets` octets from the `from`-th on. REQUIRES: from + octets <= length.
  [[nodiscard]] Slice part(std::size_t from, std::size_t octets) const noexcept {
    assert(from + octets <= length);
    return {slab, offset + static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(octets)};
  }
  void remove_prefix(std::uint32_t octets) noexcept {
    assert(octets <= length);
    offset += octets;
    length -= octets;
  }
  void truncate(std::uint32_t octets) noexcept {
    assert(octets <= length);
    length = octets;
  }
};

// Hands out blocks in a few sizes and charges them to the stack's budget.
//
// A freed block is kept for the next acquire() of its size, up to kMaxKeptOctets of each size; kept
// blocks are not charged. Blocks come from operator new(nothrow): when the system has no memory the
// answer is the same as when the budget is spent.
//
// REQUIRES: the pool outlives its blocks and the budget outlives the pool (asserted).
class SlabPool {
 public:
  // The sizes in which blocks come, in octets of capacity. With the block's header and the heap's
  // own word they are just below multiples of a page, but for the last: it holds any IP packet, a
  // link's header in front, and some room.
  static constexpr std::array<std::uint32_t, 5> kCapacities = {224, 1984, 8160, 32736, 66048};
  static constexpr std::uint32_t kLargest = kCapacities.back();
  static constexpr std::size_t kMaxKeptOctets = std::size_t{4} << 20U;

  explicit SlabPool(base::MemoryBudget& budget) noexcept : budget_(&budget) {}
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;
  ~SlabPool();

  // A block of the smallest size that holds `octets` (the largest size when none does); empty when
  // the budget is spent.
  [[nodiscard]] SlabRef acquire(std::size_t octets) noexcept;

  // A block for a part of `octets` that will be followed by others: one that holds at least half of
  // them, so that rounding up wastes little, or the largest one that the budget still allows. Empty
  // when it allows none.
  [[nodiscard]] SlabRef acquire_some(std::size_t octets) noexcept;

  // Copies `octets` into a block of their own; an empty slice when the budget is spent.
  // REQUIRES: octets.size() <= kLargest.
  [[nodiscard]] Slice copy(Bytes octets) noexcept;

  // A slice of octets that are `owner`'s, which gets one more reference until the block goes; a
  // null `owner` stands for static octets. Charged is what the stack keeps from being freed: the
  // block, and the octets unless they are static. Empty when the budget is spent.
  // REQUIRES: octets.size() <= kLargestLoan.
  [[nodiscard]] Slice lend(Bytes octets, ApplicationMemory* owner) noexcept;
  static constexpr std::size_t kLargestLoan = std::size_t{1} << 30U;
  // What a loan costs beside its octets.
  [[nodiscard]] static constexpr std::size_t loan_overhead_octets() noexcept {
    return sizeof(Slab) + kCapacities.front();
  }

  // The capacity of the block that acquire() gives.
  [[nodiscard]] static std::size_t capacity_for(std::size_t octets) noexcept;
  [[nodiscard]] base::MemoryBudget& budget() noexcept { return *budget_; }
  // Blocks that are referenced now.
  [[nodiscard]] std::size_t live_count() const noexcept { return live_; }
  // What the blocks kept for reuse cost.
  [[nodiscard]] std::size_t kept_octets() const noexcept;

 private:
  friend class Slab;
  [[nodiscard]] SlabRef acquire_size(std::size_t size_index) noexcept;
  void take_back(Slab& slab) noexcept;

  struct FreeList {
    Slab* first = nullptr;
    std::size_t count = 0;
  };

  base::MemoryBudget* budget_;
  std::array<FreeList, kCapacities.size()> free_{};
  std::size_t live_ = 0;
};

void Slab::drop_reference() noexcept {
  assert(references_ > 0);
  if (--references_ == 0) pool_->take_back(*this);
}

}  // namespace runnel::buffer
