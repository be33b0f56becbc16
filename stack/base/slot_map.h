// Objects at stable addresses, named by an index and a generation.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "stack/base/intrusive_list.h"

namespace runnel::base {

// A table of T that hands out keys. A key of an object that is gone finds nothing, even when
// another object has its index now, because the generation differs.
//
// Objects are kept in chunks and never move; creating, finding and erasing are O(1). A chunk is
// large enough for the heap to give its memory back to the system when it is freed, which happens
// as soon as all its objects are gone; one empty chunk is kept, so that an object that comes and
// goes costs no chunk each time. Memory of a chunk that was never used is never touched.
//
//    directory_:  [ chunk | chunk | vacant | chunk ... ]     index / kChunkSlots
//                     │
//                     └─▶ [ slot | slot | ... | never used ]  index % kChunkSlots
//
// INVARIANT: a slot's generation is odd while it has an object, and grows with each that comes and
// each that goes, across the lives of its chunk too.
template <typename T>
class SlotMap {
 public:
  struct Key {
    std::uint32_t index;
    std::uint32_t generation;
  };

  SlotMap() = default;
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;
  ~SlotMap() { clear(); }

  // Creates an object: `construct(storage, key)` placement-constructs it, and so may tell it its
  // own key, and need not move it.
  template <typename Construct>
  Key create(Construct&& construct) {
    if (with_room_.empty()) add_chunk();
    auto& chunk = static_cast<Chunk&>(*with_room_.front());
    const std::uint32_t i = take_slot(chunk);
    Slot& slot = chunk.slots[i];
    const Key key{chunk.number * kChunkSlots + i, slot.generation + 1};
    std::forward<Construct>(construct)(static_cast<void*>(slot.storage), key);
    slot.generation = key.generation;
    ++size_;
    return key;
  }

  [[nodiscard]] T* find(std::uint32_t index, std::uint32_t generation) noexcept {
    const std::uint32_t number = index / kChunkSlots;
    if (number >= directory_.size()) return nullptr;
    const Entry& entry = directory_[number];
    if (index % kChunkSlots >= entry.begun || (generation & 1U) == 0) return nullptr;
    Slot& slot = entry.chunk->slots[index % kChunkSlots];
    return slot.generation == generation ? slot.object() : nullptr;
  }
  [[nodiscard]] const T* find(std::uint32_t index, std::uint32_t generation) const noexcept {
    return const_cast<SlotMap*>(this)->find(index, generation);
  }
  // The object at `index`. REQUIRES: there is one.
  [[nodiscard]] T& at(std::uint32_t index) noexcept {
    assert(slot_at(index).is_used());
    return *slot_at(index).object();
  }
  [[nodiscard]] const T& at(std::uint32_t index) const noexcept {
    return const_cast<SlotMap*>(this)->at(index);
  }
  [[nodiscard]] Key key_at(std::uint32_t index) const noexcept {
    return {index, const_cast<SlotMap*>(this)->slot_at(index).generation};
  }
  // Where at(index) is, without looking at it: to have it fetched from memory.
  [[nodiscard]] const void* address_of(std::uint32_t index) const noexcept {
    return const_cast<SlotMap*>(this)->slot_at(index).storage;
  }

  void erase(std::uint32_t index) noexcept {
    Chunk& chunk = *directory_[index / kChunkSlots].chunk;
    Slot& slot = chunk.slots[index % kChunkSlots];
    assert(slot.is_used());
    slot.object()->~T();
    ++slot.generation;
    slot.set_next_free(chunk.first_free);
    chunk.first_free = index % kChunkSlots;
    chunk.last_generation = std::max(chunk.last_generation, slot.generation);
    --size_;
    if (chunk.used-- == kChunkSlots) with_room_.push_back(chunk);
    if (chunk.used == 0) chunk_is_empty(chunk);
  }

  // Visits every object in the order of indices. `visit(index, object)` may erase the object.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t number = 0; number < directory_.size(); ++number) {
      for (std::uint32_t i = 0; i < directory_[number].begun; ++i) {
        const std::uint32_t index = number * kChunkSlots + i;
        if (slot_at(index).is_used()) visit(index, *slot_at(index).object());
      }
    }
  }

  void clear() noexcept {
    for_each([this](std::uint32_t index, T&) { erase(index); });
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t chunk_count() const noexcept { return chunk_count_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kMostChunkOctets = std::size_t{1} << 18U;

  // A slot that fills whole lines of the processor's cache shares none with its neighbors.
  [[nodiscard]] static constexpr std::size_t slot_alignment() noexcept {
    constexpr std::size_t kCacheLine = 64;
    constexpr std::size_t kLeast = std::max(alignof(T), alignof(std::uint32_t));
    return (sizeof(T) + kLeast) % kCacheLine == 0 ? kCacheLine : kLeast;
  }
  struct alignas(slot_alignment()) Slot {
    alignas(std::max(alignof(T), alignof(std::uint32_t)))  //
        std::byte storage[std::max(sizeof(T), sizeof(std::uint32_t))];
    std::uint32_t generation;

    [[nodiscard]] bool is_used() const noexcept { return (generation & 1U) != 0; }
    [[nodiscard]] T* object() noexcept { return std::launder(reinterpret_cast<T*>(storage)); }
    // A free slot's storage names the next one.
    [[nodiscard]] std::uint32_t next_free() const noexcept {
      return *std::launder(reinterpret_cast<const std::uint32_t*>(storage));
    }
    void set_next_free(std::uint32_t next) noexcept { new (storage) std::uint32_t(next); }
  };
  // A power of two, so that an index is taken apart by shifting; half of the octets at least.
  static constexpr auto kChunkSlots =
      static_cast<std::uint32_t>(std::bit_floor(kMostChunkOctets / sizeof(Slot)));
  static_assert(kChunkSlots >= 2);

  struct Chunk : ListNode {  // in with_room_ unless it is full
    std::uint32_t number;
    std::uint32_t used;
    std::uint32_t first_free;       // of the slots that were used before
    std::uint32_t last_generation;  // the highest of a slot that is free
    Slot slots[kChunkSlots];
  };
  struct Entry {
    std::unique_ptr<Chunk> chunk;        // null while vacant
    std::uint32_t begun = 0;             // slots before it have been used, those behind it never
    std::uint32_t first_generation = 0;  // of the latter: no slot here has had a higher one
    std::uint32_t next_vacant = kNone;
  };

  [[nodiscard]] Slot& slot_at(std::uint32_t index) noexcept {
    return directory_[index / kChunkSlots].chunk->slots[index % kChunkSlots];
  }

  // Takes a free slot. REQUIRES: the chunk has room.
  [[nodiscard]] std::uint32_t take_slot(Chunk& chunk) noexcept {
    if (chunk.used == 0) --empty_chunks_;
    if (++chunk.used == kChunkSlots) chunk.unlink();
    if (chunk.first_free != kNone) {
      return std::exchange(chunk.first_free, chunk.slots[chunk.first_free].next_free());
    }
    Entry& entry = directory_[chunk.number];
    chunk.slots[entry.begun].generation = entry.first_generation;
    return entry.begun++;
  }

  void add_chunk() {
    if (first_vacant_ == kNone) {
      first_vacant_ = static_cast<std::uint32_t>(directory_.size());
      directory_.emplace_back();
    }
    Entry& entry = directory_[first_vacant_];
    entry.chunk = std::make_unique_for_overwrite<Chunk>();
    entry.chunk->number = std::exchange(first_vacant_, entry.next_vacant);
    entry.chunk->used = 0;
    entry.chunk->first_free = kNone;
    entry.chunk->last_generation = entry.first_generation;
    with_room_.push_back(*entry.chunk);
    ++empty_chunks_;
    ++chunk_count_;
  }

  void chunk_is_empty(Chunk& chunk) noexcept {
    if (empty_chunks_ == 0) {
      ++empty_chunks_;
      chunk.unlink();
      with_room_.push_back(chunk);  // the last to be used again
      return;
    }
    Entry& entry = directory_[chunk.number];
    entry.begun = 0;
    entry.first_generation = chunk.last_generation;
    entry.next_vacant = std::exchange(first_vacant_, chunk.number);
    entry.chunk.reset();
    --chunk_count_;
  }

  std::vector<Entry> directory_;
  std::uint32_t first_vacant_ = kNone;
  IntrusiveList with_room_;
  std::size_t empty_chunks_ = 0;
  std::size_t chunk_count_ = 0;
  std::size_t size_ = 0;
};

}  // namespace runnel::base
