// A device around a device that writes every packet to a capture file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "runnel/bytes.h"
#include "runnel/time.h"
#include "runnel/tun_device.h"

namespace runnel::tun {

enum class Direction : std::uint8_t { In, Out };

// Taps the packets that cross `inner`: exactly the octets that crossed it, a super-packet as the
// one packet that it is, checksums as they were (partial ones included). Packets that the inner
// device dropped did not cross it.
//
// Both taps are optional: a pcap file (link type RAW, nanosecond times, written with libpcap and
// flushed by flush()), and a function that is called with each packet.
class CapturingDevice final : public Device {
 public:
  using Watcher = std::function<void(Direction, Bytes packet, Instant at)>;
  using Clock = std::function<Instant()>;

  // `inner` must outlive this. `clock` says what time is written: in the file it counts from 1970,
  // so wall_clock_now() gives a capture that agrees with others.
  // Throws DeviceError when `path` (empty: no file) cannot be written.
  CapturingDevice(Device& inner, const std::string& path, Watcher watcher, Clock clock);
  ~CapturingDevice() override;

  [[nodiscard]] ReadStatus read(RxBuffer& buffer) override;
  [[nodiscard]] WriteStatus write(TxFrame& frame) override;
  [[nodiscard]] int descriptor() const noexcept override;
  [[nodiscard]] bool checksum_offload() const noexcept override;
  [[nodiscard]] bool tcp_segmentation_offload() const noexcept override;
  [[nodiscard]] Instant next_deadline() const noexcept override;
  void release() override;

  // Makes the file hold every packet so far. Throws DeviceError when it does not: the disk is full.
  void flush();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
