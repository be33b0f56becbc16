// What was sent and is not acknowledged yet, and what is known of each part of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/buffer/ring.h"
#include "stack/tcp/loss/delivery_rate.h"
#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

// Octets that left together, in one frame: a segment, or the segments of a super-packet. RFC 8985
// section 6.1 keeps the same of every segment.
struct SentRange {
  // What became of the last transmission, as far as is known.
  enum class Fate : std::uint8_t {
    InFlight,
    Sacked,  // arrived out of order (RFC 2018)
    Lost,    // to be sent again
  };

  SeqRange range;
  Instant sent_at;                   // Segment.xmit_ts: the last transmission
  std::uint16_t segment_octets = 0;  // of the segments that the range was cut into
  Fate fate = Fate::InFlight;
  bool is_retransmitted = false;
  DeliverySnapshot delivery;  // as of the last transmission

  [[nodiscard]] std::uint32_t octets() const noexcept { return range.octets(); }
  // How many segments the range stands for.
  [[nodiscard]] std::uint32_t segments() const noexcept {
    return (octets() + segment_octets - 1U) / segment_octets;
  }
};

// The ranges between SND.UNA and SND.NXT, in order, without a gap between them:
//
//      una                                                     nxt
//       [ lost ][ sacked ][ sacked ][ sent again ][ in flight ]
//
// Of every octet it is known whether it was SACKed, is lost, or is believed to be in flight; the
// three sums are kept, so asking for them costs nothing. A lost range that is sent again is in
// flight again.
//
// Bounds. A range is cut in two only between segments that were sent, so there are never more of
// them than segments in flight: the edges of a SACK block that lie inside a segment are moved
// inwards, to its boundaries. Ranges are found by halving. What a block says that the one before
// said too is passed over (see LossRecovery), so repeating it costs nothing either.
//
// INVARIANT: in_flight + sacked + lost = total octets.
class Scoreboard {
 public:
  // Remembers octets that leave for the first time. Returns false, and remembers nothing, when
  // there is no memory at all. REQUIRES: `range` begins where the last one ended, unless empty().
  [[nodiscard]] bool on_transmit(const SeqRange& range, std::uint16_t segment_octets, Instant now,
                                 const DeliverySnapshot& delivery = {}) noexcept;
  // Octets that were sent before leave again. REQUIRES: they are in the scoreboard.
  void on_retransmit(const SeqRange& range, std::uint16_t segment_octets, Instant now,
                     const DeliverySnapshot& delivery = {}) noexcept;

  // Gives up everything before `una`, calling `delivered(SentRange)` for each part of it that was
  // not SACKed before.
  template <typename Visitor>
  void acknowledge(SeqNum una, Visitor&& delivered) {
    while (!ranges_.empty() && ranges_.front().range.begin < una) {
      SentRange& first = ranges_.front();
      leave(first);
      if (una < first.range.end) {
        SentRange part = first;
        part.range.end = una;
        first.range.begin = una;
        enter(first);
        if (part.fate != SentRange::Fate::Sacked) delivered(part);
      } else {
        if (first.fate != SentRange::Fate::Sacked) delivered(first);
        ranges_.pop_front();
      }
    }
  }

  // The whole segments within `block` have arrived; calls `delivered(SentRange)` for each part
  // that was not known to have.
  template <typename Visitor>
  void sack(const SeqRange& block, Visitor&& delivered) {
    std::size_t i = first_reaching(block.begin);
    if (i < ranges_.count() && ranges_[i].range.begin < block.begin) i = split_up(i, block.begin);
    for (; i < ranges_.count() && ranges_[i].range.begin < block.end; ++i) {
      if (ranges_[i].fate == SentRange::Fate::Sacked) continue;
      if (block.end < ranges_[i].range.end && !split_down(i, block.end)) return;
      const SentRange before = ranges_[i];
      set_fate(i, SentRange::Fate::Sacked);
      delivered(before);
    }
  }

  void set_fate(std::size_t index, SentRange::Fate fate) noexcept;
  // The peer has given up what it had SACKed (RFC 2018 section 8): nothing counts as SACKed.
  void forget_sacks() noexcept;
  void clear() noexcept;

  // The ranges that were marked as lost since this was last cleared, in the order of marking.
  [[nodiscard]] const buffer::Ring<SentRange>& newly_lost() const noexcept { return newly_lost_; }
  void clear_newly_lost() noexcept { newly_lost_.clear(); }

  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  [[nodiscard]] std::size_t count() const noexcept { return ranges_.count(); }
  [[nodiscard]] const SentRange& operator[](std::size_t i) const noexcept { return ranges_[i]; }
  [[nodiscard]] const SentRange& back() const noexcept { return ranges_.back(); }
  // The first range that ends behind `seq`; count() when there is none.
  [[nodiscard]] std::size_t first_reaching(SeqNum seq) const noexcept;
  // The lost octets that are sent again next: as many ranges as lie together.
  [[nodiscard]] std::optional<SeqRange> first_lost() const noexcept;

  [[nodiscard]] std::uint32_t in_flight_octets() const noexcept { return in_flight_; }
  [[nodiscard]] std::uint32_t sacked_octets() const noexcept { return sacked_; }
  [[nodiscard]] std::uint32_t sacked_segments() const noexcept { return sacked_segments_; }
  [[nodiscard]] std::uint32_t lost_octets() const noexcept { return lost_; }

 private:
  // Add a range to the sums, and take it out again.
  void enter(const SentRange& range) noexcept;
  void leave(const SentRange& range) noexcept;
  // Cuts the i-th range at `at`. Returns false when there is no memory.
  [[nodiscard]] bool split(std::size_t i, SeqNum at) noexcept;
  // Cut at the first boundary between segments not before `at`; returns the index of what lies
  // behind it. And at the last one not behind it; false when that leaves nothing before it.
  [[nodiscard]] std::size_t split_up(std::size_t i, SeqNum at) noexcept;
  [[nodiscard]] bool split_down(std::size_t i, SeqNum at) noexcept;

  // Makes one range of those from the first-th up to the one before `end`.
  void merge(std::size_t first, std::size_t end) noexcept;

  // A FIN, or a request in one frame, is all that many connections ever have in flight.
  buffer::Ring<SentRange, 1> ranges_;
  buffer::Ring<SentRange> newly_lost_;  // without memory it misses some: for controllers only
  std::uint32_t in_flight_ = 0;         // octets
  std::uint32_t sacked_ = 0;
  std::uint32_t sacked_segments_ = 0;
  std::uint32_t lost_ = 0;
  SeqNum lost_from_;  // nothing before it is lost: where first_lost() begins to look
};

}  // namespace runnel::tcp
