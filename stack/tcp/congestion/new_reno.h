// Reno congestion control: RFC 5681, with the recovery exit of RFC 6582.
#pragma once

#include <cstdint>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/slow_start.h"

namespace runnel::tcp {

// Slow start, congestion avoidance by counted octets (RFC 3465), halving on loss.
//
// The window is not inflated during recovery: what duplicate ACKs say has left the network is
// subtracted from the octets in flight instead, which permits the same segments.
class NewReno final : public CongestionControl {
 public:
  NewReno(std::uint32_t smss_octets, std::uint64_t initial_window_octets,
          bool uses_hystart = false) noexcept
      : smss_(smss_octets), cwnd_(initial_window_octets), slow_start_(uses_hystart) {}

  void begin_with_ssthresh(std::uint64_t octets) override;
  void on_transmit(const TransmitEvent& event) override;
  void on_ack(const AckEvent& event) override;
  void on_loss(const LossEvent& event) override;
  void on_retransmission_timeout(const LossEvent& event) override;
  void on_spurious_recovery(Instant now) override;
  void on_idle_restart(Instant now, std::uint64_t restart_window_octets) override;
  void set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) override;
  void on_smss_change(std::uint32_t smss_octets, bool scales_window) override;

  // The answer to a mark (RFC 3168 section 6.1.2), which other answers may take the place of: goes
  // on with `octets`, if that is less. One segment is the least, and two are for the threshold.
  void answer_mark_with(std::uint64_t octets) noexcept;

  [[nodiscard]] std::uint64_t cwnd_octets() const override { return cwnd_; }
  [[nodiscard]] std::uint64_t ssthresh_octets() const override { return ssthresh_; }
  [[nodiscard]] std::string_view phase() const override {
    return cwnd_ < ssthresh_ ? slow_start_.phase() : CongestionControl::phase();
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(smss_, cwnd_, ssthresh_, acked_in_round_, slow_start_);
    archive(prior_cwnd_, prior_ssthresh_, prior_slow_start_);
  }

 private:
  void reduce_threshold(std::uint64_t octets) noexcept;

  std::uint64_t smss_;
  std::uint64_t cwnd_;
  std::uint64_t ssthresh_ = UINT64_MAX;
  std::uint64_t acked_in_round_ = 0;  // octets acknowledged towards the next SMSS of cwnd
  SlowStart slow_start_;
  std::uint64_t prior_cwnd_ = 0;  // for on_spurious_recovery()
  std::uint64_t prior_ssthresh_ = UINT64_MAX;
  SlowStart prior_slow_start_{false};
};

}  // namespace runnel::tcp
