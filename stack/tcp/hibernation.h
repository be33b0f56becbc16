// A connection at rest, as small as it gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runnel/bytes.h"
#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. A connection is large: loss recovery, congestion control, path MTU search,
// ECN and the rest of it take three kilobytes. Of most connections of a busy host nothing is in
// flight and nothing waits, and then nearly all of that is zero, or small, or follows from the
// parameters. So such a connection can hibernate: its variables become a record of some two hundred
// octets, and when a segment, a timer or the application asks for it, a Connection is made of them
// again. LISTEN, SYN-RECEIVED and TIME-WAIT have records of their own kind all the time.
//
// The record is exact: nobody, on the wire or at the socket, can tell whether a connection has
// hibernated. See base::Archive for what it looks like.
//
// What the connection was promised by the memory budget stays promised: a record has to be woken
// before it is thrown away.
class IdleRecord {
 public:
  // Remembers a copy of `octets`; `reference` is what times in them are relative to. The memory of
  // what it remembered before is used again if it fits. False, and nothing has changed, when there
  // is no memory.
  [[nodiscard]] bool assign(Bytes octets, Instant reference) noexcept;

  [[nodiscard]] Bytes octets() const noexcept;
  [[nodiscard]] Instant reference() const noexcept;
  // Where all of it is, to have it fetched from memory. Few are longer than usual.
  [[nodiscard]] const void* address() const noexcept { return block_.get(); }
  static constexpr std::size_t kUsualOctets = 224;

 private:
  // The reference and the octets' number stand before them, in the same block.
  static constexpr std::size_t kHeaderOctets = sizeof(Instant) + sizeof(std::uint16_t);

  // The blocks' sizes are those of the heap, which leaves a word to its own use.
  [[nodiscard]] static constexpr std::size_t block_octets(std::size_t octets) noexcept {
    constexpr std::size_t kStep = 2 * sizeof(void*);
    const std::size_t needed = kHeaderOctets + octets + sizeof(void*);
    return (needed + kStep - 1) / kStep * kStep - sizeof(void*);
  }

  std::unique_ptr<std::uint8_t[]> block_;
};
static_assert(sizeof(IdleRecord) == sizeof(void*));

}  // namespace runnel::tcp
