// A connection at rest, as small as it gets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "runnel/bytes.h"
#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. A connection is large: loss recovery, congestion control, path MTU search,
// ECN and the rest of it take three kilobytes. Of most connections of a busy host nothing is in
// flight and nothing waits, and then nearly all of that is zero, or small, or follows from the
// parameters. So such a connection can hibernate: its variables become a record of about a hundred
// octets, and when a segment, a timer or the application asks for it, a Connection is made of them
// again. LISTEN, SYN-RECEIVED and TIME-WAIT have records of their own kind all the time.
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
//
// A record has room in itself for what is usual, so that nothing else has to be fetched from memory
// to wake a connection; what is longer lies elsewhere.
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

  IdleRecord() noexcept {}  // leaves the room as it is

  // Remembers a copy of `octets`. False, and nothing has changed, when there is no memory.
  [[nodiscard]] bool assign(Bytes octets, const Header& header) noexcept;

  // What was remembered last stays readable after the connection was woken. As it was made when
  // nothing was remembered yet.
  [[nodiscard]] Bytes octets() const noexcept;
  [[nodiscard]] const Header& header() const noexcept { return header_; }

  // Of octets, twice as many as a connection with timestamps needs after its first exchange.
  static constexpr std::size_t kRoom = 136;

 private:
  Header header_;
  std::unique_ptr<std::uint8_t[]> longer_;  // the octets, if there are more than kRoom
  std::array<std::uint8_t, kRoom> room_;    // otherwise
};

}  // namespace runnel::tcp
