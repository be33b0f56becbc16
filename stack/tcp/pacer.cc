#include "stack/tcp/pacer.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

// A rate of a few octets a second must not stop a connection for longer than a timeout would.
constexpr Duration kLongestGap = std::chrono::seconds(1);

Duration time_for(std::uint64_t octets, std::uint64_t rate) noexcept {
  constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
  const std::uint64_t nanoseconds = octets * kNanosecondsPerSecond / rate;
  return std::min(kLongestGap, Duration(static_cast<Duration::rep>(nanoseconds)));
}

}  // namespace

void Pacer::set_rate(std::uint64_t octets_per_second, std::uint32_t smss_octets) noexcept {
  constexpr std::uint64_t kQuantaPerSecond = std::chrono::seconds(1) / kQuantumTime;
  rate_ = octets_per_second;
  const std::uint64_t fewest = kFewestSegments * smss_octets;
  quantum_ =
      is_pacing() ? std::max(fewest, std::min(rate_ / kQuantaPerSecond, kMostAtOnce)) : kMostAtOnce;
}

void Pacer::on_transmit(std::uint64_t octets, Instant now) noexcept {
  if (!is_pacing()) return;
  if (release_at_ <= now) sent_in_quantum_ = 0;
  sent_in_quantum_ += std::min(octets, kMostAtOnce);
  const Duration gap = time_for(std::min(octets, kMostAtOnce), rate_);
  const Duration made_up = is_waiting_ ? kMostLateness : std::min(gap, kQuantumTime);
  release_at_ = std::max(release_at_, now - made_up) + gap;
}

}  // namespace runnel::tcp
