#include "stack/buffer/slice_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace runnel::buffer {

SliceQueue::SliceQueue(SliceQueue&& other) noexcept
    : slices_(std::move(other.slices_)),
      size_(std::exchange(other.size_, 0)),
      charged_(std::exchange(other.charged_, 0)) {}

SliceQueue& SliceQueue::operator=(SliceQueue&& other) noexcept {
  if (this == &other) return *this;
  clear();
  slices_ = std::move(other.slices_);
  size_ = std::exchange(other.size_, 0);
  charged_ = std::exchange(other.charged_, 0);
  return *this;
}

bool SliceQueue::push(Slice slice) noexcept {
  if (slice.length == 0) return true;
  if (!slices_.empty()) {
    Slice& last = slices_.back();
    if (last.continues_in(slice)) {
      last.length += slice.length;
      size_ += slice.length;
      return true;
    }
    if (!slice.is_compact() && slice.length <= last.room_behind()) {
      fill_behind(slice.bytes());
      return true;
    }
  }
  const std::size_t length = slice.length;
  const std::size_t charge = slice.slab->charged_octets();
  if (!slices_.push_back(std::move(slice))) return false;
  size_ += length;
  charged_ += charge;
  return true;
}

bool SliceQueue::push_front(Slice slice) noexcept {
  if (slice.length == 0) return true;
  if (!slices_.empty()) {
    Slice& first = slices_.front();
    if (slice.continues_in(first)) {
      first.offset -= slice.length;
      first.length += slice.length;
      size_ += slice.length;
      return true;
    }
    if (!slice.is_compact() && slice.length <= first.room_in_front()) {
      fill_in_front(slice.bytes());
      return true;
    }
  }
  const std::size_t length = slice.length;
  const std::size_t charge = slice.slab->charged_octets();
  if (!slices_.push_front(std::move(slice))) return false;
  size_ += length;
  charged_ += charge;
  return true;
}

std::size_t SliceQueue::fill_behind(Bytes octets) noexcept {
  if (slices_.empty()) return 0;
  Slice& last = slices_.back();
  const std::size_t count = std::min(octets.size(), last.room_behind());
  if (count == 0) return 0;
  std::memcpy(last.slab->data() + last.offset + last.length, octets.data(), count);
  last.length += static_cast<std::uint32_t>(count);
  size_ += count;
  return count;
}

std::size_t SliceQueue::fill_in_front(Bytes octets) noexcept {
  if (slices_.empty()) return 0;
  Slice& first = slices_.front();
  const std::size_t count = std::min(octets.size(), first.room_in_front());
  if (count == 0) return 0;
  first.offset -= static_cast<std::uint32_t>(count);
  first.length += static_cast<std::uint32_t>(count);
  std::memcpy(first.slab->data() + first.offset, octets.last(count).data(), count);
  size_ += count;
  return count;
}

std::size_t SliceQueue::push_copy(Bytes octets, SlabPool& pool) noexcept {
  std::size_t copied = fill_behind(octets);
  while (copied < octets.size()) {
    // As large as what waits already, so that many small copies come to lie in few blocks.
    SlabRef slab = pool.acquire_some(std::max(octets.size() - copied, size_));
    if (!slab) break;
    const std::size_t count = std::min(octets.size() - copied, slab->capacity());
    std::memcpy(slab->data(), octets.data() + copied, count);
    if (!push({std::move(slab), 0, static_cast<std::uint32_t>(count)})) break;
    copied += count;
  }
  return copied;
}

std::size_t SliceQueue::push_front_copy(Bytes octets, SlabPool& pool) noexcept {
  std::size_t copied = fill_in_front(octets);
  while (copied < octets.size()) {
    const Bytes rest = octets.first(octets.size() - copied);
    SlabRef slab = pool.acquire_some(std::max(rest.size(), size_));
    if (!slab) break;
    // At the block's end: what comes next in front finds room.
    const std::size_t count = std::min(rest.size(), slab->capacity());
    const std::size_t offset = slab->capacity() - count;
    std::memcpy(slab->data() + offset, rest.last(count).data(), count);
    if (!push_front({std::move(slab), static_cast<std::uint32_t>(offset),
                     static_cast<std::uint32_t>(count)})) {
      break;
    }
    copied += count;
  }
  return copied;
}

std::size_t SliceQueue::keep(const SlabRef& block, Bytes octets) noexcept {
  if (octets.empty()) return 0;
  if (octets.size() * 2 < block->capacity()) return push_copy(octets, block->pool());
  return push(Slice::of(block, octets)) ? octets.size() : 0;
}

std::size_t SliceQueue::keep_in_front(const Slice& slice) noexcept {
  if (slice.length == 0) return 0;
  if (!slice.is_compact()) return push_front_copy(slice.bytes(), slice.slab->pool());
  return push_front(slice) ? slice.length : 0;
}

bool SliceQueue::splice(SliceQueue& other) noexcept {
  if (other.slice_count() > slice_count()) {
    if (!other.slices_.reserve(slice_count() + other.slice_count())) return false;
    while (!empty()) {
      Slice& last = slices_.back();
      size_ -= last.length;
      charged_ -= last.slab->charged_octets();
      const bool pushed = other.push_front(std::move(last));
      assert(pushed && "room was reserved");
      static_cast<void>(pushed);
      slices_.pop_back();
    }
    *this = std::move(other);
    return true;
  }
  if (!slices_.reserve(slice_count() + other.slice_count())) return false;
  while (!other.empty()) {
    Slice& first = other.slices_.front();
    other.size_ -= first.length;
    other.charged_ -= first.slab->charged_octets();
    const bool pushed = push(std::move(first));
    assert(pushed && "room was reserved");
    static_cast<void>(pushed);
    other.slices_.pop_front();
  }
  return true;
}

Slice SliceQueue::take_front(std::size_t most) noexcept {
  assert(!empty() && most > 0);
  Slice& first = slices_.front();
  if (most < first.length) {
    Slice part = first.part(0, most);
    first.remove_prefix(part.length);
    size_ -= part.length;
    return part;
  }
  Slice whole = std::move(first);
  size_ -= whole.length;
  charged_ -= whole.slab->charged_octets();
  slices_.pop_front();
  return whole;
}

void SliceQueue::consume(std::size_t octets) noexcept {
  assert(octets <= size_);
  size_ -= octets;
  while (octets > 0) {
    Slice& first = slices_.front();
    if (octets < first.length) {
      first.remove_prefix(static_cast<std::uint32_t>(octets));
      return;
    }
    octets -= first.length;
    charged_ -= first.slab->charged_octets();
    slices_.pop_front();
  }
}

std::size_t SliceQueue::read(MutableBytes out) noexcept {
  std::size_t done = 0;
  while (done < out.size() && !empty()) {
    const Bytes piece = front();
    const std::size_t count = std::min(piece.size(), out.size() - done);
    std::memcpy(out.data() + done, piece.data(), count);
    consume(count);
    done += count;
  }
  return done;
}

void SliceQueue::clear() noexcept {
  slices_.clear();
  size_ = charged_ = 0;
}

}  // namespace runnel::buffer
