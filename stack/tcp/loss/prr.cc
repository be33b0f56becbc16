#include "stack/tcp/loss/prr.h"

#include <algorithm>

namespace runnel::tcp {

void ProportionalRateReduction::begin(std::uint64_t ssthresh_octets,
                                      std::uint64_t recover_flight_octets) noexcept {
  ssthresh_ = ssthresh_octets;
  recover_flight_ = std::max<std::uint64_t>(recover_flight_octets, 1);
  delivered_ = 0;
  out_ = 0;
  cwnd_ = 0;
}

void ProportionalRateReduction::on_ack(std::int64_t delivered_octets,
                                       std::uint64_t in_flight_octets, bool is_safe,
                                       std::uint32_t smss_octets) noexcept {
  // Octets that a peer had SACKed and gives up again would make the sum negative.
  delivered_ = static_cast<std::uint64_t>(
      std::max<std::int64_t>(static_cast<std::int64_t>(delivered_) + delivered_octets, 0));
  std::uint64_t send = 0;  // SndCnt
  if (in_flight_octets > ssthresh_) {
    const std::uint64_t due = (delivered_ * ssthresh_ + recover_flight_ - 1) / recover_flight_;
    send = due - std::min(due, out_);
  } else {
    send = delivered_ - std::min(delivered_, out_);
    if (delivered_octets > 0) send = std::max(send, static_cast<std::uint64_t>(delivered_octets));
    if (is_safe) send += smss_octets;
    send = std::min(send, ssthresh_ - in_flight_octets);
  }
  // The first retransmission never waits, not for a part of a segment either.
  if (out_ == 0) send = std::max<std::uint64_t>(send, smss_octets);
  cwnd_ = in_flight_octets + send;
}

}  // namespace runnel::tcp
