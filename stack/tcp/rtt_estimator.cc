#include "stack/tcp/rtt_estimator.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

// G, the clock granularity: virtual time is exact, so it only keeps the variance term positive.
constexpr Duration kGranularity = std::chrono::microseconds(1);

}  // namespace

RttEstimator::RttEstimator(const TcpConfig& config) noexcept
    : minimum_(config.rto_minimum),
      maximum_(config.rto_maximum),
      initial_(config.rto_initial),
      timeout_(config.rto_initial) {}

void RttEstimator::begin_with(const RttEstimate& known) noexcept {
  if (has_sample_) return;
  const Duration measured = known.smoothed + std::max(kGranularity, 4 * known.variation);
  initial_ = bounded(std::max(initial_, measured));
  timeout_ = initial_;
}

void RttEstimator::take_sample(Duration rtt, std::uint32_t expected_samples) noexcept {
  rtt = std::max(rtt, Duration{1});
  if (!has_sample_) {  // (2.2)
    smoothed_ = rtt;
    variation_ = rtt / 2;
    has_sample_ = true;
  } else {  // (2.3), with alpha 1/8 and beta 1/4
    const std::int64_t samples = std::max<std::uint32_t>(expected_samples, 1);
    const Duration error = smoothed_ > rtt ? smoothed_ - rtt : rtt - smoothed_;
    variation_ += (error - variation_) / (4 * samples);
    smoothed_ += (rtt - smoothed_) / (8 * samples);
  }
  timeout_ = bounded(smoothed_ + std::max(kGranularity, 4 * variation_));
}

void RttEstimator::back_off() noexcept {
  timeout_ = std::min(2 * timeout_, maximum_);
}

void RttEstimator::handshake_was_retransmitted() noexcept {
  if (!has_sample_) timeout_ = bounded(std::max<Duration>(initial_, std::chrono::seconds(3)));
}

Duration RttEstimator::bounded(Duration timeout) const noexcept {
  return std::clamp(timeout, minimum_, maximum_);
}

}  // namespace runnel::tcp
