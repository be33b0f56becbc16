#include "tun/io_ring.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <utility>

#include "runnel/unique_fd.h"

namespace runnel::tun {
namespace {

// Memory that is shared with the kernel.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(int descriptor, std::size_t octets, std::uint64_t offset) noexcept
      : address_(::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        descriptor, static_cast<off_t>(offset))),
        octets_(octets) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (*this) ::munmap(address_, octets_);
  }

  explicit operator bool() const noexcept { return address_ != MAP_FAILED; }
  template <typename T>
  [[nodiscard]] T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(static_cast<std::uint8_t*>(address_) + offset);
  }

 private:
  void* address_ = MAP_FAILED;
  std::size_t octets_ = 0;
};

UniqueFd set_up(io_uring_params& parameters) noexcept {
  return UniqueFd(static_cast<int>(::syscall(SYS_io_uring_setup, IoRing::kMost, &parameters)));
}

}  // namespace

// Two rings of indices and the arrays that they point into, as io_uring_setup(2) lays them out.
struct IoRing::Rings {
  Rings(int the_target, UniqueFd the_ring, const io_uring_params& parameters)
      : target(the_target),
        ring(std::move(the_ring)),
        queues(ring.get(),
               std::max<std::size_t>(
                   parameters.sq_off.array + parameters.sq_entries * sizeof(std::uint32_t),
                   parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe)),
               IORING_OFF_SQ_RING),
        entries(ring.get(), parameters.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES),
        offsets(parameters) {}

  int target;
  UniqueFd ring;
  Mapping queues;   // both rings: IORING_FEAT_SINGLE_MMAP
  Mapping entries;  // submission queue entries
  io_uring_params offsets;
};

std::unique_ptr<IoRing> IoRing::make(int descriptor) {
  io_uring_params parameters{};
  UniqueFd ring = set_up(parameters);
  if (!ring || (parameters.features & IORING_FEAT_SINGLE_MMAP) == 0) return nullptr;
  auto rings = std::make_unique<Rings>(descriptor, std::move(ring), parameters);
  if (!rings->queues || !rings->entries) return nullptr;
  return std::unique_ptr<IoRing>(new IoRing(std::move(rings)));
}

IoRing::IoRing(std::unique_ptr<Rings> rings) noexcept : rings_(std::move(rings)) {}

IoRing::~IoRing() = default;

void IoRing::add_read(MutableBytes into) noexcept {
  add(IORING_OP_READ, into.data(), into.size());
}

void IoRing::add_write(Bytes packet) noexcept {
  add(IORING_OP_WRITE, packet.data(), packet.size());
}

void IoRing::add(std::uint8_t operation, const void* octets, std::size_t size) noexcept {
  assert(size_ < kMost);
  const io_uring_params& at = rings_->offsets;
  const Mapping& queues = rings_->queues;
  const std::uint32_t tail = *queues.at<std::uint32_t>(at.sq_off.tail);
  const std::uint32_t mask = *queues.at<std::uint32_t>(at.sq_off.ring_mask);
  const std::uint32_t index = (tail + static_cast<std::uint32_t>(size_)) & mask;
  io_uring_sqe& entry = rings_->entries.at<io_uring_sqe>(0)[index];
  entry = {};
  entry.opcode = operation;
  // Not a registered file: the ring would keep it open for a moment after both are closed.
  entry.fd = rings_->target;
  entry.addr = reinterpret_cast<std::uintptr_t>(octets);
  entry.len = static_cast<std::uint32_t>(size);
  entry.user_data = size_;
  // A non-blocking descriptor is not enough: the kernel would wait for room, or for a packet, by
  // itself.
  entry.rw_flags = RWF_NOWAIT;
  queues.at<std::uint32_t>(at.sq_off.array)[index] = index;
  ++size_;
}

std::span<const int> IoRing::run() noexcept {
  const io_uring_params& at = rings_->offsets;
  const Mapping& queues = rings_->queues;
  const std::size_t count = std::exchange(size_, 0);
  auto& tail = *queues.at<std::uint32_t>(at.sq_off.tail);
  std::atomic_ref(tail).store(tail + static_cast<std::uint32_t>(count), std::memory_order_release);
  (void)::syscall(SYS_io_uring_enter, rings_->ring.get(), count, count, IORING_ENTER_GETEVENTS,
                  nullptr, 0);
  // Entries that the kernel did not take are taken back.
  const std::uint32_t taken =
      std::atomic_ref(*queues.at<std::uint32_t>(at.sq_off.head)).load(std::memory_order_acquire);
  std::atomic_ref(tail).store(taken, std::memory_order_release);

  std::fill_n(results_.begin(), count, -EAGAIN);
  auto& head = *queues.at<std::uint32_t>(at.cq_off.head);
  const std::uint32_t end =
      std::atomic_ref(*queues.at<std::uint32_t>(at.cq_off.tail)).load(std::memory_order_acquire);
  const std::uint32_t mask = *queues.at<std::uint32_t>(at.cq_off.ring_mask);
  for (std::uint32_t i = head; i != end; ++i) {
    const io_uring_cqe& done = queues.at<io_uring_cqe>(at.cq_off.cqes)[i & mask];
    // A descriptor that does not know RWF_NOWAIT has not tried either.
    results_[done.user_data] = done.res == -EOPNOTSUPP ? -EAGAIN : done.res;
  }
  std::atomic_ref(head).store(end, std::memory_order_release);
  return std::span(results_).first(count);
}

}  // namespace runnel::tun
