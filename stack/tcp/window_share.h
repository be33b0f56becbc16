// How much the connections of a stack may have their peers send, all of them together.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

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
class WindowShare {
 public:
  // Longer than a connection that is held up by a lost packet or by its processor is silent.
  static constexpr Duration kRound = std::chrono::milliseconds(250);

  // The number of the round in which a connection was counted last.
  using Round = std::uint32_t;

  // `total_octets` of 0: there is no limit.
  explicit WindowShare(std::size_t total_octets = 0) noexcept : total_octets_(total_octets) {}

  // A full-sized segment has arrived for the connection that was `counted` last then.
  void text_arrived(Round& counted, Instant now) noexcept {
    if (total_octets_ == 0) return;
    if (now >= round_end_) {
      before_ = now - round_end_ < kRound ? active_ : 0;
      active_ = 0;
      round_end_ = now + kRound;
      ++round_;
    }
    if (counted == round_) return;
    counted = round_;
    ++active_;
  }

  // The most that one of them should announce.
  [[nodiscard]] std::size_t octets() const noexcept {
    return total_octets_ == 0 ? SIZE_MAX : total_octets_ / std::max({1U, before_, active_});
  }

 private:
  std::size_t total_octets_;
  Round round_ = 0;
  Instant round_end_{};
  std::uint32_t active_ = 0;  // connections counted in this round
  std::uint32_t before_ = 0;  // ... and in the round before
};

}  // namespace runnel::tcp
