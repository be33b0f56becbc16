// CUBIC congestion control, RFC 9438.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/cubic_curve.h"
#include "stack/tcp/congestion/slow_start.h"

namespace runnel::tcp {

// A number of octets that grows by parts of an octet: many small steps add up.
struct GrowingOctets {
  std::uint64_t octets = 0;
  std::uint32_t fraction = 0;  // 2^-16 octets

  // Adds amount * part / whole. REQUIRES: 0 < whole, part <= whole, amount < 2^47.
  void grow(std::uint64_t amount, std::uint64_t part, std::uint64_t whole) noexcept;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(octets, fraction);
  }
};

// Theory of operation. Reno grows by a segment each round trip: on a path of 10 Gbit/s and 100 ms
// it takes an hour and a half to recover from a loss. CUBIC grows by the time since the last loss
// instead, whatever the round trip is, along the curve in cubic_curve.h.
//
//  - A congestion avoidance stage begins with the first ACK that finds the window at ssthresh or
//    above. It fixes the curve; t is the time since then, without what the application has wasted.
//  - Each ACK moves the window towards where the curve will be a round trip later, so that it is
//    there then; by no more than half of it in a round trip (target).
//  - Where Reno would be faster, which is on short or slow paths, the window is what Reno's would
//    be (W_est): section 4.3. Its steps are 0.53 segments, because it halves less: with them it
//    gets the same share of a path as Reno does.
//  - A loss or a mark multiplies by 0.7, and remembers where it happened (W_max). When that is
//    lower than the time before, others need room: the new W_max is lower still (fast convergence,
//    section 4.7).
//
// INVARIANT: 1 <= cwnd <= CubicCurve::kMaximumWindow, whatever it is told: so nothing overflows,
// and nothing is divided by 0.
class Cubic final : public CongestionControl {
 public:
  Cubic(std::uint32_t smss_octets, std::uint64_t initial_window_octets,
        bool uses_hystart = true) noexcept;

  void begin_with_ssthresh(std::uint64_t octets) override;
  void on_transmit(const TransmitEvent& event) override;
  void on_ack(const AckEvent& event) override;
  void on_loss(const LossEvent& event) override;
  void on_retransmission_timeout(const LossEvent& event) override;
  void on_spurious_recovery(Instant now) override;
  void on_idle_restart(Instant now, std::uint64_t restart_window_octets) override;
  void set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) override;
  void on_smss_change(std::uint32_t smss_octets, bool scales_window) override;

  [[nodiscard]] std::uint64_t cwnd_octets() const override { return state_.cwnd.octets; }
  [[nodiscard]] std::uint64_t ssthresh_octets() const override { return state_.ssthresh; }

  [[nodiscard]] std::string_view phase() const override {
    return cwnd_octets() < ssthresh_octets() ? state_.slow_start.phase()
                                             : CongestionControl::phase();
  }

  // --- What the RFC's variables are ---
  [[nodiscard]] std::uint64_t w_max_octets() const noexcept { return state_.w_max; }
  // K, t and W_est of the present stage; 0 when there is none.
  [[nodiscard]] Duration k() const noexcept;
  [[nodiscard]] Duration t() const noexcept;
  [[nodiscard]] std::uint64_t w_est_octets() const noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(smss_, state_, undo_);
  }

 private:
  // One congestion avoidance stage.
  struct Stage {
    CubicCurve curve;
    GrowingOctets w_est;      // where Reno would be
    Duration t{0};            // how long the window could have grown
    Instant t_counts_from{};  // ... and since when it can, again
    template <typename Archive>
    void archive(Archive& archive) {
      archive(curve, w_est, t, t_counts_from);
    }
  };
  // What a congestion event changes, and on_spurious_recovery() brings back: section 4.9.
  struct State {
    GrowingOctets cwnd;
    std::uint64_t ssthresh = UINT64_MAX;
    std::uint64_t w_max = 0;       // 0: the next stage begins at it, and K is 0
    std::uint64_t cwnd_prior = 0;  // when ssthresh was set last; 0: never
    std::optional<Stage> stage;
    SlowStart slow_start;
    template <typename Archive>
    void archive(Archive& archive) {
      archive(cwnd, ssthresh, w_max, cwnd_prior, stage, slow_start);
    }
  };

  // Returns what congestion avoidance may count of the event's octets.
  [[nodiscard]] std::uint64_t start_slowly(const AckEvent& event) noexcept;
  void avoid_congestion(const AckEvent& event, std::uint64_t acked_octets) noexcept;
  void begin_stage(Instant now) noexcept;
  void pause(Instant now) noexcept;
  void set_cwnd(std::uint64_t octets) noexcept;
  // Sets ssthresh, and returns what it would be without its lower bound.
  std::uint64_t reduce_threshold(std::uint64_t flight_octets) noexcept;

  std::uint64_t smss_;
  State state_;
  State undo_;
};

}  // namespace runnel::tcp
