// The handles: every call goes to the stack, and to the dispatcher when it may change what is to be
// emitted.
#include "runnel/sockets.h"

#include "stack/socket/event_dispatcher.h"

namespace runnel {

using socket::EmittedEvent;

// --- Sockets -------------------------------------------------------------------------------------

Sockets::Sockets(Stack& stack) : dispatcher_(std::make_unique<socket::EventDispatcher>(stack)) {}
Sockets::~Sockets() = default;

Result<TcpListener> Sockets::listen(const Endpoint& local, const ListenOptions& options) {
  const auto id = stack().listen(local, options);
  if (!id) return id.error();
  return dispatcher_->adopt(*id);
}

Result<TcpSocket> Sockets::connect(const Endpoint& remote, const ConnectOptions& options) {
  const auto id = stack().connect(remote, options);
  if (!id) return id.error();
  return dispatcher_->adopt(*id);
}

std::size_t Sockets::dispatch(std::size_t most) {
  return dispatcher_->dispatch(most);
}
Stack& Sockets::stack() noexcept {
  return dispatcher_->stack();
}

// --- TcpListener ---------------------------------------------------------------------------------

Subscription TcpListener::on(ConnectionEvent, ConnectionEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Connection, std::move(function));
}
Subscription TcpListener::on(CloseEvent, CloseEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Close, std::move(function));
}
void TcpListener::off(Subscription subscription) {
  if (dispatcher_ != nullptr) dispatcher_->remove(id_, subscription);
}
Result<TcpSocket> TcpListener::accept() {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->accept(id_);
}
Result<void> TcpListener::close() {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->close(id_);
}
Result<Endpoint> TcpListener::local_endpoint() const {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().local_endpoint(id_);
}

// --- TcpSocket: events ---------------------------------------------------------------------------

Subscription TcpSocket::on(ConnectEvent, ConnectEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Connect, std::move(function));
}
Subscription TcpSocket::on(DataEvent, DataEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Data, std::move(function));
}
Subscription TcpSocket::on(ReadableEvent, ReadableEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Readable, std::move(function));
}
Subscription TcpSocket::on(DrainEvent, DrainEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Drain, std::move(function));
}
Subscription TcpSocket::on(EndEvent, EndEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::End, std::move(function));
}
Subscription TcpSocket::on(UrgentEvent, UrgentEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Urgent, std::move(function));
}
Subscription TcpSocket::on(ErrorEvent, ErrorEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Error, std::move(function));
}
Subscription TcpSocket::on(TimeoutEvent, TimeoutEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Timeout, std::move(function));
}
Subscription TcpSocket::on(CloseEvent, CloseEvent::Function function) {
  if (dispatcher_ == nullptr) return {};
  return dispatcher_->add(id_, EmittedEvent::Close, std::move(function));
}
void TcpSocket::off(Subscription subscription) {
  if (dispatcher_ != nullptr) dispatcher_->remove(id_, subscription);
}

// --- TcpSocket: calls ----------------------------------------------------------------------------

Result<std::size_t> TcpSocket::read(MutableBytes out) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  auto octets = dispatcher_->stack().read(id_, out);
  dispatcher_->review_after_read(id_);
  return octets;
}
Result<Bytes> TcpSocket::peek() const {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().peek(id_);
}
Result<void> TcpSocket::consume(std::size_t octets) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  auto consumed = dispatcher_->stack().consume(id_, octets);
  dispatcher_->review_after_read(id_);
  return consumed;
}
Result<Buffer> TcpSocket::take(std::size_t most_octets) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  auto octets = dispatcher_->stack().take(id_, most_octets);
  dispatcher_->review_after_read(id_);
  return octets;
}
Result<std::size_t> TcpSocket::forward_to(TcpSocket to, std::size_t most_octets) {
  if (dispatcher_ == nullptr || to.dispatcher_ != dispatcher_) return Errc::invalid_handle;
  if (dispatcher_->is_ending(to.id_)) return Errc::broken_pipe;
  auto octets = dispatcher_->stack().forward(id_, to.id_, most_octets);
  dispatcher_->review_after_read(id_);
  return octets;
}
Result<std::size_t> TcpSocket::write(Buffer& octets) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  if (dispatcher_->is_ending(id_)) return Errc::broken_pipe;
  return dispatcher_->stack().write(id_, octets);
}
Result<std::size_t> TcpSocket::write(Buffer&& octets) {
  return write(octets);
}
Result<std::size_t> TcpSocket::write(Bytes octets) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  if (dispatcher_->is_ending(id_)) return Errc::broken_pipe;
  return dispatcher_->stack().write(id_, octets);
}
Result<std::size_t> TcpSocket::write_urgent(Bytes octets) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  if (dispatcher_->is_ending(id_)) return Errc::broken_pipe;
  return dispatcher_->stack().write_urgent(id_, octets);
}
Result<std::uint8_t> TcpSocket::read_urgent() {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().read_urgent(id_);
}
Result<void> TcpSocket::shutdown_write() {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  if (dispatcher_->is_ending(id_)) return Errc::broken_pipe;
  return dispatcher_->stack().shutdown_write(id_);
}
Result<void> TcpSocket::close() {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->close(id_);
}
Result<void> TcpSocket::abort() {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->abort(id_);
}
std::size_t TcpSocket::writable_octets() const {
  return dispatcher_ != nullptr ? dispatcher_->stack().writable_octets(id_) : 0;
}
std::size_t TcpSocket::readable_octets() const {
  return dispatcher_ != nullptr ? dispatcher_->stack().readable_octets(id_) : 0;
}

void TcpSocket::pause() {
  if (dispatcher_ != nullptr) dispatcher_->set_paused(id_, true);
}
void TcpSocket::resume() {
  if (dispatcher_ != nullptr) dispatcher_->set_paused(id_, false);
}
void TcpSocket::allow_half_open(bool allowed) {
  if (dispatcher_ != nullptr) dispatcher_->allow_half_open(id_, allowed);
}

Result<void> TcpSocket::set_timeout(Duration inactivity) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_inactivity_timeout(id_, inactivity);
}
Result<void> TcpSocket::set_nagle(bool enabled) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_nagle(id_, enabled);
}
Result<void> TcpSocket::set_keepalive(bool enabled) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_keepalive(id_, enabled);
}
Result<void> TcpSocket::set_user_timeout(Duration timeout) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_user_timeout(id_, timeout);
}
Result<void> TcpSocket::set_linger(std::optional<Duration> linger) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_linger(id_, linger);
}
Result<void> TcpSocket::set_congestion_control(CongestionAlgorithm algorithm) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_congestion_control(id_, algorithm);
}

Result<void> TcpSocket::set_dscp(std::uint8_t dscp) {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().set_dscp(id_, dscp);
}

Result<Endpoint> TcpSocket::local_endpoint() const {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().local_endpoint(id_);
}
Result<Endpoint> TcpSocket::remote_endpoint() const {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().remote_endpoint(id_);
}
Result<TcpInfo> TcpSocket::info() const {
  if (dispatcher_ == nullptr) return Errc::invalid_handle;
  return dispatcher_->stack().info(id_);
}
bool TcpSocket::is_open() const {
  return dispatcher_ != nullptr && dispatcher_->is_open(id_);
}

}  // namespace runnel
