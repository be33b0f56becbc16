#include "stack/tcp/loss/delivery_rate.h"

#include <algorithm>

#include "stack/tcp/loss/scoreboard.h"

namespace runnel::tcp {

namespace {

// Exact below 18 GB within one interval; above it to the millisecond.
std::uint64_t octets_per_second(std::uint64_t octets, Duration interval) noexcept {
  constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
  const auto nanoseconds = static_cast<std::uint64_t>(interval.count());
  if (octets <= UINT64_MAX / kNanosecondsPerSecond) {
    return octets * kNanosecondsPerSecond / nanoseconds;
  }
  return octets / std::max<std::uint64_t>(1, nanoseconds / 1'000'000) * 1'000;
}

}  // namespace

DeliverySnapshot DeliveryRate::on_transmit(std::uint64_t in_flight_octets, std::uint64_t octets,
                                           Instant now) noexcept {
  if (in_flight_octets == 0) first_sent_at_ = delivered_at_ = now;  // both intervals begin anew
  return {delivered_,    lost_,          in_flight_octets + octets,
          delivered_at_, first_sent_at_, is_app_limited()};
}

void DeliveryRate::on_app_limited(std::uint64_t in_flight_octets) noexcept {
  app_limited_until_ = std::max<std::uint64_t>(1, delivered_ + in_flight_octets);
}

void DeliveryRate::on_delivered(const SentRange& sent, Instant now) noexcept {
  delivered_ += sent.octets();
  delivered_at_ = now;
  const bool is_newest = !newest_.is_known || newest_.sent_at < sent.sent_at ||
                         (newest_.sent_at == sent.sent_at && newest_.end < sent.range.end);
  if (!is_newest) return;
  newest_.is_known = true;
  newest_.is_retransmitted = sent.is_retransmitted;
  newest_.end = sent.range.end;
  newest_.sent_at = sent.sent_at;
  newest_.snapshot = sent.delivery;
}

void DeliveryRate::take_sample(base::OptionalDuration minimum_rtt,
                               std::optional<RateSample>& result) noexcept {
  result.reset();
  if (app_limited_until_ != 0 && app_limited_until_ < delivered_) app_limited_until_ = 0;
  if (!newest_.is_known) return;
  newest_.is_known = false;
  const Newest& newest = newest_;
  RateSample& sample = result.emplace();
  const Duration send_elapsed = newest.sent_at - newest.snapshot.first_sent_at;
  const Duration ack_elapsed = delivered_at_ - newest.snapshot.delivered_at;
  first_sent_at_ = std::max(first_sent_at_, newest.sent_at);
  sample.interval = std::max(send_elapsed, ack_elapsed);
  sample.prior_delivered_octets = newest.snapshot.delivered_octets;
  sample.delivered_octets = delivered_ - newest.snapshot.delivered_octets;
  sample.lost_octets = lost_ - newest.snapshot.lost_octets;
  sample.tx_in_flight_octets = newest.snapshot.in_flight_octets;
  sample.is_app_limited = newest.snapshot.is_app_limited;
  if (!newest.is_retransmitted) sample.rtt = delivered_at_ - newest.sent_at;
  if (sample.interval > Duration{0} && minimum_rtt.value_or(Duration{0}) <= sample.interval) {
    sample.octets_per_second = octets_per_second(sample.delivered_octets, sample.interval);
  }
}

}  // namespace runnel::tcp
