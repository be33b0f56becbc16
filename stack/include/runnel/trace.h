// A tap for people and tests who want to see TCP at work. The stack writes no log lines; it hands
// typed records to a sink, when there is one.
#pragma once

#include <cstdint>

#include "runnel/handle.h"
#include "runnel/tcp_state.h"
#include "runnel/time.h"

namespace runnel {

// A connection moved from one state to another.
struct StateChange {
  Instant at;
  ConnectionId connection;
  TcpState from;
  TcpState to;
};

class TraceSink {
 public:
  TraceSink() = default;
  TraceSink(const TraceSink&) = delete;
  TraceSink& operator=(const TraceSink&) = delete;
  virtual ~TraceSink() = default;

  virtual void on_state_change(const StateChange& change) = 0;
};

}  // namespace runnel
