#include "stack/buffer/reassembly_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace runnel::buffer {

std::size_t ReassemblyQueue::first_reaching(std::uint64_t offset) const noexcept {
  std::size_t low = 0;
  std::size_t high = ranges_.count();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (ranges_[middle].end() < offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

ReassemblyQueue::AddOutcome ReassemblyQueue::add(std::uint64_t offset,
                                                 const Slice& slice) noexcept {
  AddOutcome outcome;
  if (slice.length == 0) return outcome;
  const std::uint64_t end = offset + slice.length;
  assert(offset < end);
  const std::size_t index = first_reaching(offset);
  if (index == range_count() || end < range(index).begin) return add_apart(index, offset, slice);

  // The slice touches the range at `index`, which now grows over it, joining those it reaches.
  std::uint64_t at = offset;
  if (at < ranges_[index].begin) {
    const auto count = static_cast<std::size_t>(ranges_[index].begin - at);
    outcome.added_octets += extend_backwards(ranges_[index], slice.part(0, count));
    outcome.refused_octets += count - outcome.added_octets;
    at += count;
  }
  while (true) {
    HeldRange& held = ranges_[index];  // which joining moves
    const auto known = static_cast<std::size_t>(std::min(end, held.end()) - at);
    outcome.duplicate_octets += known;
    at += known;
    if (index + 1 < ranges_.count() && held.end() == ranges_[index + 1].begin) {
      if (join_next(index)) continue;
      break;
    }
    if (at == end) break;
    const std::uint64_t gap_end =
        index + 1 < ranges_.count() ? std::min(end, ranges_[index + 1].begin) : end;
    const auto count = static_cast<std::size_t>(gap_end - at);
    const std::size_t added =
        extend_forwards(held, slice.part(static_cast<std::size_t>(at - offset), count));
    outcome.added_octets += added;
    at += added;
    if (added < count) break;
  }
  outcome.refused_octets += static_cast<std::size_t>(end - at);
  return outcome;
}

// Adds a slice that touches no range, as a range of its own at `index`.
ReassemblyQueue::AddOutcome ReassemblyQueue::add_apart(std::size_t index, std::uint64_t offset,
                                                       const Slice& slice) noexcept {
  AddOutcome outcome;
  outcome.refused_octets = slice.length;
  if (index == kMaxRanges) return outcome;
  HeldRange range;
  range.begin = offset;
  const std::size_t added = range.slices.keep(slice);
  if (added == 0) return outcome;
  if (ranges_.count() == kMaxRanges) outcome.evicted_octets = drop_highest();
  const std::size_t charged = range.slices.charged_octets();
  if (!ranges_.insert(index, std::move(range))) return outcome;
  octets_ += added;
  charged_ += charged;
  outcome.added_octets = added;
  outcome.refused_octets -= added;
  return outcome;
}

std::size_t ReassemblyQueue::extend_backwards(HeldRange& range, const Slice& slice) noexcept {
  charged_ -= range.slices.charged_octets();
  const std::size_t added = range.slices.keep_in_front(slice);
  charged_ += range.slices.charged_octets();
  range.begin -= added;
  octets_ += added;
  return added;
}

std::size_t ReassemblyQueue::extend_forwards(HeldRange& range, const Slice& slice) noexcept {
  charged_ -= range.slices.charged_octets();
  const std::size_t added = range.slices.keep(slice);
  charged_ += range.slices.charged_octets();
  octets_ += added;
  return added;
}

// Joins the range at `index` and the one that begins where it ends. Without memory to do so they
// stay two; the next slice that touches them tries again.
bool ReassemblyQueue::join_next(std::size_t index) noexcept {
  HeldRange& range = ranges_[index];
  HeldRange& next = ranges_[index + 1];
  const std::size_t charged = range.slices.charged_octets() + next.slices.charged_octets();
  const bool joined = range.slices.splice(next.slices);
  charged_ += range.slices.charged_octets() + next.slices.charged_octets();
  charged_ -= charged;
  if (joined) ranges_.erase(index + 1);
  return joined;
}

void ReassemblyQueue::remove(std::size_t index) noexcept {
  SliceQueue& slices = ranges_[index].slices;
  octets_ -= slices.size();
  charged_ -= slices.charged_octets();
  ranges_.erase(index);
}

std::size_t ReassemblyQueue::drop_highest() noexcept {
  assert(!empty());
  const std::size_t before = octets_;
  remove(ranges_.count() - 1);
  return before - octets_;
}

std::size_t ReassemblyQueue::pop_contiguous(std::uint64_t offset, SliceQueue& queue) noexcept {
  std::size_t moved = 0;
  while (!ranges_.empty() && ranges_[0].begin <= offset + moved) {
    HeldRange& lowest = ranges_[0];
    const std::uint64_t at = offset + moved;
    if (lowest.end() > at) {
      charged_ -= lowest.slices.charged_octets();
      lowest.slices.consume(static_cast<std::size_t>(at - lowest.begin));
      charged_ += lowest.slices.charged_octets();
      octets_ -= static_cast<std::size_t>(at - lowest.begin);
      lowest.begin = at;
      const std::size_t count = lowest.slices.size();
      const std::size_t charged = lowest.slices.charged_octets();
      if (!queue.splice(lowest.slices)) break;
      charged_ -= charged;
      octets_ -= count;
      moved += count;
    }
    remove(0);
  }
  return moved;
}

ReassemblyQueue::Range ReassemblyQueue::range(std::size_t i) const noexcept {
  assert(i < range_count());
  const HeldRange& held = ranges_[i];
  return {held.begin, held.end()};
}

std::optional<ReassemblyQueue::Range> ReassemblyQueue::first_overlapping(
    std::uint64_t begin, std::uint64_t end) const noexcept {
  const std::size_t index = first_reaching(begin + 1);
  if (index == range_count() || end <= range(index).begin) return std::nullopt;
  return range(index);
}

void ReassemblyQueue::clear() noexcept {
  ranges_.clear();
  octets_ = charged_ = 0;
}

}  // namespace runnel::buffer
