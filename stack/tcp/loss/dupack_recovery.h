// What is lost, when all that the peer says is its cumulative acknowledgment: fast retransmit and
// fast recovery by duplicate ACKs (RFC 5681 section 3.2, RFC 6582), and retransmission timeouts.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

// Keeps the one range of octets that is declared lost and not yet sent again:
//
//     una        lost.begin   lost.end            nxt
//   ---|------------|------------|-----------------|---
//       sent again     to be sent     in flight, as far as we know
//
// After a timeout that range is everything up to SND.NXT; in fast recovery it is one segment at
// SND.UNA, again with every partial acknowledgment. Each duplicate ACK says that one segment has
// left the network, so it leaves the octets in flight: that is RFC 6582's window inflation and
// RFC 3042's limited transmit in one number.
class DupackRecovery {
 public:
  enum class Phase : std::uint8_t {
    Open,          // nothing is known to be lost
    FastRecovery,  // since three duplicate ACKs, until `recover` is acknowledged
    Timeout,       // since a retransmission timeout, until `recover` is acknowledged
  };

  enum class Finding : std::uint8_t {
    Nothing,
    Loss,        // the third duplicate ACK: recovery begins
    PartialAck,  // recovery goes on: the next segment is lost too
    Recovered,   // everything that was in flight when recovery began is acknowledged
  };

  explicit DupackRecovery(SeqNum iss) noexcept : countable_(iss), recover_(iss), lost_{iss, iss} {}

  // The cumulative ACK moved to `ack` by `acked_octets`.
  [[nodiscard]] Finding on_new_ack(SeqNum ack, std::uint32_t acked_octets,
                                   std::uint32_t smss) noexcept;
  // A duplicate ACK at `una` (RFC 5681 section 2) while octets up to `nxt` are outstanding.
  [[nodiscard]] Finding on_duplicate_ack(SeqNum una, SeqNum nxt, std::uint32_t smss) noexcept;
  // Declares everything outstanding lost.
  void on_timeout(SeqNum una, SeqNum nxt) noexcept;
  // Nothing was lost after all.
  void take_back(SeqNum una) noexcept;
  // The octets up to `end` of the lost range were sent again.
  void on_retransmit(SeqNum end) noexcept;

  // What to send again next.
  [[nodiscard]] bool has_lost() const noexcept { return lost_.octets() > 0; }
  [[nodiscard]] std::optional<SeqRange> lost() const noexcept {
    if (!has_lost()) return std::nullopt;
    return lost_;
  }
  // True until the first retransmission of a recovery, which cwnd does not hold back.
  [[nodiscard]] bool must_retransmit() const noexcept { return must_retransmit_; }

  void force_retransmission() noexcept { must_retransmit_ = lost_.octets() > 0; }

  // Octets that are believed to be in the network. REQUIRES: una <= nxt.
  [[nodiscard]] std::uint32_t in_flight(SeqNum una, SeqNum nxt) const noexcept;

  // FlightSize when the first of the present duplicate ACKs arrived: without what limited transmit
  // has sent since (RFC 5681 section 3.2, step 2).
  [[nodiscard]] std::uint32_t flight_before_duplicates(SeqNum una) const noexcept {
    return una < countable_ ? distance(una, countable_) : 0;
  }

  // Duplicate ACKs have come since SND.UNA moved last.
  [[nodiscard]] bool has_duplicates() const noexcept { return duplicate_acks_ > 0; }

  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  // True once in each fast recovery, at its first partial ACK: the only one that restarts the
  // retransmission timer (the "impatient" variant of RFC 6582 section 4).
  [[nodiscard]] bool is_first_partial_ack() const noexcept { return partial_acks_ == 1; }
  [[nodiscard]] bool has_partial_ack() const noexcept {
    return phase_ == Phase::FastRecovery && partial_acks_ > 0;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(phase_, must_retransmit_, duplicate_acks_, partial_acks_, departed_octets_);
    archive(countable_, recover_, lost_);
  }

 private:
  Phase phase_ = Phase::Open;
  bool must_retransmit_ = false;
  std::uint32_t duplicate_acks_ = 0;
  std::uint32_t partial_acks_ = 0;
  std::uint32_t departed_octets_ = 0;  // left the network, by duplicate ACKs
  SeqNum countable_;  // SND.NXT at the first duplicate ACK: what duplicates can stand for
  SeqNum recover_;    // one behind RFC 6582's `recover`
  SeqRange lost_;
};

}  // namespace runnel::tcp
