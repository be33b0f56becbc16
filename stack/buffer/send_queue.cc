#include "stack/buffer/send_queue.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "stack/buffer/buffer_access.h"

namespace runnel::buffer {

std::size_t SendQueue::append(Bytes data, SlabPool& pool) noexcept {
  std::size_t taken = 0;
  if (!chunks_.empty()) {
    Slice& last = chunks_.back().slice;
    taken = std::min(data.size(), last.room_behind());
    if (taken > 0) std::memcpy(last.slab->data() + last.offset + last.length, data.data(), taken);
    last.length += static_cast<std::uint32_t>(taken);
    end_ += taken;
  }
  while (taken < data.size()) {
    // As large as what waits already: see the theory of operation.
    SlabRef slab = pool.acquire_some(std::max(data.size() - taken, size()));
    if (!slab) break;
    const std::size_t count = std::min(data.size() - taken, slab->capacity());
    std::memcpy(slab->data(), data.data() + taken, count);
    if (!append(Slice{std::move(slab), 0, static_cast<std::uint32_t>(count)})) break;
    taken += count;
  }
  return taken;
}

bool SendQueue::append(Slice slice) noexcept {
  if (slice.length == 0) return true;
  const std::uint32_t length = slice.length;
  if (!chunks_.empty() && chunks_.back().slice.continues_in(slice)) {
    chunks_.back().slice.length += length;
  } else {
    const std::size_t charge = slice.slab->charged_octets();
    if (!chunks_.push_back({end_, std::move(slice)})) return false;
    charged_ += charge;
  }
  end_ += length;
  return true;
}

std::size_t SendQueue::append(const Buffer& data, std::size_t most, const Allowance& allowance,
                              SlabPool& pool) noexcept {
  std::size_t count = std::min({data.size(), most, SlabPool::kLargestLoan});
  if (!BufferAccess::is_of(data, pool)) count = std::min(count, allowance.new_octets);
  if (count == 0) return 0;
  if (!should_refer_to(data, count, allowance, pool)) {
    return append(data.bytes().first(count), pool);
  }
  Slice slice = BufferAccess::slice(data, count, pool);
  const bool is_taken = slice.length > 0 && append(std::move(slice));
  return is_taken ? count : 0;
}

bool SendQueue::should_refer_to(const Buffer& data, std::size_t octets, const Allowance& allowance,
                                const SlabPool& pool) const noexcept {
  if (BufferAccess::is_foreign(data, pool)) return false;
  const bool is_ours = BufferAccess::is_of(data, pool);
  if (is_ours && octets > allowance.new_octets) return true;  // a reference is all that is left
  const std::size_t block = BufferAccess::block_octets(data);
  if (octets < kLeastReferenceOctets) {
    return is_ours && empty() && block <= SlabPool::capacity_for(octets);
  }
  return charged_ + block <= allowance.charged_octets;
}

void SendQueue::release_until(std::uint64_t offset) noexcept {
  assert(begin_ <= offset && offset <= end_);
  begin_ = offset;
  std::size_t released = 0;
  while (!chunks_.empty() && chunks_.front().end() <= offset) {
    charged_ -= chunks_.front().slice.slab->charged_octets();
    chunks_.pop_front();
    ++released;
  }
  recent_ -= std::min(recent_, released);
}

bool SendQueue::holds(std::size_t index, std::uint64_t offset) const noexcept {
  return index < chunks_.count() && chunks_[index].begin <= offset && offset < chunks_[index].end();
}

std::size_t SendQueue::find(std::uint64_t offset) const noexcept {
  if (holds(recent_, offset)) return recent_;
  if (holds(recent_ + 1, offset)) return recent_ + 1;
  std::size_t low = 0;
  std::size_t high = chunks_.count();
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (chunks_[middle].begin <= offset ? low : high) = middle;
  }
  return low;
}

std::size_t SendQueue::gather(std::uint64_t offset, std::size_t octets,
                              TxFrame& frame) const noexcept {
  assert(begin_ <= offset && offset <= end_ && octets <= end_ - offset);
  if (octets == 0) return 0;
  std::size_t gathered = 0;
  for (std::size_t i = find(offset); gathered < octets && !frame.is_full(); ++i) {
    const Chunk& chunk = chunks_[i];
    const auto skip = static_cast<std::size_t>(offset + gathered - chunk.begin);
    const std::size_t count = std::min(octets - gathered, chunk.slice.length - skip);
    frame.append(chunk.slice.bytes().subspan(skip, count));
    gathered += count;
    recent_ = i;
  }
  return gathered;
}

void SendQueue::clear() noexcept {
  chunks_.clear();
  begin_ = end_;
  charged_ = 0;
  recent_ = 0;
}

}  // namespace runnel::buffer
