// The way of packets from a device into a stack.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "runnel/stack.h"
#include "runnel/time.h"
#include "runnel/tun_device.h"

namespace runnel::tun {

// Reads packets in batches and hands them to the stack.
//
// Theory of operation. A batch begins with a single packet and doubles while there are more: so the
// answer to a packet that came alone is not held up by the read that finds the device empty.
//
// When the last batch was of several short packets, as many are asked for together in the next one,
// in groups: the device may read a group with one system call, and the stack waits for memory once
// for all of them (Stack::receive of a span). What a group has asked for in vain costs little.
// Super-packets are read one by one: a group of them would not stay in the cache, and the block of
// the last one that was done with is warm. Nor are there groups where their blocks would take much
// of what is left of the stack's memory.
//
// When the stack has no block to give, packets are read into a reserve and shown to the stack:
// acknowledgments are what frees its memory.
class PacketInput {
 public:
  // What a batch has at most. The octets stand for the time that it takes: a clock would have to be
  // read for every packet. So many fit into a processor's own cache, where the next batch finds the
  // blocks of the last one.
  static constexpr std::size_t kBatchPackets = 64;
  static constexpr std::size_t kBatchOctets = std::size_t{256} << 10U;

  struct Batch {
    std::size_t packets = 0;
    std::size_t octets = 0;
    bool is_whole = false;  // there may be another one at once
    Duration pause{};       // how long the device is better left alone; zero: not at all
  };

  // Both must outlive this.
  PacketInput(Stack& stack, Device& device) noexcept : stack_(stack), device_(device) {}

  // Reads a batch, unless the device is known to be empty.
  [[nodiscard]] Batch read(Instant now);

  // The device may have a packet, until a read finds it empty.
  void look_again() noexcept { may_read_ = true; }
  // It is not to be read until look_again().
  void look_away() noexcept { may_read_ = false; }
  // The next batch may be a whole one, whatever the last one was.
  void expect_many() noexcept { limit_ = kBatchPackets; }
  // The descriptor reports an error: if no read says which, it is left alone for a while.
  void descriptor_has_error() noexcept { has_error_ = true; }

 private:
  // Packets that are asked for together, and how many there must be for that to be worth while.
  static constexpr std::size_t kMostInAGroup = 32;
  static constexpr std::size_t kLeastInAGroup = 6;
  // A packet that is no super-packet.
  static constexpr std::size_t kShortOctets = 2048;

  [[nodiscard]] std::size_t group_size(std::size_t already_read) const noexcept;
  [[nodiscard]] std::span<RxBuffer> blocks(std::size_t wanted);
  void hand_up(std::span<RxBuffer> packets, Instant now);

  Stack& stack_;
  Device& device_;
  std::array<RxBuffer, kMostInAGroup> blocks_;  // for the next packets
  RxBuffer reserve_;                            // ... while the stack has no block to give
  std::size_t limit_ = 1;                       // packets of the next batch
  std::size_t expected_ = 0;                    // how many of them may be read in groups
  bool may_read_ = true;
  bool has_error_ = false;
};

}  // namespace runnel::tun
