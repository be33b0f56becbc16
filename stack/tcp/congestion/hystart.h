// HyStart++, RFC 9406: slow start that ends when round trips get longer, before the queue is full.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/wire/seq_num.h"

namespace runnel::tcp {

// Theory of operation. Slow start doubles the window each round trip, until something is lost:
// then it is up to twice too large, and a whole window's worth of packets is gone. But the queue
// that overflows has to fill first, which takes time and shows as delay.
//
// A round ends when everything is acknowledged that was sent when it began. The shortest round trip
// of a round, of eight samples at least, is compared with that of the round before.
//
//                     grew by 1/8 (4 to 16 ms)
//     slow start ─────────────────────────────▶ conservative slow start ──▶ congestion avoidance
//     cwnd += N   ◀─────────────────────────────    cwnd += N / 4        5 rounds
//                  shorter again: it was chance
//
// The shortest round trip of a round is that of its first packets, as a rule: what the queue was a
// whole round trip ago. A queue of one bandwidth-delay product overflows before that is heard. So a
// paced sender, which makes no bursts of its own, does not wait for the next round: eight samples
// in a row that are longer than the last round's shortest by the same threshold do as well.
//
// Delay may grow for other reasons than a queue of ours. So the first sign of it does not end slow
// start, but makes it slow; should the round trip get shorter again, it goes on as before.
//
// This is for the first slow start of a connection. Later ones know where to end, and a loss or a
// mark says more than delay: either ends it for good.
class HyStart {
 public:
  // RFC 9406 section 4.3.
  static constexpr Duration kMinimumRttThreshold = std::chrono::milliseconds(4);
  static constexpr Duration kMaximumRttThreshold = std::chrono::milliseconds(16);
  static constexpr std::int64_t kRttDivisor = 8;         // MIN_RTT_DIVISOR
  static constexpr std::uint32_t kRttSamples = 8;        // N_RTT_SAMPLE
  static constexpr std::uint64_t kCssGrowthDivisor = 4;  // CSS_GROWTH_DIVISOR, at least 2
  static constexpr std::uint32_t kCssRounds = 5;         // CSS_ROUNDS
  static constexpr std::uint64_t kSegmentsOfOneAck = 8;  // L, where nothing is paced

  enum class Phase : std::uint8_t {
    SlowStart,
    ConservativeSlowStart,
    Over,
  };

  explicit HyStart(bool is_enabled) noexcept
      : phase_(is_enabled ? Phase::SlowStart : Phase::Over) {}

  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  [[nodiscard]] bool is_over() const noexcept { return phase_ == Phase::Over; }
  // Rounds that have begun.
  [[nodiscard]] std::uint32_t rounds() const noexcept { return rounds_; }

  // By how much the window grows for an ACK of so many octets. One ACK may stand for many segments:
  // what it permits leaves as a burst, unless the sender paces. REQUIRES: not is_over().
  [[nodiscard]] std::uint64_t growth(std::uint64_t acked_octets, std::uint64_t smss_octets,
                                     bool is_paced) const noexcept;

  // Takes in an ACK, after the window has grown by it: SND.UNA, SND.NXT, and a round trip if it
  // shows one. Returns whether slow start ends here.
  [[nodiscard]] bool on_ack(wire::SeqNum una, wire::SeqNum nxt, base::OptionalDuration rtt,
                            bool is_paced = false) noexcept;

  // Something was lost or marked.
  void stop() noexcept { phase_ = Phase::Over; }

  // How much longer the shortest round trip has to be than that of the round before.
  [[nodiscard]] static constexpr Duration rtt_threshold(Duration last_round) noexcept {
    return std::clamp(last_round / kRttDivisor, kMinimumRttThreshold, kMaximumRttThreshold);
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(phase_, is_in_round_, rounds_, window_end_, last_round_minimum_, round_minimum_);
    archive(round_samples_, late_in_a_row_, css_baseline_, css_rounds_);
  }

 private:
  void begin_round(wire::SeqNum nxt) noexcept;
  void take_sample(Duration rtt, bool is_paced) noexcept;
  [[nodiscard]] bool is_late(Duration rtt) const noexcept;

  static constexpr Duration kNone = Duration::max();  // no round trip was measured

  Phase phase_;
  bool is_in_round_ = false;
  std::uint32_t rounds_ = 0;
  wire::SeqNum window_end_;              // the round is over when this is acknowledged
  Duration last_round_minimum_ = kNone;  // lastRoundMinRTT
  Duration round_minimum_ = kNone;       // currentRoundMinRTT
  std::uint32_t round_samples_ = 0;      // rttSampleCount
  std::uint32_t late_in_a_row_ = 0;
  Duration css_baseline_ = kNone;  // cssBaselineMinRtt
  std::uint32_t css_rounds_ = 0;   // that have ended
};

}  // namespace runnel::tcp
