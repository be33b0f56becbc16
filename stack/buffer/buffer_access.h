// From slices to Buffers and back: what the stack may do with <runnel/buffer.h>.
#pragma once

#include <algorithm>
#include <cstddef>

#include "runnel/buffer.h"
#include "stack/buffer/slab.h"

namespace runnel::buffer {

struct BufferAccess {
  [[nodiscard]] static Buffer make(Slice slice) noexcept {
    Buffer buffer(slice.bytes());
    if (!buffer.empty()) buffer.slab_ = slice.slab.release();
    return buffer;
  }

  // Whether the octets lie in blocks of `pool`, so that a reference to them costs no memory that is
  // not charged already.
  [[nodiscard]] static bool is_of(const Buffer& buffer, const SlabPool& pool) noexcept {
    return buffer.slab_ != nullptr && &buffer.slab_->pool() == &pool;
  }
  // Whether the octets are another pool's, whose references may be counted elsewhere at this
  // moment.
  [[nodiscard]] static bool is_foreign(const Buffer& buffer, const SlabPool& pool) noexcept {
    return buffer.slab_ != nullptr && &buffer.slab_->pool() != &pool;
  }
  // Whether the octets are nobody's, and will always be there.
  [[nodiscard]] static bool is_static(const Buffer& buffer) noexcept {
    return buffer.slab_ == nullptr && buffer.memory_ == nullptr;
  }

  // The capacity of the block that a reference to the octets would pin.
  [[nodiscard]] static std::size_t block_octets(const Buffer& buffer) noexcept {
    return buffer.slab_ != nullptr ? buffer.slab_->capacity() : buffer.size();
  }

  // The first octets, at most `most`, as a slice for the queues of a stack with this pool; empty
  // when there is no memory to note it. REQUIRES: !is_foreign(buffer, pool).
  [[nodiscard]] static Slice slice(const Buffer& buffer, std::size_t most,
                                   SlabPool& pool) noexcept {
    const Bytes octets = buffer.octets_.first(std::min(most, buffer.size()));
    if (buffer.slab_ == nullptr) return pool.lend(octets, buffer.memory_);
    buffer.slab_->add_reference();
    return {SlabRef::adopt(buffer.slab_),
            static_cast<std::uint32_t>(octets.data() - buffer.slab_->data()),
            static_cast<std::uint32_t>(octets.size())};
  }
};

}  // namespace runnel::buffer
