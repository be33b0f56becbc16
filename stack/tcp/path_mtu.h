// How large a packet may be on its way to the peer: path MTU discovery by ICMP (RFC 1191), with
// the checks of RFC 5927 section 7 against forged messages.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/wire/seq_num.h"

namespace runnel::tcp {

using wire::SeqNum;

// The next smaller size that links have, for routers that do not say theirs (RFC 1191 section 7).
[[nodiscard]] std::uint16_t plateau_below(std::uint16_t octets) noexcept;

// The path MTU of one connection. All sizes are octets of IP packet.
//
// Theory of operation. Every segment leaves with DF. A router that cannot forward it answers with
// Fragmentation Needed, "Too Big" here. Such a message costs its forger nothing, so it is measured
// against what this connection knows by itself:
//
//    0 ──── floor ──── largest acknowledged ──── octets() ──── largest sent
//              └── held until a timeout ──┘└── at once ──┘└──── stale ────...
//
// Between the largest packet that was acknowledged and the present estimate nothing is known yet
// (initial discovery): the message is believed at once. Below it the path has carried more than
// the message claims, so the path must have changed: that is believed only when the quoted segment
// times out, and forgotten when it is acknowledged (RFC 5927 section 7.2, MAXSEGRTO of 1). A
// message never raises the estimate. Nothing but time does, or a probe that was acknowledged.
//
// A message that was believed is on probation until the quoted octets are acknowledged. They were
// sent again at once, in smaller packets. An acknowledgment of no more than that confirms the
// message; one that reaches further shows that the quoted packet did arrive in its old size, so
// the message was a lie, or the path has changed back: it is undone. That is no attempt at a
// larger size, which RFC 1191 section 6.3 would have wait for five minutes: the size has passed.
//
// INVARIANT: min(floor, limit) <= octets() <= limit().
class PathMtu {
 public:
  enum class Verdict : std::uint8_t {
    Stale,    // claims a size that nothing of ours has, or no news: ignored
    Held,     // believed when the quoted segment times out
    Lowered,  // octets() is smaller now
  };

  // `limit` is the first hop's MTU, where the estimate begins.
  PathMtu(std::uint16_t limit, std::uint16_t floor) noexcept;

  [[nodiscard]] std::uint16_t octets() const noexcept { return octets_; }
  [[nodiscard]] std::uint16_t limit() const noexcept { return limit_; }

  // Text left, from `begin` to `end` - 1, in packets of at most `packet_octets`; for the first time
  // or again. 0 octets: a packet without text, too small to say anything about the path.
  void on_sent(SeqNum begin, SeqNum end, std::uint16_t packet_octets) noexcept;
  // SND.UNA is `ack` now. True when that undid a lowering.
  [[nodiscard]] bool on_acknowledged(SeqNum ack) noexcept;
  // A Too Big came: `next_hop_mtu` is 0 when the router does not say. It quotes the packet of
  // `quoted_octets` at `quoted_seq`. REQUIRES: the quoted sequence number is in flight.
  [[nodiscard]] Verdict on_too_big(std::uint16_t next_hop_mtu, std::uint16_t quoted_octets,
                                   SeqNum quoted_seq, Instant now) noexcept;
  // The oldest segment timed out. True when that made a held message lower the estimate.
  [[nodiscard]] bool on_timeout(Instant now) noexcept;

  // Begins with what others have found out about the path.
  void begin_with(std::uint16_t octets, Instant now) noexcept;
  // Goes back to a size that is likely to pass. That is a guess, which nobody else should believe.
  void return_to(std::uint16_t octets) noexcept;
  // A packet of this size was acknowledged.
  void raise_to(std::uint16_t octets) noexcept;
  // A lowering was so long ago that the path may have changed: back to the limit (RFC 1191
  // section 6.3). True when that raised the estimate.
  [[nodiscard]] bool forget_if_older_than(Duration age, Instant now) noexcept;

  // ICMP has lowered the estimate of this connection, and was right: others may believe it too.
  [[nodiscard]] bool is_lowering_confirmed() const noexcept {
    return lowered_at_.has_value() && is_confirmed_;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(octets_, largest_sent_, largest_acked_, is_confirmed_);
    archive(measured_, held_, probation_, lowered_at_);
  }

 private:
  struct TooBig {
    std::uint16_t octets;         // claimed
    std::uint16_t quoted_octets;  // of the packet that was dropped
    SeqNum quoted_seq;
    template <typename Archive>
    void archive(Archive& archive) {
      archive(octets, quoted_octets, quoted_seq);
    }
  };
  // A message that was believed.
  struct Probation {
    TooBig message;
    std::uint16_t before;                // the estimate
    std::optional<SeqNum> resent_until;  // the end of what was sent again, quoted octets included
    template <typename Archive>
    void archive(Archive& archive) {
      archive(message, before, resent_until);
    }
  };

  void lower_to(std::uint16_t octets) noexcept;
  void believe(const TooBig& message, Instant now) noexcept;
  [[nodiscard]] bool end_probation(SeqNum ack) noexcept;

  // The packet of which the acknowledgment would be news: the largest so far.
  struct Measured {
    SeqNum end;
    std::uint16_t octets;
    template <typename Archive>
    void archive(Archive& archive) {
      archive(end, octets);
    }
  };

  std::uint16_t limit_;
  std::uint16_t floor_;
  std::uint16_t octets_;
  std::uint16_t largest_sent_ = 0;   // maxsizesent of RFC 5927, since the last lowering
  std::uint16_t largest_acked_ = 0;  // maxsizeacked
  bool is_confirmed_ = false;        // see is_lowering_confirmed()
  std::optional<Measured> measured_;
  std::optional<TooBig> held_;
  std::optional<Probation> probation_;
  std::optional<Instant> lowered_at_;
};

// After a Too Big: the segment that was dropped goes again, smaller, and nothing else before it is
// acknowledged (RFC 1191 section 6.4). cwnd stays, so the flight comes back at once then.
class TooBigPause {
 public:
  // What is sent next begins at `una`.
  void begin(SeqNum una) noexcept {
    una_ = una;
    is_sent_ = false;
  }
  void on_sent() noexcept { is_sent_ = true; }
  void on_acknowledged(SeqNum una) noexcept {
    if (una_ && *una_ < una) una_.reset();
  }
  void end() noexcept { una_.reset(); }
  // Nothing may be sent now.
  [[nodiscard]] bool is_waiting() const noexcept { return una_.has_value() && is_sent_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(una_, is_sent_);
  }

 private:
  std::optional<SeqNum> una_;
  bool is_sent_ = false;
};

}  // namespace runnel::tcp
