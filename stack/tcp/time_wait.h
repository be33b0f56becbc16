// TIME-WAIT: what is left of a connection for two maximum segment lifetimes, as a small record.
#pragma once

#include <cstdint>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/segment.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

struct TimeWaitRecord {
  FourTuple tuple;
  SeqNum snd_nxt;
  SeqNum rcv_nxt;
  std::uint32_t rcv_wnd = 0;  // octets
  std::uint8_t rcv_scale = 0;
  EcnBits ecn_bits = kNoEcnBits;  // of every ACK: what the connection said last
  bool ignores_reset = false;     // the connection's TcpConfig::time_wait_ignores_reset
  IpFields ip_fields;
  Duration time_wait{0};  // ... and time_wait: 2 MSL
  Timestamps timestamps;

  // REQUIRES: the connection has just entered TIME-WAIT.
  [[nodiscard]] static TimeWaitRecord from(const Connection& connection) noexcept;
  [[nodiscard]] wire::TcpHeader bare_ack(Instant now) const;
};

enum class TimeWaitAction : std::uint8_t {
  Drop,
  Acknowledge,
  AcknowledgeAndRestart,  // the peer's FIN again: our ACK was lost, 2 MSL begin anew
  Delete,                 // RST at RCV.NXT
  Reopen,                 // a SYN beyond everything received: a new connection may take over
};

// RFC 9293 section 3.10.7.4 for TIME-WAIT, with the reuse of a port pair as RFC 6191 has it, PAWS
// (RFC 7323 section 5.3) and, as an option, fix F1 of RFC 1337. Its fix F2, which ignores RST for
// two seconds only, is not offered.
[[nodiscard]] TimeWaitAction segment_arrives_time_wait(const TimeWaitRecord& record,
                                                       const Segment& seg, Counters& counters,
                                                       Instant now) noexcept;

}  // namespace runnel::tcp
