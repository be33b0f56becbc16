// SYN-RECEIVED and TIME-WAIT as they are kept: small, because peers decide how many there are.
#pragma once

#include <cstdint>

#include "stack/base/index_list.h"
#include "stack/core/owned_timer.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/time_wait.h"

namespace runnel::core {

// Theory of operation. The records of stack/tcp are what segments are processed with. Of those that
// are kept, whatever follows from something else is left out: the local address is an index into
// the stack's own, the offset of timestamps follows from the four-tuple, and most times from one.
// Engine::expand() makes the whole record of it when a segment arrives or a timer expires.

// A four-tuple in 22 octets.
struct CompactTuple {
  CompactTuple(const tcp::FourTuple& tuple, std::uint16_t address) noexcept
      : remote(tuple.remote.address),
        remote_port(tuple.remote.port),
        local_port(tuple.local.port),
        local_address(address) {}

  // Whether this is `tuple`, of which the local address has the index `address`.
  [[nodiscard]] bool is(const tcp::FourTuple& tuple, std::uint16_t address) const noexcept {
    return remote_port == tuple.remote.port && remote == tuple.remote.address &&
           local_port == tuple.local.port && local_address == address;
  }

  IpAddress remote;
  std::uint16_t remote_port;
  std::uint16_t local_port;
  std::uint16_t local_address;  // see ip::AddressSet::index_of()
};

// SYN-RECEIVED.
struct HalfOpen {
  HalfOpen(std::uint32_t index, const tcp::SynReceivedRecord& from, std::uint16_t local_address,
           Instant now) noexcept;

  // Everything but what only the stack knows.
  [[nodiscard]] tcp::SynReceivedRecord expand(const tcp::FourTuple& tuple, ListenerId listener,
                                              std::uint32_t timestamp_offset) const noexcept;

  OwnedTimer timer;
  Instant since;  // the SYN's arrival
  CompactTuple at;
  std::uint16_t peer_window;
  std::uint32_t listener;  // its index: a listener's half-open connections go with it
  wire::SeqNum iss;
  wire::SeqNum irs;
  std::uint32_t ts_recent = 0;
  base::IndexLinks links;  // in the listener's list, the oldest first
  std::uint16_t peer_mss_octets;
  std::uint16_t window;  // our SYN,ACK's
  std::uint8_t peer_scale;
  std::uint8_t retransmissions = 0;
  tcp::EcnHandshake ecn;
  bool is_sack_permitted : 1;
  bool has_timestamps : 1;
  bool is_answer_ambiguous : 1 = false;  // SYN,ACK left more than once (Karn's rule)
  // A TIME-WAIT that the SYN has interrupted: see Engine::suspended_.
  bool has_suspended : 1 = false;
};
// (RFC 4987 section 3.5)
static_assert(sizeof(HalfOpen) <= 96);

// TIME-WAIT. Few durations are in use at the same time, often a single one, so records of the same
// one are a list in which the next to end comes first, and share a timer.
struct Waiting {
  Waiting(const tcp::TimeWaitRecord& from, std::uint16_t local_address, Instant ends) noexcept;

  [[nodiscard]] tcp::TimeWaitRecord expand(const tcp::FourTuple& tuple, Duration time_wait,
                                           std::uint32_t timestamp_offset) const noexcept;

  CompactTuple at;
  std::uint8_t rcv_scale;
  std::uint8_t ttl;
  wire::SeqNum snd_nxt;
  wire::SeqNum rcv_nxt;
  std::uint32_t rcv_wnd;
  std::uint32_t ts_recent = 0;
  Instant until;
  base::IndexLinks links;   // in its queue
  std::uint32_t queue = 0;  // see TimeWaitQueue
  std::uint8_t dscp;
  std::uint8_t ecn_bits : 3;
  bool ignores_reset : 1;
  bool has_timestamps : 1;
  Ecn handshake_ecn : 2;
};
static_assert(sizeof(Waiting) <= 64);

// A list of Waiting of which each ends no earlier than the one before. One that was suspended for a
// while and goes on has a queue for itself.
struct TimeWaitQueue {
  TimeWaitQueue(std::uint32_t index, Duration each, bool shared) noexcept
      : duration(each), is_shared(shared), timer(TimerOwner::TimeWait, index) {}

  Duration duration;
  bool is_shared;
  base::IndexList waiting;
  OwnedTimer timer;  // for the first of them
};

// A TIME-WAIT that a SYN has interrupted, and when it would have ended.
struct SuspendedTimeWait {
  tcp::TimeWaitRecord record;
  Instant until;
};

}  // namespace runnel::core
