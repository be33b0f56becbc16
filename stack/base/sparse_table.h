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
    auto& value = chunks_[chunk]->values[number % kChunkValues];
    return value.is_used ? &value.object : nullptr;
  }
  [[nodiscard]] const T* find(std::uint32_t number) const noexcept {
    return const_cast<SparseTable*>(this)->find(number);
  }

  // Puts a new value there. REQUIRES: there is none.
  T& add(std::uint32_t number) {
    const std::size_t chunk = number / kChunkValues;
    if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
    if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();
    auto& value = chunks_[chunk]->values[number % kChunkValues];
    assert(!value.is_used);
    value.is_used = true;
    ++chunks_[chunk]->count;
    return value.object;
  }

  // REQUIRES: there is one.
  void remove(std::uint32_t number) {
    std::unique_ptr<Chunk>& chunk = chunks_[number / kChunkValues];
    chunk->values[number % kChunkValues] = {};
    if (--chunk->count == 0) chunk.reset();
  }

 private:
  static constexpr std::size_t kChunkValues = 64;

  struct Value {
    T object{};
    bool is_used = false;
  };
  struct Chunk {
    std::array<Value, kChunkValues> values;
    std::size_t count = 0;
  };

  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace runnel::base
