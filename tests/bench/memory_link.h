// Two stacks on one core and the link between them: no device, no kernel, no second thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "runnel/stack.h"

namespace runnel::bench {

// The machine's clock. The benchmarks run in real time: what round trips, pacing and timers come to
// is then what two processes on one core would see.
[[nodiscard]] inline Instant clock_now() noexcept {
  return Instant{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

// A stack with its address and its dice.
struct Host {
  Host(const Config& config, std::uint64_t seed, const IpPrefix& prefix)
      : random(seed), stack(config, random), address(prefix.address) {
    (void)stack.add_address(prefix);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  SeededRandom random;
  Stack stack;
  IpAddress address;
};

// A client (192.0.2.1) and a server (192.0.2.2).
//
// The link is as good as a TUN device with offloads, and as honest: super-packets cross unsplit,
// the checksum is vouched for, and every packet is copied once from the frame of the one stack into
// a block of the other. What the two applications do is up to the benchmark.
class MemoryLink {
 public:
  // Frames that cross before the other side has its turn, as in tun::Driver.
  static constexpr std::size_t kBatch = 64;

  explicit MemoryLink(Config config)
      : client(with_offload(config), 1, {IpAddress(192, 0, 2, 1), 24}),
        server(with_offload(config), 2, {IpAddress(192, 0, 2, 2), 24}) {}

  // Takes frames from `from` to `to` until there is none, at most kBatch. Returns how many.
  std::size_t carry(Host& from, Host& to, Instant now) {
    std::size_t count = 0;
    while (count < kBatch && from.stack.poll_transmit(frame_, now)) {
      RxBuffer packet = to.stack.acquire_rx_buffer();
      if (!packet) break;  // lost, for want of memory
      packet.set_packet(0, frame_.copy_to(packet.space()));
      packet.meta.gso_size_octets = frame_.meta.gso_size_octets;
      packet.meta.checksum = ChecksumStatus::Verified;
      to.stack.receive(std::move(packet), now);
      ++count;
    }
    packets_ += count;
    return count;
  }

  [[nodiscard]] std::uint64_t packets() const noexcept { return packets_; }

  Host client;
  Host server;

 private:
  [[nodiscard]] static Config with_offload(Config config) noexcept {
    config.checksum_offload = true;
    config.tcp_segmentation_offload = true;
    return config;
  }

  TxFrame frame_;
  std::uint64_t packets_ = 0;
};

}  // namespace runnel::bench
