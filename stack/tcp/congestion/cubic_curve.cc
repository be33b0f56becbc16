#include "stack/tcp/congestion/cubic_curve.h"

#include <algorithm>

#include "stack/base/mul_div.h"

namespace runnel::tcp {

using base::mul_div;

namespace {

constexpr std::uint64_t kMicrosecondsPerSecond = 1'000'000;
// C = 0.4 segments / s^3 (RFC 9438 section 5.1), as a fraction.
constexpr std::uint64_t kCNumerator = 2;
constexpr std::uint64_t kCDenominator = 5;

std::uint64_t to_microseconds(Duration time) noexcept {
  const Duration bounded = std::clamp(time, Duration{0}, CubicCurve::kLongestTime);
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(bounded).count());
}

// The cube of a time, in 10^-6 s^3.
std::uint64_t cube(std::uint64_t microseconds) noexcept {
  const std::uint64_t square = mul_div(microseconds, microseconds, kMicrosecondsPerSecond);
  return mul_div(square, microseconds, kMicrosecondsPerSecond);
}

}  // namespace

std::uint64_t cubic_growth(Duration t, std::uint64_t smss_octets) noexcept {
  const std::uint64_t octets = mul_div(cube(to_microseconds(t)), kCNumerator * smss_octets,
                                       kCDenominator * kMicrosecondsPerSecond);
  return std::min(octets, CubicCurve::kMaximumWindow);
}

// The cube root, digit by digit from the highest down, as one takes it by hand: a digit is 1 when
// the cube of what there is then is not too large.
Duration cubic_growth_time(std::uint64_t octets, std::uint64_t smss_octets) noexcept {
  const std::uint64_t wanted =
      mul_div(std::min(octets, CubicCurve::kMaximumWindow), kCDenominator * kMicrosecondsPerSecond,
              kCNumerator * smss_octets);
  constexpr std::uint64_t kHighestDigit = std::uint64_t{1} << 33U;
  static_assert(CubicCurve::kLongestTime <= std::chrono::microseconds(2 * kHighestDigit));
  std::uint64_t root = 0;  // microseconds
  for (std::uint64_t digit = kHighestDigit; digit > 0; digit /= 2) {
    if (cube(root + digit) <= wanted) root += digit;
  }
  return std::chrono::microseconds(static_cast<std::int64_t>(root));
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
