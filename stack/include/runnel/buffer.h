// Octets that somebody owns, handed on without copying them.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runnel/bytes.h"

namespace runnel {

namespace buffer {
class ApplicationMemory;
class Slab;
struct BufferAccess;
}  // namespace buffer

// A reference to octets, which stay where they are and as they are while anybody refers to them.
//
// There are three kinds. What Stack::take() gives lies in the stack's own memory: a part of a
// packet's block, as it came from the link. What an application hands over (a string, a vector, or
// memory with a function that releases it) stays the application's memory, and is released with the
// last reference. Static octets are not counted at all: they are always there.
//
//    take() ─▶ Buffer ─▶ write()        moves a reference, whoever the other connection is
//
// Copies are cheap: they refer to the same octets. So are parts. A Buffer pins all of the memory
// that it refers to a part of: of a few octets that are to be kept for long, keep a copy_of().
//
// REQUIRES: Buffers of a stack's memory are gone before the stack, and stay in its thread, because
// references are not counted atomically; the same goes for all copies of one Buffer. To hand octets
// to another thread, hand over a copy_of() them. A stack that is given another stack's Buffer
// copies the octets.
class Buffer {
 public:
  Buffer() noexcept = default;
  // Takes over the application's memory.
  explicit Buffer(std::string octets);
  explicit Buffer(std::vector<std::uint8_t> octets);
  // The same for memory of any kind: `release` is called once, when nobody refers to `octets` any
  // more, which may be inside of a call to the stack. It must neither throw nor call the stack.
  [[nodiscard]] static Buffer adopt(Bytes octets, std::function<void()> release);
  // Octets that outlive every stack that gets to see them: literals, tables, mapped files.
  [[nodiscard]] static Buffer of_static(Bytes octets) noexcept { return Buffer(octets); }
  // A copy in memory of the application's.
  [[nodiscard]] static Buffer copy_of(Bytes octets);

  Buffer(const Buffer& other) noexcept;
  Buffer(Buffer&& other) noexcept
      : octets_(std::exchange(other.octets_, {})),
        slab_(std::exchange(other.slab_, nullptr)),
        memory_(std::exchange(other.memory_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(octets_, other.octets_);
    std::swap(slab_, other.slab_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~Buffer() { release(); }

  [[nodiscard]] Bytes bytes() const noexcept { return octets_; }
  [[nodiscard]] std::size_t size() const noexcept { return octets_.size(); }
  [[nodiscard]] bool empty() const noexcept { return octets_.empty(); }

  // The `octets` octets from the `from`-th on. REQUIRES: from + octets <= size().
  [[nodiscard]] Buffer part(std::size_t from, std::size_t octets) const noexcept {
    Buffer part(*this);
    part.octets_ = octets_.subspan(from, octets);
    return part;
  }
  // Forgets octets at the front; with the last of them, what they lie in. REQUIRES: octets <=
  // size().
  void remove_prefix(std::size_t octets) noexcept {
    assert(octets <= size());
    octets_ = octets_.subspan(octets);
    if (empty()) release();
  }

 private:
  friend struct buffer::BufferAccess;
  explicit Buffer(Bytes octets) noexcept : octets_(octets) {}
  Buffer(Bytes octets, buffer::ApplicationMemory* adopted) noexcept
      : octets_(octets), memory_(adopted) {}
  void release() noexcept {
    if (slab_ != nullptr || memory_ != nullptr) drop_reference();
  }
  void drop_reference() noexcept;

  // INVARIANT: at most one of the pointers is set, and counts one reference.
  Bytes octets_;
  buffer::Slab* slab_ = nullptr;
  buffer::ApplicationMemory* memory_ = nullptr;
};

}  // namespace runnel
