// Which deadlines a connection has.
#pragma once

#include <cstdint>

namespace runnel::tcp {

// The named deadlines of a connection.
enum class TimerKind : std::uint8_t {
  // One of these four at a time: see recovery_timer.cc.
  Retransmission,  // RFC 6298
  TailLossProbe,   // RFC 8985 section 7
  Reordering,      // RFC 8985 section 6.2
  Persist,         // zero-window probes, and the override of silly-window avoidance
  Pacing,          // the next quantum may leave: see pacer.h
  DelayedAck,
  Keepalive,
  UserTimeout,
  Linger,  // how long what was written may take after close()
  FinWait2,
  EcnPause,    // no new data before: see respond_to_marks()
  Inactivity,  // the application's own
  Count,
};

}  // namespace runnel::tcp
