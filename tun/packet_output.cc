#include "tun/packet_output.h"

namespace runnel::tun {

std::size_t PacketOutput::write(std::size_t most_packets, std::size_t most_octets, Instant now) {
  std::size_t count = 0;
  std::size_t octets = 0;
  if (may_write_ && kept_ && write_kept()) ++count;
  while (may_write_ && count < most_packets && octets < most_octets &&
         stack_.poll_transmit(frame_, now)) {
    octets += frame_.size();
    if (device_.write_in_batch(frame_) == Device::WriteStatus::Full) {
      kept_.keep(frame_);
      may_write_ = false;
    } else {
      ++count;
    }
  }
  if (may_write_) may_write_ = device_.finish_batch() != Device::WriteStatus::Full;
  return count;
}

bool PacketOutput::write_kept() {
  may_write_ = device_.write(kept_.frame()) != Device::WriteStatus::Full;
  if (may_write_) kept_.forget();
  return may_write_;
}

}  // namespace runnel::tun
