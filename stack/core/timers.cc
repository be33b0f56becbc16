// Time passes.
#include <algorithm>

#include "stack/core/engine.h"

namespace runnel::core {

namespace {

// Most of what fills a backlog is forged, and each SYN,ACK goes to whom the forger chose.
constexpr std::uint8_t kSynAckRetransmissionsUnderPressure = 1;

// How long a timer waits that finds no memory to wake its connection.
constexpr Duration kMemoryPause = std::chrono::milliseconds(100);

}  // namespace

void Engine::advance(Instant now) {
  set_now(now);
  relieve_memory_pressure();
  base::IntrusiveList expired;
  wheel_.advance(now_, expired);
  while (base::ListNode* const node = expired.pop_front()) {
    auto& timer = static_cast<OwnedTimer&>(*node);
    timer.deadline = kNever;
    switch (static_cast<TimerOwner>(timer.owner_kind)) {
      case TimerOwner::Connection:
        connection_timer(timer.owner_index);
        break;
      case TimerOwner::SynReceived:
        half_open_timer(timer.owner_index);
        break;
      case TimerOwner::TimeWait:
        time_wait_timer(timer.owner_index);
        break;
      case TimerOwner::Listener:
        pressure_timer(timer.owner_index);
        break;
    }
  }
  for (const buffer::Slice& first : reassembler_.advance(now_)) {
    if (const auto offender = wire::Ipv4View::parse(first.bytes())) {
      report_error(*offender, wire::IcmpType::TimeExceeded, wire::kIcmpReassemblyTimeExceeded);
    }
  }
}

Instant Engine::next_deadline() const {
  if (!looped_back_.empty()) return now_;
  return std::min(wheel_.next_deadline(), reassembler_.next_deadline());
}

void Engine::connection_timer(std::uint32_t index) {
  HostedConnection* const connection = try_awake(index);
  if (connection == nullptr) {
    wheel_.arm(connections_.at(index).timer, now_ + kMemoryPause);
    return;
  }
  connection->tcp.timeouts(now_);
  settle(*connection);
}

// SYN-RECEIVED: sends the SYN,ACK again, or gives up.
void Engine::half_open_timer(std::uint32_t index) {
  HalfOpen& half_open = half_open_.at(index);
  const Listener& owner = listeners_.at(half_open.listener);
  const TcpConfig& config = *owner.config;
  if (half_open.retransmissions >= config.syn_ack_retransmissions) {
    ++counters_.tcp_attempt_fails;
    forget_half_open(index, TcpState::Closed);
    return;
  }
  if (owner.is_under_pressure() &&
      half_open.retransmissions >= kSynAckRetransmissionsUnderPressure) {
    wheel_.arm(half_open.timer, now_ + expand(half_open).timeout(config));
    return;  // pressure_timer() ends it unless the pressure goes
  }
  ++half_open.retransmissions;
  ++counters_.tcp_retrans_segs;
  const tcp::SynReceivedRecord record = expand(half_open);
  wheel_.arm(half_open.timer, now_ + record.timeout(config));
  send(record.tuple, record.syn_ack(config, environment_.link, now_), tcp::IpFields::of(config));
}

// Too many half-open connections, and the oldest have had their time.
void Engine::pressure_timer(std::uint32_t index) {
  Listener& owner = listeners_.at(index);
  const auto is_oldest_due = [&] {
    return owner.is_under_pressure() && half_open_.at(owner.half_open_by_age.front()).since +
                                                config_.syn_received_under_pressure <=
                                            now_;
  };
  while (is_oldest_due()) shed_oldest_half_open(owner);
  watch_pressure(owner);
}

std::uint64_t Engine::fetch_for_end(std::uint32_t index) const noexcept {
  const Waiting& waiting = time_wait_.at(index);
  const std::uint32_t next = waiting.links.next;
  if (next != base::IndexLinks::kNone) __builtin_prefetch(time_wait_.address_of(next));
  const std::uint64_t hash = demux_.hash(expand(waiting.at));
  demux_.prefetch(hash);
  return hash;
}

// While one record goes, what the end of the next needs is fetched from memory: its place in the
// demux, and in turn the record behind it.
void Engine::time_wait_timer(std::uint32_t index) {
  std::optional<std::uint64_t> hash;  // of the first, where that is known
  for (;;) {
    TimeWaitQueue& queue = time_wait_queues_.at(index);
    const std::uint32_t first = queue.waiting.front();
    if (now_ < time_wait_.at(first).until) {
      wheel_.arm(queue.timer, time_wait_.at(first).until);
      return;
    }
    const std::uint32_t next = time_wait_.at(first).links.next;
    const bool is_last = next == base::IndexLinks::kNone;
    if (hash) last_hashed_ = {expand(time_wait_.at(first).at), *hash};
    if (!is_last) hash = fetch_for_end(next);
    end_time_wait(first, TcpState::Closed);
    if (is_last) return;  // and so the queue is gone
  }
}

}  // namespace runnel::core
