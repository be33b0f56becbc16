#include "stack/tcp/congestion/cubic_curve.h"

#include <algorithm>

#include "stack/base/mul_div.h"

namespace runnel::tcp {

using base::mul_div;
using std::chrono::microseconds;

namespace {

constexpr std::uint64_t kMicrosecondsPerSecond = 1'000'000;
// C = 0.4 segments / s^3 (RFC 9438 section 5.1), as a fraction.
constexpr std::uint64_t kCNumerator = 2;
constexpr std::uint64_t kCDenominator = 5;

}  // namespace

std::uint64_t cubic_growth(Duration t, std::uint64_t smss_octets) noexcept {
  const Duration bounded = std::clamp(t, Duration{0}, CubicCurve::kLongestTime);
  const auto us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<microseconds>(bounded).count());            // <= 2^34
  const std::uint64_t squared = mul_div(us, us, kMicrosecondsPerSecond);     // 10^-6 s^2
  const std::uint64_t cubed = mul_div(squared, us, kMicrosecondsPerSecond);  // 10^-6 s^3
  const std::uint64_t octets =
      mul_div(cubed, kCNumerator * smss_octets, kCDenominator * kMicrosecondsPerSecond);
  return std::min(octets, CubicCurve::kMaximumWindow);
}

// Digit by digit, from the highest down, as one takes a cube root by hand: a digit is 1 when the
// cube of what there is then is not too large.
Duration cubic_growth_time(std::uint64_t octets, std::uint64_t smss_octets) noexcept {
  constexpr std::int64_t kHighestDigit = std::int64_t{1} << 33U;  // microseconds: half the range
  microseconds root{0};
  for (std::int64_t digit = kHighestDigit; digit > 0; digit /= 2) {
    const microseconds longer = root + microseconds(digit);
    if (cubic_growth(longer, smss_octets) <= octets) root = longer;
  }
  return root;
}

CubicCurve::CubicCurve(std::uint64_t cwnd_epoch_octets, std::uint64_t w_max_octets,
                       std::uint64_t smss_octets) noexcept
    : smss_(smss_octets),
      w_max_(std::min(std::max(w_max_octets, cwnd_epoch_octets), kMaximumWindow)),
      k_(cwnd_epoch_octets < w_max_ ? cubic_growth_time(w_max_ - cwnd_epoch_octets, smss_)
                                    : Duration{0}) {}

std::uint64_t CubicCurve::at(Duration t) const noexcept {
  if (t < k_) return w_max_ - std::min(w_max_, cubic_growth(k_ - t, smss_));
  return std::min(w_max_ + cubic_growth(t - k_, smss_), kMaximumWindow);
}

}  // namespace runnel::tcp
