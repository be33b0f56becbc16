// Connections at rest as records (see tcp/hibernation.h): which, and when.
//
// There is no timer for it: an idle stack sleeps. When there are more connections than
// Config::awake_connections, one that is woken has others hibernate. With few none ever does.
//
// Who comes is a visitor at first. While there are more than a few of them, the one that came first
// is looked at: it may stay if it was used since it came, and becomes a resident if it was used
// again when its turn comes a second time; else it hibernates. Of the residents those who were not
// used since they were looked at last have to go when there are too many (the clock algorithm). So
// packets that are spread over a million connections touch the memory of a few, which stays in the
// processor's cache, and do not drive out the connections that are used all the time.
#include <algorithm>

#include "stack/core/engine.h"

namespace runnel::core {

namespace {

// Twice as many, of three kilobytes each, are to fit into a processor's own cache.
constexpr std::size_t kFewVisitors = 64;
// So many more come before the first of them are looked at, one after the other: what makes records
// is as much code as a processor's cache holds, which it is not to be fetched into for each.
constexpr std::size_t kVisitorsAtOnce = 32;

// How many visitors are looked at for one that hibernates: they want to be looked at twice.
constexpr std::size_t kLooksAtVisitor = 3;
// How many residents are looked at, or visitors if there are none, before one more is woken.
constexpr std::size_t kLooksToMakeRoom = 8;

}  // namespace

HostedConnection& Engine::awake(std::uint32_t index) {
  ConnectionPlace& place = connections_.at(index);
  if (place.awake != nullptr) return *place.awake;
  make_room_awake(1);
  return wake(index);
}

HostedConnection& Engine::wake(std::uint32_t index) {
  HostedConnection& connection = host(index);
  connection.tcp.wake(connections_.at(index).idle);
  return connection;
}

// Those for which there is no memory go on hibernating: their packets ask again.
void Engine::wake_together(std::span<const DemuxHandle> handles) {
  const auto is_at_rest = [&](DemuxHandle handle) {
    return handle.kind == Kind::Connection && connections_.at(handle.index).awake == nullptr;
  };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(handles, is_at_rest));
  if (count == 0) return;
  make_room_awake(count);
  try {
    for (const DemuxHandle handle : handles) {
      if (is_at_rest(handle)) wake(handle.index);
    }
  } catch (const std::bad_alloc&) {
  }
}

HostedConnection* Engine::try_awake(std::uint32_t index) {
  try {
    return &awake(index);
  } catch (const std::bad_alloc&) {
    counters_.drop(DropReason::NoMemory);
    return nullptr;
  }
}

// A connection as new, for the place at `index`.
HostedConnection& Engine::host(std::uint32_t index) {
  ConnectionPlace& place = connections_.at(index);
  const ConnectionId id{index, connections_.key_at(index).generation};
  place.awake_index = awake_.create([&](void* storage, std::uint32_t) {
    place.awake = new (storage) HostedConnection(environment_, id, place);
  });
  visitors_.push_back(place.awake->awake);
  ++visitor_count_;
  return *place.awake;
}

bool Engine::hibernate(HostedConnection& connection) {
  ConnectionPlace& place = connections_.at(connection.tcp.id().index);
  if (!connection.tcp.hibernate(place.idle)) return false;
  if (connection.stay != HostedConnection::Stay::Resident) --visitor_count_;
  place.awake = nullptr;
  awake_.erase(place.awake_index);
  return true;
}

bool Engine::may_hibernate(const HostedConnection& connection) const noexcept {
  return !connection.ready.is_listed() && connection.is_demuxed && connection.is_accepted &&
         !connection.waits_for_memory && !connection.fast_open_listener.is_set() &&
         connection.tcp.may_hibernate();
}

void Engine::limit_awake(std::size_t most, std::size_t looks) {
  if (connections_.size() <= most) return;
  if (visitor_count_ >= kFewVisitors + kVisitorsAtOnce) {
    constexpr std::size_t kLooks = kVisitorsAtOnce * kLooksAtVisitor;
    for (std::size_t i = 0; i < kLooks && visitor_count_ > kFewVisitors; ++i) look_at(visitors_);
  }
  for (; looks > 0 && awake_.size() > most; --looks) {
    look_at(residents_.empty() ? visitors_ : residents_);
  }
}

// REQUIRES: the list is not empty.
void Engine::look_at(base::IntrusiveList& list) {
  const auto* const node = static_cast<AwakeNode*>(list.pop_front());
  HostedConnection& connection = *connections_.at(node->owner_index).awake;
  const bool was_used = std::exchange(connection.was_used, false);
  const bool may_stay = was_used && config_.awake_connections > 0;
  if (!may_stay && may_hibernate(connection) && hibernate(connection)) return;
  if (connection.stay == HostedConnection::Stay::Arriving) {
    connection.stay = HostedConnection::Stay::Visiting;
  } else if (connection.stay == HostedConnection::Stay::Visiting && may_stay) {
    connection.stay = HostedConnection::Stay::Resident;
    --visitor_count_;
  }
  const bool is_resident = connection.stay == HostedConnection::Stay::Resident;
  (is_resident ? residents_ : visitors_).push_back(connection.awake);
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

// For so many more.
void Engine::make_room_awake(std::size_t count) {
  const std::size_t limit = config_.awake_connections;
  limit_awake(limit - std::min(limit, count), count * kLooksToMakeRoom);
}

}  // namespace runnel::core
