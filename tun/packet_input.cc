#include "tun/packet_input.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

namespace runnel::tun {
namespace {

// How long a device that reports an error, but has none to show, is left alone.
constexpr Duration kErrorPause = std::chrono::milliseconds(100);
// How long input waits when there is no memory for a single packet.
constexpr Duration kNoBufferPause = std::chrono::milliseconds(10);

// A block of the stack's, and the part of its free memory that blocks for a group may take.
constexpr std::size_t kBlockOctets = std::size_t{65} << 10U;
constexpr std::size_t kShareOfMemory = 8;

}  // namespace

PacketInput::Batch PacketInput::read(Instant now) {
  if (!reserve_) reserve_ = stack_.acquire_rx_buffer();
  Batch batch;
  while (may_read_ && batch.packets < limit_ && batch.octets < kBatchOctets) {
    const std::span<RxBuffer> into = blocks(group_size(batch.packets));
    if (into.empty()) {
      may_read_ = false;
      batch.pause = kNoBufferPause;
      break;
    }
    const std::size_t count = into.size() > 1
                                  ? device_.read_batch(into)
                                  : device_.read(into.front()) == Device::ReadStatus::Packet;
    if (count < into.size()) {
      may_read_ = false;
      // What it was would have been thrown by the device. Do not let epoll report it for ever.
      if (std::exchange(has_error_, false)) batch.pause = kErrorPause;
    }
    batch.packets += count;
    for (const RxBuffer& packet : into.first(count)) batch.octets += packet.packet().size();
    hand_up(into.first(count), now);
    // Blocks that nothing came into are the stack's again, and for a moment not in use.
    for (RxBuffer& unused : into.subspan(std::max(count, std::size_t{1}))) unused = RxBuffer();
  }
  if (batch.packets == 0) return batch;
  batch.is_whole = batch.packets >= kBatchPackets || batch.octets >= kBatchOctets;
  limit_ = std::min(batch.packets * 2, kBatchPackets);
  expected_ = batch.octets <= batch.packets * kShortOctets ? batch.packets : 0;
  return batch;
}

// How many packets to ask for together, when so many of the batch have been read.
std::size_t PacketInput::group_size(std::size_t already_read) const noexcept {
  if (expected_ < already_read + kLeastInAGroup) return 1;
  const std::size_t size =
      std::min({expected_ - already_read, limit_ - already_read, kMostInAGroup});
  const std::size_t budget = stack_.config().memory_budget_octets;
  const std::size_t free = budget - std::min(budget, stack_.memory_octets());
  const bool is_small = size * kBlockOctets <= free / kShareOfMemory;
  return size >= kLeastInAGroup && is_small ? size : 1;
}

// Blocks for as many packets as there is memory for; none when there is not even a reserve.
std::span<RxBuffer> PacketInput::blocks(std::size_t wanted) {
  std::size_t count = 0;
  for (; count < wanted; ++count) {
    if (!blocks_[count]) blocks_[count] = stack_.acquire_rx_buffer();
    if (!blocks_[count]) break;
  }
  if (count > 0) return std::span(blocks_).first(count);
  return {&reserve_, reserve_ ? std::size_t{1} : std::size_t{0}};
}

void PacketInput::hand_up(std::span<RxBuffer> packets, Instant now) {
  if (packets.size() > 1) {
    stack_.receive(packets, now);
  } else if (packets.data() == &reserve_ && !packets.empty()) {
    stack_.receive(reserve_.packet(), now, reserve_.meta);
  } else if (!packets.empty()) {
    stack_.receive(std::move(packets.front()), now);
  }
}

}  // namespace runnel::tun
