#include "stack/tcp/timestamps.h"

namespace runnel::tcp {

namespace {

// a < b on a clock that wraps.
bool is_before(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace

void Timestamps::agree(std::uint32_t peer_value, SeqNum ack, Instant now) noexcept {
  is_agreed_ = true;
  recent_ = peer_value;
  recent_at_ = now;
  last_ack_sent_ = ack;
}

std::uint32_t Timestamps::value(Instant now) const noexcept {
  return offset_ + static_cast<std::uint32_t>(now.time_since_epoch() / kTick);
}

bool Timestamps::is_old(const wire::TcpTimestamps& received, Instant now) const noexcept {
  return is_agreed_ && is_before(received.value, recent_) && is_recent_valid(now);
}

void Timestamps::on_acceptable(SeqNum seq, const wire::TcpTimestamps& received,
                               Instant now) noexcept {
  if (!is_agreed_ || last_ack_sent_ < seq || is_old(received, now)) return;
  recent_ = received.value;
  recent_at_ = now;
}

base::OptionalDuration Timestamps::elapsed_since(std::uint32_t echo_reply,
                                                 Instant now) const noexcept {
  const std::uint32_t ticks = value(now) - echo_reply;
  if (static_cast<std::int32_t>(ticks) < 0) return std::nullopt;
  return ticks * kTick;
}

}  // namespace runnel::tcp
