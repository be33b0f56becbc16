#include "stack/ip/fragment_table.h"

#include <cassert>
#include <utility>

namespace runnel::ip {
namespace {

// What a node of a std::map costs beside its value: three links and a colour, and the allocator's
// own header and rounding.
constexpr std::size_t kTreeNodeOctets = 56;

constexpr std::size_t kPieceRecordOctets =
    sizeof(std::pair<const std::uint32_t, buffer::Slice>) + kTreeNodeOctets;
constexpr std::size_t kDatagramRecordOctets =
    sizeof(std::pair<const DatagramKey, PartialDatagram>) + kTreeNodeOctets;
constexpr std::size_t kSourceRecordOctets =
    sizeof(std::pair<const IpAddress, FragmentSource>) + kTreeNodeOctets;

PartialDatagram* by_age(base::ListNode* node) noexcept {
  return static_cast<PartialDatagram*>(static_cast<AgeLink*>(node));
}
PartialDatagram* by_source(base::ListNode* node) noexcept {
  return static_cast<PartialDatagram*>(static_cast<SourceLink*>(node));
}

}  // namespace

buffer::Slice PartialDatagram::first_packet() const {
  assert(first_header_octets > 0);
  buffer::Slice packet = pieces.begin()->second;
  packet.offset -= first_header_octets;
  packet.length += first_header_octets;
  return packet;
}

PartialDatagram* FragmentTable::find_or_create(const DatagramKey& key, Instant deadline) {
  const auto [at, is_new] = datagrams_.try_emplace(key);
  PartialDatagram& datagram = at->second;
  if (!is_new) return &datagram;

  datagram.key = key;
  datagram.deadline = deadline;
  const auto [source, is_new_source] = sources_.try_emplace(key.source);
  if (is_new_source) charged_octets_ += kSourceRecordOctets;
  datagram.source = &source->second;
  datagram.source->datagrams.push_back(static_cast<SourceLink&>(datagram));
  by_age_.push_back(static_cast<AgeLink&>(datagram));
  charge(datagram, kDatagramRecordOctets);
  return enforce_limits(datagram) ? &datagram : nullptr;
}

bool FragmentTable::store(PartialDatagram& datagram, std::uint32_t begin, buffer::Slice payload) {
  assert(!datagram.condemned);
  charge(datagram, payload.slab->charged_octets() + kPieceRecordOctets);
  datagram.received_octets += payload.length;
  datagram.pieces.emplace(begin, std::move(payload));
  return enforce_limits(datagram);
}

void FragmentTable::condemn(PartialDatagram& datagram, DropReason reason) noexcept {
  datagram.pieces.clear();
  datagram.received_octets = 0;
  datagram.end_octets.reset();
  datagram.first_header_octets = 0;
  datagram.condemned = reason;
  release(datagram, datagram.charged_octets - kDatagramRecordOctets);
}

void FragmentTable::erase(PartialDatagram& datagram) noexcept {
  release(datagram, datagram.charged_octets);
  static_cast<AgeLink&>(datagram).unlink();
  static_cast<SourceLink&>(datagram).unlink();
  if (datagram.source->datagrams.empty()) {
    charged_octets_ -= kSourceRecordOctets;
    sources_.erase(datagram.key.source);
  }
  datagrams_.erase(datagrams_.find(datagram.key));
}

PartialDatagram* FragmentTable::oldest() const noexcept {
  base::ListNode* node = by_age_.front();
  return node != nullptr ? by_age(node) : nullptr;
}

void FragmentTable::charge(PartialDatagram& datagram, std::size_t octets) noexcept {
  datagram.charged_octets += octets;
  datagram.source->charged_octets += octets;
  charged_octets_ += octets;
}

void FragmentTable::release(PartialDatagram& datagram, std::size_t octets) noexcept {
  datagram.charged_octets -= octets;
  datagram.source->charged_octets -= octets;
  charged_octets_ -= octets;
}

bool FragmentTable::enforce_limits(const PartialDatagram& datagram) noexcept {
  const FragmentSource& source = *datagram.source;
  for (;;) {
    PartialDatagram* victim = nullptr;
    if (source.charged_octets > limit_octets_ / 2) {
      victim = by_source(source.datagrams.front());
    } else if (charged_octets_ > limit_octets_) {
      victim = oldest();
    } else {
      return true;
    }
    const bool is_itself = victim == &datagram;
    if (!victim->condemned) counters_.drop(DropReason::FragmentMemory);
    erase(*victim);
    if (is_itself) return false;
  }
}

}  // namespace runnel::ip
