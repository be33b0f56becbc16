#include "runnel/impairment.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "runnel/random.h"
#include "stack/base/byte_order.h"

namespace runnel::tun {
namespace {

using Packet = std::vector<std::uint8_t>;

// How many packets one read() takes from the inner device, so that each call's work is bounded.
constexpr int kBatch = 64;
constexpr Duration kReorderedExtra = std::chrono::milliseconds(1);
// Wire time of one packet is rounded to nanoseconds; below this rate it would not fit.
constexpr std::uint64_t kSlowestRate = 1000;

constexpr std::size_t kIpv4HeaderOctets = 20;
constexpr std::size_t kIpv4Checksum = 10;
constexpr unsigned kEcnMask = 0x03;  // of the second octet; CE is both bits

// ECT(0) or ECT(1), in IPv4.
bool is_ecn_capable(const Packet& packet) {
  if (packet.size() < kIpv4HeaderOctets || packet[0] >> 4U != 4) return false;
  const unsigned ecn = packet[1] & kEcnMask;
  return ecn == 1 || ecn == 2;
}

// The header checksum follows the change of one word (RFC 1624 section 3).
void mark_congestion(Packet& packet) {
  const auto word = [&](std::size_t at) {
    return std::uint32_t{base::load_be<std::uint16_t>(packet, at)};
  };
  const std::uint32_t before = word(0);
  packet[1] = static_cast<std::uint8_t>(packet[1] | kEcnMask);
  std::uint32_t sum = (~word(kIpv4Checksum) & 0xffffU) + (~before & 0xffffU) + word(0);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  base::store_be<std::uint16_t>(packet, kIpv4Checksum, static_cast<std::uint16_t>(~sum & 0xffffU));
}

}  // namespace

struct ImpairedDevice::Parts {
  // One direction of the path.
  struct Path {
    std::deque<Instant> queue;  // when each packet in the queue has left it
    Instant free_at{};          // when the bottleneck has sent what it was given
    Instant last_due{};         // of the packets that keep their order
    std::multimap<Instant, Packet> held;
  };

  // Decides what becomes of `packet`.
  void admit(Path& path, Packet packet, Instant now);
  // When a packet has left the bottleneck; kNever when the queue has no room.
  Instant pass_bottleneck(Path& path, std::size_t octets, Instant now);
  Instant cross_wire(Path& path, Instant departure);
  void turn_one_bit(Packet& packet);
  void read_ahead(RxBuffer& buffer);
  void write_until(Instant now);

  bool happens(double probability) {
    constexpr std::uint64_t kOne = std::uint64_t{1} << 53U;
    return probability > 0 &&
           static_cast<double>(random.below(kOne)) < probability * static_cast<double>(kOne);
  }

  Device& inner;
  Impairment impairment;
  Clock clock;
  SeededRandom random;
  Path incoming{};
  Path outgoing{};
  Counters counters{};
};

void ImpairedDevice::Parts::admit(Path& path, Packet packet, Instant now) {
  ++counters.packets;
  if (happens(impairment.loss)) {
    ++counters.lost;
    return;
  }
  const Instant departure = pass_bottleneck(path, packet.size(), now);
  if (departure == kNever) {
    ++counters.queue_full;
    return;
  }
  if (is_ecn_capable(packet) && happens(impairment.mark)) {
    ++counters.marked;
    mark_congestion(packet);
  }
  if (happens(impairment.corrupt)) turn_one_bit(packet);
  const bool is_twice = happens(impairment.duplicate);
  const Instant due = cross_wire(path, departure);
  if (is_twice) {
    ++counters.duplicated;
    path.held.emplace(due, packet);
  }
  path.held.emplace(due, std::move(packet));
}

Instant ImpairedDevice::Parts::pass_bottleneck(Path& path, std::size_t octets, Instant now) {
  if (impairment.rate_bits_per_second == 0) return now;
  while (!path.queue.empty() && path.queue.front() <= now) path.queue.pop_front();
  if (path.queue.size() >= impairment.queue_packets) return kNever;
  const std::uint64_t rate = std::max(impairment.rate_bits_per_second, kSlowestRate);
  path.free_at = std::max(path.free_at, now) + Duration(octets * 8 * 1'000'000'000ULL / rate);
  path.queue.push_back(path.free_at);
  return path.free_at;
}

Instant ImpairedDevice::Parts::cross_wire(Path& path, Instant departure) {
  Duration delay = impairment.delay;
  if (impairment.jitter > Duration::zero()) {
    const auto span = static_cast<std::uint64_t>(2 * impairment.jitter.count() + 1);
    delay += Duration(static_cast<std::int64_t>(random.below(span))) - impairment.jitter;
    delay = std::max(delay, Duration::zero());
  }
  if (happens(impairment.reorder)) {
    ++counters.reordered;
    return departure + 2 * delay + kReorderedExtra;
  }
  path.last_due = std::max(path.last_due, departure + delay);
  return path.last_due;
}

void ImpairedDevice::Parts::turn_one_bit(Packet& packet) {
  if (packet.size() < 2) return;
  ++counters.corrupted;
  const std::uint64_t at = random.below((packet.size() - 1) * 8);
  packet[1 + at / 8] ^= static_cast<std::uint8_t>(1U << (at % 8));
}

void ImpairedDevice::Parts::read_ahead(RxBuffer& buffer) {
  for (int i = 0; i < kBatch && inner.read(buffer) == ReadStatus::Packet; ++i) {
    const Bytes packet = buffer.packet();
    admit(incoming, Packet(packet.begin(), packet.end()), clock());
  }
}

void ImpairedDevice::Parts::write_until(Instant now) {
  auto& held = outgoing.held;
  while (!held.empty() && held.begin()->first <= now) {
    const auto next = held.extract(held.begin());
    TxFrame frame;
    frame.clear();
    frame.append(next.mapped());
    if (inner.write(frame) != WriteStatus::Written) ++counters.refused;
  }
}

ImpairedDevice::ImpairedDevice(Device& inner, const Impairment& impairment, Clock clock)
    : parts_(new Parts{.inner = inner,
                       .impairment = impairment,
                       .clock = std::move(clock),
                       .random = SeededRandom(impairment.seed)}) {
  assert(!inner.checksum_offload() && !inner.tcp_segmentation_offload());
}

ImpairedDevice::~ImpairedDevice() {
  try {
    parts_->write_until(kNever);
  } catch (const DeviceError&) {  // gone: nobody is there to receive them
  }
}

Device::ReadStatus ImpairedDevice::read(RxBuffer& buffer) {
  parts_->read_ahead(buffer);
  auto& held = parts_->incoming.held;
  if (held.empty() || held.begin()->first > parts_->clock()) return ReadStatus::Empty;
  const auto next = held.extract(held.begin());
  const MutableBytes space = buffer.space();
  const std::size_t octets = std::min(space.size(), next.mapped().size());
  std::copy_n(next.mapped().begin(), octets, space.begin());
  buffer.set_packet(0, octets);
  buffer.meta = {};
  return ReadStatus::Packet;
}

Device::WriteStatus ImpairedDevice::write(TxFrame& frame) {
  assert(frame.meta.checksum == ChecksumStatus::Unchecked && frame.meta.gso_size_octets == 0);
  Packet packet(frame.size());
  frame.copy_to(packet);
  parts_->admit(parts_->outgoing, std::move(packet), parts_->clock());
  return WriteStatus::Written;
}

int ImpairedDevice::descriptor() const noexcept {
  return parts_->inner.descriptor();
}

Instant ImpairedDevice::next_deadline() const noexcept {
  Instant earliest = kNever;
  for (const Parts::Path* path : {&parts_->incoming, &parts_->outgoing}) {
    if (!path->held.empty()) earliest = std::min(earliest, path->held.begin()->first);
  }
  return earliest;
}

void ImpairedDevice::release() {
  parts_->write_until(parts_->clock());
}

const ImpairedDevice::Counters& ImpairedDevice::counters() const noexcept {
  return parts_->counters;
}

}  // namespace runnel::tun
