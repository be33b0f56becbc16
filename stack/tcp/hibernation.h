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
// parameters. So such a connection can hibernate: its variables become a record of one or
// two hundred octets, and when a segment, a timer or the application asks for it, a Connection is
// made of them again. LISTEN, SYN-RECEIVED and TIME-WAIT have records of their own kind all the
// time.
//
// The record is exact: nobody, on the wire or at the socket, can tell whether a connection has
// hibernated. Three steps lead to it, and back:
//
//    connection  ── archive() ──▶  words  ── less a pattern ──▶  differences  ── copied ──▶  record
//                 base/archive.h           tcp/rest_patterns.h     base/word_differences.h
//
// The first two are one pass over the connection. A packet may cost little more when its connection
// has to be woken for it than when it is awake, so this is written for speed where it touches each
// word, and for shortness where it touches those that differ.
//
// What the connection was promised by the memory budget stays promised: a record has to be woken
// before it is thrown away.
class IdleRecord {
 public:
  // How to read the octets.
  struct Header {
    Instant reference{};            // what times are relative to
    std::uint16_t size_octets = 0;  // without the header
    std::uint16_t word_count = 0;
    std::uint16_t difference_count = 0;
    std::uint8_t pattern = 0;               // of RestPatterns
    std::uint8_t accepted_differences = 0;  // when it was chosen
  };

  // Remembers a copy of `octets`. The memory of what it remembered before is used again if it fits.
  // False, and nothing has changed, when there is no memory.
  [[nodiscard]] bool assign(Bytes octets, Header header) noexcept;

  // Nothing was remembered yet. What was stays readable after the connection was woken.
  [[nodiscard]] bool is_blank() const noexcept { return block_ == nullptr; }
  // REQUIRES: !is_blank().
  [[nodiscard]] Bytes octets() const noexcept;
  [[nodiscard]] Header header() const noexcept;
  // Where all of it is, to have it fetched from memory. Few are longer than usual.
  [[nodiscard]] const void* address() const noexcept { return block_.get(); }
  static constexpr std::size_t kUsualOctets = 128;

 private:
  // The blocks' sizes are those of the heap, which leaves a word to its own use.
  [[nodiscard]] static constexpr std::size_t block_octets(std::size_t octets) noexcept {
    constexpr std::size_t kStep = 2 * sizeof(void*);
    const std::size_t needed = sizeof(Header) + octets + sizeof(void*);
    return (needed + kStep - 1) / kStep * kStep - sizeof(void*);
  }

  std::unique_ptr<std::uint8_t[]> block_;  // the header, and the octets
};
static_assert(sizeof(IdleRecord) == sizeof(void*));

}  // namespace runnel::tcp
