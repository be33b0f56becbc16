// How long a loop polls its device before it goes to sleep.
#pragma once

#include <algorithm>
#include <chrono>

#include "runnel/time.h"

namespace runnel::tun {

// Decides by what polling has brought so far whether it pays.
//
// Theory of operation. To fall asleep and be woken costs a virtual processor tens of microseconds
// of latency, and processor time at both ends. Polling saves that when the next packet comes soon,
// and wastes a processor when it does not, or when the peer needs the very processor that polls. So
// the loop reports every gap, from the moment when the device ran empty to the next packet, and
// this moves between two states:
//
//                  `patience` short gaps in a row
//      asleep  ──────────────────────────────────▶  polling
//      limit() is zero  ◀──────────────────────     limit() is `longest`
//                        packets keep coming late
//
// A gap is short when it is at most `longest` and the time that waking takes. While polling, a
// packet within `longest` is a hit and one after it a miss; the balance of misses ends it as soon
// as fewer than three in four are hits. Each time it ends that way the patience doubles, up to
// kMostPatience, so that a program that polling cannot help hardly ever pays for the attempt; a
// long run of hits brings the first patience back.
class AdaptiveSpin {
 public:
  // `longest` zero: never polls. `patience`: at first.
  AdaptiveSpin(Duration longest, int patience) noexcept
      : longest_(longest), first_patience_(patience), patience_(patience) {}

  // How long to poll now that the device has run empty.
  [[nodiscard]] Duration limit() const noexcept {
    return is_polling_ ? longest_ : Duration::zero();
  }

  // A packet came this long after the device ran empty.
  void on_packet_after(Duration gap) noexcept {
    if (is_polling_) {
      judge(gap);
    } else if (gap > longest_ + kWakingTime) {
      short_gaps_ = 0;
    } else if (++short_gaps_ >= patience_ && longest_ > Duration::zero()) {
      is_polling_ = true;
      misses_ = 0;
      hits_ = 0;
    }
  }
  // What came was a part of a longer transfer, which loses nothing while the loop is woken up: more
  // of it is on its way. Polling would only take the processor's time.
  void on_bulk() noexcept {
    if (is_polling_) {
      judge(kForever);
    } else {
      short_gaps_ = 0;
    }
  }

 private:
  static constexpr Duration kWakingTime = std::chrono::microseconds(50);
  static constexpr int kHitsPerMiss = 3;
  static constexpr int kMostMisses = 4;  // more than hits make up for
  static constexpr int kMostPatience = 1 << 12;
  static constexpr int kLongRun = 256;  // hits in a row

  void judge(Duration gap) noexcept {
    if (gap <= longest_) {
      misses_ = std::max(misses_ - 1, 0);
      if (++hits_ == kLongRun) patience_ = first_patience_;
      return;
    }
    hits_ = 0;
    misses_ += kHitsPerMiss;
    if (misses_ < kHitsPerMiss * kMostMisses) return;
    is_polling_ = false;
    short_gaps_ = 0;
    patience_ = std::min(patience_ * 2, kMostPatience);
  }

  Duration longest_;
  int first_patience_;
  int patience_;
  bool is_polling_ = false;
  int short_gaps_ = 0;
  int misses_ = 0;
  int hits_ = 0;
};

}  // namespace runnel::tun
