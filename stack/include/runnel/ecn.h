// Explicit congestion notification: what an IP header says, and what two TCPs agree upon.
#pragma once

#include <cstdint>

namespace runnel {

// The ECN field of an IP header (RFC 3168 section 5). Its values are those on the wire.
enum class Ecn : std::uint8_t {
  NotEct = 0,  // whoever sent it does not take part
  Ect1 = 1,    // takes part, in an experiment that gives this codepoint a meaning (RFC 9331)
  Ect0 = 2,    // takes part
  Ce = 3,      // congestion experienced: a router's mark
};

// How much a connection asks for. A peer that asks is answered in kind by all but Off.
enum class EcnMode : std::uint8_t {
  Off,        // neither asks nor agrees
  WhenAsked,  // agrees
  Classic,    // asks for one signal a round trip, RFC 3168
  Accurate,   // asks for a count of all marks, RFC 9768, and takes what the peer has instead
};

// What the SYNs have agreed upon.
enum class EcnFeedback : std::uint8_t {
  None,
  Classic,   // ECE and CWR: RFC 3168
  Accurate,  // AccECN: RFC 9768
};

}  // namespace runnel
