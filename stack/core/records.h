// What the stack keeps for connections beside their TCBs, and for listeners: timers, and places in
// lists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runnel/stack.h"
#include "stack/base/index_list.h"
#include "stack/base/intrusive_list.h"
#include "stack/core/owned_timer.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/fast_open.h"

namespace runnel::core {

// A place in the list of connections that may have something to send.
struct ReadyNode : base::ListNode {
  explicit ReadyNode(std::uint32_t index) noexcept : owner_index(index) {}
  std::uint32_t owner_index;
};

// A place in the list of connections that are awake.
struct AwakeNode : base::ListNode {
  explicit AwakeNode(std::uint32_t index) noexcept : owner_index(index) {}
  std::uint32_t owner_index;
};

struct HostedConnection;

// Where a connection lives in the stack, under the index of its handle: what finds it, its timer,
// and where the connection itself is, or the record that it has become. See Engine::awake().
//
// In the table of them each begins with a line of the processor's cache and ends with one.
struct ConnectionPlace {
  ConnectionPlace(std::uint32_t index, const tcp::FourTuple& at, tcp::SharedConfig shared)
      : tuple(at), config(std::move(shared)), timer(TimerOwner::Connection, index) {}

  tcp::FourTuple tuple;
  std::uint32_t awake_index = 0;  // in the table of those that are awake
  tcp::SharedConfig config;
  HostedConnection* awake = nullptr;  // null while it hibernates
  OwnedTimer timer;
  tcp::IdleRecord idle;  // holds while it hibernates

  // Up to the end of what few records exceed.
  static constexpr std::size_t kUsualOctets = 192;
};
// With the table's generation, demux and socket it is to be no more than 512 octets.
static_assert(sizeof(ConnectionPlace) == 256 - sizeof(void*));

// A connection that is awake.
struct HostedConnection {
  HostedConnection(tcp::Environment& environment, ConnectionId id, ConnectionPlace& where)
      : tcp(environment, id, where.tuple, where.config),
        timer(where.timer),
        ready(id.index),
        awake(id.index) {}

  tcp::Connection tcp;
  OwnedTimer& timer;
  ReadyNode ready;
  AwakeNode awake;
  // How it has proved that it should stay awake: see hibernation.cc.
  enum class Stay : std::uint8_t { Arriving, Visiting, Resident };
  Stay stay = Stay::Arriving;
  bool was_used = true;  // since Engine::limit_awake() looked at it
  // Found by its tuple. Not when TIME-WAIT's record has taken over or nothing is left but octets
  // that the application has not read.
  bool is_demuxed = true;
  std::optional<std::uint64_t> demux_hash;  // as long as it has not hibernated
  bool waits_for_memory = false;            // it is in Engine::memory_waiters_
  // Whose quota of Fast Opens it counts in, until the handshake is over.
  ListenerId fast_open_listener;
  bool is_accepted = true;  // or needs no accept(): the application knows it
  // Events before accept(), which the application could not make sense of yet.
  std::vector<Event> held_events;
};

struct Listener {
  Listener(std::uint32_t index, const Endpoint& at, std::size_t limit, tcp::SharedConfig shared)
      : local(at),
        backlog(limit),
        config(std::move(shared)),
        pressure_timer(TimerOwner::Listener, index) {}

  Endpoint local;
  std::size_t backlog;
  tcp::SharedConfig config;
  std::size_t half_open_count = 0;
  base::IndexList half_open_by_age;       // the oldest first
  OwnedTimer pressure_timer;              // for the oldest of them, while there are too many
  std::optional<Instant> cookie_sent_at;  // the last one
  std::deque<ConnectionId> accept_queue;
  bool is_incoming_reported = false;  // an Incoming event waits to be fetched
  tcp::FastOpenQuota fast_opens;

  // More than nine tenths of the backlog are half-open: most of them will hardly be completed.
  [[nodiscard]] bool is_under_pressure() const noexcept {
    return half_open_count * 10 > backlog * 9;
  }
};

}  // namespace runnel::core
