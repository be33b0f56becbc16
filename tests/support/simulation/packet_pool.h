// Packets on their way through the simulated network, in memory that is used again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/packet.h"
#include "runnel/time.h"

namespace runnel::test {

// One packet that a link carries.
struct SimPacket {
  std::vector<std::uint8_t> storage;  // never shrinks
  std::size_t size = 0;
  PacketMeta meta;
  Instant arrival{};
  std::uint64_t order = 0;  // packets that arrive together do so in the order of sending

  [[nodiscard]] MutableBytes octets() noexcept { return {storage.data(), size}; }
  [[nodiscard]] Bytes octets() const noexcept { return {storage.data(), size}; }
  void resize(std::size_t octets) {
    if (storage.size() < octets) storage.resize(octets);
    size = octets;
  }
};

// Keeps packets that are not in use, so that a long run allocates next to nothing.
class PacketPool {
 public:
  [[nodiscard]] std::unique_ptr<SimPacket> take(std::size_t octets) {
    std::unique_ptr<SimPacket> packet;
    if (free_.empty()) {
      packet = std::make_unique<SimPacket>();
    } else {
      packet = std::move(free_.back());
      free_.pop_back();
    }
    packet->resize(octets);
    packet->meta = {};
    return packet;
  }
  void give_back(std::unique_ptr<SimPacket> packet) { free_.push_back(std::move(packet)); }

 private:
  std::vector<std::unique_ptr<SimPacket>> free_;
};

}  // namespace runnel::test
