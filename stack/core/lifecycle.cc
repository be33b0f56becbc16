// Coming into being and going away: connections and their compact records.
#include <algorithm>

#include "stack/core/engine.h"

namespace runnel::core {

HostedConnection* Engine::create_connection(const tcp::FourTuple& tuple, tcp::SharedConfig config) {
  make_room_awake();
  const auto key = connections_.create([&](void* storage, const auto& k) {
    new (storage) ConnectionPlace(k.index, tuple, std::move(config));
  });
  demux_.insert(demux_.hash(tuple), {Kind::Connection, key.index});
  return &host(key.index);
}

void Engine::erase_connection(HostedConnection& connection) {
  const std::uint32_t index = connection.tcp.id().index;
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
  } else if (!connection.timer.is_armed() || deadline < connection.timer.deadline) {
    wheel_.arm(connection.timer, deadline);
  }
  if (!connection.ready.is_listed()) ready_.push_back(connection.ready);
}

void Engine::leave_demux(HostedConnection& connection) {
  connection.is_demuxed = false;
  demux_.erase(demux_.hash(connection.tcp.tuple()), {Kind::Connection, connection.tcp.id().index});
}

// The connection's place in the demux goes to a small record; what the application has not read
// yet stays with the connection.
void Engine::begin_time_wait(HostedConnection& connection) {
  const tcp::TimeWaitRecord record = tcp::TimeWaitRecord::from(connection.tcp);
  if (connection.tcp.owes_ack()) send(record.tuple, record.bare_ack(now_), record.ip_fields);
  leave_demux(connection);
  add_time_wait(record, now_ + record.time_wait);
}

// REQUIRES: the demux has nothing for the record's tuple.
void Engine::add_time_wait(const tcp::TimeWaitRecord& record, Instant until) {
  if (time_wait_.size() >= config_.maximum_time_wait) {
    counters_.drop(DropReason::TcpTimeWaitFull);
    trace_move(TcpState::TimeWait, TcpState::Closed);
    return;
  }
  const auto key = time_wait_.create(
      [&](void* storage, const auto& k) { new (storage) Waiting(k.index, record); });
  demux_.insert(demux_.hash(record.tuple), {Kind::TimeWait, key.index});
  wheel_.arm(time_wait_.at(key.index).timer, until);
}

// A SYN that interrupted TIME-WAIT and came to nothing was an old one: TIME-WAIT goes on.
void Engine::forget_half_open(std::uint32_t index, TcpState to) {
  HalfOpen& half_open = half_open_.at(index);
  const auto suspended = std::move(half_open.suspended);
  const bool resumes =
      suspended != nullptr && to != TcpState::SynReceived && now_ < suspended->until;
  if (resumes) to = TcpState::TimeWait;
  if (to != TcpState::SynReceived) trace_move(TcpState::SynReceived, to);
  wheel_.cancel(half_open.timer);
  half_open.age.unlink();
  demux_.erase(demux_.hash(half_open.record.tuple), {Kind::SynReceived, index});
  if (Listener* const owner = listener(half_open.record.listener)) {
    --owner->half_open_count;
    watch_pressure(*owner);
  }
  half_open_.erase(index);
  if (resumes) add_time_wait(suspended->record, suspended->until);
}

void Engine::end_time_wait(std::uint32_t index, TcpState to) {
  trace_move(TcpState::TimeWait, to);
  Waiting& waiting = time_wait_.at(index);
  wheel_.cancel(waiting.timer);
  demux_.erase(demux_.hash(waiting.record.tuple), {Kind::TimeWait, index});
  time_wait_.erase(index);
}

// A move of what has no connection, and so no handle.
void Engine::trace_move(TcpState from, TcpState to) const {
  if (trace_ != nullptr) trace_->on_state_change({now_, {}, from, to});
}

}  // namespace runnel::core
