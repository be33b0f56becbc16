// A device around a device that treats packets as a bad path does: late, lost, out of order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "runnel/time.h"
#include "runnel/tun_device.h"

namespace runnel::tun {

// What a path does to each packet, the same in both directions. Probabilities are from 0 to 1.
struct Impairment {
  Duration delay{};   // one way
  Duration jitter{};  // up to this much more or less, without overtaking
  double loss = 0;
  double reorder = 0;    // these take twice the delay and 1 ms, and the others overtake them
  double duplicate = 0;  // these arrive twice
  double corrupt = 0;    // these arrive with one bit turned over
  double mark = 0;       // of ECN-capable ones: these arrive as CE (RFC 3168 section 5)
  std::uint64_t rate_bits_per_second = 0;  // 0: as fast as the device
  std::size_t queue_packets = 1000;        // before the bottleneck; more are dropped
  std::uint64_t seed = 1;
};

// Delays and spoils what crosses `inner`.
//
// Theory of operation. Each direction is a bottleneck and a wire behind it:
//
//    packet ─▶ lost? ─▶ queue ─▶ sent at the rate ─▶ wire: delay, jitter, reordering ─▶ due
//                         └─ full: dropped
//
// A packet's whole fate is decided when it comes, so the device holds one ordered list of packets
// per direction, by the time at which they are due. read() gives what is due on the way in;
// release() writes what is due on the way out. next_deadline() says when there is something: the
// device never waits by itself, and the same seed, packets and times give the same fate.
//
// One turned bit is always found by the Internet checksum: a corrupted packet is dropped by its
// receiver, and octets that TCP delivers are never wrong because of it. The first octet is spared:
// another header length would let other octets into the sum.
//
// Checksums must be in the packets, and segments apart, so that each shares a packet's fate:
// REQUIRES: `inner` has no offload.
class ImpairedDevice final : public Device {
 public:
  using Clock = std::function<Instant()>;

  // `inner` must outlive this.
  ImpairedDevice(Device& inner, const Impairment& impairment, Clock clock);
  // Writes what is held on the way out: late packets are no reason to lose them.
  ~ImpairedDevice() override;

  [[nodiscard]] ReadStatus read(RxBuffer& buffer) override;
  [[nodiscard]] WriteStatus write(TxFrame& frame) override;
  [[nodiscard]] int descriptor() const noexcept override;
  [[nodiscard]] bool checksum_offload() const noexcept override { return false; }
  [[nodiscard]] bool tcp_segmentation_offload() const noexcept override { return false; }
  [[nodiscard]] Instant next_deadline() const noexcept override;
  void release() override;

  // What happened so far, both directions together.
  struct Counters {
    std::uint64_t packets = 0;  // that came
    std::uint64_t lost = 0;
    std::uint64_t queue_full = 0;
    std::uint64_t reordered = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t corrupted = 0;
    std::uint64_t marked = 0;
    std::uint64_t refused = 0;  // by the inner device, when they were due
  };
  [[nodiscard]] const Counters& counters() const noexcept;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
