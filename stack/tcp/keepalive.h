// Whether a silent peer is still there: RFC 9293 section 3.8.4.
#pragma once

#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp {

// The state of the keepalive timer, which the connection keeps.
//
// The timer is not set anew by each segment; when it runs out too early it is set for the rest.
// While data are in flight the retransmission timer watches over the peer, and this one waits.
class Keepalive {
 public:
  struct Intervals {
    Duration idle{0};      // silence before the first probe
    Duration interval{0};  // between probes
    std::uint8_t probes = 0;
  };
  enum class Decision : std::uint8_t {
    Wait,
    Probe,
    GiveUp,  // so many probes had no answer
  };
  struct Step {
    Decision decision = Decision::Wait;
    Instant again{};  // when the timer is to run out next
  };

  explicit Keepalive(bool enabled) noexcept : is_enabled_(enabled) {}

  void enable(bool enabled) noexcept {
    is_enabled_ = enabled;
    unanswered_ = 0;
  }
  [[nodiscard]] bool is_enabled() const noexcept { return is_enabled_; }
  // An acceptable segment has arrived.
  void heard() noexcept { unanswered_ = 0; }

  // The timer has run out. `last_heard` is when the last acceptable segment arrived.
  [[nodiscard]] Step timed_out(const Intervals& intervals, Instant last_heard, bool is_in_flight,
                               Instant now) noexcept {
    const Instant due = unanswered_ == 0 ? last_heard + intervals.idle : now;
    if (now < due) return {Decision::Wait, due};
    const Instant again = now + intervals.interval;
    if (is_in_flight) return {Decision::Wait, again};
    if (unanswered_ >= intervals.probes) return {Decision::GiveUp, {}};
    ++unanswered_;
    is_due_ = true;
    return {Decision::Probe, again};
  }
  // Whether a probe is to leave now; it does not ask for a second one.
  [[nodiscard]] bool take_due() noexcept {
    const bool due = is_due_;
    is_due_ = false;
    return due;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(is_enabled_, is_due_, unanswered_);
  }

 private:
  bool is_enabled_;
  bool is_due_ = false;
  std::uint8_t unanswered_ = 0;
};

}  // namespace runnel::tcp
