// What crosses the link: one incoming packet in an RxBuffer, one outgoing packet in a TxFrame.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "runnel/bytes.h"
#include "runnel/ecn.h"

namespace runnel {

namespace buffer {
class Slab;
}

// Who has verified, or will finish, the transport checksum of a packet.
enum class ChecksumStatus : std::uint8_t {
  Unchecked,  // in: the stack must verify it. out: the field holds the whole checksum
  Verified,   // in: the link vouches for it, and the field may hold a partial sum
  Partial,    // out: the field holds the pseudo-header's sum and the link adds the rest
};

// What a link knows about a packet beside its octets.
//
// A packet with gso_size_octets > 0 is a super-packet: one TCP header before a payload longer than
// one segment, which the link cuts into segments of gso_size_octets (out) or has put together
// from them (in). The stack treats it as one segment.
struct PacketMeta {
  ChecksumStatus checksum = ChecksumStatus::Unchecked;
  std::uint16_t gso_size_octets = 0;
  Ecn ecn = Ecn::NotEct;  // outgoing: what the IP header says, for whoever writes it
  // Incoming: how many stacks of the same addresses know nothing of this packet (poll_stray()).
  std::uint8_t stacks_asked = 0;
  // Outgoing packets with a Partial checksum only, counted from the packet's first octet:
  std::uint16_t checksum_start = 0;   // where the sum begins: the transport header
  std::uint16_t checksum_offset = 0;  // from there to the checksum field
};

// A block of the stack's memory that a link fills with one packet. Move-only.
//
// Stack::acquire_rx_buffer() gives an empty one with room for any packet; the link reads into
// space(), says how much came with set_size(), sets meta, and passes it to Stack::receive().
class RxBuffer {
 public:
  RxBuffer() noexcept = default;
  explicit RxBuffer(buffer::Slab* adopted) noexcept : slab_(adopted) {}
  RxBuffer(RxBuffer&& other) noexcept
      : meta(other.meta),
        slab_(std::exchange(other.slab_, nullptr)),
        begin_(other.begin_),
        size_(other.size_) {}
  RxBuffer& operator=(RxBuffer&& other) noexcept;
  RxBuffer(const RxBuffer&) = delete;
  RxBuffer& operator=(const RxBuffer&) = delete;
  ~RxBuffer();

  // False after a move, or when the memory budget had no block to give.
  explicit operator bool() const noexcept { return slab_ != nullptr; }

  // Everything that may be written. REQUIRES: *this.
  [[nodiscard]] MutableBytes space() noexcept;

  // Declares which part of space() holds the packet: `size` octets from `begin` on.
  void set_packet(std::size_t begin, std::size_t size) noexcept;

  [[nodiscard]] Bytes packet() const noexcept;

  // Gives up the block; the caller owns one reference. For the stack itself.
  [[nodiscard]] buffer::Slab* release() noexcept { return std::exchange(slab_, nullptr); }

  PacketMeta meta;

 private:
  buffer::Slab* slab_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

// One outgoing packet: headers in a block of its own, payload as slices of the stack's memory.
//
//    storage_:  [ ......headroom...... | IP header | TCP header ]   payload: [slice][slice]...
//                                      ^ header()
//
// Headers are put in front of each other, innermost first, so a link can prepend its own too (the
// ten octets of a virtio_net_hdr), write everything with one gather call, and take it back.
//
// Borrowed: payload slices stay valid until the next non-const call to the Stack.
class TxFrame {
 public:
  static constexpr std::size_t kHeadroom = 160;
  static constexpr std::size_t kMaxSlices = 40;

  // Forgets the packet that was in the frame.
  void clear() noexcept {
    begin_ = kHeadroom;
    slice_count_ = 0;
    payload_octets_ = 0;
    meta = {};
  }

  // Makes room for a header of `octets` in front of what is there. REQUIRES: headroom is left.
  [[nodiscard]] MutableBytes prepend(std::size_t octets) noexcept {
    assert(octets <= begin_);
    begin_ -= octets;
    return {storage_.data() + begin_, octets};
  }

  // Takes back what a link has put in front. REQUIRES: the header has that many octets.
  void remove_front(std::size_t octets) noexcept {
    assert(octets <= kHeadroom - begin_);
    begin_ += octets;
  }

  // Adds one slice behind the payload so far. REQUIRES: !is_full().
  void append(Bytes slice) noexcept {
    assert(!is_full());
    slices_[slice_count_++] = slice;
    payload_octets_ += slice.size();
  }

  [[nodiscard]] bool is_full() const noexcept { return slice_count_ == kMaxSlices; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] Bytes header() const noexcept {
    return {storage_.data() + begin_, kHeadroom - begin_};
  }
  [[nodiscard]] MutableBytes mutable_header() noexcept {
    return {storage_.data() + begin_, kHeadroom - begin_};
  }
  [[nodiscard]] std::span<const Bytes> payload() const noexcept {
    return {slices_.data(), slice_count_};
  }
  [[nodiscard]] std::size_t payload_octets() const noexcept { return payload_octets_; }
  [[nodiscard]] std::size_t size() const noexcept { return kHeadroom - begin_ + payload_octets_; }

  // Writes the whole packet into `out` and returns its size. REQUIRES: out.size() >= size().
  std::size_t copy_to(MutableBytes out) const noexcept {
    assert(out.size() >= size());
    std::size_t at = 0;
    const auto put = [&](Bytes piece) {
      if (piece.empty()) return;
      std::memcpy(out.data() + at, piece.data(), piece.size());
      at += piece.size();
    };
    put(header());
    for (const Bytes slice : payload()) put(slice);
    return at;
  }

  PacketMeta meta;

 private:
  std::array<std::uint8_t, kHeadroom> storage_;
  std::array<Bytes, kMaxSlices> slices_;
  std::size_t begin_ = kHeadroom;
  std::size_t slice_count_ = 0;
  std::size_t payload_octets_ = 0;
};

}  // namespace runnel
