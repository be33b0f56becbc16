// Packets that wait to be written together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runnel/bytes.h"
#include "tun/io_ring.h"

namespace runnel::tun {

// A batch of packets for an IoRing.
//
// Theory of operation. Packets are copied into slots, which hold a segment and no super-packet, and
// whoever gave them may forget them. write_all() has the whole batch written in order, and says for
// each packet what write(2) would have said; those that found no room stay in front for the next
// time.
class WriteRing {
 public:
  static constexpr std::size_t kPackets = IoRing::kMost;
  static constexpr std::size_t kPacketOctets = 2048;

  // `ring` must outlive this, and has nothing to do between the calls.
  explicit WriteRing(IoRing& ring) noexcept : ring_(&ring) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool is_full() const noexcept { return size_ == kPackets; }

  // Where the next packet goes, and how long it is. REQUIRES: !is_full(), octets <= kPacketOctets.
  [[nodiscard]] MutableBytes next() noexcept { return slots_[size_].octets; }
  void push(std::size_t octets) noexcept { slots_[size_++].size = octets; }
  [[nodiscard]] Bytes packet(std::size_t index) const noexcept {
    return Bytes(slots_[index].octets).first(slots_[index].size);
  }
  // Puts a packet in the place of an earlier one, and forgets all from the `count`-th on.
  void move(std::size_t from, std::size_t to) noexcept { slots_[to] = slots_[from]; }
  void resize(std::size_t count) noexcept { size_ = count; }

  // Writes all packets. Returns for each the octets written or the error, negated, good until the
  // next call: -EAGAIN for those that were not tried as well. The packets stay until resize().
  [[nodiscard]] std::span<const int> write_all() noexcept {
    for (std::size_t i = 0; i < size_; ++i) ring_->add_write(packet(i));
    return ring_->run();
  }

 private:
  // An odd number of cache lines: packets begin in lines that share no set of the cache.
  struct alignas(64) Slot {
    std::size_t size;
    std::array<std::uint8_t, kPacketOctets> octets;
  };

  IoRing* ring_;
  std::array<Slot, kPackets> slots_;
  std::size_t size_ = 0;
};

}  // namespace runnel::tun
