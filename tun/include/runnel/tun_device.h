// A Linux TUN device: raw IP packets by file descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "runnel/ip_address.h"
#include "runnel/packet.h"
#include "runnel/time.h"

namespace runnel::tun {

// What a TUN cannot do for us, in one line that says what to do next.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A link: where packets come from and go to. TunDevice is one; a capture or an impairment wraps
// one.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  enum class ReadStatus : std::uint8_t { Packet, Empty };
  enum class WriteStatus : std::uint8_t {
    Written,
    Full,     // try again when the descriptor is writable
    Dropped,  // the link is down, or refused the packet: it is gone, and counted
  };

  // Reads one packet into `buffer`. Throws DeviceError when the device is gone for good.
  [[nodiscard]] virtual ReadStatus read(RxBuffer& buffer) = 0;
  // Reads packets into `buffers`, the first of them into the first and so on, and returns how many:
  // with fewer than buffers.size() there are no more, or soon the descriptor is readable again. The
  // buffers without a packet may have changed places. Throws DeviceError as read().
  [[nodiscard]] virtual std::size_t read_batch(std::span<RxBuffer> buffers);
  // Writes one packet. Throws DeviceError when the device is gone for good.
  [[nodiscard]] virtual WriteStatus write(TxFrame& frame) = 0;

  // As write(), but the packet may be kept for a batch, to be written behind the last one.
  [[nodiscard]] virtual WriteStatus write_in_batch(TxFrame& frame) { return write(frame); }
  // Writes what was kept. Full: not all of it, and this is to be called again.
  [[nodiscard]] virtual WriteStatus finish_batch() { return WriteStatus::Written; }

  // What to wait on for packets.
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
  [[nodiscard]] virtual bool checksum_offload() const noexcept = 0;
  [[nodiscard]] virtual bool tcp_segmentation_offload() const noexcept = 0;

  // A device may hold packets back. When the next of them is due, in either direction; kNever for
  // one that holds none. From then on release() and read() have work, whatever the descriptor says.
  [[nodiscard]] virtual Instant next_deadline() const noexcept { return kNever; }
  // Passes on the outgoing packets that are due.
  virtual void release() {}
};

struct TunOptions {
  std::string name = "tun0";
  // IFF_VNET_HDR with checksum and TSO offload. Off: plain packets, TUNSETOFFLOAD 0.
  bool offload = true;

  // Used only when this process creates the device; one that is there with an address and up is
  // left as it is.
  std::optional<IpPrefix> kernel_address = {};  // the kernel's side, the peer of the stack
  std::optional<std::uint16_t> mtu_octets = {};
  // Packets that the kernel keeps for the stack, txqueuelen. What comes while it is full is lost
  // without a word to the sender, so it should hold the windows that the stack offers: without
  // offload this one holds 14 MB of full segments.
  std::uint32_t queue_packets = 10'000;

  // The device may be opened several times, by this process or others, and each of them is one of
  // its queues: the kernel decides by a packet's addresses and ports, and by what was written last
  // where, which queue it comes from. A device that is there must have been made for that.
  bool is_multi_queue = false;
};

// An open TUN device. Opening creates it when it is not there, and attaches to one that is (made
// with `ip tuntap add dev NAME mode tun user USER`).
//
// Address, MTU and link up are set through rtnetlink when this process may. When it may not, and
// they are needed, opening fails with the exact `ip` commands in the message.
class TunDevice final : public Device {
 public:
  // Throws DeviceError: no /dev/net/tun, not permitted, busy, not a TUN.
  explicit TunDevice(const TunOptions& options);
  ~TunDevice() override;

  [[nodiscard]] ReadStatus read(RxBuffer& buffer) override;
  [[nodiscard]] std::size_t read_batch(std::span<RxBuffer> buffers) override;
  [[nodiscard]] WriteStatus write(TxFrame& frame) override;
  // Short packets leave many at a time, by io_uring where the program may use it.
  [[nodiscard]] WriteStatus write_in_batch(TxFrame& frame) override;
  [[nodiscard]] WriteStatus finish_batch() override;
  [[nodiscard]] int descriptor() const noexcept override;
  [[nodiscard]] bool checksum_offload() const noexcept override;
  [[nodiscard]] bool tcp_segmentation_offload() const noexcept override;

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] std::uint16_t mtu_octets() const noexcept;
  // How many packets wait at most to be read, when it was opened.
  [[nodiscard]] std::uint32_t queue_packets() const noexcept;

  // Packets that the kernel had no room for in the device's queue since it was opened, all queues
  // together. Asks the kernel.
  [[nodiscard]] std::uint64_t lost_in_queue() const noexcept;

  // Packets that the device refused or that came while it could not be used.
  struct Counters {
    std::uint64_t read_packets = 0;
    std::uint64_t written_packets = 0;
    std::uint64_t write_link_down = 0;  // EIO
    std::uint64_t write_refused = 0;    // EINVAL and other refusals of one packet
    std::uint64_t read_malformed = 0;   // vnet headers that lie
  };
  [[nodiscard]] const Counters& counters() const noexcept;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
