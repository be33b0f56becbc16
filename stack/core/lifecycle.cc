// Coming into being and going away: connections and their compact records.
#include <algorithm>

#include "stack/core/engine.h"

namespace runnel::core {

namespace {

// A deadline that moves on with every acknowledgment need not move its node each time: the node
// expires early once, and is armed anew. But one that has gone from the next round trip to the
// keepalive time would wake the connection in vain, when nothing of it is in the cache any more.
bool is_much_later(Instant deadline, Instant armed, Instant now) noexcept {
  constexpr int kMuch = 8;
  return (deadline - now) / kMuch > armed - now;
}

}  // namespace

HostedConnection* Engine::create_connection(const tcp::FourTuple& tuple, tcp::SharedConfig config,
                                            DemuxHandle record) {
  make_room_awake(1);
  const auto key = connections_.create([&](void* storage, const auto& k) {
    new (storage) ConnectionPlace(k.index, tuple, std::move(config));
  });
  const std::uint64_t hash = hash_of(tuple);
  const DemuxHandle handle{Kind::Connection, key.index};
  if (record.kind == Kind::None) {
    demux_.insert(hash, handle);
  } else {
    demux_.replace(hash, record, handle);
  }
  HostedConnection& connection = host(key.index);
  connection.demux_hash = hash;
  return &connection;
}

void Engine::erase_connection(HostedConnection& connection) {
  const std::uint32_t index = connection.tcp.id().index;
  if (connection.stay != HostedConnection::Stay::Resident) --visitor_count_;
  awake_.erase(connections_.at(index).awake_index);
  connections_.erase(index);
}

void Engine::settle(HostedConnection& connection) {
  connection.was_used = true;
  if (connection.tcp.has_path_report()) {
    destinations_.merge(connection.tcp.tuple().remote.address, connection.tcp.take_path_report(),
                        now_);
  }
  if (connection.fast_open_listener.is_set()) settle_fast_open(connection);
  const TcpState state = connection.tcp.state();
  if (state == TcpState::TimeWait && connection.is_demuxed) begin_time_wait(connection);
  if (state == TcpState::Closed && connection.is_demuxed) leave_demux(connection);

  if (!connection.is_demuxed) {
    wheel_.cancel(connection.timer);
    connection.timer.deadline = kNever;
    connection.ready.unlink();
    if (connection.tcp.is_given_up()) erase_connection(connection);
    return;
  }
  const Instant deadline = connection.tcp.next_deadline();
  if (deadline == kNever) {
    wheel_.cancel(connection.timer);
    connection.timer.deadline = kNever;
  } else if (!connection.timer.is_armed() || deadline < connection.timer.deadline ||
             is_much_later(deadline, connection.timer.deadline, now_)) {
    wheel_.arm(connection.timer, deadline);
  }
  if (!connection.ready.is_listed()) ready_.push_back(connection.ready);
}

std::uint64_t Engine::hash_of(const HostedConnection& connection) noexcept {
  const tcp::FourTuple& tuple = connection.tcp.tuple();
  if (connection.demux_hash) last_hashed_ = {tuple, *connection.demux_hash};
  return hash_of(tuple);
}

void Engine::leave_demux(HostedConnection& connection) {
  connection.is_demuxed = false;
  demux_.erase(hash_of(connection), {Kind::Connection, connection.tcp.id().index});
}

// The connection's place in the demux goes to a small record; what the application has not read
// yet stays with the connection.
void Engine::begin_time_wait(HostedConnection& connection) {
  const tcp::TimeWaitRecord record = tcp::TimeWaitRecord::from(connection.tcp);
  if (connection.tcp.owes_ack()) send(record.tuple, record.bare_ack(now_), record.ip_fields);
  const auto index = keep_time_wait(record, now_ + record.time_wait);
  if (!index) {
    leave_demux(connection);
    return;
  }
  connection.is_demuxed = false;
  demux_.replace(hash_of(connection), {Kind::Connection, connection.tcp.id().index},
                 {Kind::TimeWait, *index});
}

// REQUIRES: the demux has nothing for the record's tuple.
void Engine::add_time_wait(const tcp::TimeWaitRecord& record, Instant until) {
  const auto index = keep_time_wait(record, until);
  if (index) demux_.insert(hash_of(record.tuple), {Kind::TimeWait, *index});
}

std::optional<std::uint32_t> Engine::keep_time_wait(const tcp::TimeWaitRecord& record,
                                                    Instant until) {
  if (time_wait_.size() >= config_.maximum_time_wait) {
    counters_.drop(DropReason::TcpTimeWaitFull);
    trace_move(TcpState::TimeWait, TcpState::Closed);
    return std::nullopt;
  }
  const std::uint16_t local_address = addresses_.index_of(record.tuple.local.address);
  const std::uint32_t index = time_wait_.create(
      [&](void* storage, std::uint32_t) { new (storage) Waiting(record, local_address, until); });
  enqueue_time_wait(index, record.time_wait);
  return index;
}

// What would not be the last to end of its queue gets one for itself.
void Engine::enqueue_time_wait(std::uint32_t index, Duration duration) {
  Waiting& waiting = time_wait_.at(index);
  const bool is_shared = waiting.until == now_ + duration;
  waiting.queue = is_shared ? shared_queue(duration)
                            : time_wait_queues_.create([&](void* storage, std::uint32_t i) {
                                new (storage) TimeWaitQueue(i, duration, false);
                              });
  TimeWaitQueue& queue = time_wait_queues_.at(waiting.queue);
  if (queue.waiting.empty()) wheel_.arm(queue.timer, waiting.until);
  queue.waiting.push_back(time_wait_, index);
}

std::uint32_t Engine::shared_queue(Duration duration) {
  for (const std::uint32_t number : shared_queues_) {
    if (time_wait_queues_.at(number).duration == duration) return number;
  }
  shared_queues_.push_back(time_wait_queues_.create(
      [&](void* storage, std::uint32_t i) { new (storage) TimeWaitQueue(i, duration, true); }));
  return shared_queues_.back();
}

void Engine::dequeue_time_wait(std::uint32_t index) {
  const std::uint32_t number = time_wait_.at(index).queue;
  TimeWaitQueue& queue = time_wait_queues_.at(number);
  // While its timer expires, time_wait_timer() arms it when it is done.
  const bool arms_timer = queue.waiting.front() == index && queue.timer.is_armed();
  queue.waiting.remove(time_wait_, index);
  if (queue.waiting.empty()) {
    wheel_.cancel(queue.timer);
    if (queue.is_shared) std::erase(shared_queues_, number);
    time_wait_queues_.erase(number);
  } else if (arms_timer) {
    wheel_.arm(queue.timer, time_wait_.at(queue.waiting.front()).until);
  }
}

// A SYN that interrupted TIME-WAIT and came to nothing was an old one: TIME-WAIT goes on.
void Engine::forget_half_open(std::uint32_t index, TcpState to) {
  HalfOpen& half_open = half_open_.at(index);
  std::optional<SuspendedTimeWait> suspended;
  if (half_open.has_suspended) suspended = suspended_.extract(index).mapped();
  const bool resumes = suspended && to != TcpState::SynReceived && now_ < suspended->until;
  if (resumes) to = TcpState::TimeWait;
  if (to != TcpState::SynReceived) trace_move(TcpState::SynReceived, to);
  wheel_.cancel(half_open.timer);
  Listener& owner = listeners_.at(half_open.listener);
  owner.half_open_by_age.remove(half_open_, index);
  --owner.half_open_count;
  if (to != TcpState::SynReceived) {
    demux_.erase(hash_of(expand(half_open.at)), {Kind::SynReceived, index});
  }
  half_open_.erase(index);
  watch_pressure(owner);
  if (resumes) add_time_wait(suspended->record, suspended->until);
}

void Engine::end_time_wait(std::uint32_t index, TcpState to) {
  trace_move(TcpState::TimeWait, to);
  demux_.erase(hash_of(expand(time_wait_.at(index).at)), {Kind::TimeWait, index});
  dequeue_time_wait(index);
  time_wait_.erase(index);
}

// A move of what has no connection, and so no handle.
void Engine::trace_move(TcpState from, TcpState to) const {
  if (trace_ != nullptr) trace_->on_state_change({now_, {}, from, to});
}

}  // namespace runnel::core
