// The way of packets from a stack into a device.
#pragma once

#include <cstddef>

#include "runnel/stack.h"
#include "runnel/time.h"
#include "runnel/tun_device.h"
#include "tun/kept_frame.h"

namespace runnel::tun {

// Takes packets from the stack and writes them, in batches where the device can do that.
//
// Theory of operation. A frame that finds the device Full is kept, and nothing is asked of the
// stack until the device has room again: whoever runs the loop waits for that, while input goes on.
// Nothing is lost and nothing spins.
class PacketOutput {
 public:
  // Both must outlive this.
  PacketOutput(Stack& stack, Device& device) noexcept : stack_(stack), device_(device) {}

  // Writes until the stack has nothing, the device is full, or so much was written. Returns how
  // many packets.
  std::size_t write(std::size_t most_packets, std::size_t most_octets, Instant now);

  // False: the device was Full, and is to be waited for.
  [[nodiscard]] bool may_write() const noexcept { return may_write_; }
  void device_has_room() noexcept { may_write_ = true; }

 private:
  bool write_kept();

  Stack& stack_;
  Device& device_;
  TxFrame frame_;
  KeptFrame kept_;
  bool may_write_ = true;
};

}  // namespace runnel::tun
