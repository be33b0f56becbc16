// A double-ended queue in one block of memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace runnel::buffer {

// Elements in order, in a circular array that doubles when it is full: every operation at either
// end and every access by index is O(1), amortised over growth.
//
//    block_ -> | capacity first count | T T T ... T |
//
// A ring is one pointer wide. A small block is kept when the last element goes, since another one
// follows soon where one comes and goes with every request and its response; clear() frees it.
// Nothing throws: what needs memory returns false when there is none, and then has changed nothing.
//
// With kInside it has the first block within itself, for so many elements: whoever rarely holds
// more needs no memory, and no line of the cache of its own for it.
//
// INVARIANT: capacity is a power of two; block_ is null exactly when nothing is held, reserved or
// kept.
template <typename T, std::size_t kInside = 0>
class Ring {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>);
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  static_assert(kInside == 0 || std::has_single_bit(kInside));

 public:
  Ring() noexcept {}  // not defaulted: the block inside is nothing to be set to zero
  Ring(Ring&& other) noexcept { take(other); }
  Ring& operator=(Ring&& other) noexcept {
    if (this == &other) return *this;
    clear();
    take(other);
    return *this;
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { clear(); }

  [[nodiscard]] bool empty() const noexcept { return count() == 0; }
  [[nodiscard]] std::size_t count() const noexcept { return block_ == nullptr ? 0 : block_->count; }
  // What the block costs in memory; nothing while it is only kept.
  [[nodiscard]] std::size_t allocated_octets() const noexcept {
    return empty() || is_inside() ? 0 : sizeof(Block) + block_->capacity * sizeof(T);
  }

  // The i-th element from the front. REQUIRES: i < count().
  [[nodiscard]] T& operator[](std::size_t i) noexcept {
    assert(i < count());
    return *block_->at(i);
  }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept {
    assert(i < count());
    return *block_->at(i);
  }
  [[nodiscard]] T& front() noexcept { return (*this)[0]; }
  [[nodiscard]] const T& front() const noexcept { return (*this)[0]; }
  [[nodiscard]] T& back() noexcept { return (*this)[count() - 1]; }
  [[nodiscard]] const T& back() const noexcept { return (*this)[count() - 1]; }

  // Makes room for `elements` in all, so that pushing up to there cannot fail.
  [[nodiscard]] bool reserve(std::size_t elements) noexcept {
    if (elements == 0 || (block_ != nullptr && elements <= block_->capacity)) return true;
    return grow(elements);
  }

  [[nodiscard]] bool push_back(T&& element) noexcept {
    if (!reserve(count() + 1)) return false;
    ++block_->count;
    std::construct_at(block_->at(block_->count - 1), std::move(element));
    return true;
  }
  // A new element behind the others, to be filled in where it lies; null when there is no memory.
  [[nodiscard]] T* add_back() noexcept {
    if (!reserve(count() + 1)) return nullptr;
    ++block_->count;
    return std::construct_at(block_->at(block_->count - 1));
  }
  [[nodiscard]] bool push_front(T&& element) noexcept {
    if (!reserve(count() + 1)) return false;
    ++block_->count;
    block_->first = (block_->first - 1) & (block_->capacity - 1);
    std::construct_at(block_->at(0), std::move(element));
    return true;
  }

  // Puts `element` before the i-th, moving the elements of the shorter side. REQUIRES: i <=
  // count().
  [[nodiscard]] bool insert(std::size_t i, T&& element) noexcept {
    assert(i <= count());
    if (i < count() / 2) {
      if (!push_front(std::move(element))) return false;
      for (std::size_t k = 0; k < i; ++k) std::swap((*this)[k], (*this)[k + 1]);
    } else {
      if (!push_back(std::move(element))) return false;
      for (std::size_t k = count() - 1; k > i; --k) std::swap((*this)[k], (*this)[k - 1]);
    }
    return true;
  }

  // Takes the i-th element out, moving those of the shorter side. REQUIRES: i < count().
  void erase(std::size_t i) noexcept {
    assert(i < count());
    if (i < count() / 2) {
      for (std::size_t k = i; k > 0; --k) std::swap((*this)[k], (*this)[k - 1]);
      pop_front();
    } else {
      for (std::size_t k = i; k + 1 < count(); ++k) std::swap((*this)[k], (*this)[k + 1]);
      pop_back();
    }
  }

  // REQUIRES: !empty(). A large block is freed with the last element.
  void pop_front() noexcept {
    assert(!empty());
    std::destroy_at(block_->at(0));
    block_->first = (block_->first + 1) & (block_->capacity - 1);
    if (--block_->count == 0 && block_->capacity > kLargestKept) free_block();
  }
  void pop_back() noexcept {
    assert(!empty());
    std::destroy_at(block_->at(block_->count - 1));
    if (--block_->count == 0 && block_->capacity > kLargestKept) free_block();
  }

  void clear() noexcept {
    if (block_ == nullptr) return;
    for (std::size_t i = 0; i < block_->count; ++i) std::destroy_at(block_->at(i));
    free_block();
  }

 private:
  static constexpr std::size_t kSmallest = 4;
  static constexpr std::size_t kLargestKept = 8;
  static constexpr std::size_t kLargest = std::size_t{1} << 31U;

  struct alignas(T) Block {
    std::uint32_t capacity;
    std::uint32_t first;
    std::uint32_t count;

    [[nodiscard]] T* at(std::size_t i) noexcept {
      return reinterpret_cast<T*>(this + 1) + ((first + i) & (capacity - 1));
    }
  };

  struct Nothing {};
  struct InsideBlock {
    alignas(Block) std::array<std::byte, sizeof(Block) + kInside * sizeof(T)> octets;
  };

  [[nodiscard]] bool is_inside() const noexcept {
    if constexpr (kInside == 0) {
      return false;
    } else {
      return static_cast<const void*>(block_) == &inside_;
    }
  }

  // REQUIRES: nothing is held here.
  void take(Ring& other) noexcept {
    if (!other.is_inside()) {
      block_ = std::exchange(other.block_, nullptr);
      return;
    }
    (void)grow(other.count());
    for (std::size_t i = 0; i < other.count(); ++i) (void)push_back(std::move(other[i]));
    other.clear();
  }

  [[nodiscard]] bool grow(std::size_t elements) noexcept {
    if constexpr (kInside > 0) {
      if (block_ == nullptr && elements <= kInside) {
        block_ = ::new (static_cast<void*>(&inside_)) Block{kInside, 0, 0};
        return true;
      }
    }
    if (elements > kLargest) return false;
    const std::size_t capacity = std::bit_ceil(std::max(elements, kSmallest));
    void* const memory = ::operator new(sizeof(Block) + capacity * sizeof(T), std::nothrow);
    if (memory == nullptr) return false;
    auto* const block = ::new (memory) Block{static_cast<std::uint32_t>(capacity), 0, 0};
    for (std::size_t i = 0; i < count(); ++i) {
      std::construct_at(block->at(i), std::move(*block_->at(i)));
      std::destroy_at(block_->at(i));
      ++block->count;
    }
    if (block_ != nullptr) free_block();
    block_ = block;
    return true;
  }

  void free_block() noexcept {
    if (!is_inside()) ::operator delete(block_);
    block_ = nullptr;
  }

  Block* block_ = nullptr;
  [[no_unique_address]] std::conditional_t<(kInside > 0), InsideBlock, Nothing> inside_;
};

}  // namespace runnel::buffer
