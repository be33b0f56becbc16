// RACK: what was sent before something that arrived, and has had its time, is lost. RFC 8985
// section 6.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/buffer/ring.h"
#include "stack/tcp/loss/minimum_filter.h"
#include "stack/tcp/loss/scoreboard.h"

namespace runnel::tcp {

// RACK keeps, of everything that was delivered, the transmission that left last. Whatever left
// before it and is not delivered is lost, unless it is merely late: it is given RACK.rtt plus a
// reordering window from when it was sent.
//
//    sent_at                RACK.xmit_ts            now
//       |----- RACK.rtt + reo_wnd ------------------->|   lost from here on
//
// Times are the stack's own, in nanoseconds: far below a quarter of any round trip (section 4).
//
// Work. Octets that were sent once left in the order of their sequence numbers, so detect() looks
// at them from the first that is undecided on and stops behind RACK.xmit_ts. Those that were sent
// again are kept in the order in which that happened.
class Rack {
 public:
  // --- What arrived ----------------------------------------------------------------------------
  // `sent` was delivered. `echoes_older` says that the peer's timestamp echo is older than its last
  // transmission, so that it was an earlier one that arrived (section 6.2, step 2).
  void on_delivered(const SentRange& sent, bool echoes_older, Instant now) noexcept;
  // The SYN's round trip: the least there is before any data. Without it the ACK of a
  // retransmission that is for the original would look like a round trip of no time at all.
  void on_handshake(Duration rtt, Instant now) noexcept { min_rtt_.add(rtt, now); }
  // An ACK with a D-SACK: the window was too small for the reordering of this path (step 4).
  void on_duplicate_report(SeqNum una, SeqNum nxt) noexcept;
  // A recovery has turned out to repair what was merely late. Step 3 does not see such reordering,
  // for what it overtook had been sent again by then.
  void on_spurious_recovery() noexcept { reordering_seen_ = true; }
  // A recovery, fast or by timeout, has ended.
  void on_recovered() noexcept;
  void on_retransmit(const SeqRange& range, Instant now) noexcept;

  // --- What is lost ----------------------------------------------------------------------------
  struct Losses {
    std::uint32_t lost_octets = 0;
    bool retransmission_lost = false;
    Instant last_retransmission_lost{};  // when the youngest of them was sent
    // When to look again, because something is not lost yet but will be; kNever: no such thing.
    Instant look_again = kNever;
  };
  // Marks in the scoreboard what is lost (step 5).
  [[nodiscard]] Losses detect(Scoreboard& board, bool in_recovery, Duration srtt,
                              Instant now) noexcept;
  // After a retransmission timeout: the first range, and what has had its time (section 6.3).
  [[nodiscard]] std::uint32_t mark_on_timeout(Scoreboard& board, Instant now) noexcept;
  // What was marked is in flight after all: the next detect() looks at all of it again.
  void look_at_all_again() noexcept { undecided_from_.reset(); }

  [[nodiscard]] Duration reordering_window() const noexcept { return reo_wnd_; }
  [[nodiscard]] base::OptionalDuration minimum_rtt() const noexcept { return min_rtt_.minimum(); }
  [[nodiscard]] bool has_seen_reordering() const noexcept { return reordering_seen_; }
  [[nodiscard]] Duration rtt() const noexcept { return rtt_; }
  [[nodiscard]] std::uint32_t window_multiplier() const noexcept { return reo_wnd_mult_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(xmit_ts_, end_seq_, rtt_, has_delivered_, fack_, reordering_seen_);
    archive(reo_wnd_mult_, reo_wnd_persist_, dsack_round_, reo_wnd_, min_rtt_, undecided_from_);
  }

 private:
  struct Resent {
    SeqRange range;
    Instant sent_at;
  };

  [[nodiscard]] Duration window_for(const Scoreboard& board, bool in_recovery,
                                    Duration srtt) const noexcept;
  [[nodiscard]] bool left_before_newest(const SentRange& sent) const noexcept;
  // Declares the range lost, or notes when it will be.
  void judge(Scoreboard& board, std::size_t index, Instant now, Losses& losses) const noexcept;
  void detect_sent_once(Scoreboard& board, Instant now, Losses& losses) noexcept;
  void detect_sent_again(Scoreboard& board, Instant now, Losses& losses) noexcept;

  Instant xmit_ts_{};  // of the delivered range that left last
  SeqNum end_seq_;     // ... and where it ended, for ties
  Duration rtt_{0};    // ... and how long it took
  bool has_delivered_ = false;
  std::optional<SeqNum> fack_;  // the highest sequence number delivered
  bool reordering_seen_ = false;

  std::uint32_t reo_wnd_mult_ = 1;
  std::uint32_t reo_wnd_persist_ = 0;  // recoveries until the multiplier falls back to 1
  std::optional<SeqNum> dsack_round_;
  Duration reo_wnd_{0};
  MinimumFilter min_rtt_{std::chrono::minutes(5)};

  std::optional<SeqNum> undecided_from_;  // before it, what was sent once is SACKed or lost
  buffer::Ring<Resent> resent_;           // in the order of sending
};

}  // namespace runnel::tcp
