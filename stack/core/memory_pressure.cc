#include "stack/core/memory_pressure.h"

#include <utility>

#include "stack/core/engine.h"

namespace runnel::core {

bool Engine::has_room_for_writers() const noexcept {
  return budget_.send_room_octets() > budget_.limit_octets() / 8;
}

void Engine::wait_for_memory(ConnectionId id) {
  const ConnectionPlace* const place = connections_.find(id.index, id.generation);
  HostedConnection* const connection = place != nullptr ? place->awake : nullptr;
  if (connection == nullptr || connection->waits_for_memory) return;
  connection->waits_for_memory = true;
  memory_waiters_.push_back(id);
}

void Engine::wake_memory_waiters() {
  for (const ConnectionId id : std::exchange(memory_waiters_, {})) {
    HostedConnection* const waiter = hosted(id);
    if (waiter == nullptr) continue;
    waiter->waits_for_memory = false;
    waiter->tcp.memory_is_available();
  }
}

// Who was aborted or closed meanwhile waits no longer.
bool Engine::has_memory_waiters() {
  std::erase_if(memory_waiters_, [&](ConnectionId id) {
    HostedConnection* const waiter = hosted(id);
    if (waiter == nullptr) return true;
    waiter->waits_for_memory = waiter->tcp.is_waiting_to_write();
    return !waiter->waits_for_memory;
  });
  return !memory_waiters_.empty();
}

// Aborts connections that are stuck behind closed windows, until those that wait for memory may
// write again.
void Engine::relieve_memory_pressure() {
  if (memory_waiters_.empty() || has_room_for_writers() || now_ < next_relief_) return;
  if (!has_memory_waiters()) return;
  next_relief_ = now_ + PersistCandidates::kInterval;
  PersistCandidates candidates;
  awake_.for_each([&](std::uint32_t, HostedConnection& c) {
    candidates.consider(c.tcp.id(), c.tcp.persisting_since(), c.tcp.held_octets(), now_);
  });
  for (const ConnectionId id : candidates.worst_first()) {
    HostedConnection& connection = *hosted(id);
    connection.tcp.shed(now_);
    settle(connection);
    if (has_room_for_writers()) return;
  }
}

}  // namespace runnel::core
