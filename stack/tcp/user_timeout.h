// How long sent octets may stay unacknowledged, and what the two ends tell each other about it:
// RFC 9293 section 3.10.8, RFC 5482.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/config.h"
#include "runnel/time.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

using wire::SeqNum;

// The user timeout in force, by RFC 5482's variables:
//
//    ADV_UTO      what this side tells the peer
//    REMOTE_UTO   what the peer has told
//    CHANGEABLE   the application has not set a timeout, so the peer may move it
//    USER_TIMEOUT in force. While CHANGEABLE, and once the peer has told its own:
//                 min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))
//
// The option rides on SYNs, and on data until a segment with it was acknowledged: an option on a
// bare ACK would be lost unnoticed, and a SYN's is where a listener keeps little or nothing of it,
// as SYN cookies do, and the records of half-open connections here.
class UserTimeout {
 public:
  static constexpr std::uint32_t kOptionOctets = 4;

  explicit UserTimeout(const TcpConfig& config) noexcept;

  // --- The application ---
  // Zero: none of its own, so the peer's counts again, or else R2. kForever: never.
  void set(Duration timeout) noexcept;

  // --- The option ---
  // Whether a segment with data has to carry it, while octets from `una` on are unacknowledged.
  [[nodiscard]] bool is_to_be_announced(SeqNum una) const noexcept {
    return is_enabled_ && !(announced_until_ && *announced_until_ <= una);
  }
  [[nodiscard]] wire::TcpUserTimeout option() const noexcept { return encode(advertised_); }
  [[nodiscard]] bool is_enabled() const noexcept { return is_enabled_; }
  // Data that end before `end` carry it.
  void announced(SeqNum end) noexcept {
    if (!announced_until_) announced_until_ = end;
  }
  // The peer's. Returns whether it was another one than before.
  bool arrives(const wire::TcpUserTimeout& option) noexcept;

  // --- What counts ---
  // USER_TIMEOUT; zero: R2 decides. L_LIMIT is above `rto`.
  [[nodiscard]] Duration in_force(Duration rto) const noexcept;
  // As the peer has told it; zero before.
  [[nodiscard]] Duration remote() const noexcept { return remote_; }

  // Seconds while 15 bits hold them, else minutes; rounded up, and never the reserved zero.
  [[nodiscard]] static wire::TcpUserTimeout encode(Duration timeout) noexcept;
  // Zero for the reserved value.
  [[nodiscard]] static Duration decode(const wire::TcpUserTimeout& option) noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(local_, advertised_, remote_, announced_until_);
  }

 private:
  Duration local_;  // what the application has set; zero: CHANGEABLE
  Duration default_advertised_;
  Duration advertised_;  // ADV_UTO
  Duration remote_{0};   // REMOTE_UTO
  Duration lower_limit_;
  Duration upper_limit_;
  bool is_enabled_;
  std::optional<SeqNum> announced_until_;
};

}  // namespace runnel::tcp
