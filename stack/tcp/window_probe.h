// When to ask whether the peer's window has opened: RFC 9293 section 3.8.6.1.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp {

// The state of the persist timer, which the connection keeps.
//
// Data wait, nothing is in flight and the window has no room: no ACK will come by itself, and the
// one that opened the window may have been lost. So after a retransmission timeout one octet is
// sent all the same, and again after twice, four times ... as long. The peer may keep its window
// closed for ever, if only it answers.
//
// A probe does not count as sent: a peer whose window is closed accepts an acknowledgment of ours
// only at its RCV.NXT, and while both windows are closed nothing would move again. Yet it may be
// taken, and then the ACK covers one octet more than SND.NXT says.
class WindowProbe {
 public:
  // Data wait for the window.
  void blocked(Instant now) noexcept {
    if (closed_since_ == kNever) closed_since_ = now;
  }
  // The window is open: whatever was asked for need not be.
  void opened() noexcept {
    closed_since_ = kNever;
    back_off_ = 0;
    is_due_ = false;
  }
  // The peer has acknowledged data: the next interval is the first.
  void answered() noexcept { back_off_ = 0; }

  [[nodiscard]] Duration interval(Duration rto, Duration maximum) const noexcept {
    Duration interval = rto;
    for (unsigned i = 0; i < back_off_ && interval < maximum; ++i) interval *= 2;
    return std::min(interval, maximum);
  }

  // The persist timer has run out.
  void timed_out(Duration rto, Duration maximum) noexcept {
    is_due_ = true;
    if (interval(rto, maximum) < maximum) ++back_off_;
  }
  [[nodiscard]] bool is_due() const noexcept { return is_due_; }
  // Whether a probe is to leave now; it does not ask for a second one.
  [[nodiscard]] bool take_due() noexcept {
    const bool due = is_due_;
    is_due_ = false;
    return due;
  }

  // The octet at SND.NXT has left as a probe; it leaves as data, or the peer has taken it.
  void sent() noexcept { is_outstanding_ = true; }
  void octet_counts() noexcept { is_outstanding_ = false; }
  // How many octets behind SND.NXT an ACK may cover.
  [[nodiscard]] std::uint32_t outstanding_octets() const noexcept {
    return is_outstanding_ ? 1 : 0;
  }

  // Since when data have been waiting; kNever while the window is open.
  [[nodiscard]] Instant closed_since() const noexcept { return closed_since_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(is_due_, is_outstanding_, back_off_, closed_since_);
  }

 private:
  bool is_due_ = false;
  bool is_outstanding_ = false;
  std::uint8_t back_off_ = 0;
  Instant closed_since_ = kNever;
};

}  // namespace runnel::tcp
