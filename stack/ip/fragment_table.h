// The datagrams that are being put together, and what they may cost.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "runnel/counters.h"
#include "runnel/drop_reason.h"
#include "runnel/ip_address.h"
#include "runnel/time.h"
#include "stack/base/intrusive_list.h"
#include "stack/buffer/slab.h"

namespace runnel::ip {

// What fragments of one datagram have in common, RFC 791 section 3.2.
struct DatagramKey {
  std::uint16_t identification = 0;
  std::uint8_t protocol = 0;
  IpAddress source;
  IpAddress destination;

  friend auto operator<=>(const DatagramKey&, const DatagramKey&) noexcept = default;
};

struct FragmentSource;

// A datagram is in two lists, so it has two links.
struct AgeLink : base::ListNode {};
struct SourceLink : base::ListNode {};

// One datagram of which not all is there.
//
// INVARIANT: the pieces are disjoint, and none reaches behind `end_octets` once that is known.
// INVARIANT: a condemned datagram holds no pieces.
struct PartialDatagram : AgeLink, SourceLink {
  DatagramKey key;
  Instant deadline{};
  FragmentSource* source = nullptr;

  // Payloads by where they begin in the datagram's payload, in octets.
  std::map<std::uint32_t, buffer::Slice> pieces;
  std::uint32_t received_octets = 0;
  std::optional<std::uint32_t> end_octets;  // known once the last fragment is there

  // The first fragment's header lies before its payload in the same block; 0 while it is missing.
  std::uint32_t first_header_octets = 0;
  std::uint8_t ecn_seen = 0;  // bit n: a fragment had the ECN field n

  // Why nothing will come of this datagram; kept so that its remaining fragments go the same way.
  std::optional<DropReason> condemned;
  std::size_t charged_octets = 0;

  [[nodiscard]] bool is_complete() const noexcept { return end_octets == received_octets; }
  // The first fragment, header and payload as it came. REQUIRES: first_header_octets > 0.
  [[nodiscard]] buffer::Slice first_packet() const;
};

// What one sender has under way.
struct FragmentSource {
  base::IntrusiveList datagrams;  // of SourceLink, oldest first
  std::size_t charged_octets = 0;
};

// Finds datagrams by key, by age and by sender, and keeps them within a limit of memory.
//
// Keys are in a balanced tree: nobody can choose keys that make the search slow. Every datagram
// lives equally long, so the list by age is also the list by deadline. Records are charged as well
// as blocks, and condemned datagrams are records, so one limit bounds everything.
//
// When the limit is passed the oldest datagrams go: fragments of an honest datagram come close
// together, so it is complete long before it is the oldest. One sender may hold half of the memory
// and evicts its own oldest first, so that it cannot push out everybody else.
class FragmentTable {
 public:
  // `counters` must outlive the table.
  FragmentTable(std::size_t limit_octets, Counters& counters) noexcept
      : limit_octets_(limit_octets), counters_(counters) {}
  FragmentTable(const FragmentTable&) = delete;
  FragmentTable& operator=(const FragmentTable&) = delete;

  // The datagram with this key, made when there is none; nullptr when the limit has no room even
  // for its record.
  [[nodiscard]] PartialDatagram* find_or_create(const DatagramKey& key, Instant deadline);

  // Adds a piece of payload. False when the datagram was itself the oldest and had to go.
  [[nodiscard]] bool store(PartialDatagram& datagram, std::uint32_t begin, buffer::Slice payload);

  // Frees what the datagram holds, and remembers until its deadline that it is to be dropped.
  void condemn(PartialDatagram& datagram, DropReason reason) noexcept;

  void erase(PartialDatagram& datagram) noexcept;

  // The one whose deadline is next; nullptr when there is none.
  [[nodiscard]] PartialDatagram* oldest() const noexcept;

  [[nodiscard]] std::size_t datagram_count() const noexcept { return datagrams_.size(); }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return charged_octets_; }

 private:
  void charge(PartialDatagram& datagram, std::size_t octets) noexcept;
  void release(PartialDatagram& datagram, std::size_t octets) noexcept;
  // Gives up the oldest until both limits hold; false when `datagram` was among them.
  [[nodiscard]] bool enforce_limits(const PartialDatagram& datagram) noexcept;

  std::size_t limit_octets_;
  Counters& counters_;
  std::size_t charged_octets_ = 0;

  // The lists are declared behind what they link, so they let go of it first.
  std::map<DatagramKey, PartialDatagram> datagrams_;
  std::map<IpAddress, FragmentSource> sources_;
  base::IntrusiveList by_age_;  // of AgeLink, oldest first
};

}  // namespace runnel::ip
