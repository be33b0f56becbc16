// Objects at stable addresses, named by an index, without any memory beside their own.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace runnel::base {

// As SlotMap, for objects that nobody outside names: an index says nothing about an object that is
// gone. So it costs one bit for each place.
//
// Theory of operation. Places come in chunks of 64. The chunks that have a free place form a stack,
// and the next object goes to the one on top; a place that becomes free brings its chunk there, so
// that memory which was used last is used next. Chunks without objects are given back, but for one.
template <typename T>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { clear(); }

  // Creates an object: `construct(storage, index)` placement-constructs it.
  template <typename Construct>
  std::uint32_t create(Construct&& construct) {
    if (open_.empty()) add_chunk();
    const std::uint32_t number = open_.back();
    Chunk& chunk = *chunks_[number];
    const auto place = static_cast<std::uint32_t>(std::countr_one(chunk.used));
    const std::uint32_t index = number * kChunkPlaces + place;
    std::forward<Construct>(construct)(static_cast<void*>(chunk.storage(place)), index);
    if (chunk.used == 0) --empty_chunks_;
    chunk.used |= std::uint64_t{1} << place;
    if (chunk.used == kAll) close(number);
    ++size_;
    return index;
  }

  // The object at `index`. REQUIRES: there is one.
  [[nodiscard]] T& at(std::uint32_t index) noexcept {
    Chunk& chunk = *chunks_[index / kChunkPlaces];
    assert((chunk.used >> (index % kChunkPlaces) & 1U) != 0);
    return *std::launder(reinterpret_cast<T*>(chunk.storage(index % kChunkPlaces)));
  }
  [[nodiscard]] const T& at(std::uint32_t index) const noexcept {
    return const_cast<Pool*>(this)->at(index);
  }

  // Where at(index) is, without looking at it: to have it fetched from memory.
  [[nodiscard]] const void* address_of(std::uint32_t index) const noexcept {
    return chunks_[index / kChunkPlaces]->octets.data() + sizeof(T) * (index % kChunkPlaces);
  }

  void erase(std::uint32_t index) noexcept {
    at(index).~T();
    const std::uint32_t number = index / kChunkPlaces;
    Chunk& chunk = *chunks_[number];
    if (chunk.used != kAll) close(number);
    open(number);
    chunk.used &= ~(std::uint64_t{1} << (index % kChunkPlaces));
    --size_;
    if (chunk.used == 0 && ++empty_chunks_ > 1) remove_chunk(number);
  }

  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t number = 0; number < chunks_.size(); ++number) {
      for (std::uint32_t place = 0; place < kChunkPlaces; ++place) {
        if (chunks_[number] == nullptr) break;
        if ((chunks_[number]->used >> place & 1U) == 0) continue;
        const std::uint32_t index = number * kChunkPlaces + place;
        visit(index, at(index));
      }
    }
  }

  void clear() noexcept {
    for_each([this](std::uint32_t index, T&) { erase(index); });
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint32_t kChunkPlaces = 64;
  static constexpr std::uint64_t kAll = UINT64_MAX;

  struct Chunk {
    alignas(T) std::array<std::byte, sizeof(T) * kChunkPlaces> octets;
    std::uint64_t used = 0;      // a bit for each place
    std::uint32_t position = 0;  // in `open_`, unless all are used

    [[nodiscard]] std::byte* storage(std::uint32_t place) noexcept {
      return octets.data() + sizeof(T) * place;
    }
  };

  void open(std::uint32_t number) {
    chunks_[number]->position = static_cast<std::uint32_t>(open_.size());
    open_.push_back(number);
  }
  void close(std::uint32_t number) noexcept {
    const std::uint32_t position = chunks_[number]->position;
    open_[position] = open_.back();
    chunks_[open_[position]]->position = position;
    open_.pop_back();
  }
  void add_chunk() {
    if (vacant_.empty()) {
      open_.reserve(chunks_.size() + 1);  // so that erase() needs no memory
      vacant_.reserve(chunks_.size() + 1);
      chunks_.emplace_back();
      vacant_.push_back(static_cast<std::uint32_t>(chunks_.size() - 1));
    }
    const std::uint32_t number = vacant_.back();
    chunks_[number].reset(new Chunk);  // octets are left as they are
    vacant_.pop_back();
    ++empty_chunks_;
    open(number);
  }
  void remove_chunk(std::uint32_t number) noexcept {
    close(number);
    chunks_[number].reset();
    vacant_.push_back(number);
    --empty_chunks_;
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> open_;    // chunks with a free place; the next object goes to the last
  std::vector<std::uint32_t> vacant_;  // numbers without a chunk
  std::size_t empty_chunks_ = 0;
  std::size_t size_ = 0;
};

}  // namespace runnel::base
