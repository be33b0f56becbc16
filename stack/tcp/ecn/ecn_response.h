// How often a sender answers reports of congestion: once a round trip, whatever they are.
#pragma once

#include <optional>

#include "stack/wire/seq_num.h"

namespace runnel::tcp {

using wire::SeqNum;

// A reduction of the window is answered by the network a round trip later. Until then marks, and
// losses too, are of segments that left before it: of the same congestion (RFC 3168 section 6.1.2).
//
//    SND.UNA          reduced here: SND.NXT then
//   ────┼──────────────────────┼──────────────────
//       marks here are answered     these call for another reduction
class EcnResponse {
 public:
  // An ACK arrives; SND.UNA was `una_before`. One that takes it across the reduction may still tell
  // of what left before that.
  void on_ack(SeqNum una_before) noexcept {
    if (reduced_at_ && *reduced_at_ <= una_before) reduced_at_.reset();
  }
  // Whether what happened to the segment at `seq` has been answered already.
  [[nodiscard]] bool covers(SeqNum seq) const noexcept { return reduced_at_ && seq < *reduced_at_; }
  [[nodiscard]] bool is_due() const noexcept { return !reduced_at_; }

  // The window was reduced, for a mark or for a loss.
  void on_mark(SeqNum nxt) noexcept {
    reduced_at_ = nxt;
    is_for_mark_ = true;
  }
  void on_loss(SeqNum nxt) noexcept {
    reduced_at_ = nxt;
    is_for_mark_ = false;
  }
  // Whether the last reduction was for a mark.
  [[nodiscard]] bool is_for_mark() const noexcept { return is_for_mark_; }
  // Marks are never spurious: a reduction for one stays.
  [[nodiscard]] bool may_be_undone() const noexcept { return !is_for_mark_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(reduced_at_, is_for_mark_);
  }

 private:
  std::optional<SeqNum> reduced_at_;
  bool is_for_mark_ = false;
};

}  // namespace runnel::tcp
