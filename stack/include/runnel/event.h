// What the stack tells the application, one value at a time: see Stack::poll_event().
#pragma once

#include <cstdint>
#include <system_error>

#include "runnel/handle.h"

namespace runnel {

enum class EventKind : std::uint8_t {
  Incoming,   // listener: at least one connection waits for accept()
  Connected,  // connect() succeeded
  Readable,   // octets, or the end of the stream, arrived
  Writable,   // a write that had fallen short would now succeed
  Ended,      // the peer's FIN was received: nothing follows what is in the receive queue
  SoftError,  // `error` was reported, and the connection goes on (RFC 9293 section 3.9.1.8)
  Urgent,     // urgent octets are in the stream, or more of them (RFC 9293 section 3.8.5)
  Timeout,    // nothing moved for the inactivity timeout that the application set
  Error,      // `error` ended the connection; Closed follows
  Closed,     // the connection is over, always its last event and always sent once
};

// One event. Events of a kind that nobody has fetched yet are not repeated, so the queue is
// bounded by the number of connections and not by what the peers send.
struct Event {
  EventKind kind;
  ConnectionId connection;  // not set for Incoming
  ListenerId listener;      // set for Incoming alone
  std::error_code error;    // set for Error and SoftError
};

}  // namespace runnel
