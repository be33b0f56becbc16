// Selective acknowledgments that this side sends: the receiver's part of RFC 2018 and RFC 2883.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "stack/buffer/reassembly_queue.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

using wire::SeqNum;

// Which blocks the next acknowledgment reports. What is held is known to the reassembly queue
// alone; this remembers in which order its ranges were last added to, and one duplicate:
//
//    | duplicate, once | range of the newest segment | of the one before it | ... | any others |
//      RFC 2883 section 4     RFC 2018 section 4
//
// Each range stands in as many acknowledgments as there are places in the option, so that the loss
// of some does not matter. A range that was delivered, or given up for lack of memory, is not in
// the queue any more and so not reported. A duplicate inside a range stands before that very range,
// because the segment that brought it was the newest of the range.
class SackReporter {
 public:
  static constexpr std::size_t kMostBlocks = wire::SackBlocks{}.blocks.size();

  // How RCV.NXT stands in both number spaces: that of segments, and that of the queue's offsets.
  struct Origin {
    SeqNum rcv_nxt;
    std::uint64_t offset = 0;
  };

  // A segment whose text begins at `offset` was put into `held`.
  void on_out_of_order(std::uint64_t offset, const buffer::ReassemblyQueue& held) noexcept;
  // The octets from `left` to `right` - 1 have arrived a second time. Of several duplicates before
  // an acknowledgment leaves, those that adjoin are reported as one, and otherwise the last.
  void on_duplicate(SeqNum left, SeqNum right) noexcept;
  [[nodiscard]] bool has_duplicate() const noexcept { return duplicate_.has_value(); }

  [[nodiscard]] bool has_blocks(const buffer::ReassemblyQueue& held) const noexcept {
    return duplicate_.has_value() || !held.empty();
  }
  // How many blocks, of at most `most`, blocks() would return.
  [[nodiscard]] std::size_t block_count(const buffer::ReassemblyQueue& held,
                                        std::size_t most) const noexcept;
  // The blocks of a segment that leaves now; the duplicate is not reported again. REQUIRES: most is
  // at most kMostBlocks.
  [[nodiscard]] wire::SackBlocks take_blocks(const buffer::ReassemblyQueue& held, std::size_t most,
                                             Origin origin) noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(recent_, recent_count_, duplicate_);
  }

 private:
  // One octet of each range that was added to lately, the latest first.
  std::array<std::uint64_t, kMostBlocks> recent_{};
  std::uint8_t recent_count_ = 0;
  std::optional<wire::SackBlock> duplicate_;
};

}  // namespace runnel::tcp
