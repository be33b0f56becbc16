#include "stack/buffer/reassembly_queue.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

namespace runnel::buffer {

struct ReassemblyQueue::HeldRange {
  std::uint64_t begin = 0;
  SliceQueue slices;

  [[nodiscard]] std::uint64_t end() const noexcept { return begin + slices.size(); }
};

// The ranges stay where they are; what is kept in ascending order is one octet for each, so that
// inserting below 63 others moves 63 octets.
struct ReassemblyQueue::Ranges {
  std::array<HeldRange, kMaxRanges> held;
  std::array<std::uint8_t, kMaxRanges> order;  // the first `count` are used, the others are free
  std::size_t count = 0;

  Ranges() noexcept {
    for (std::size_t i = 0; i < kMaxRanges; ++i) order[i] = static_cast<std::uint8_t>(i);
  }

  [[nodiscard]] HeldRange& operator[](std::size_t i) noexcept { return held[order[i]]; }
  [[nodiscard]] const HeldRange& operator[](std::size_t i) const noexcept { return held[order[i]]; }

  // The index of the first range that ends at `offset` or behind it; count when there is none.
  [[nodiscard]] std::size_t first_reaching(std::uint64_t offset) const noexcept {
    const auto* const first = order.data();
    const auto* const found = std::partition_point(
        first, first + count, [&](std::uint8_t i) { return held[i].end() < offset; });
    return static_cast<std::size_t>(found - first);
  }

  // Puts an empty range at `index`. REQUIRES: count < kMaxRanges.
  HeldRange& insert(std::size_t index, std::uint64_t begin) noexcept {
    assert(count < kMaxRanges && index <= count);
    std::rotate(order.begin() + as_difference(index), order.begin() + as_difference(count),
                order.begin() + as_difference(count + 1));
    ++count;
    HeldRange& range = (*this)[index];
    range.begin = begin;
    return range;
  }

  void remove(std::size_t index) noexcept {
    assert(index < count);
    (*this)[index].slices.clear();
    std::rotate(order.begin() + as_difference(index), order.begin() + as_difference(index + 1),
                order.begin() + as_difference(count));
    --count;
  }

  static constexpr std::ptrdiff_t as_difference(std::size_t index) noexcept {
    return static_cast<std::ptrdiff_t>(index);
  }
};

ReassemblyQueue::ReassemblyQueue() noexcept = default;
ReassemblyQueue::~ReassemblyQueue() = default;

ReassemblyQueue::AddOutcome ReassemblyQueue::add(std::uint64_t offset,
                                                 const Slice& slice) noexcept {
  AddOutcome outcome;
  if (slice.length == 0) return outcome;
  const std::uint64_t end = offset + slice.length;
  assert(offset < end);
  const std::size_t index = ranges_ == nullptr ? 0 : ranges_->first_reaching(offset);
  if (index == range_count() || end < range(index).begin) return add_apart(index, offset, slice);

  // The slice touches the range at `index`, which now grows over it, joining those it reaches.
  Ranges& ranges = *ranges_;
  HeldRange& held = ranges[index];
  std::uint64_t at = offset;
  if (at < held.begin) {
    const auto count = static_cast<std::size_t>(held.begin - at);
    outcome.added_octets += extend_backwards(held, slice.part(0, count));
    outcome.refused_octets += count - outcome.added_octets;
    at += count;
  }
  while (true) {
    const auto known = static_cast<std::size_t>(std::min(end, held.end()) - at);
    outcome.duplicate_octets += known;
    at += known;
    if (index + 1 < ranges.count && held.end() == ranges[index + 1].begin) {
      if (join_next(index)) continue;
      break;
    }
    if (at == end) break;
    const std::uint64_t gap_end =
        index + 1 < ranges.count ? std::min(end, ranges[index + 1].begin) : end;
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
  if (ranges_ == nullptr) {
    ranges_.reset(new (std::nothrow) Ranges);
    if (ranges_ == nullptr) return outcome;
    charged_ = sizeof(Ranges);
  }
  SliceQueue slices;
  const std::size_t added = slices.keep(slice);
  if (added == 0) {
    if (empty()) clear();
    return outcome;
  }
  if (ranges_->count == kMaxRanges) outcome.evicted_octets = drop_highest();
  octets_ += added;
  charged_ += slices.charged_octets();
  ranges_->insert(index, offset).slices = std::move(slices);
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
  HeldRange& range = (*ranges_)[index];
  HeldRange& next = (*ranges_)[index + 1];
  const std::size_t charged = range.slices.charged_octets() + next.slices.charged_octets();
  const bool joined = range.slices.splice(next.slices);
  charged_ += range.slices.charged_octets() + next.slices.charged_octets();
  charged_ -= charged;
  if (joined) ranges_->remove(index + 1);
  return joined;
}

void ReassemblyQueue::remove(std::size_t index) noexcept {
  SliceQueue& slices = (*ranges_)[index].slices;
  octets_ -= slices.size();
  charged_ -= slices.charged_octets();
  ranges_->remove(index);
  if (ranges_->count == 0) clear();
}

std::size_t ReassemblyQueue::drop_highest() noexcept {
  assert(!empty());
  const std::size_t before = octets_;
  remove(ranges_->count - 1);
  return before - octets_;
}

std::size_t ReassemblyQueue::pop_contiguous(std::uint64_t offset, SliceQueue& queue) noexcept {
  std::size_t moved = 0;
  while (ranges_ != nullptr && (*ranges_)[0].begin <= offset + moved) {
    HeldRange& lowest = (*ranges_)[0];
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

std::size_t ReassemblyQueue::range_count() const noexcept {
  return ranges_ == nullptr ? 0 : ranges_->count;
}

ReassemblyQueue::Range ReassemblyQueue::range(std::size_t i) const noexcept {
  assert(i < range_count());
  const HeldRange& held = (*ranges_)[i];
  return {held.begin, held.end()};
}

std::optional<ReassemblyQueue::Range> ReassemblyQueue::first_overlapping(
    std::uint64_t begin, std::uint64_t end) const noexcept {
  if (ranges_ == nullptr) return std::nullopt;
  const std::size_t index = ranges_->first_reaching(begin + 1);
  if (index == ranges_->count || end <= range(index).begin) return std::nullopt;
  return range(index);
}

void ReassemblyQueue::clear() noexcept {
  ranges_.reset();
  octets_ = charged_ = 0;
}

}  // namespace runnel::buffer
