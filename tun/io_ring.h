// Many reads and writes of packets with one system call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runnel/bytes.h"

namespace runnel::tun {

// Reads and writes of one non-blocking descriptor for io_uring_enter(2).
//
// Theory of operation. What is to be done is added to a list, and run() hands the list to the
// kernel, which does it in order before the call returns, because no part of it may wait: nothing
// is ever under way. It says for each what read(2) or write(2) would have said, and a packet is as
// whole, and comes as much in its turn, as if they had been called one after the other.
//
// Programs may be forbidden to use io_uring (kernel.io_uring_disabled, seccomp filters of
// containers), and old kernels have none; then make() gives nothing.
class IoRing {
 public:
  static constexpr std::size_t kMost = 32;

  // `descriptor` must outlive the ring.
  [[nodiscard]] static std::unique_ptr<IoRing> make(int descriptor);
  IoRing(const IoRing&) = delete;
  IoRing& operator=(const IoRing&) = delete;
  ~IoRing();

  // Adds one to the list. The octets must stay where they are until run() has returned.
  // REQUIRES: fewer than kMost were added.
  void add_read(MutableBytes into) noexcept;
  void add_write(Bytes packet) noexcept;

  // Does all that was added. Returns for each the octets read or written, or the error, negated,
  // good until the next call: -EAGAIN for those that were not tried as well.
  [[nodiscard]] std::span<const int> run() noexcept;

 private:
  struct Rings;
  explicit IoRing(std::unique_ptr<Rings> rings) noexcept;
  void add(std::uint8_t operation, const void* octets, std::size_t size) noexcept;

  std::unique_ptr<Rings> rings_;
  std::array<int, kMost> results_;
  std::size_t size_ = 0;
};

}  // namespace runnel::tun
