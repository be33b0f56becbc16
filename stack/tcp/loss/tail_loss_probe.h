// Tail loss probes: a segment that makes the peer say what it has, when the last of a flight gets
// no answer. RFC 8985 section 7.
#pragma once

#include <optional>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

// The state of one probe: TLP.end_seq and TLP.is_retrans.
class TailLossProbe {
 public:
  // How long after the last transmission a probe is due (section 7.2): two round trips, and what a
  // receiver may hold back the ACK of a single segment.
  [[nodiscard]] static Duration timeout(base::OptionalDuration srtt,
                                        bool is_single_segment) noexcept {
    // The longest delayed ACK that is common; RFC 9293 allows 500 ms.
    constexpr Duration kMaxAckDelay = std::chrono::milliseconds(200);
    if (!srtt) return std::chrono::seconds(1);
    return 2 * *srtt + (is_single_segment ? kMaxAckDelay : Duration{0});
  }

  // Only one at a time, and none after one that no round trip has been measured since (section
  // 7.3): the retransmission timer comes then.
  [[nodiscard]] bool may_probe() const noexcept { return !end_ && has_sample_since_; }
  void on_rtt_sample() noexcept { has_sample_since_ = true; }

  // One has left, and is not answered.
  [[nodiscard]] bool is_outstanding() const noexcept { return end_.has_value(); }

  // The probe has left, and SND.NXT is now `nxt`. With `resent` it was the last segment again.
  void on_probe(SeqNum nxt, std::optional<SeqRange> resent) noexcept {
    end_ = nxt;
    resent_ = resent;
    has_sample_since_ = false;
  }
  // A retransmission timeout, or a recovery: what the probe was for is known.
  void cancel() noexcept { end_.reset(); }

  // An ACK arrives (section 7.4.2); returns whether it shows that the probe has repaired a loss,
  // which is a sign of congestion like any other. `dsack` is what the ACK reports as a duplicate.
  [[nodiscard]] bool on_ack(SeqNum ack, std::optional<SeqRange> dsack,
                            bool is_plain_duplicate) noexcept {
    if (!end_ || ack < *end_) return false;
    if (!resent_) {  // new data: RACK sees for itself whether anything before it was lost
      end_.reset();
      return false;
    }
    const bool was_duplicate = dsack && dsack->end == resent_->end;
    const bool has_repaired = !was_duplicate && *end_ < ack;
    if (was_duplicate || has_repaired || is_plain_duplicate) end_.reset();
    return has_repaired;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(end_, resent_, has_sample_since_);
  }

 private:
  std::optional<SeqNum> end_;
  std::optional<SeqRange> resent_;
  bool has_sample_since_ = true;
};

}  // namespace runnel::tcp
