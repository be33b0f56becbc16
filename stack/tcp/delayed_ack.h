// When text in order is acknowledged: RFC 9293 section 3.8.6.3, RFC 5681 section 4.2.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp {

// Counts what is unacknowledged, and says when that is enough.
//
// An acknowledgment waits for a second full-sized segment, or for the delayed-ACK timer, which the
// connection keeps. What a full-sized segment is only the peer knows: the largest that came is the
// best guess. A super-packet stands for many segments and is therefore enough by itself.
// DEVIATES: 5681-4.2-ACK2. One ACK then stands for more than two segments, as in Linux: the kernel
// has merged them before anybody could acknowledge them one by one.
//
// At the beginning, and after an idle time of a retransmission timeout or more, the peer's window
// is small and grows with each ACK, so that the first segments are acknowledged one by one. The
// same holds after a loss, which text behind a gap is taken for.
//
// A lone full-sized segment after a pause of two round trips is likely to be a tail loss probe of a
// peer that missed our last ACK (RFC 8985 section 7): it waits for nothing but the answer.
class DelayedAck {
 public:
  explicit DelayedAck(std::uint8_t quick_acks) noexcept
      : quick_acks_(quick_acks), quick_left_(quick_acks) {}

  // `octets` of text in `segments` segments have arrived in order, and the peer counts as idle
  // after `idle`, or may probe after `probe_pause`. Returns whether to acknowledge at once.
  [[nodiscard]] bool text_arrived(std::uint32_t octets, std::uint32_t segments, Duration idle,
                                  Instant now, Duration probe_pause = kForever) noexcept {
    const std::uint32_t each = (octets + segments - 1) / segments;
    full_segment_ = std::max(full_segment_,
                             static_cast<std::uint16_t>(std::min<std::uint32_t>(each, UINT16_MAX)));
    waiting_octets_ += octets;
    const Duration pause = last_text_ == Instant{} ? Duration{0} : now - last_text_;
    last_text_ = now;
    if (pause >= idle) quick_left_ = quick_acks_;
    const bool may_be_probe = quick_acks_ > 0 && pause > probe_pause && octets == full_segment_;
    const bool is_quick = quick_left_ > 0 || may_be_probe;
    quick_left_ =
        static_cast<std::uint8_t>(quick_left_ - std::min<std::uint32_t>(quick_left_, segments));
    return is_quick || waiting_octets_ >= 2U * full_segment_;
  }
  // Text has arrived behind a gap.
  void gap_seen() noexcept { quick_left_ = quick_acks_; }
  // Text has arrived in order that no ACK covers yet.
  [[nodiscard]] bool is_text_waiting() const noexcept { return waiting_octets_ > 0; }
  // A segment with ACK leaves.
  void acknowledged() noexcept { waiting_octets_ = 0; }

  // The largest segment that came, in octets of text.
  [[nodiscard]] std::uint16_t full_segment() const noexcept { return full_segment_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(waiting_octets_, full_segment_, quick_left_, last_text_);
  }

 private:
  std::uint32_t waiting_octets_ = 0;  // received in order since the last ACK
  std::uint16_t full_segment_ = 536;  // MUST-15: what no MSS option means
  std::uint8_t quick_acks_;
  std::uint8_t quick_left_;
  Instant last_text_{};
};

}  // namespace runnel::tcp
