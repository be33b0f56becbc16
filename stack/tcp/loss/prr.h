// Proportional Rate Reduction: how much may be sent while a loss is repaired. RFC 9937.
#pragma once

#include <cstdint>

namespace runnel::tcp {

// A controller answers a loss with a smaller window at once; PRR gets there by the end of the round
// trip, in step with the acknowledgments that come in, so that sending neither stops nor bursts.
//
//   in flight > ssthresh   of each delivered octet a part of ssthresh / RecoverFS is sent
//   else                   as much as was delivered, and one SMSS more when the ACK shows progress
//                          and no further loss, up to ssthresh
//
// All amounts are octets.
class ProportionalRateReduction {
 public:
  // Recovery begins (section 6.1). `recover_flight_octets` is RecoverFS: what was outstanding less
  // what was SACKed before the ACK that began it.
  void begin(std::uint64_t ssthresh_octets, std::uint64_t recover_flight_octets) noexcept;
  // An ACK of this recovery, the one that began it included (section 6.2). `is_safe` is SafeACK:
  // SND.UNA moved and nothing more is lost.
  void on_ack(std::int64_t delivered_octets, std::uint64_t in_flight_octets, bool is_safe,
              std::uint32_t smss_octets) noexcept;
  // Octets left, for the first time or again (section 6.3).
  void on_transmit(std::uint64_t octets) noexcept { out_ += octets; }

  // cwnd until the next ACK.
  [[nodiscard]] std::uint64_t cwnd_octets() const noexcept { return cwnd_; }

  [[nodiscard]] std::uint64_t delivered_octets() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t out_octets() const noexcept { return out_; }
  [[nodiscard]] std::uint64_t recover_flight_octets() const noexcept { return recover_flight_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(ssthresh_, recover_flight_, delivered_, out_, cwnd_);
  }

 private:
  std::uint64_t ssthresh_ = 0;
  std::uint64_t recover_flight_ = 0;  // RecoverFS
  std::uint64_t delivered_ = 0;       // prr_delivered
  std::uint64_t out_ = 0;             // prr_out
  std::uint64_t cwnd_ = 0;
};

}  // namespace runnel::tcp
