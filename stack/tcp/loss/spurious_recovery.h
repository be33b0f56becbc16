// Was it a loss at all? The three ways to find out that octets were sent again in vain: F-RTO
// (RFC 5682), the Eifel detection by timestamps (RFC 3522), and D-SACK (RFC 2883, RFC 3708).
#pragma once

#include <cstdint>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

// F-RTO: after a retransmission timeout, watches whether the next acknowledgments can only stem
// from the original transmissions. If so they were late, not lost.
//
//   RTO: the first segment is sent again
//     |  ACK below recover: up to two new segments instead of further retransmissions
//     |     |  another ACK that advances: spurious
//     |     '- a duplicate ACK: the loss is real, and slow start goes on
//     '- a SACK or an ACK of octets that were sent once, before the timeout: spurious at once
class ForwardRto {
 public:
  enum class Verdict : std::uint8_t { Open, Spurious, Genuine };

  // What one ACK says, as far as it matters here.
  struct Evidence {
    bool advances = false;           // SND.UNA moves
    bool reaches_recover = false;    // everything sent before the timeout is acknowledged
    bool delivers_original = false;  // octets sent once, before the timeout, by SACK or with SACK
    bool is_duplicate = false;       // RFC 5681 section 2
    bool sacks_new_data = false;     // a SACK without progress of SND.UNA
    bool has_sent_new_data = false;  // since the timeout
  };

  void on_timeout() noexcept { step_ = Step::First; }
  void stop() noexcept { step_ = Step::Off; }
  [[nodiscard]] Verdict on_ack(const Evidence& ack) noexcept;
  // New segments are to be sent before any further retransmission (step 2b).
  [[nodiscard]] bool wants_new_data() const noexcept { return step_ == Step::Second; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(step_);
  }

 private:
  enum class Step : std::uint8_t { Off, First, Second };
  [[nodiscard]] Verdict decide(Verdict verdict) noexcept {
    step_ = Step::Off;
    return verdict;
  }
  Step step_ = Step::Off;
};

// What the retransmissions of one recovery turn out to have been. A congestion response may be
// taken back when none of them was needed.
class RetransmissionAudit {
 public:
  // A recovery begins; `una` is SND.UNA then.
  void begin(SeqNum una) noexcept;
  void end() noexcept { is_active_ = false; }
  void on_retransmit(const SeqRange& range, Instant now) noexcept;

  // Eifel: the ACKs that advance after a retransmission echo timestamps. True when all of them are
  // older than the first retransmission, and the last one covers everything that was sent again:
  // all originals have arrived. On a path that both reorders and loses, the first gap may have been
  // late and the next one lost; so one ACK alone is no proof (Linux waits in the same way).
  // `echoed_before` is an instant before which the echoed segment had left.
  [[nodiscard]] bool is_spurious_by_echo(SeqNum ack, base::OptionalInstant echoed_before) noexcept;
  // A D-SACK; true when with it every retransmission was reported as a duplicate.
  [[nodiscard]] bool is_spurious_by_dsack(const SeqRange& duplicate) noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(is_active_, may_ask_echo_, una_, last_end_, first_sent_at_, unproven_);
  }

 private:
  bool is_active_ = false;
  bool may_ask_echo_ = false;
  SeqNum una_;
  SeqNum last_end_;             // of what was sent again, the highest
  Instant first_sent_at_{};     // ... and when it left
  std::uint64_t unproven_ = 0;  // octets sent again of which no duplicate was reported
};

}  // namespace runnel::tcp
