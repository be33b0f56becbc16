// Which packet sizes a path carries, found out by probes: packetization layer path MTU discovery
// (RFC 4821 section 7, RFC 8899 section 5).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "runnel/config.h"
#include "runnel/time.h"
#include "stack/wire/seq_num.h"

namespace runnel::tcp {

using wire::SeqNum;

// The search for the largest packet that passes. All sizes are octets of IP packet.
//
// Theory of operation. A probe is a segment of the stream that is larger than the others. When it
// is acknowledged, the path carries its size; when it alone is lost, the path may not, and after
// MAX_PROBES losses that is taken for granted. Who holds the search asks for the next size, sends
// it when it can, and says what became of it:
//
//               start()                        high - low small, or nothing above
//    Disabled ──────────▶ Searching ─────────────────────────────▶ Complete
//                             ▲                                        │
//                             └────── PMTU_RAISE_TIMER, 10 min ────────┘
//
// The first probe has the largest size of all, which most paths carry; then the interval is
// halved. There is no timer: a probe needs data to carry, so times are compared when there are.
//
// INVARIANT: low() < probe size <= high() <= ceiling.
class MtuSearch {
 public:
  enum class Phase : std::uint8_t { Disabled, Searching, Complete };

  // The search ends when the largest size that passes is known this well (RFC 4821 section 7.5).
  static constexpr std::uint16_t kResolutionOctets = 8;
  // PROBE_TIMER is never less (RFC 8899 section 5.1.1).
  static constexpr Duration kShortestProbeTimeout = std::chrono::seconds(1);
  // After a search, or when the MTU has fallen, the next one is at least so far away (RFC 4821
  // section 7.3, RFC 1191 section 6.3).
  static constexpr Duration kShortestRaiseInterval = std::chrono::minutes(5);
  // How many segments of a raised size must arrive until it is trusted (RFC 4821 section 7.8).
  static constexpr std::uint32_t kVerifiedSegments = 10;

  explicit MtuSearch(const TcpConfig& config) noexcept;

  // Searches between `low`, the size in use, and `ceiling`, the largest that makes sense.
  void start(std::uint16_t low, std::uint16_t ceiling) noexcept;
  // `low` is what the path carries, as somebody else found out: looks above it later.
  void rest(std::uint16_t low, std::uint16_t ceiling, Instant now) noexcept;

  // The size of the probe that may be sent now; none while one is in flight, or it is not time.
  [[nodiscard]] std::optional<std::uint16_t> probe_size(Instant now) noexcept;
  // The probe left with the octets from `begin` to `end` - 1.
  void on_probe_sent(std::uint16_t octets, SeqNum begin, SeqNum end, Instant now) noexcept;
  // SND.UNA is `ack` now, SND.NXT is `nxt`. True when that acknowledged the probe: low() is its
  // size from now on.
  [[nodiscard]] bool on_acknowledged(SeqNum ack, SeqNum nxt, Instant now) noexcept;
  // The probe was lost, and nothing else; or a router had said so before.
  void on_probe_lost(Instant now) noexcept;
  // The probe was lost among other segments, which says nothing about its size.
  void on_probe_inconclusive() noexcept;
  // Octets from `begin` to `end` - 1 go again: if the probe's are among them, their acknowledgment
  // says nothing about its size.
  void on_retransmit(SeqNum begin, SeqNum end, Instant now) noexcept;
  // A router says that the probe's size does not pass, but that this one does; 0 when it does not
  // say which one does. That counts when the probe is lost indeed; its acknowledgment refutes it.
  // False when it is no news.
  [[nodiscard]] bool on_probe_too_big(std::uint16_t octets) noexcept;
  // The retransmission timer ran out. True when a raised size had not been verified: low() is the
  // size before it again.
  [[nodiscard]] bool on_timeout(Instant now) noexcept;

  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  [[nodiscard]] std::uint16_t low() const noexcept { return low_; }
  [[nodiscard]] std::uint16_t high() const noexcept { return high_; }
  [[nodiscard]] bool is_probe_in_flight() const noexcept { return probe_.has_value(); }
  [[nodiscard]] bool is_probe_refused() const noexcept { return probe_ && probe_->passes; }
  // Whether the octets from `begin` to `end` - 1 are the probe's, or part of them.
  [[nodiscard]] bool is_probe(SeqNum begin, SeqNum end) const noexcept {
    return probe_ && probe_->begin <= begin && end <= probe_->end;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(phase_, low_, high_, ceiling_, is_ceiling_tried_, attempts_);
    archive(probe_sent_at_, must_wait_, completed_at_, probe_, raised_);
  }

 private:
  struct Probe {
    std::uint16_t octets;
    SeqNum begin;
    SeqNum end;
    std::optional<std::uint16_t> passes;  // what a router said: see on_probe_too_big()
    template <typename Archive>
    void archive(Archive& archive) {
      archive(octets, begin, end, passes);
    }
  };
  // A size that a probe has raised, on probation until `until` is acknowledged.
  struct Raised {
    std::uint16_t from;
    SeqNum until;
    template <typename Archive>
    void archive(Archive& archive) {
      archive(from, until);
    }
  };

  void give_up_size(std::uint16_t octets, Instant now) noexcept;
  void complete_if_known(Instant now) noexcept;

  std::uint8_t attempts_limit_;
  Duration probe_timeout_;
  Duration raise_interval_;

  Phase phase_ = Phase::Disabled;
  std::uint16_t low_ = 0;
  std::uint16_t high_ = 0;
  std::uint16_t ceiling_ = 0;
  bool is_ceiling_tried_ = false;
  std::uint8_t attempts_ = 0;  // lost probes of the present size
  Instant probe_sent_at_{};    // the last one
  bool must_wait_ = false;     // ... and it was lost: not before PROBE_TIMER
  Instant completed_at_{};
  std::optional<Probe> probe_;
  std::optional<Raised> raised_;
};

// Recognizes paths that swallow large packets silently: timeouts in a row, without an
// acknowledgment or an ICMP message between them (RFC 4821 section 7.7, RFC 8899 section 4.3).
class BlackHoleDetector {
 public:
  explicit BlackHoleDetector(const TcpConfig& config) noexcept
      : threshold_(config.mtu_probe_attempts),
        base_(config.mtu_probe_base_octets),
        floor_(config.path_mtu_floor_octets) {}

  // The path shows a sign of life.
  void on_acknowledged() noexcept { timeouts_ = 0; }
  void on_icmp_error() noexcept { timeouts_ = 0; }
  // The oldest segment, a packet of `packet_octets`, timed out. Returns the path MTU to try: the
  // base first, then half of it with each further timeout, down to the floor; at once what makes
  // this packet smaller.
  [[nodiscard]] std::optional<std::uint16_t> on_timeout(std::uint16_t path_mtu,
                                                        std::uint16_t packet_octets) noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(timeouts_);
  }

 private:
  std::uint8_t threshold_;
  std::uint16_t base_;
  std::uint16_t floor_;
  std::uint8_t timeouts_ = 0;
};

}  // namespace runnel::tcp
