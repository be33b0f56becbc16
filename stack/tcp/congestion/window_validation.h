// Congestion window validation: what a window is worth that was not used for a while. RFC 7661.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

// Theory of operation. RFC 5681 takes the congestion window of an idle sender away. This keeps it
// for up to five minutes, and instead answers a loss by what was in use, not by what was allowed.
//
// In use is pipeACK: the octets acknowledged within one round trip, the largest such sample of the
// last max(3 RTT, 1 s). It is undefined at the beginning and after a recovery, until the first
// sample is complete.
//
//                      pipeACK < cwnd/2
//    validated  ───────────────────────────────▶  not validated
//               ◀───────────────────────────────
//                pipeACK >= cwnd/2, or undefined
//
//  - While the window is not validated it does not grow unless it is what limits the sender: the
//    controllers have that rule anyway (AckEvent::app_limited).
//  - After five minutes of that, and each five minutes more, the window is halved, down to the
//    initial one, and ssthresh remembers three quarters of it (section 4.4.3).
//  - On a loss FlightSize stands in for the window as ever, but pipeACK if that is more; what had
//  to
//    be sent again is subtracted when the recovery ends (section 4.4.1).
//
// Nothing here needs a timer: the phase is looked at when something is sent or acknowledged, and
// what should have happened meanwhile is made up for.
class WindowValidation {
 public:
  explicit WindowValidation(bool is_enabled) noexcept : is_enabled_(is_enabled) {}
  [[nodiscard]] bool is_enabled() const noexcept { return is_enabled_; }

  struct Window {
    std::uint64_t cwnd_octets = 0;
    std::uint64_t ssthresh_octets = 0;
    friend bool operator==(const Window&, const Window&) noexcept = default;
  };

  // --- Measuring -------------------------------------------------------------------------------
  // Octets were acknowledged. Counts outside of recoveries only.
  void on_ack(const AckEvent& event, Duration smoothed_rtt) noexcept;
  // pipeACK; nothing while it is undefined.
  [[nodiscard]] std::optional<std::uint64_t> pipe_ack_octets(Instant now) const noexcept;

  // --- The phases ------------------------------------------------------------------------------
  // Looks where `window` stands, before something is sent and after something was acknowledged.
  // Returns what it is to be, when it was not validated for too long.
  [[nodiscard]] std::optional<Window> review(const Window& window,
                                             std::uint64_t initial_window_octets,
                                             Instant now) noexcept;
  [[nodiscard]] bool is_validated() const noexcept { return !not_validated_since_; }

  // --- Losses ----------------------------------------------------------------------------------
  // A loss was found: the FlightSize that the controller is to respond to.
  [[nodiscard]] std::uint64_t on_loss(std::uint64_t flight_octets, std::uint64_t cwnd_octets,
                                      Instant now) noexcept;
  void on_retransmit(const SeqRange& range) noexcept;
  // The recovery is over: the window from here on, unless the controller's own is right.
  [[nodiscard]] std::optional<Window> on_recovered(const Window& window,
                                                   std::uint32_t smss_octets) noexcept;
  // Its window gets no protection: RFC 5681's response to a timeout is enough.
  void on_timeout() noexcept;
  // The loss was none.
  void on_spurious_recovery() noexcept { begin_anew(); }
  [[nodiscard]] bool is_recovering() const noexcept { return is_recovering_; }

  static constexpr Duration kNonValidatedPeriod = std::chrono::minutes(5);
  static constexpr Duration kShortestSamplingPeriod = std::chrono::seconds(1);

  template <typename Archive>
  void archive(Archive& archive) {
    archive(is_recovering_, is_defined_, rtt_, sampling_period_, began_at_, current_, count_);
    archive(not_validated_since_, loss_base_, retransmitted_, retransmitted_until_);
    for (std::size_t i = 0; i < count_; ++i) archive(samples_[i]);
  }

 private:
  // What was acknowledged within one round trip.
  struct Sample {
    std::uint64_t octets = 0;
    Instant at{};  // of its last acknowledgment
    template <typename Archive>
    void archive(Archive& archive) {
      archive(octets, at);
    }
  };

  void keep(const Sample& sample) noexcept;
  void forget_expired(Instant now) noexcept;
  [[nodiscard]] bool is_too_small(std::uint64_t cwnd_octets, Instant now) const noexcept;
  void look(std::uint64_t cwnd_octets, Instant now) noexcept;
  void begin_anew() noexcept;

  bool is_enabled_;
  bool is_recovering_ = false;
  bool is_defined_ = false;  // at least one sample is complete
  Duration rtt_{0};
  Duration sampling_period_ = kShortestSamplingPeriod;

  // The sample that is being taken, and those before it: newer ones are smaller, or the older ones
  // would count for nothing. When there are too many of them, the newest takes the place of the
  // one before it, which makes pipeACK smaller rather than larger.
  std::optional<Instant> began_at_;
  Sample current_;
  std::array<Sample, 8> samples_{};
  std::size_t count_ = 0;

  std::optional<Instant> not_validated_since_;

  // Of the recovery that a loss in the non-validated phase began.
  std::optional<std::uint64_t> loss_base_;  // max(pipeACK, LossFlightSize)
  std::uint64_t retransmitted_ = 0;         // R: each octet counts once
  std::optional<SeqNum> retransmitted_until_;
};

}  // namespace runnel::tcp
