// Writes many packets of no more than a segment to a descriptor with one system call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runnel/bytes.h"

namespace runnel::tun {

// A batch of packets for io_uring_enter(2).
//
// Theory of operation. Packets are copied into slots, which hold a segment and no super-packet, and
// whoever gave them may forget them. write_all() hands the whole batch to the kernel, which writes
// it in order before the call returns, because no write may wait: nothing is ever under way. It
// says for each packet what write(2) to a non-blocking descriptor would have said.
//
// Programs may be forbidden to use io_uring (kernel.io_uring_disabled, seccomp filters of
// containers), and old kernels have none; then make() gives nothing.
class WriteRing {
 public:
  static constexpr std::size_t kPackets = 32;
  static constexpr std::size_t kPacketOctets = 2048;

  // `descriptor` must outlive the ring.
  [[nodiscard]] static std::unique_ptr<WriteRing> make(int descriptor);
  WriteRing(const WriteRing&) = delete;
  WriteRing& operator=(const WriteRing&) = delete;
  ~WriteRing();

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
  [[nodiscard]] std::span<const int> write_all() noexcept;

 private:
  struct Rings;
  // An odd number of cache lines: packets begin in lines that share no set of the cache.
  struct alignas(64) Slot {
    std::size_t size;
    std::array<std::uint8_t, kPacketOctets> octets;
  };
  explicit WriteRing(std::unique_ptr<Rings> rings) noexcept;

  std::unique_ptr<Rings> rings_;
  std::array<Slot, kPackets> slots_;
  std::array<int, kPackets> results_;
  std::size_t size_ = 0;
};

}  // namespace runnel::tun
