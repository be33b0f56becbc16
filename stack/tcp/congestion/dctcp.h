// DCTCP, RFC 8257: Reno for data centers, whose switches mark early and mark a lot.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/new_reno.h"

namespace runnel::tcp {

// Theory of operation. A classic mark says "congestion", and the sender halves its window. Here the
// switch marks every packet that finds more than a few others in the queue, the receiver echoes
// each mark, and the sender counts: alpha is the share of the octets that were marked, smoothed
// over about sixteen round trips. The answer to marks is in proportion,
//
//     cwnd = cwnd * (1 - alpha / 2)
//
// which is a half when everything is marked, as Reno's, and hardly anything when few packets are.
// So the queue stays as short as where marking begins, and the link is full nevertheless.
//
// Everything else is Reno. A loss counts for what it always does (section 3.5), and alpha does not
// soften it.
//
// A flow that takes marks so lightly would starve those that do not: not for the Internet. See
// TcpConfig::is_controlled_network.
class Dctcp final : public CongestionControl {
 public:
  Dctcp(std::uint32_t smss_octets, std::uint64_t initial_window_octets,
        bool uses_hystart = false) noexcept
      : reno_(smss_octets, initial_window_octets, uses_hystart) {}

  void begin_with_ssthresh(std::uint64_t octets) override { reno_.begin_with_ssthresh(octets); }
  void on_transmit(const TransmitEvent& event) override { reno_.on_transmit(event); }
  void on_ack(const AckEvent& event) override;
  // A mark is answered when the connection hears of it, once in a window of data, as RFC 3168 has
  // it. What the rest of that window has to say is in alpha by the time of the next.
  void on_loss(const LossEvent& event) override;
  void on_retransmission_timeout(const LossEvent& event) override {
    reno_.on_retransmission_timeout(event);
  }
  void on_spurious_recovery(Instant now) override { reno_.on_spurious_recovery(now); }
  void on_idle_restart(Instant now, std::uint64_t restart_window_octets) override {
    reno_.on_idle_restart(now, restart_window_octets);
  }
  void set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) override {
    reno_.set_window(cwnd_octets, ssthresh_octets);
  }
  void on_smss_change(std::uint32_t smss_octets, bool scales_window) override {
    reno_.on_smss_change(smss_octets, scales_window);
  }

  [[nodiscard]] std::uint64_t cwnd_octets() const override { return reno_.cwnd_octets(); }
  [[nodiscard]] std::uint64_t ssthresh_octets() const override { return reno_.ssthresh_octets(); }
  [[nodiscard]] std::string_view phase() const override { return reno_.phase(); }

  // DCTCP.Alpha in units of 1 / kWhole, from 0 to kWhole. At the beginning everything counts as
  // marked: the first answer is Reno's.
  static constexpr std::uint32_t kWhole = std::uint32_t{1} << 20U;
  [[nodiscard]] std::uint32_t alpha() const noexcept { return alpha_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(reno_, alpha_, window_end_, acked_, marked_);
  }

 private:
  void count(const AckEvent& event) noexcept;
  void update_alpha() noexcept;

  NewReno reno_;
  std::uint32_t alpha_ = kWhole;
  std::optional<wire::SeqNum> window_end_;  // DCTCP.WindowEnd
  std::uint64_t acked_ = 0;                 // DCTCP.BytesAcked, of this window
  std::uint64_t marked_ = 0;                // DCTCP.BytesMarked
};

}  // namespace runnel::tcp
