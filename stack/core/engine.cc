#include "stack/core/engine.h"

#include <algorithm>

#include "stack/tcp/handshake.h"

namespace runnel::core {

namespace {

// MSS is offered so that it fits the smallest MTU that the link may have (RFC 9293 section 3.7.3)
// and, should it be fragmented, EMTU_R (section 3.7.1, MUST-67).
std::uint16_t receive_mtu(const Config& config) {
  const std::uint16_t smallest =
      config.smallest_mtu_octets != 0 ? config.smallest_mtu_octets : config.mtu_octets;
  return static_cast<std::uint16_t>(
      std::min<std::size_t>({config.mtu_octets, smallest, ip::maximum_datagram(config)}));
}

tcp::LinkLimits link_limits(const Config& config) {
  return {config.mtu_octets, receive_mtu(config), config.checksum_offload,
          // A link that cuts segments must finish their checksums too.
          config.checksum_offload && config.tcp_segmentation_offload,
          std::min(config.gso_maximum_octets, wire::kIpv4MaxPacketOctets)};
}

}  // namespace

Engine::Engine(const Config& config, Random& random, TraceSink* trace)
    : config_(config),
      default_tcp_(config.tcp),
      trace_(trace),
      budget_(config.memory_budget_octets),
      pool_(budget_),
      environment_{pool_,
                   counters_,
                   *this,
                   *this,
                   trace,
                   link_limits(config),
                   config.challenge_acks_per_connection_per_second,
                   tcp::WindowShare(config.receive_windows_total_octets)},
      reassembler_(config_, pool_, counters_),
      identification_(random),
      icmp_errors_(config.icmp_errors_per_second),
      resets_(config.resets_per_second),
      secrets_(random),
      ports_(random, config.ephemeral_port_first, config.ephemeral_port_last),
      demux_(random),
      last_hashed_{{}, demux_.hash({})},
      cookies_(random),
      destinations_(config.destination_cache_entries, config.destination_cache_age, random),
      fast_open_cookies_(random) {}

Engine::~Engine() {
  ready_.clear();
  connections_.for_each([this](std::uint32_t, ConnectionPlace& c) { wheel_.cancel(c.timer); });
  half_open_.for_each([this](std::uint32_t, HalfOpen& h) { wheel_.cancel(h.timer); });
  time_wait_queues_.for_each([this](std::uint32_t, TimeWaitQueue& q) { wheel_.cancel(q.timer); });
  listeners_.for_each([this](std::uint32_t, Listener& l) { wheel_.cancel(l.pressure_timer); });
}

// --- Events --------------------------------------------------------------------------------------

void Engine::push(const Event& event) {
  HostedConnection& connection = *connections_.at(event.connection.index).awake;
  if (connection.is_accepted) {
    events_.push_back(event);
  } else {
    connection.held_events.push_back(event);
  }
}

std::optional<Event> Engine::poll_event() {
  if (events_.empty() && !memory_waiters_.empty() && has_room_for_writers()) {
    wake_memory_waiters();
  }
  if (events_.empty()) return std::nullopt;
  const Event event = events_.front();
  if (event.kind == EventKind::Incoming) {
    if (Listener* const l = listener(event.listener)) l->is_incoming_reported = false;
  } else if (tcp::Connection::is_told_once(event.kind)) {
    const auto connection = called(event.connection);
    if (connection) {
      (*connection)->tcp.event_fetched(event.kind);
    } else if (connection.error() == Errc::no_buffer_space) {
      return std::nullopt;  // it waits until its connection can be woken
    }
  }
  events_.pop_front();
  return event;
}

// --- Looking up ----------------------------------------------------------------------------------

DemuxHandle Engine::look_up(const tcp::FourTuple& tuple, std::uint64_t hash) const noexcept {
  return demux_.find(hash, [&](DemuxHandle handle) { return is_at(handle, tuple); });
}

ListenerId Engine::listener_for(const Endpoint& local) const noexcept {
  if (const auto exact = listening_.find(local); exact != listening_.end()) return exact->second;
  const auto any = listening_.find({IpAddress(), local.port});
  return any != listening_.end() ? any->second : ListenerId{};
}

const tcp::FourTuple* Engine::find_tuple(ConnectionId id) const noexcept {
  const ConnectionPlace* const found = connections_.find(id.index, id.generation);
  return found != nullptr ? &found->tuple : nullptr;
}

const Listener* Engine::find(ListenerId id) const noexcept {
  return listeners_.find(id.index, id.generation);
}

}  // namespace runnel::core
