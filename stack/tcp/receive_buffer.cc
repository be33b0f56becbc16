#include "stack/tcp/receive_buffer.h"

#include <algorithm>

namespace runnel::tcp {

// --- The round trip ------------------------------------------------------------------------------

void ReceiverRtt::take_sample(Duration sample) noexcept {
  if (has_timestamps_ || sample <= Duration{0}) return;
  estimate_ = estimate_ == Duration{0} ? sample : std::min(estimate_, sample);
}

// After a pause of the sender's the echo is as old as the pause, and says nothing.
void ReceiverRtt::take_echo(Duration sample, Instant now) noexcept {
  const bool is_first = last_text_ == Instant{};
  if (sample <= Duration{0} || is_first) return;
  if (estimate_ > Duration{0} && now - last_text_ > estimate_) return;
  estimate_ = has_timestamps_ ? estimate_ + (sample - estimate_) / 8 : sample;
  has_timestamps_ = true;
}

void ReceiverRtt::text_arrived(std::uint64_t received, std::uint64_t edge,
                               base::OptionalDuration since_echoed, Instant now) noexcept {
  if (since_echoed) take_echo(*since_echoed, now);
  last_text_ = now;
  if (received < round_end_) return;
  if (round_end_ != 0) take_sample(now - round_began_);
  round_end_ = edge;
  round_began_ = now;
}

base::OptionalDuration ReceiverRtt::get() const noexcept {
  if (estimate_ == Duration{0}) return std::nullopt;
  return estimate_;
}

// --- The buffer ----------------------------------------------------------------------------------

ReceiveBuffer::ReceiveBuffer(const TcpConfig& config, base::MemoryBudget& budget) noexcept
    : initial_(config.receive_buffer_octets),
      maximum_(std::max(initial_, config.receive_buffer_maximum_octets)),
      growth_(budget) {}

void ReceiveBuffer::application_has_read(std::size_t octets, std::size_t useful,
                                         Instant now) noexcept {
  const std::size_t most = std::min(maximum_, useful);
  if (this->octets() >= most) return;
  if (round_began_ == Instant{}) round_began_ = now;
  read_in_round_ += octets;
  const auto round_trip = rtt_.get();
  const Duration elapsed = now - round_began_;
  if (!round_trip || elapsed < *round_trip) return;

  // A round that was longer than a round trip counts with the part that one round trip is of it.
  const double share =
      static_cast<double>(round_trip->count()) / static_cast<double>(elapsed.count());
  const auto read = static_cast<std::size_t>(static_cast<double>(read_in_round_) * share);
  const std::size_t more = read - std::min(read, read_before_);
  const std::size_t target = std::min(2 * read + 8 * more, most);
  if (target > this->octets()) growth_.extend(target - this->octets());
  read_before_ = std::max(read_before_, read);
  read_in_round_ = 0;
  round_began_ = now;
}

}  // namespace runnel::tcp
