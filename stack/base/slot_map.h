// Objects at stable addresses, named by an index and a generation.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace runnel::base {

// A table of T that hands out keys. A key of an object that is gone finds nothing, even when
// another object has its index now, because the generation differs.
//
// Objects are kept in chunks and never move; creating, finding and erasing are O(1).
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
    if (free_ == kNone) grow();
    const std::uint32_t index = free_;
    Slot& slot = slot_at(index);
    free_ = slot.next_free;
    const Key key{index, slot.generation};
    std::forward<Construct>(construct)(slot.storage(), key);
    slot.is_used = true;
    ++size_;
    return key;
  }

  [[nodiscard]] T* find(std::uint32_t index, std::uint32_t generation) noexcept {
    if (index >= chunks_.size() * kChunkSlots) return nullptr;
    Slot& slot = slot_at(index);
    return slot.is_used && slot.generation == generation ? slot.object() : nullptr;
  }
  [[nodiscard]] const T* find(std::uint32_t index, std::uint32_t generation) const noexcept {
    return const_cast<SlotMap*>(this)->find(index, generation);
  }
  // The object at `index`. REQUIRES: there is one.
  [[nodiscard]] T& at(std::uint32_t index) noexcept {
    Slot& slot = slot_at(index);
    assert(slot.is_used);
    return *slot.object();
  }
  [[nodiscard]] const T& at(std::uint32_t index) const noexcept {
    return const_cast<SlotMap*>(this)->at(index);
  }
  [[nodiscard]] Key key_at(std::uint32_t index) const noexcept {
    return {index, const_cast<SlotMap*>(this)->slot_at(index).generation};
  }

  void erase(std::uint32_t index) noexcept {
    Slot& slot = slot_at(index);
    assert(slot.is_used);
    slot.object()->~T();
    slot.is_used = false;
    ++slot.generation;
    slot.next_free = free_;
    free_ = index;
    --size_;
  }

  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t index = 0; index < chunks_.size() * kChunkSlots; ++index) {
      if (slot_at(index).is_used) visit(index, *slot_at(index).object());
    }
  }

  void clear() noexcept {
    for_each([this](std::uint32_t index, T&) { erase(index); });
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kChunkSlots = 64;

  struct Slot {
    alignas(T) std::byte raw[sizeof(T)];
    std::uint32_t generation = 1;
    std::uint32_t next_free = kNone;
    bool is_used = false;

    [[nodiscard]] void* storage() noexcept { return raw; }
    [[nodiscard]] T* object() noexcept { return std::launder(reinterpret_cast<T*>(raw)); }
  };
  struct Chunk {
    Slot slots[kChunkSlots];
  };

  [[nodiscard]] Slot& slot_at(std::uint32_t index) noexcept {
    return chunks_[index / kChunkSlots]->slots[index % kChunkSlots];
  }

  void grow() {
    const auto first = static_cast<std::uint32_t>(chunks_.size()) * kChunkSlots;
    chunks_.push_back(std::make_unique<Chunk>());
    for (std::uint32_t i = kChunkSlots; i-- > 0;) {
      slot_at(first + i).next_free = free_;
      free_ = first + i;
    }
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace runnel::base
