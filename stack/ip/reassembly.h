// Putting fragmented datagrams together again, within hard limits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/time.h"
#include "stack/buffer/slab.h"
#include "stack/ip/fragment_table.h"
#include "stack/wire/ipv4.h"

namespace runnel::ip {

// EMTU_R: the largest datagram that is put together, 576 octets at least (RFC 1122 section 3.3.2).
[[nodiscard]] constexpr std::size_t maximum_datagram(const Config& config) noexcept {
  constexpr std::size_t kLeastEmtuR = 576;
  return std::clamp(config.reassembly_maximum_octets, kLeastEmtuR, wire::kIpv4MaxPacketOctets);
}

// Reassembly by (source, destination, protocol, identification), RFC 791 and RFC 1122 3.3.2.
//
//    0        8                24       32          44
//    |  piece |                |  piece |  last one  |     pieces by offset, never overlapping
//             ^ missing                              ^ the end, known from the last one
//
// - Fragments that contradict each other condemn their datagram: it is dropped whole, and so is the
//   rest of it until the timeout, as RFC 5722 asks for IPv6. They do when they overlap (an exact
//   duplicate is ignored), disagree about the end, or reach behind it.
// - A datagram is given up reassembly_timeout after its first fragment came, whatever their TTLs.
// - Memory counts what the fragments' blocks and records cost. When it is spent, the oldest
//   datagram goes; one source may hold half of it.
// - A fragment costs a search in two trees, of datagrams and of one datagram's pieces, whatever an
//   attacker sends.
//
// What is counted: FragmentBadLength and NoMemory for each fragment, FragmentOverlap,
// FragmentTooMany and FragmentTooLarge for the fragment that condemns a datagram and each one of it
// after that, FragmentMemory and FragmentTimeout for each datagram given up.
class Reassembler {
 public:
  // `config`, `pool` and `counters` must outlive the reassembler.
  Reassembler(const Config& config, buffer::SlabPool& pool, Counters& counters) noexcept
      : config_(config),
        pool_(pool),
        counters_(counters),
        table_(config.reassembly_memory_octets, counters) {}
  Reassembler(const Reassembler&) = delete;
  Reassembler& operator=(const Reassembler&) = delete;

  // Takes one fragment. Returns the whole datagram when this one completes it: an IPv4 packet in
  // one slice, the first fragment's header (options and all) with total length, fragment fields,
  // ECN (RFC 3168 section 5.3) and header checksum made right. REQUIRES: fragment.is_fragment().
  [[nodiscard]] std::optional<buffer::Slice> add(const wire::Ipv4View& fragment, Instant now);

  // Gives up datagrams that are due, and returns the first fragment of each of which it is there
  // (header and payload as received): its sender is owed an ICMP time exceeded message.
  [[nodiscard]] std::vector<buffer::Slice> advance(Instant now);
  [[nodiscard]] Instant next_deadline() const noexcept;

  // Datagrams that are incomplete or condemned, and what they and their fragments cost.
  [[nodiscard]] std::size_t datagram_count() const noexcept { return table_.datagram_count(); }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return table_.memory_octets(); }

 private:
  void condemn(PartialDatagram& datagram, DropReason reason) noexcept;
  // Keeps a copy of the fragment; false when there is no memory for it.
  [[nodiscard]] bool keep(PartialDatagram& datagram, const wire::Ipv4View& fragment);
  [[nodiscard]] std::optional<buffer::Slice> complete(PartialDatagram& datagram);

  const Config& config_;
  buffer::SlabPool& pool_;
  Counters& counters_;
  FragmentTable table_;
};

}  // namespace runnel::ip
