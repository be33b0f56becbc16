// SYN cookies: a half-open connection that the peer keeps for us, RFC 4987 section 3.6 and
// appendix A.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "runnel/random.h"
#include "runnel/time.h"
#include "stack/base/siphash.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/segment.h"

namespace runnel::tcp {

// Theory of operation. A listener without room for another SynReceivedRecord sends the SYN,ACK of
// the record that it would have made and forgets it. Everything that is needed later is in two
// numbers that the handshake's last ACK brings back:
//
//   ISS (SEG.ACK - 1)    31                                   4 3       1    0
//                       +-------------------------------------+---------+--------+
//                       |       28 bits of a keyed hash       |   MSS   | parity |
//                       +-------------------------------------+---------+--------+
//   TSval (SEG.TSecr)    31                                     5    4   3       0
//                       +----------------------------------------+------+--------+
//                       |           clock, rounded down          | SACK | scale  |
//                       +----------------------------------------+------+--------+
//
// The hash covers the four-tuple, IRS, the MSS index and a slow counter, one step each 64 s, of
// which the parity is sent. A cookie is good in the step in which it was made and in the one after
// it: for 64 to 128 s. Whoever does not see the SYN,ACK guesses one with a chance of 2^-28.
//
// MSS is an index into a table of what the field uses; the largest entry that is not above the
// peer's value is taken. Without timestamps window scale and SACK are lost, so the SYN,ACK does not
// agree to them. Bits of the clock's value are replaced such that TSval never exceeds the clock:
// it is up to 31 ticks early, and the segments after it, which have the clock's own, are later.
//
// AccECN shows in the ACK by itself (RFC 9768 section 5.1); classic ECN would not, and is refused.
//
// What is lost in comparison with a record: the SYN,ACK is not retransmitted, its round trip is
// unknown or, by the timestamp's echo, up to 31 ms too long, and ISS does not grow with time.
class SynCookieGenerator {
 public:
  static constexpr Duration kStep = std::chrono::seconds(64);
  // No cookie is older than this when it is accepted.
  static constexpr Duration kValidity = 2 * kStep;
  // What the MSS indices stand for, in octets. Index 0 is TcpConfig::minimum_mss_octets.
  static constexpr std::array<std::uint16_t, 8> kMss = {0, 536, 1220, 1360, 1400, 1440, 1460, 8960};

  explicit SynCookieGenerator(Random& random) : key_(base::SipHashKey::draw(random)) {}

  // The SYN,ACK to send for `record`, which then may be forgotten: ISS is the cookie, and options
  // that nothing could bring back are left out.
  [[nodiscard]] wire::TcpHeader syn_ack(SynReceivedRecord record, const TcpConfig& config,
                                        const LinkLimits& link, Instant now) const;

  // The record that `ack`, the handshake's last segment, brings back; nothing if it acknowledges no
  // cookie that is good now. `timestamp_offset` is the tuple's.
  [[nodiscard]] std::optional<SynReceivedRecord> restore(const FourTuple& tuple, const Segment& ack,
                                                         ListenerId listener,
                                                         const TcpConfig& config,
                                                         std::uint32_t timestamp_offset,
                                                         Instant now) const noexcept;

 private:
  [[nodiscard]] static std::uint64_t step_of(Instant now) noexcept {
    return static_cast<std::uint64_t>(now.time_since_epoch() / kStep);
  }
  [[nodiscard]] SeqNum cookie(const FourTuple& tuple, SeqNum irs, std::uint32_t mss_index,
                              std::uint64_t step) const noexcept;

  base::SipHashKey key_;
};

// The index of the largest entry of kMss that is not above `octets`.
[[nodiscard]] std::uint32_t mss_index(std::uint16_t octets) noexcept;

// What the low bits of a cookie's TSval say about the peer's SYN.
struct CookieOptions {
  std::optional<std::uint8_t> window_scale;  // at most 14
  bool is_sack_permitted = false;
  friend bool operator==(const CookieOptions&, const CookieOptions&) noexcept = default;
};

// The largest value not above `clock` (modulo 2^32) that carries `options`.
[[nodiscard]] std::uint32_t timestamp_with(CookieOptions options, std::uint32_t clock) noexcept;
[[nodiscard]] CookieOptions options_of_timestamp(std::uint32_t value) noexcept;

}  // namespace runnel::tcp
