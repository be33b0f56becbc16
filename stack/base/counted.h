// Shared ownership of a constant within one thread.
#pragma once

#include <cstdint>
#include <utility>

namespace runnel::base {

// A reference to an immutable T that lives as long as its last reference. As std::shared_ptr of a
// constant, in one word and without atomic operations: a stack belongs to one thread.
template <typename T>
class Counted {
 public:
  explicit Counted(T value) : block_(new Block{std::move(value), 1}) {}
  Counted(const Counted& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) ++block_->references;
  }
  Counted(Counted&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Counted& operator=(Counted other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Counted() {
    if (block_ != nullptr && --block_->references == 0) delete block_;
  }

  // REQUIRES: not moved from.
  [[nodiscard]] const T& operator*() const noexcept { return block_->value; }
  [[nodiscard]] const T* operator->() const noexcept { return &block_->value; }

 private:
  struct Block {
    const T value;
    std::uint32_t references;
  };
  Block* block_;
};

}  // namespace runnel::base
