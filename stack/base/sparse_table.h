// Values for some of many small numbers.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace runnel::base {

// A value for each number that has one: a table beside that of a SlotMap, for somebody who has only
// the keys. Values do not move. They are kept in chunks of numbers that lie together; a chunk
// without values is given back.
template <typename T>
class SparseTable {
 public:
  // The value at `number`; null if there is none.
  [[nodiscard]] T* find(std::uint32_t number) noexcept {
    const std::size_t chunk = number / kChunkValues;
    if (chunk >= chunks_.size() || chunks_[chunk] == nullptr) return nullptr;
    const bool is_used = (chunks_[chunk]->used & bit(number)) != 0;
    return is_used ? &chunks_[chunk]->values[number % kChunkValues] : nullptr;
  }
  [[nodiscard]] const T* find(std::uint32_t number) const noexcept {
    return const_cast<SparseTable*>(this)->find(number);
  }

  // Puts a new value there. REQUIRES: there is none.
  T& add(std::uint32_t number) {
    const std::size_t chunk = number / kChunkValues;
    if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
    if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();
    assert((chunks_[chunk]->used & bit(number)) == 0);
    chunks_[chunk]->used |= bit(number);
    return chunks_[chunk]->values[number % kChunkValues];
  }

  // REQUIRES: there is one.
  void remove(std::uint32_t number) {
    std::unique_ptr<Chunk>& chunk = chunks_[number / kChunkValues];
    chunk->values[number % kChunkValues] = {};
    chunk->used &= ~bit(number);
    if (chunk->used == 0) chunk.reset();
  }

 private:
  static constexpr std::size_t kChunkValues = 64;

  struct Chunk {
    std::array<T, kChunkValues> values{};
    std::uint64_t used = 0;
  };

  [[nodiscard]] static constexpr std::uint64_t bit(std::uint32_t number) noexcept {
    return std::uint64_t{1} << (number % kChunkValues);
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace runnel::base
