// The Timestamps option of one connection: RFC 7323 sections 3 to 5.
#pragma once

#include <chrono>
#include <cstdint>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

using wire::SeqNum;

// A clock of our own for the peer to echo, and the peer's for us.
//
// Our clock ticks once a millisecond: TSval = offset + milliseconds of the time line, modulo 2^32.
// The offset is a secret of the four-tuple (see TupleSecrets), so that successive connections
// of one tuple see one rising clock, and two peers cannot compare theirs.
//
// The peer's clock is TS.Recent: the value to echo, and what PAWS (protection against wrapped
// sequence numbers) holds later segments against. It follows the segment that spans Last.ACK.sent,
// so that the echo of a delayed ACK is that of the oldest segment it acknowledges, and a gap leaves
// it where it was (section 4.3).
//
// A small value: records of half-open connections and of TIME-WAIT hold one too.
class Timestamps {
 public:
  // One tick of TSval.
  static constexpr Duration kTick = std::chrono::milliseconds(1);
  // What the option takes of every segment, with the padding that aligns it.
  static constexpr std::uint16_t kOptionOctets = 12;
  // TS.Recent says nothing about segments this much later: the peer's clock, which may tick once a
  // millisecond too, has turned half way round (section 5.5).
  static constexpr Duration kRecentIsValidFor = std::chrono::hours(24 * 24);

  Timestamps() noexcept = default;
  explicit Timestamps(std::uint32_t offset) noexcept : offset_(offset) {}

  // --- The handshake ---------------------------------------------------------------------------
  // Both SYNs carry the option; the peer's had TSval `peer_value` and is acknowledged by `ack`.
  void agree(std::uint32_t peer_value, SeqNum ack, Instant now) noexcept;
  [[nodiscard]] bool is_agreed() const noexcept { return is_agreed_; }
  // What the option takes of every segment of this connection.
  [[nodiscard]] std::uint16_t option_octets() const noexcept {
    return is_agreed_ ? kOptionOctets : std::uint16_t{0};
  }

  // --- Sending ---------------------------------------------------------------------------------
  // TSval of a segment that leaves now.
  [[nodiscard]] std::uint32_t value(Instant now) const noexcept;
  // The option of a segment that leaves now; TSecr is zero in one without ACK (section 3.2).
  [[nodiscard]] wire::TcpTimestamps option(bool has_ack, Instant now) const noexcept {
    return {value(now), has_ack ? recent_ : 0};
  }
  // A segment with SEG.ACK `ack` leaves: Last.ACK.sent.
  void on_ack_sent(SeqNum ack) noexcept { last_ack_sent_ = ack; }

  // --- Receiving -------------------------------------------------------------------------------
  // R1 of section 5.3: the segment is older than what was received before. Not to be asked of RST.
  [[nodiscard]] bool is_old(const wire::TcpTimestamps& received, Instant now) const noexcept;
  // R3: takes TSval for TS.Recent if the segment, acceptable and beginning at `seq`, reaches back
  // to Last.ACK.sent.
  void on_acceptable(SeqNum seq, const wire::TcpTimestamps& received, Instant now) noexcept;

  // --- What an echo says -----------------------------------------------------------------------
  // How long ago a segment left whose TSval comes back as `echo_reply`, in whole ticks; nothing for
  // a value that this clock has not shown yet. REQUIRES: the echo came with an ACK.
  [[nodiscard]] base::OptionalDuration elapsed_since(std::uint32_t echo_reply,
                                                     Instant now) const noexcept;
  // The end of the tick that `now` is in.
  [[nodiscard]] static Instant end_of_tick(Instant now) noexcept {
    return now - now.time_since_epoch() % kTick + kTick;
  }
  // Whether that segment left before `instant`: false when in the same tick, where nobody knows.
  [[nodiscard]] bool was_sent_before(std::uint32_t echo_reply, Instant instant) const noexcept {
    return static_cast<std::int32_t>(echo_reply - value(instant)) < 0;
  }

  // --- Looking inside --------------------------------------------------------------------------
  // TS.Recent, and when it was last confirmed. REQUIRES: is_agreed().
  [[nodiscard]] std::uint32_t recent() const noexcept { return recent_; }
  [[nodiscard]] Instant recent_at() const noexcept { return recent_at_; }
  [[nodiscard]] bool is_recent_valid(Instant now) const noexcept {
    return now - recent_at_ <= kRecentIsValidFor;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(recent_at_, offset_, recent_, last_ack_sent_, is_agreed_);
  }

 private:
  Instant recent_at_{};
  std::uint32_t offset_ = 0;
  std::uint32_t recent_ = 0;  // TS.Recent
  SeqNum last_ack_sent_;
  bool is_agreed_ = false;
};

}  // namespace runnel::tcp
