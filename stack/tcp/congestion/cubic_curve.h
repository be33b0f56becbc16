// The cubic function of RFC 9438 section 4.2, in integers.
#pragma once

#include <chrono>
#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. W_cubic(t) = C (t - K)^3 + W_max, with C = 0.4 segments / s^3. After a loss
// at W_max the window grows fast, slows down near W_max, where the loss was, and then, when nothing
// is lost there, grows ever faster in search of a new limit:
//
//      cwnd                        .
//                                 /
//     W_max ............___----'''.........
//                    .-'          |
//                   /             |
//  cwnd_epoch      /              |
//                  0              K        t, seconds
//
// K is the time that it takes to be back: W_cubic(0) is cwnd_epoch.
//
// Windows are octets, times microseconds. No value can overflow, whatever the arguments:
//  - A time is cut off at kLongestTime, 2^14 s (four and a half hours). By then the curve has risen
//    by 0.4 * 2^42 segments, which is above kMaximumWindow even if a segment is one octet. So the
//    cut changes no result.
//  - The cube of a time is made in two steps, each divided by 10^6 at once: at most 2.7e14 and
//    4.4e18, below 2^63. Octets saturate at kMaximumWindow.
// Times are exact to a microsecond, at which the curve moves by 1.2e-6 (t - K)^2 segments: a tenth
// of a segment after five minutes, when the window is ten million segments large.
class CubicCurve {
 public:
  // 2^40 octets: a thousand times the largest window that TCP's header can offer.
  static constexpr std::uint64_t kMaximumWindow = std::uint64_t{1} << 40U;
  static constexpr Duration kLongestTime = std::chrono::seconds(std::int64_t{1} << 14U);

  CubicCurve() noexcept = default;
  // From `cwnd_epoch` at t = 0 to `w_max` at t = K; when there is nothing to come back to, K is 0
  // and the curve only rises. REQUIRES: smss_octets > 0.
  CubicCurve(std::uint64_t cwnd_epoch_octets, std::uint64_t w_max_octets,
             std::uint64_t smss_octets) noexcept;

  // W_cubic(t), in octets.
  [[nodiscard]] std::uint64_t at(Duration t) const noexcept;
  [[nodiscard]] Duration k() const noexcept { return k_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(smss_, w_max_, k_);
  }

 private:
  std::uint64_t smss_ = 1;
  std::uint64_t w_max_ = 0;
  Duration k_{0};
};

// C t^3 in octets, rounded down: how far the curve is away from W_max, `t` away from K.
[[nodiscard]] std::uint64_t cubic_growth(Duration t, std::uint64_t smss_octets) noexcept;
// The time in which it grows by so much: the cube root of octets / C.
[[nodiscard]] Duration cubic_growth_time(std::uint64_t octets, std::uint64_t smss_octets) noexcept;

}  // namespace runnel::tcp
