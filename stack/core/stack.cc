// The public face of the engine.
#include "runnel/stack.h"

#include "stack/core/engine.h"

namespace runnel {

Stack::Stack(const Config& config, Random& random, TraceSink* trace)
    : engine_(std::make_unique<core::Engine>(config, random, trace)) {}
Stack::Stack(Stack&&) noexcept = default;
Stack& Stack::operator=(Stack&&) noexcept = default;
Stack::~Stack() = default;

Result<void> Stack::add_address(const IpPrefix& prefix) {
  return engine_->add_address(prefix);
}

RxBuffer Stack::acquire_rx_buffer() {
  return engine_->acquire_rx_buffer();
}
void Stack::receive(RxBuffer&& packet, Instant now) {
  engine_->receive(std::move(packet), now);
}
void Stack::receive(std::span<RxBuffer> batch, Instant now) {
  engine_->receive(batch, now);
}
void Stack::receive(Bytes packet, Instant now, const PacketMeta& meta) {
  engine_->receive(packet, now, meta);
}
bool Stack::poll_transmit(TxFrame& frame, Instant now) {
  return engine_->poll_transmit(frame, now);
}
std::optional<RxBuffer> Stack::poll_stray() {
  return engine_->poll_stray();
}
void Stack::count_drop(DropReason reason) noexcept {
  engine_->count_drop(reason);
}
void Stack::advance(Instant now) {
  engine_->advance(now);
}
Instant Stack::next_deadline() const {
  return engine_->next_deadline();
}

std::optional<Event> Stack::poll_event() {
  return engine_->poll_event();
}
Result<ListenerId> Stack::listen(const Endpoint& local, const ListenOptions& options) {
  return engine_->listen(local, options);
}
Result<ConnectionId> Stack::accept(ListenerId listener) {
  return engine_->accept(listener);
}
Result<void> Stack::close_listener(ListenerId listener) {
  return engine_->close_listener(listener);
}
Result<ConnectionId> Stack::connect(const Endpoint& remote, const ConnectOptions& options) {
  return engine_->connect(remote, options);
}

Result<std::size_t> Stack::write(ConnectionId connection, Bytes data) {
  return engine_->write(connection, data);
}
Result<std::size_t> Stack::write(ConnectionId connection, Buffer& octets) {
  return engine_->write(connection, octets);
}
Result<std::size_t> Stack::write(ConnectionId connection, Buffer&& octets) {
  return engine_->write(connection, octets);
}
Result<Buffer> Stack::take(ConnectionId connection, std::size_t most_octets) {
  return engine_->take(connection, most_octets);
}
Result<std::size_t> Stack::forward(ConnectionId from, ConnectionId to, std::size_t most_octets) {
  return engine_->forward(from, to, most_octets);
}
Result<std::size_t> Stack::read(ConnectionId connection, MutableBytes out) {
  return engine_->read(connection, out);
}
Result<Bytes> Stack::peek(ConnectionId connection) const {
  return engine_->peek(connection);
}
Result<void> Stack::consume(ConnectionId connection, std::size_t octets) {
  return engine_->consume(connection, octets);
}
std::size_t Stack::writable_octets(ConnectionId connection) const {
  return engine_->writable_octets(connection);
}
std::size_t Stack::readable_octets(ConnectionId connection) const {
  return engine_->readable_octets(connection);
}

Result<std::size_t> Stack::write_urgent(ConnectionId connection, Bytes data) {
  return engine_->write_urgent(connection, data);
}
Result<std::uint8_t> Stack::read_urgent(ConnectionId connection) {
  return engine_->read_urgent(connection);
}

Result<void> Stack::shutdown_write(ConnectionId connection) {
  return engine_->shutdown_write(connection);
}
Result<void> Stack::close(ConnectionId connection) {
  return engine_->close(connection);
}
Result<void> Stack::abort(ConnectionId connection) {
  return engine_->abort(connection);
}

Result<void> Stack::set_inactivity_timeout(ConnectionId connection, Duration inactivity) {
  return engine_->set_inactivity_timeout(connection, inactivity);
}
Result<void> Stack::set_nagle(ConnectionId connection, bool enabled) {
  return engine_->set_nagle(connection, enabled);
}
Result<void> Stack::set_keepalive(ConnectionId connection, bool enabled) {
  return engine_->set_keepalive(connection, enabled);
}
Result<void> Stack::set_user_timeout(ConnectionId connection, Duration timeout) {
  return engine_->set_user_timeout(connection, timeout);
}
Result<void> Stack::set_linger(ConnectionId connection, std::optional<Duration> linger) {
  return engine_->set_linger(connection, linger);
}
Result<void> Stack::set_congestion_control(ConnectionId connection, CongestionAlgorithm algorithm) {
  return engine_->set_congestion_control(connection, algorithm);
}

Result<void> Stack::set_dscp(ConnectionId connection, std::uint8_t dscp) {
  return engine_->set_dscp(connection, dscp);
}

Result<TcpInfo> Stack::info(ConnectionId connection) const {
  return engine_->info(connection);
}
Result<Endpoint> Stack::local_endpoint(ConnectionId connection) const {
  const tcp::FourTuple* const found = engine_->find_tuple(connection);
  if (found == nullptr) return Errc::invalid_handle;
  return found->local;
}
Result<Endpoint> Stack::remote_endpoint(ConnectionId connection) const {
  const tcp::FourTuple* const found = engine_->find_tuple(connection);
  if (found == nullptr) return Errc::invalid_handle;
  return found->remote;
}
Result<Endpoint> Stack::local_endpoint(ListenerId listener) const {
  const core::Listener* const found = engine_->find(listener);
  if (found == nullptr) return Errc::invalid_handle;
  return found->local;
}

MaximumSizes Stack::maximum_sizes(const IpAddress& remote) const {
  return engine_->maximum_sizes(remote);
}
Result<void> Stack::send_echo_request(const IpAddress& destination, std::uint16_t identifier,
                                      std::uint16_t sequence, Bytes payload,
                                      const EchoRequestOptions& options) {
  return engine_->send_echo_request(destination, identifier, sequence, payload, options);
}
std::optional<EchoReply> Stack::poll_echo_reply() {
  return engine_->poll_echo_reply();
}

const Counters& Stack::counters() const noexcept {
  return engine_->counters();
}
const Config& Stack::config() const noexcept {
  return engine_->config();
}
Instant Stack::now() const noexcept {
  return engine_->now();
}
std::size_t Stack::memory_octets() const noexcept {
  return engine_->memory_octets();
}
std::size_t Stack::connection_count() const noexcept {
  return engine_->connection_count();
}
std::size_t Stack::awake_count() const noexcept {
  return engine_->awake_count();
}
std::size_t Stack::syn_received_count() const noexcept {
  return engine_->syn_received_count();
}
std::size_t Stack::time_wait_count() const noexcept {
  return engine_->time_wait_count();
}
std::size_t Stack::timer_count() const noexcept {
  return engine_->timer_count();
}

}  // namespace runnel
