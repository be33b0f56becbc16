// A device around a device that writes every packet to a capture file.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runnel/tun_device.h"

namespace runnel::tun {

enum class Direction : std::uint8_t { In, Out };

// Taps the packets that cross `inner`: exactly the octets that crossed it, a super-packet as the
// one packet that it is, checksums as they were (partial ones included).
//
// Both taps are optional: a pcap file (link type RAW, nanosecond times, written with libpcap and
// flushed by flush()), and a function that is called with each packet.
class CapturingDevice final : public Device {
 public:
  using Watcher = std::function<void(Direction, Bytes packet, Instant at)>;
  using Clock = std::function<Instant()>;

  // `inner` must outlive this. Throws DeviceError when `path` (empty: no file) cannot be written.
  CapturingDevice(Device& inner, const std::string& path, Watcher watcher, Clock clock);
  ~CapturingDevice() override;

  [[nodiscard]] ReadStatus read(RxBuffer& buffer) override;
  [[nodiscard]] WriteStatus write(TxFrame& frame) override;
  [[nodiscard]] int descriptor() const noexcept override;
  [[nodiscard]] bool checksum_offload() const noexcept override;
  [[nodiscard]] bool tcp_segmentation_offload() const noexcept override;

  void flush();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
