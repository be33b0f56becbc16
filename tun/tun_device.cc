#include "runnel/tun_device.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "runnel/unique_fd.h"
#include "tun/io_ring.h"
#include "tun/tun_setup.h"
#include "tun/vnet_header.h"
#include "tun/write_ring.h"

namespace runnel::tun {
namespace {

// How many packets with a lying header one read() passes over: more than that are the next
// read()'s, so that each call's work is bounded.
constexpr int kMaxMalformed = 64;

// Where a packet begins in its block: behind the device's header, and aligned.
constexpr std::size_t kBeginOfPacket = 16;
static_assert(kBeginOfPacket >= kVnetHeaderOctets);

// What one packet of 61 octets costs, in nanoseconds of processor time, system call and the
// kernel's work together (Linux 6.18; the least of several runs beside other programs):
//
//                              write   writev of 2     read   readv of 2
//    one at a time             1,620      1,760         650      760
//    io_uring, one             2,150                  1,100
//    io_uring, 4 at a time     1,550                    735
//    io_uring, 32 at a time    1,230                    530
//
// So packets that are no super-packets are put together in one piece before they are written, and
// batches of them are written by io_uring. Bulk in segments of 1,448 octets, without offload,
// is 1.4 times as fast by it (2.0 and 2.85 Gbit/s beside other programs). Whoever knows that
// several packets have come reads by it too: 64 connections that exchange messages of an octet cost
// 4.16 us a message then, 4.38 one by one (medians of 10 runs in turns; 3.86 for a program that
// does nothing but answer), two thirds of that because the stack gets the batch in one piece.
// A packet that is waited for alone costs more, as the table says. To register the descriptor with
// the ring saves less than a hundredth.
constexpr std::size_t kWorthARing = 6;

// writev() does not write through it.
iovec io_of(Bytes octets) noexcept {
  return {const_cast<std::uint8_t*>(octets.data()), octets.size()};
}

}  // namespace

struct TunDevice::Parts {
  explicit Parts(const TunOptions& options)
      : tun(open_tun(options)),
        offload(options.offload),
        ring(IoRing::make(tun.descriptor.get())),
        batch(ring ? std::make_unique<WriteRing>(*ring) : nullptr) {}

  [[noreturn]] void throw_gone(int error) const {
    // EBADFD: deleted. EFAULT is what a read says that was under way at that moment.
    if (error == EBADFD || error == EFAULT || error == ENODEV) {
      throw DeviceError(tun.name + ": the device was deleted");
    }
    throw DeviceError(tun.name + ": cannot go on: " + std::strerror(error));
  }

  // Where the device is to put a packet: one piece, its own header in front of the packet's,
  // because gathering costs the kernel more.
  [[nodiscard]] MutableBytes space_in(RxBuffer& buffer) const noexcept {
    return buffer.space().subspan(kBeginOfPacket - prefix());
  }
  // Whether what was put there is a packet; it is in `buffer` then.
  [[nodiscard]] bool accept(RxBuffer& buffer, std::size_t octets);
  [[nodiscard]] std::size_t prefix() const noexcept { return offload ? kVnetHeaderOctets : 0; }

  // Whether `frame` can leave; its header then begins with what the device wants in front.
  [[nodiscard]] bool prepare(TxFrame& frame) {
    if (offload) {
      const VnetHeader header = encode_vnet_header(frame.meta, frame.header().size());
      std::copy(header.begin(), header.end(), frame.prepend(header.size()).begin());
      return true;
    }
    if (frame.meta.checksum != ChecksumStatus::Partial && frame.meta.gso_size_octets == 0) {
      return true;
    }
    ++counters.write_refused;
    return false;
  }
  // After Full the frame is written again, and a capture wants to see it without.
  void restore(TxFrame& frame) const noexcept {
    if (offload) frame.remove_front(kVnetHeaderOctets);
  }

  // One call for one packet. Returns the octets written, or the error, negated.
  [[nodiscard]] int write_octets(Bytes packet) const {
    for (;;) {
      const ssize_t result = ::write(tun.descriptor.get(), packet.data(), packet.size());
      if (result >= 0 || errno != EINTR) return result < 0 ? -errno : static_cast<int>(result);
    }
  }
  [[nodiscard]] int write_pieces(const TxFrame& frame) const;

  // What has become of a packet, by what the system said.
  [[nodiscard]] WriteStatus judge(int result);
  [[nodiscard]] WriteStatus finish_batch();

  OpenTun tun;
  bool offload;
  std::unique_ptr<IoRing> ring;      // none where there is no io_uring
  std::unique_ptr<WriteRing> batch;  // nor this
  Counters counters;
};

bool TunDevice::Parts::accept(RxBuffer& buffer, std::size_t octets) {
  std::optional<PacketMeta> meta;
  if (octets >= prefix()) {
    meta = offload ? decode_vnet_header(space_in(buffer).first<kVnetHeaderOctets>(),
                                        octets - kVnetHeaderOctets)
                   : PacketMeta{};
  }
  if (!meta) {
    ++counters.read_malformed;
    return false;
  }
  buffer.set_packet(kBeginOfPacket, octets - prefix());
  buffer.meta = *meta;
  ++counters.read_packets;
  return true;
}

int TunDevice::Parts::write_pieces(const TxFrame& frame) const {
  if (frame.payload().empty()) return write_octets(frame.header());
  if (frame.size() <= WriteRing::kPacketOctets) {
    std::array<std::uint8_t, WriteRing::kPacketOctets> flat;
    return write_octets(Bytes(flat).first(frame.copy_to(flat)));
  }
  std::array<iovec, TxFrame::kMaxSlices + 1> pieces;
  std::size_t count = 0;
  pieces[count++] = io_of(frame.header());
  for (const Bytes slice : frame.payload()) pieces[count++] = io_of(slice);
  const ssize_t result = ::writev(tun.descriptor.get(), pieces.data(), static_cast<int>(count));
  return result < 0 ? -errno : static_cast<int>(result);
}

Device::WriteStatus TunDevice::Parts::judge(int result) {
  switch (-result) {
    case EAGAIN:
      return WriteStatus::Full;
    case EIO:
      ++counters.write_link_down;
      return WriteStatus::Dropped;
    case EBADFD:
    case EBADF:
    case ENODEV:
      throw_gone(-result);
    default:
      if (result >= 0) {
        ++counters.written_packets;
        return WriteStatus::Written;
      }
      ++counters.write_refused;
      return WriteStatus::Dropped;
  }
}

Device::WriteStatus TunDevice::Parts::finish_batch() {
  if (!batch || batch->empty()) return WriteStatus::Written;
  const std::size_t count = batch->size();
  const std::span<const int> results =
      count >= kWorthARing ? batch->write_all() : std::span<const int>();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    int result = i < results.size() ? results[i] : -EAGAIN;
    if (result == -EAGAIN && kept == 0) result = write_octets(batch->packet(i));
    if (judge(result) == WriteStatus::Full) batch->move(i, kept++);
  }
  batch->resize(kept);
  return kept > 0 ? WriteStatus::Full : WriteStatus::Written;
}

std::size_t Device::read_batch(std::span<RxBuffer> buffers) {
  std::size_t count = 0;
  while (count < buffers.size() && read(buffers[count]) == ReadStatus::Packet) ++count;
  return count;
}

TunDevice::TunDevice(const TunOptions& options) : parts_(std::make_unique<Parts>(options)) {}

TunDevice::~TunDevice() = default;

Device::ReadStatus TunDevice::read(RxBuffer& buffer) {
  Parts& p = *parts_;
  const MutableBytes space = p.space_in(buffer);
  for (int malformed = 0; malformed < kMaxMalformed;) {
    const ssize_t result = ::read(p.tun.descriptor.get(), space.data(), space.size());
    if (result < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return ReadStatus::Empty;
      p.throw_gone(errno);
    }
    if (p.accept(buffer, static_cast<std::size_t>(result))) return ReadStatus::Packet;
    ++malformed;
  }
  return ReadStatus::Empty;
}

std::size_t TunDevice::read_batch(std::span<RxBuffer> buffers) {
  Parts& p = *parts_;
  buffers = buffers.first(std::min(buffers.size(), IoRing::kMost));
  if (!p.ring || buffers.size() < kWorthARing) return Device::read_batch(buffers);
  for (RxBuffer& buffer : buffers) p.ring->add_read(p.space_in(buffer));
  const std::span<const int> results = p.ring->run();
  std::size_t count = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] == -EAGAIN || results[i] == -EINTR) continue;
    if (results[i] < 0) p.throw_gone(-results[i]);
    if (!p.accept(buffers[i], static_cast<std::size_t>(results[i]))) continue;
    if (i != count) std::swap(buffers[i], buffers[count]);
    ++count;
  }
  // A kernel whose device cannot be read that way has not even tried.
  return count > 0 ? count : Device::read_batch(buffers);
}

Device::WriteStatus TunDevice::write(TxFrame& frame) {
  Parts& p = *parts_;
  if (p.finish_batch() == WriteStatus::Full) return WriteStatus::Full;
  if (!p.prepare(frame)) return WriteStatus::Dropped;
  int result;
  do {
    result = p.write_pieces(frame);
  } while (result == -EINTR);
  p.restore(frame);
  return p.judge(result);
}

Device::WriteStatus TunDevice::write_in_batch(TxFrame& frame) {
  Parts& p = *parts_;
  if (!p.batch || frame.size() > WriteRing::kPacketOctets - kVnetHeaderOctets) return write(frame);
  if (p.batch->is_full() && p.finish_batch() == WriteStatus::Full) return WriteStatus::Full;
  if (!p.prepare(frame)) return WriteStatus::Dropped;
  p.batch->push(frame.copy_to(p.batch->next()));
  p.restore(frame);
  return WriteStatus::Written;
}

Device::WriteStatus TunDevice::finish_batch() {
  return parts_->finish_batch();
}

int TunDevice::descriptor() const noexcept {
  return parts_->tun.descriptor.get();
}

bool TunDevice::checksum_offload() const noexcept {
  return parts_->offload;
}

bool TunDevice::tcp_segmentation_offload() const noexcept {
  return parts_->offload;
}

const std::string& TunDevice::name() const noexcept {
  return parts_->tun.name;
}

std::uint16_t TunDevice::mtu_octets() const noexcept {
  return parts_->tun.mtu_octets;
}

std::uint32_t TunDevice::queue_packets() const noexcept {
  return parts_->tun.queue_packets;
}

std::uint64_t TunDevice::lost_in_queue() const noexcept {
  const std::uint64_t lost = count_lost_packets(parts_->tun.name);
  return lost - std::min(lost, parts_->tun.lost_packets);
}

const TunDevice::Counters& TunDevice::counters() const noexcept {
  return parts_->counters;
}

}  // namespace runnel::tun
