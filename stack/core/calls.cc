// The application's calls, on listeners and connections by handle.
#include <algorithm>
#include <vector>

#include "stack/core/engine.h"

namespace runnel::core {

namespace {

bool is_valid(const TcpConfig& tcp) noexcept {
  return tcp::are_valid(tcp::IpFields::of(tcp)) &&
         tcp::AnyCongestionControl::is_permitted(tcp.congestion_control, tcp);
}

bool is_out_of_memory(const Result<std::size_t>& result) noexcept {
  return !result && result.error() == Errc::no_buffer_space;
}

}  // namespace

// --- Listeners -----------------------------------------------------------------------------------

Result<ListenerId> Engine::listen(const Endpoint& local, const ListenOptions& options) {
  if (local.port == 0) return Errc::invalid_argument;
  if (!local.address.is_unspecified() && !is_local(local.address)) {
    return Errc::address_not_available;
  }
  if (!is_valid(options.tcp ? *options.tcp : *default_tcp_)) return Errc::invalid_argument;
  if (listening_.contains(local)) return Errc::address_in_use;
  auto config = options.tcp ? tcp::SharedConfig(*options.tcp) : default_tcp_;
  const auto key = listeners_.create([&](void* storage, const auto& k) {
    new (storage)
        Listener(k.index, local, std::max<std::size_t>(options.backlog, 1), std::move(config));
  });
  const ListenerId id{key.index, key.generation};
  listening_.emplace(local, id);
  trace_move(TcpState::Closed, TcpState::Listen);
  return id;
}

Result<ConnectionId> Engine::accept(ListenerId id) {
  Listener* const owner = listener(id);
  if (owner == nullptr) return Errc::invalid_handle;
  if (owner->accept_queue.empty()) return Errc::would_block;
  const ConnectionId accepted = owner->accept_queue.front();
  owner->accept_queue.pop_front();
  HostedConnection& connection = *hosted(accepted);
  connection.is_accepted = true;
  for (const Event& event : std::exchange(connection.held_events, {})) events_.push_back(event);
  return accepted;
}

Result<void> Engine::close_listener(ListenerId id) {
  Listener* const owner = listener(id);
  if (owner == nullptr) return Errc::invalid_handle;
  while (!owner->half_open_by_age.empty()) {
    forget_half_open(owner->half_open_by_age.front(), TcpState::Closed);
  }
  for (const ConnectionId unaccepted : std::exchange(owner->accept_queue, {})) {
    (void)abort(unaccepted);
  }
  listening_.erase(owner->local);
  listeners_.erase(id.index);
  trace_move(TcpState::Listen, TcpState::Closed);
  return {};
}

// --- OPEN ----------------------------------------------------------------------------------------

Result<ConnectionId> Engine::connect(const Endpoint& remote, const ConnectOptions& options) {
  const ip::DestinationClass kind = addresses_.classify(remote.address);
  const bool is_host = kind == ip::DestinationClass::Foreign || kind == ip::DestinationClass::Local;
  // RFC 9293 section 3.9.1.1, MUST-46
  if (remote.port == 0 || !is_host || remote.address.is_v6() || remote.address.is_unspecified() ||
      remote.address.is_loopback() || remote.address.is_reserved()) {
    return Errc::invalid_argument;
  }
  if (!is_valid(options.tcp ? *options.tcp : *default_tcp_)) return Errc::invalid_argument;
  tcp::FourTuple tuple{options.local, remote};
  if (tuple.local.address.is_unspecified()) {
    const auto source = addresses_.source_for(remote.address);
    if (!source) return Errc::address_not_available;
    tuple.local.address = *source;
  } else if (!is_local(tuple.local.address)) {
    return Errc::address_not_available;
  }
  const auto is_taken = [&] { return look_up(tuple, hash_of(tuple)).kind != Kind::None; };
  if (tuple.local.port != 0) {
    if (is_taken()) return Errc::already_connected;
  } else {
    const auto port = ports_.pick(tuple.local.address, remote, [&](std::uint16_t candidate) {
      tuple.local.port = candidate;
      return !listener_for(tuple.local).is_set() && !is_taken();
    });
    if (!port) return Errc::address_not_available;
    tuple.local.port = *port;
  }
  if (connections_.size() >= config_.maximum_connections) {
    counters_.drop(DropReason::TcpConnectionsFull);
    return Errc::no_buffer_space;
  }
  auto config = options.tcp ? tcp::SharedConfig(*options.tcp) : default_tcp_;
  HostedConnection& connection = *create_connection(tuple, std::move(config));
  connection.tcp.begin_with(destinations_.find(remote.address, now_), now_);
  const tcp::TupleSecrets secrets = secrets_.of(tuple);
  connection.tcp.open_active(secrets.isn(now_), now_, secrets.timestamp_offset);
  settle(connection);
  return connection.tcp.id();
}

MaximumSizes Engine::maximum_sizes(const IpAddress& remote) {
  const std::size_t link = config_.mtu_octets;
  const std::size_t path = destinations_.find(remote, now_).path_mtu_octets.value_or(link);
  return {std::min(link, path) - wire::kIpv4MinHeaderOctets,
          ip::maximum_datagram(config_) - wire::kIpv4MinHeaderOctets};
}

// --- Calls on a connection -----------------------------------------------------------------------

Result<HostedConnection*> Engine::called(ConnectionId id) {
  if (connections_.find(id.index, id.generation) == nullptr) return Errc::invalid_handle;
  HostedConnection* const connection = try_awake(id.index);
  if (connection == nullptr) return Errc::no_buffer_space;
  return connection;
}

Result<HostedConnection*> Engine::usable(ConnectionId id) {
  const auto connection = called(id);
  if (connection && !(*connection)->is_accepted) return Errc::invalid_handle;
  return connection;
}

template <typename Call>
auto Engine::on_connection(ConnectionId id, Call&& call)
    -> decltype(call(std::declval<tcp::Connection&>())) {
  const auto connection = usable(id);
  if (!connection) return connection.error();
  auto outcome = call((*connection)->tcp);
  settle(**connection);
  return outcome;
}

Result<std::size_t> Engine::write(ConnectionId id, Bytes data) {
  auto result = on_connection(id, [&](tcp::Connection& c) { return c.write(data, now_); });
  if (is_out_of_memory(result)) wait_for_memory(id);
  relieve_memory_pressure();
  return result;
}

Result<std::size_t> Engine::write(ConnectionId id, Buffer& data) {
  auto result = on_connection(id, [&](tcp::Connection& c) { return c.write(data, now_); });
  if (is_out_of_memory(result)) wait_for_memory(id);
  relieve_memory_pressure();
  return result;
}

Result<Buffer> Engine::take(ConnectionId id, std::size_t most) {
  return on_connection(id, [&](tcp::Connection& c) { return c.take(most, now_); });
}

// What is unread keeps `from` awake while `to` is looked up.
Result<std::size_t> Engine::forward(ConnectionId from, ConnectionId to, std::size_t most) {
  const auto found = usable(from);
  if (!found) return found.error();
  HostedConnection* const source = *found;
  Result<Buffer> front = source->tcp.share(most);
  if (!front) return front.error();
  if (front->empty()) return std::size_t{0};
  const auto other = usable(to);
  if (!other) return other.error();
  HostedConnection* const sink = *other;

  Result<std::size_t> moved = std::size_t{0};
  for (;;) {
    const std::size_t given = front->size();
    const auto written = sink->tcp.write(*front, now_);
    if (!written && *moved == 0) moved = written.error();
    if (!written) break;
    *moved += *written;
    (void)source->tcp.consume(*written, now_);
    if (*written < given || *moved == most || source->tcp.readable_octets() == 0) break;
    front = source->tcp.share(most - *moved);
  }
  if (is_out_of_memory(moved)) wait_for_memory(to);
  settle(*source);
  if (source != sink) settle(*sink);
  relieve_memory_pressure();
  return moved;
}

Result<std::size_t> Engine::read(ConnectionId id, MutableBytes out) {
  return on_connection(id, [&](tcp::Connection& c) { return c.read(out, now_); });
}

Result<void> Engine::consume(ConnectionId id, std::size_t octets) {
  return on_connection(id, [&](tcp::Connection& c) { return c.consume(octets, now_); });
}

Result<std::size_t> Engine::write_urgent(ConnectionId id, Bytes data) {
  auto result = on_connection(id, [&](tcp::Connection& c) { return c.write_urgent(data, now_); });
  if (is_out_of_memory(result)) wait_for_memory(id);
  relieve_memory_pressure();
  return result;
}

Result<std::uint8_t> Engine::read_urgent(ConnectionId id) {
  return on_connection(id, [](tcp::Connection& c) { return c.read_urgent(); });
}

Result<void> Engine::shutdown_write(ConnectionId id) {
  return on_connection(id, [&](tcp::Connection& c) { return c.shutdown_write(now_); });
}

Result<void> Engine::close(ConnectionId id) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    c.close(now_);
    return {};
  });
}

Result<void> Engine::abort(ConnectionId id) {
  const auto found = called(id);
  if (!found) return found.error();
  HostedConnection* const connection = *found;
  connection->is_accepted = true;
  connection->held_events.clear();
  // In TIME-WAIT the TCB is the record (RFC 9293 section 3.10.5).
  if (connection->tcp.state() == TcpState::TimeWait) {
    const DemuxHandle handle = look_up(connection->tcp.tuple());
    if (handle.kind == Kind::TimeWait) end_time_wait(handle.index, TcpState::Closed);
  }
  connection->tcp.abort(now_);
  settle(*connection);
  return {};
}

Result<void> Engine::set_inactivity_timeout(ConnectionId id, Duration inactivity) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    if (inactivity < Duration{0}) return Errc::invalid_argument;
    c.set_inactivity_timeout(inactivity, now_);
    return {};
  });
}

Result<void> Engine::set_nagle(ConnectionId id, bool enabled) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    c.set_nagle(enabled);
    return {};
  });
}

Result<void> Engine::set_keepalive(ConnectionId id, bool enabled) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    c.set_keepalive(enabled, now_);
    return {};
  });
}

Result<void> Engine::set_linger(ConnectionId id, std::optional<Duration> linger) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    if (linger && *linger < Duration{0}) return Errc::invalid_argument;
    c.set_linger(linger);
    return {};
  });
}

Result<void> Engine::set_congestion_control(ConnectionId id, CongestionAlgorithm algorithm) {
  return on_connection(
      id, [&](tcp::Connection& c) { return c.set_congestion_control(algorithm, now_); });
}

Result<void> Engine::set_dscp(ConnectionId id, std::uint8_t dscp) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    if (dscp > tcp::IpFields::kLargestDscp) return Errc::invalid_argument;
    c.set_dscp(dscp);
    return {};
  });
}

Result<void> Engine::set_user_timeout(ConnectionId id, Duration timeout) {
  return on_connection(id, [&](tcp::Connection& c) -> Result<void> {
    if (timeout < Duration{0}) return Errc::invalid_argument;
    c.set_user_timeout(timeout, now_);
    return {};
  });
}

}  // namespace runnel::core
