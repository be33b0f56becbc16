// Reference-counted blocks of memory, from a pool with a hard limit.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "runnel/bytes.h"
#include "stack/base/memory_budget.h"

namespace runnel::buffer {

class SlabPool;

// One block: this header, then capacity() octets. Made and freed by a SlabPool alone.
class Slab {
 public:
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  [[nodiscard]] std::uint8_t* data() noexcept { return reinterpret_cast<std::uint8_t*>(this + 1); }
  [[nodiscard]] const std::uint8_t* data() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this + 1);
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  // What the block costs in memory, header and all.
  [[nodiscard]] std::size_t charged_octets() const noexcept { return sizeof(Slab) + capacity_; }

  [[nodiscard]] bool is_shared() const noexcept { return references_ > 1; }
  void add_reference() noexcept { ++references_; }
  // Gives the block back to its pool with the last reference.
  void drop_reference() noexcept;

 private:
  friend class SlabPool;
  Slab(SlabPool& pool, std::uint32_t capacity) noexcept : pool_(&pool), capacity_(capacity) {}
  ~Slab() = default;

  SlabPool* pool_;
  Slab* next_free_ = nullptr;
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

  [[nodiscard]] Bytes bytes() const noexcept {
    return slab ? Bytes{slab->data() + offset, length} : Bytes{};
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
// A freed block is kept for the next acquire() of its size, a bounded number of each; kept blocks
// are not charged. The pool must outlive its blocks.
class SlabPool {
 public:
  // The sizes in which blocks come, in octets of capacity.
  static constexpr std::array<std::uint32_t, 5> kCapacities = {224, 1984, 8160, 32736, 66048};
  static constexpr std::uint32_t kLargest = kCapacities.back();

  explicit SlabPool(base::MemoryBudget& budget) noexcept : budget_(&budget) {}
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;
  ~SlabPool();

  // A block of the smallest size that holds `octets` (the largest size when none does); empty when
  // the budget is spent.
  [[nodiscard]] SlabRef acquire(std::size_t octets) noexcept;

  // Copies `octets` into a block of their own; an empty slice when the budget is spent.
  // REQUIRES: octets.size() <= kLargest.
  [[nodiscard]] Slice copy(Bytes octets) noexcept;

  [[nodiscard]] base::MemoryBudget& budget() noexcept { return *budget_; }
  // Blocks that are referenced now.
  [[nodiscard]] std::size_t live_count() const noexcept { return live_; }

 private:
  friend class Slab;
  void take_back(Slab& slab) noexcept;

  struct FreeList {
    Slab* first = nullptr;
    std::size_t count = 0;
  };

  base::MemoryBudget* budget_;
  std::array<FreeList, kCapacities.size()> free_{};
  std::size_t live_ = 0;
};

}  // namespace runnel::buffer
