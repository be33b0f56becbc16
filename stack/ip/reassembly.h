// Putting fragmented datagrams together again, within hard limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/time.h"
#include "stack/buffer/slab.h"
#include "stack/wire/ipv4.h"

namespace runnel::ip {

// Reassembly by (source, destination, protocol, identification), RFC 791 and RFC 1122 3.3.2.
//
// - Fragments that overlap condemn their datagram: it is dropped whole, and so is the rest of it
//   until the timeout, as RFC 5722 asks for IPv6 (an exact duplicate is ignored).
// - A datagram is given up reassembly_timeout after its first fragment came, whatever their TTLs.
// - Memory counts what the fragments' blocks cost. When it is spent, the oldest datagram goes.
// - Work per fragment does not grow with the number of datagrams under way beyond a hash or tree
//   search, nor with the fragments of one beyond a search among fragments_per_datagram.
class Reassembler {
 public:
  // `config`, `pool` and `counters` must outlive the reassembler.
  Reassembler(const Config& config, buffer::SlabPool& pool, Counters& counters);
  Reassembler(const Reassembler&) = delete;
  Reassembler& operator=(const Reassembler&) = delete;
  ~Reassembler();

  // Takes one fragment. Returns the whole datagram when this one completes it: an IPv4 packet in
  // one slice, the first fragment's header (options and all) with total length, fragment fields and
  // header checksum made right. REQUIRES: fragment.is_fragment().
  [[nodiscard]] std::optional<buffer::Slice> add(const wire::Ipv4View& fragment, Instant now);

  // Gives up datagrams that are due, and returns the first fragment of each of which it is there
  // (header and payload as received): its sender is owed an ICMP time exceeded message.
  [[nodiscard]] std::vector<buffer::Slice> advance(Instant now);
  [[nodiscard]] Instant next_deadline() const noexcept;

  [[nodiscard]] std::size_t datagram_count() const noexcept;
  [[nodiscard]] std::size_t memory_octets() const noexcept;

 private:
  struct Table;
  const Config& config_;
  buffer::SlabPool& pool_;
  Counters& counters_;
  std::unique_ptr<Table> table_;
};

}  // namespace runnel::ip
