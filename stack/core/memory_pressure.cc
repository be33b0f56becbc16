#include "stack/core/memory_pressure.h"

#include "stack/core/engine.h"

namespace runnel::core {

bool Engine::has_room_for_writers() const noexcept {
  return budget_.send_room_octets() > budget_.limit_octets() / 8;
}

// Aborts connections that are stuck behind closed windows, until those that wait for memory may
// write again.
void Engine::relieve_memory_pressure() {
  if (memory_waiters_.empty() || has_room_for_writers()) return;
  if (now_ < next_relief_) return;
  next_relief_ = now_ + PersistCandidates::kInterval;
  PersistCandidates candidates;
  connections_.for_each([&](std::uint32_t, HostedConnection& c) {
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
