// Connections at rest as records (see tcp/hibernation.h): which, and when.
//
// There is no timer for it: an idle stack sleeps. When one more connection is to be awake than
// Config::awake_connections, those that were awake for longest hibernate, unless they were used
// meanwhile (the clock algorithm). So with few connections none ever does.
#include "stack/core/engine.h"

namespace runnel::core {

namespace {

// How many are looked at before one more is woken.
constexpr std::size_t kLooksToMakeRoom = 8;

}  // namespace

HostedConnection& Engine::awake(std::uint32_t index) {
  ConnectionPlace& place = connections_.at(index);
  if (place.awake != nullptr) return *place.awake;
  make_room_awake();
  HostedConnection& connection = host(index);
  connection.tcp.wake(place.idle);
  place.idle = {};
  return connection;
}

// A connection as new, for the place at `index`.
HostedConnection& Engine::host(std::uint32_t index) {
  ConnectionPlace& place = connections_.at(index);
  const ConnectionId id{index, connections_.key_at(index).generation};
  place.awake_index = awake_.create([&](void* storage, std::uint32_t) {
    place.awake = new (storage) HostedConnection(environment_, id, place);
  });
  awake_list_.push_back(place.awake->awake);
  return *place.awake;
}

void Engine::hibernate(HostedConnection& connection) {
  ConnectionPlace& place = connections_.at(connection.tcp.id().index);
  place.idle = connection.tcp.hibernate();
  place.awake = nullptr;
  awake_.erase(place.awake_index);
}

bool Engine::may_hibernate(const HostedConnection& connection) const noexcept {
  return !connection.ready.is_listed() && connection.is_demuxed && !connection.held_events &&
         !connection.waits_for_memory && !connection.fast_open_listener.is_set() &&
         connection.tcp.may_hibernate();
}

void Engine::limit_awake(std::size_t most, std::size_t looks) {
  for (; looks > 0 && awake_.size() > most && !awake_list_.empty(); --looks) {
    base::ListNode* const node = awake_list_.pop_front();
    HostedConnection& connection =
        *connections_.at(static_cast<AwakeNode*>(node)->owner_index).awake;
    awake_list_.push_back(*node);
    const bool was_used = std::exchange(connection.was_used, false);
    if (was_used && config_.awake_connections > 0) continue;
    if (may_hibernate(connection)) hibernate(connection);
  }
}

template <typename Answer, typename Look>
Answer Engine::inspect(ConnectionId id, Answer missing, Look&& look) {
  ConnectionPlace* const place = connections_.find(id.index, id.generation);
  if (place == nullptr) return missing;
  if (place->awake != nullptr) return look(place->awake->tcp);
  tcp::Connection sleepwalker(environment_, id, place->tuple, place->config);
  sleepwalker.wake(place->idle);
  Answer answer = look(std::as_const(sleepwalker));
  sleepwalker.leave_to(place->idle);
  return answer;
}

Result<Bytes> Engine::peek(ConnectionId id) {
  return inspect(id, Result<Bytes>(Errc::invalid_handle),
                 [](const tcp::Connection& connection) { return connection.peek(); });
}

std::size_t Engine::writable_octets(ConnectionId id) {
  return inspect(id, std::size_t{0},
                 [](const tcp::Connection& connection) { return connection.writable_octets(); });
}

std::size_t Engine::readable_octets(ConnectionId id) {
  return inspect(id, std::size_t{0},
                 [](const tcp::Connection& connection) { return connection.readable_octets(); });
}

// A connection that has left TIME-WAIT to its record is closed when the record is gone.
Result<TcpInfo> Engine::info(ConnectionId id) {
  return inspect(id, Result<TcpInfo>(Errc::invalid_handle), [&](const tcp::Connection& connection) {
    Result<TcpInfo> info = connection.info();
    if (info->state == TcpState::TimeWait && look_up(connection.tuple()).kind != Kind::TimeWait) {
      info->state = TcpState::Closed;
    }
    return info;
  });
}

void Engine::make_room_awake() {
  const std::size_t limit = config_.awake_connections;
  limit_awake(limit > 0 ? limit - 1 : 0, kLooksToMakeRoom);
}

}  // namespace runnel::core
