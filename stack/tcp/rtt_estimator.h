// The retransmission timeout, RFC 6298.
#pragma once

#include <cstdint>

#include "runnel/config.h"
#include "runnel/time.h"
#include "stack/tcp/path_estimate.h"

namespace runnel::tcp {

// SRTT, RTTVAR and RTO, with exponential back-off.
//
// Karn's rule is the caller's part: take_sample() must not be given the round trip of a segment
// that was retransmitted. A back-off lasts until the next sample, because only that shows that the
// timeout fits the path again (RFC 6298 section 5, and its note on Karn's algorithm).
class RttEstimator {
 public:
  explicit RttEstimator(const TcpConfig& config) noexcept;

  // Begins with what earlier connections to this host have measured (RFC 9040). Only the timeout
  // before the first sample follows from it; that sample then sets SRTT and RTTVAR as if nothing
  // had been known (RFC 6298 (2.2)).
  //
  // It makes the timeout longer than the initial one if the path is that slow, never shorter: the
  // 1 s of (2.1) stands, because the path may have changed, and a SYN that is sent again for
  // nothing costs more than a lost one that is found late. Linux does no less.
  void begin_with(const RttEstimate& known) noexcept;
  // With timestamps there are many samples in a round trip: `expected_samples` of them share the
  // weight of one, so that the history reaches back as far (RFC 7323 section 4.2, appendix G).
  void take_sample(Duration rtt, std::uint32_t expected_samples = 1) noexcept;
  // Doubles the timeout, up to the maximum (5.5).
  void back_off() noexcept;
  // The SYN was retransmitted: begin data with at least 3 s unless there is a sample (5.7).
  void handshake_was_retransmitted() noexcept;

  // RTO: with back-off, within the configured bounds.
  [[nodiscard]] Duration timeout() const noexcept { return timeout_; }
  [[nodiscard]] bool has_sample() const noexcept { return has_sample_; }
  [[nodiscard]] Duration smoothed() const noexcept { return smoothed_; }
  [[nodiscard]] Duration variation() const noexcept { return variation_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(timeout_, smoothed_, variation_, has_sample_, initial_);
  }

 private:
  [[nodiscard]] Duration bounded(Duration timeout) const noexcept;

  Duration minimum_;
  Duration maximum_;
  Duration initial_;  // before the first sample
  Duration timeout_;
  Duration smoothed_{0};
  Duration variation_{0};
  bool has_sample_ = false;
};

}  // namespace runnel::tcp
