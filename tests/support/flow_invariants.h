// What must hold between the two directions of every TCP connection, packet after packet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "runnel/bytes.h"
#include "runnel/endpoint.h"

namespace runnel::test {

// Watches every packet that either host emits, before the link does anything to it.
//
// INVARIANT: the acknowledgment number of one end never moves back.
// INVARIANT: the right edge of its window never moves left, but for the rounding of a scaled field
//            (RFC 9293 section 3.8.6, RFC 7323 section 2.4).
// INVARIANT: nothing is sent right of the edge that the other end has offered, except a window
//            probe of one octet (or a FIN), nor is anything acknowledged that was never sent.
class FlowInvariants {
 public:
  // Takes the next packet; returns what it violates.
  [[nodiscard]] std::optional<std::string> observe(Bytes packet);

 private:
  // What one end of a connection has said so far.
  struct End {
    std::optional<std::uint32_t> iss;  // of its SYN
    bool is_second_answer = false;     // the peer may still acknowledge what the first had sent
    bool has_sent = false;
    bool has_acknowledged = false;
    std::uint32_t sent_end = 0;  // behind the last octet of sequence space sent
    std::uint32_t ack = 0;
    std::uint32_t edge = 0;  // the rightmost offered
    std::optional<std::uint8_t> offered_scale;
  };
  void begin_anew(const Endpoint& from, const Endpoint& to, std::uint32_t iss, bool is_answer);

  using Key = std::pair<Endpoint, Endpoint>;  // from, to

  std::map<Key, End> ends_;
};

}  // namespace runnel::test
