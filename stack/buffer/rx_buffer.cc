// The block behind RxBuffer: the one part of <runnel/packet.h> that has to know slabs.
#include "runnel/packet.h"
#include "stack/buffer/slab.h"

namespace runnel {

RxBuffer& RxBuffer::operator=(RxBuffer&& other) noexcept {
  if (this == &other) return *this;
  if (slab_ != nullptr) slab_->drop_reference();
  slab_ = std::exchange(other.slab_, nullptr);
  begin_ = other.begin_;
  size_ = other.size_;
  meta = other.meta;
  return *this;
}

RxBuffer::~RxBuffer() {
  if (slab_ != nullptr) slab_->drop_reference();
}

MutableBytes RxBuffer::space() noexcept {
  assert(slab_ != nullptr);
  return {slab_->data(), slab_->capacity()};
}

void RxBuffer::set_packet(std::size_t begin, std::size_t size) noexcept {
  assert(slab_ != nullptr && begin <= slab_->capacity() && size <= slab_->capacity() - begin);
  begin_ = begin;
  size_ = size;
}

Bytes RxBuffer::packet() const noexcept {
  return slab_ == nullptr ? Bytes{} : Bytes{slab_->data() + begin_, size_};
}

}  // namespace runnel
