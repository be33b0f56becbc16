// TCP Fast Open, data in the SYN: RFC 7413. What the two sides keep beside the connection's TCB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "runnel/ip_address.h"
#include "runnel/random.h"
#include "runnel/time.h"
#include "stack/base/siphash.h"
#include "stack/tcp/path_estimate.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

// The server's cookies: a MAC over the client's address (RFC 7413 section 4.1.2).
//
// The MAC covers the number of the present epoch too, so the secret is a new one every
// kRotationInterval without anything to store or draw. The epoch before still counts, and its
// cookie is answered with a new one: a client that comes back within one epoch's length never
// meets a refusal.
class FastOpenCookies {
 public:
  static constexpr Duration kRotationInterval = std::chrono::hours(1);
  static constexpr std::uint8_t kCookieOctets = 8;

  enum class Verdict : std::uint8_t {
    Invalid,
    Current,
    Previous,  // valid, but the client needs a new one soon
  };

  explicit FastOpenCookies(Random& random) : key_(base::SipHashKey::draw(random)) {}

  [[nodiscard]] wire::TcpFastOpenCookie make(const IpAddress& client, Instant now) const noexcept;
  [[nodiscard]] Verdict check(const wire::TcpFastOpenCookie& cookie, const IpAddress& client,
                              Instant now) const noexcept;

 private:
  [[nodiscard]] wire::TcpFastOpenCookie make_for_epoch(const IpAddress& client,
                                                       std::int64_t epoch) const noexcept;

  base::SipHashKey key_;
};

// How many connections of a listener may live on the word of a cookie alone: RFC 7413 section
// 5.1, PendingFastOpenRequests.
//
// One whose handshake is ended by a RST counts for kResetPenalty longer. Else an attacker with
// stolen cookies would go on for ever, because the hosts whose addresses it forges answer our
// SYN-ACK with just that RST.
class FastOpenQuota {
 public:
  static constexpr Duration kResetPenalty = std::chrono::seconds(60);

  // Takes a place, if less than `limit` are taken.
  [[nodiscard]] bool take(std::size_t limit, Instant now);
  // The handshake is complete, or given up on this side.
  void release() noexcept { --pending_; }
  // A RST has ended it.
  void release_after_reset(Instant now) { penalties_.push_back(now + kResetPenalty); }

 private:
  std::size_t pending_ = 0;        // those under a penalty included
  std::deque<Instant> penalties_;  // when each is over, in order
};

// The client's side of one connection: what its SYN carries, and what its handshake teaches.
//
//    nothing cached       SYN with an empty option: please, a cookie
//    a cookie is cached   SYN with the cookie, and what the application has written
//    it failed before     a plain SYN, until the cache forgets that
//
// Only the first SYN carries any of it: a SYN that got no answer may have been dropped for its
// option or its data (section 4.2.1).
//
// Any packet may be lost once. So a SYN that was lost where a plain one then passed only counts, as
// in Linux, and the second in a row is a failure. An attempt without any answer is one at once: the
// path may have closed for good behind the data (section 4.1.3.1).
//
// Failures count for the whole host. RFC 7413 section 4.1.3.1 asks to remember them for the pair
// of addresses and port at least; what drops SYNs with data sits on the path.
class FastOpenClient {
 public:
  // REQUIRES: the application wants Fast Open.
  void begin(const PathEstimate& known) noexcept;

  // What the first SYN carries.
  [[nodiscard]] std::optional<wire::TcpFastOpenCookie> option() const noexcept;
  // How many octets of data may go with it; `option_octets` is the length of the SYN's options.
  [[nodiscard]] std::uint32_t text_limit(std::uint16_t offered_mss_octets,
                                         std::size_t option_octets) const noexcept;
  static constexpr std::uint8_t kLossesInARow = 2;

  // The first SYN has left with so many octets of data.
  void syn_sent(std::uint32_t text_octets) noexcept;
  // It has to be sent again.
  void syn_timed_out() noexcept;
  // The SYN was acknowledged, and with it `acked_octets` of its data.
  void syn_acknowledged(const wire::TcpOptions& options, std::uint32_t acked_octets) noexcept;
  // The attempt ended without an answer.
  void unanswered() noexcept;

  [[nodiscard]] std::uint32_t text_octets() const noexcept { return text_octets_; }
  // What the cache should know, once.
  [[nodiscard]] std::optional<PathEstimate> take_lesson() noexcept;
  [[nodiscard]] bool has_lesson() const noexcept { return has_lesson_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(is_wanted_);
    if (!is_wanted_) return;
    archive(cookie_.octets, cookie_.length, peer_mss_octets_, losses_, text_octets_);
    archive(is_option_sent_, has_timed_out_, has_lesson_, has_new_cookie_, has_answer_, works_);
  }

 private:
  wire::TcpFastOpenCookie cookie_;  // the cached one, later the server's new one
  std::uint16_t peer_mss_octets_ = 0;
  std::uint8_t losses_ = 0;        // in a row
  std::uint32_t text_octets_ = 0;  // of data in the SYN
  bool is_wanted_ = false;
  bool is_option_sent_ = false;
  bool has_timed_out_ = false;
  bool has_lesson_ = false;
  bool has_new_cookie_ = false;
  bool has_answer_ = false;  // so peer_mss_octets_ is the peer's own word
  std::optional<bool> works_;
};

}  // namespace runnel::tcp
