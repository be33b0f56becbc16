#include "stack/tcp/congestion/window_validation.h"

#include <algorithm>

namespace runnel::tcp {

// --- Measuring -----------------------------------------------------------------------------------

void WindowValidation::on_ack(const AckEvent& event, Duration smoothed_rtt) noexcept {
  if (is_recovering_ || event.in_recovery || event.after_timeout) return;
  rtt_ = smoothed_rtt;
  sampling_period_ = std::max(3 * rtt_, kShortestSamplingPeriod);
  if (began_at_ && event.now - *began_at_ >= rtt_) {
    keep(current_);
    is_defined_ = true;
    began_at_.reset();
  }
  if (!began_at_) {
    began_at_ = event.now;
    current_ = {};
  }
  current_.octets += event.newly_acked_octets;
  current_.at = event.now;
}

void WindowValidation::keep(const Sample& sample) noexcept {
  while (count_ > 0 && samples_[count_ - 1].octets <= sample.octets) --count_;
  if (count_ == samples_.size()) --count_;
  samples_[count_++] = sample;
}

void WindowValidation::forget_expired(Instant now) noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (now - samples_[i].at < sampling_period_) samples_[kept++] = samples_[i];
  }
  count_ = kept;
}

std::optional<std::uint64_t> WindowValidation::pipe_ack_octets(Instant now) const noexcept {
  if (!is_defined_) return std::nullopt;
  std::uint64_t most = now - current_.at < sampling_period_ ? current_.octets : 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (now - samples_[i].at < sampling_period_) most = std::max(most, samples_[i].octets);
  }
  return most;
}

// --- The phases ----------------------------------------------------------------------------------

bool WindowValidation::is_too_small(std::uint64_t cwnd_octets, Instant now) const noexcept {
  const auto pipe_ack = pipe_ack_octets(now);
  return pipe_ack && 2 * *pipe_ack < cwnd_octets;
}

// Entering the phase by silence happens at the instant when the last large sample gets too old.
void WindowValidation::look(std::uint64_t cwnd_octets, Instant now) noexcept {
  if (!is_too_small(cwnd_octets, now)) {
    not_validated_since_.reset();
  } else if (!not_validated_since_) {
    Instant last_validated = now - sampling_period_;
    bool is_by_age = false;
    const auto take = [&](const Sample& sample) {
      if (2 * sample.octets < cwnd_octets) return;
      last_validated = is_by_age ? std::max(last_validated, sample.at) : sample.at;
      is_by_age = true;
    };
    for (std::size_t i = 0; i < count_; ++i) take(samples_[i]);
    take(current_);
    not_validated_since_ = std::min(now, last_validated + sampling_period_);
  }
  forget_expired(now);
}

std::optional<WindowValidation::Window> WindowValidation::review(
    const Window& window, std::uint64_t initial_window_octets, Instant now) noexcept {
  if (is_recovering_) return std::nullopt;
  look(window.cwnd_octets, now);
  if (!not_validated_since_ || now - *not_validated_since_ < kNonValidatedPeriod) {
    return std::nullopt;
  }
  Window next = window;
  while (not_validated_since_ && now - *not_validated_since_ >= kNonValidatedPeriod) {
    next.ssthresh_octets = std::max(next.ssthresh_octets, next.cwnd_octets / 4 * 3);
    const std::uint64_t half = std::max(next.cwnd_octets / 2, initial_window_octets);
    if (half >= next.cwnd_octets) {  // and so it stays, however long ago that was
      not_validated_since_ = now;
    } else {
      next.cwnd_octets = half;
      *not_validated_since_ += kNonValidatedPeriod;
      if (!is_too_small(half, now)) not_validated_since_.reset();
    }
  }
  return next;
}

// --- Losses --------------------------------------------------------------------------------------

std::uint64_t WindowValidation::on_loss(std::uint64_t flight_octets, std::uint64_t cwnd_octets,
                                        Instant now) noexcept {
  if (is_recovering_) return flight_octets;  // one of the retransmissions was lost
  look(cwnd_octets, now);
  const auto pipe_ack = pipe_ack_octets(now);
  const bool was_validated = is_validated();
  begin_anew();
  is_recovering_ = true;
  if (was_validated || !pipe_ack) return flight_octets;
  loss_base_ = std::max(*pipe_ack, flight_octets);
  return *loss_base_;
}

void WindowValidation::on_retransmit(const SeqRange& range) noexcept {
  if (!loss_base_) return;
  const SeqNum begin = retransmitted_until_ ? max(range.begin, *retransmitted_until_) : range.begin;
  if (range.end <= begin) return;
  retransmitted_ += distance(begin, range.end);
  retransmitted_until_ = range.end;
}

std::optional<WindowValidation::Window> WindowValidation::on_recovered(
    const Window& window, std::uint32_t smss_octets) noexcept {
  const auto base = loss_base_;
  const std::uint64_t lost = retransmitted_;
  begin_anew();
  if (!base) return std::nullopt;
  const std::uint64_t half = (*base - std::min(*base, lost)) / 2;
  const std::uint64_t cwnd =
      std::min(window.cwnd_octets, std::max<std::uint64_t>(half, smss_octets));
  return Window{cwnd, std::max<std::uint64_t>(cwnd, 2 * std::uint64_t{smss_octets})};
}

void WindowValidation::on_timeout() noexcept {
  begin_anew();
  is_recovering_ = true;
}

// As a connection that has measured nothing yet.
void WindowValidation::begin_anew() noexcept {
  *this = WindowValidation(is_enabled_);
}

}  // namespace runnel::tcp
