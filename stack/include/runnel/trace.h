// A tap for people and tests who want to see TCP at work. The stack writes no log lines; it hands
// typed records to a sink, when there is one.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

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

// How a connection's sending stands. Offsets count the octets of the outgoing stream from 0.
struct SendingState {
  std::uint64_t una_offset = 0;  // SND.UNA: what is before it was acknowledged
  std::uint64_t nxt_offset = 0;  // SND.NXT: what is before it was sent
  std::uint64_t in_flight_octets = 0;
  std::uint64_t congestion_window_octets = 0;
  std::optional<std::uint64_t> slow_start_threshold_octets;  // none: not known yet
  std::optional<Duration> smoothed_rtt;
  std::uint64_t delivery_rate_octets = 0;  // a second, as last measured; 0: not yet
  std::uint64_t pacing_rate_octets = 0;    // a second; 0: not paced
  // What the congestion controller is doing, such as "SlowStart" or "ProbeBW_UP". Lives for ever.
  std::string_view phase;
};

// Octets of the stream left, for the first time or again.
struct Transmission {
  Instant at;
  ConnectionId connection;
  std::uint64_t offset = 0;  // of the first of them
  std::uint32_t octets = 0;
  bool is_retransmission = false;
  SendingState state;  // after it
};

// An acknowledgment was heard while octets of the stream were outstanding.
struct Acknowledgment {
  Instant at;
  ConnectionId connection;
  std::uint64_t newly_delivered_octets = 0;  // by ACK or by SACK
  std::optional<Duration> rtt_sample;
  SendingState state;  // after it
};

class TraceSink {
 public:
  TraceSink() = default;
  TraceSink(const TraceSink&) = delete;
  TraceSink& operator=(const TraceSink&) = delete;
  virtual ~TraceSink() = default;

  virtual void on_state_change(const StateChange& change) = 0;
  virtual void on_transmission(const Transmission&) {}
  virtual void on_acknowledgment(const Acknowledgment&) {}
};

}  // namespace runnel
