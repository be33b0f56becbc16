#include "stack/tcp/sack_reporter.h"

#include <algorithm>
#include <cassert>

namespace runnel::tcp {

namespace {

using Range = buffer::ReassemblyQueue::Range;

// The blocks of one option while it is filled.
class BlockList {
 public:
  BlockList(std::size_t most, SackReporter::Origin origin) noexcept
      : most_(most), origin_(origin) {}

  [[nodiscard]] bool is_full() const noexcept { return blocks_.count == most_; }
  void add(const wire::SackBlock& block) noexcept {
    if (!is_full()) blocks_.blocks[blocks_.count++] = block;
  }
  void add_range(const Range& range) noexcept {
    const wire::SackBlock block{seq_of(range.begin), seq_of(range.end)};
    const auto* const first = blocks_.blocks.data() + first_range_;
    const auto* const last = blocks_.blocks.data() + blocks_.count;
    if (std::find(first, last, block) == last) add(block);
  }
  // Behind the duplicate, which may be as large as the range that contains it.
  void begin_ranges() noexcept { first_range_ = blocks_.count; }
  [[nodiscard]] const wire::SackBlocks& blocks() const noexcept { return blocks_; }

 private:
  [[nodiscard]] SeqNum seq_of(std::uint64_t offset) const noexcept {
    return origin_.rcv_nxt + static_cast<std::uint32_t>(offset - origin_.offset);
  }

  wire::SackBlocks blocks_;
  std::size_t first_range_ = 0;
  std::size_t most_;
  SackReporter::Origin origin_;
};

}  // namespace

// Entries of the same range, and of ranges that are gone, make room.
void SackReporter::on_out_of_order(std::uint64_t offset,
                                   const buffer::ReassemblyQueue& held) noexcept {
  const auto newest = held.first_overlapping(offset, offset + 1);
  if (!newest) return;  // refused: as if it had not arrived
  const auto is_superseded = [&](std::uint64_t entry) {
    return (newest->begin <= entry && entry < newest->end) ||
           !held.first_overlapping(entry, entry + 1);
  };
  auto* const kept =
      std::remove_if(recent_.begin(), recent_.begin() + recent_count_, is_superseded);
  auto* const end = std::min(kept, recent_.end() - 1);
  std::move_backward(recent_.begin(), end, end + 1);
  recent_.front() = offset;
  recent_count_ = static_cast<std::uint8_t>(end + 1 - recent_.begin());
}

void SackReporter::on_duplicate(SeqNum left, SeqNum right) noexcept {
  const bool adjoins = duplicate_ && left <= duplicate_->right && duplicate_->left <= right;
  if (adjoins) {
    duplicate_ = {min(left, duplicate_->left), max(right, duplicate_->right)};
  } else {
    duplicate_ = {left, right};
  }
}

std::size_t SackReporter::block_count(const buffer::ReassemblyQueue& held,
                                      std::size_t most) const noexcept {
  return std::min(most, held.range_count() + (duplicate_ ? 1U : 0U));
}

wire::SackBlocks SackReporter::take_blocks(const buffer::ReassemblyQueue& held, std::size_t most,
                                           Origin origin) noexcept {
  assert(most <= kMostBlocks);
  BlockList list(most, origin);
  if (duplicate_) list.add(*duplicate_);
  list.begin_ranges();
  duplicate_.reset();
  for (std::size_t i = 0; i < recent_count_; ++i) {
    if (const auto range = held.first_overlapping(recent_[i], recent_[i] + 1)) {
      list.add_range(*range);
    }
  }
  for (std::size_t i = held.range_count(); i > 0 && !list.is_full(); --i) {
    list.add_range(held.range(i - 1));
  }
  return list.blocks();
}

}  // namespace runnel::tcp
