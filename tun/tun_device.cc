#include "runnel/tun_device.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tun/tun_setup.h"
#include "tun/unique_fd.h"
#include "tun/vnet_header.h"

namespace runnel::tun {
namespace {

// How many packets with a lying header one read() passes over: more than that are the next
// read()'s, so that each call's work is bounded.
constexpr int kMaxMalformed = 64;

// Where a packet begins in its block: behind the device's header, and aligned.
constexpr std::size_t kBeginOfPacket = 16;
static_assert(kBeginOfPacket >= kVnetHeaderOctets);

// writev() does not write through it.
iovec io_of(Bytes octets) noexcept {
  return {const_cast<std::uint8_t*>(octets.data()), octets.size()};
}

}  // namespace

struct TunDevice::Parts {
  explicit Parts(const TunOptions& options) : tun(open_tun(options)), offload(options.offload) {}

  [[noreturn]] void throw_gone(int error) const {
    // EBADFD: deleted. EFAULT is what a read says that was under way at that moment.
    if (error == EBADFD || error == EFAULT || error == ENODEV) {
      throw DeviceError(tun.name + ": the device was deleted");
    }
    throw DeviceError(tun.name + ": cannot go on: " + std::strerror(error));
  }

  // One call for the whole packet.
  [[nodiscard]] ssize_t write_pieces(const TxFrame& frame) const {
    const Bytes header = frame.header();
    if (frame.payload().empty()) {
      return ::write(tun.descriptor.get(), header.data(), header.size());
    }
    std::array<iovec, TxFrame::kMaxSlices + 1> pieces;
    std::size_t count = 0;
    pieces[count++] = io_of(header);
    for (const Bytes slice : frame.payload()) pieces[count++] = io_of(slice);
    return ::writev(tun.descriptor.get(), pieces.data(), static_cast<int>(count));
  }

  OpenTun tun;
  bool offload;
  Counters counters;
};

TunDevice::TunDevice(const TunOptions& options) : parts_(std::make_unique<Parts>(options)) {}

TunDevice::~TunDevice() = default;

Device::ReadStatus TunDevice::read(RxBuffer& buffer) {
  Parts& p = *parts_;
  const std::size_t prefix = p.offload ? kVnetHeaderOctets : 0;
  // One piece, the device's header in front of the packet's: gathering costs the kernel more.
  const MutableBytes space = buffer.space().subspan(kBeginOfPacket - prefix);
  for (int malformed = 0; malformed < kMaxMalformed;) {
    const ssize_t result = ::read(p.tun.descriptor.get(), space.data(), space.size());
    if (result < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return ReadStatus::Empty;
      p.throw_gone(errno);
    }
    const auto octets = static_cast<std::size_t>(result);
    auto meta = octets < prefix ? std::nullopt
                : p.offload ? decode_vnet_header(space.first<kVnetHeaderOctets>(), octets - prefix)
                            : std::optional<PacketMeta>(PacketMeta{});
    if (!meta) {
      ++p.counters.read_malformed;
      ++malformed;
      continue;
    }
    buffer.set_packet(kBeginOfPacket, octets - prefix);
    buffer.meta = *meta;
    ++p.counters.read_packets;
    return ReadStatus::Packet;
  }
  return ReadStatus::Empty;
}

Device::WriteStatus TunDevice::write(TxFrame& frame) {
  Parts& p = *parts_;
  if (p.offload) {
    const VnetHeader header = encode_vnet_header(frame.meta, frame.header().size());
    std::copy(header.begin(), header.end(), frame.prepend(header.size()).begin());
  } else if (frame.meta.checksum == ChecksumStatus::Partial || frame.meta.gso_size_octets > 0) {
    ++p.counters.write_refused;
    return WriteStatus::Dropped;
  }
  ssize_t result;
  do {
    result = p.write_pieces(frame);
  } while (result < 0 && errno == EINTR);
  // After Full the frame is written again, and a capture wants to see it without.
  if (p.offload) frame.remove_front(kVnetHeaderOctets);
  if (result >= 0) {
    ++p.counters.written_packets;
    return WriteStatus::Written;
  }
  switch (errno) {
    case EAGAIN:
      return WriteStatus::Full;
    case EIO:
      ++p.counters.write_link_down;
      return WriteStatus::Dropped;
    case EBADFD:
    case EBADF:
    case ENODEV:
      p.throw_gone(errno);
    default:
      ++p.counters.write_refused;
      return WriteStatus::Dropped;
  }
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

const TunDevice::Counters& TunDevice::counters() const noexcept {
  return parts_->counters;
}

}  // namespace runnel::tun
