// How much the connections of a stack may have their peers send, all of them together.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. What peers on a fast link send waits in one queue until this stack reads it,
// and what finds that queue full is lost. A single window is held to what fits there. But windows
// grow with the round trip, which is the time spent in that very queue, so that many of them
// together fill a queue of any length. Each then loses packets and the packets that repeat them,
// until timeouts of seconds have thinned the crowd out.
//
// So the connections that receive share a total, evenly. A connection receives when a full-sized
// segment of text has come in this round or in the one before; short messages do not count, or a
// server of many small requests would have no window left for a large one. Nobody gives back what
// was announced already: a window that is larger than its share moves its right edge again when
// enough has arrived (RFC 9293 section 3.8.6, SHLD-14).
//
// What a new connection will do nobody knows until it speaks. Many that are opened at once, and all
// begin with an initial window of ten segments (RFC 6928), are the largest burst of all. So a new
// connection counts like one that receives, until a short message or silence says otherwise, and
// begins with a window that gets smaller the more of them there are.
class WindowShare {
 public:
  // Longer than a connection that is held up by a lost packet or by its processor is silent.
  static constexpr Duration kRound = std::chrono::milliseconds(250);

  // The number of the round in which a connection was counted last.
  using Round = std::uint32_t;

  // `total_octets` of 0: there is no limit.
  explicit WindowShare(std::size_t total_octets = 0) noexcept : total_octets_(total_octets) {
    divide();
  }

  // A connection was opened, or a full-sized segment has arrived for one; it was `counted` last
  // then.
  void count(Round& counted, Instant now) noexcept {
    if (total_octets_ == 0) return;
    begin_round(now);
    if (counted == round_) return;
    counted = round_;
    ++active_;
    divide();
  }

  // A connection that was counted then receives no bulk, or nothing any more.
  void forget(Round& counted) noexcept {
    const Round when = std::exchange(counted, 0);
    if (when == 0) return;
    if (when == round_ && active_ > 0) --active_;
    if (when + 1 == round_ && before_ > 0) --before_;
    divide();
  }

  // The most that one of them should announce.
  [[nodiscard]] std::size_t octets() const noexcept { return share_octets_; }

  // The most that a connection should announce with its SYN, while `half_open` are in front of it.
  // With so much for the n-th of them, they all together stay below the total.
  [[nodiscard]] std::size_t octets_to_begin_with(std::size_t half_open, Instant now) noexcept {
    constexpr std::size_t kPartForTheFirst = 4;
    if (total_octets_ == 0) return SIZE_MAX;
    begin_round(now);
    return total_octets_ / kPartForTheFirst / (std::max(before_, active_) + half_open + 1);
  }

 private:
  void begin_round(Instant now) noexcept {
    if (now < round_end_) return;
    before_ = now - round_end_ < kRound ? active_ : 0;
    active_ = 0;
    round_end_ = now + kRound;
    ++round_;
    divide();
  }
  void divide() noexcept {
    if (total_octets_ > 0) share_octets_ = total_octets_ / std::max({1U, before_, active_});
  }

  std::size_t total_octets_;
  std::size_t share_octets_ = SIZE_MAX;
  Round round_ = 0;
  Instant round_end_{};
  std::uint32_t active_ = 0;  // connections counted in this round
  std::uint32_t before_ = 0;  // ... and in the round before
};

}  // namespace runnel::tcp
