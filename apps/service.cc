#include "apps/service.h"

#include <utility>
#include <vector>

namespace runnel::apps {

Service::Service(Sockets& sockets, std::string name, const Endpoint& local,
                 const ListenOptions& options)
    : name_(std::move(name)), local_(local) {
  const Result<TcpListener> listener = sockets.listen(local, options);
  if (!listener) {
    throw ServiceError("cannot listen on " + local.to_string() + " for " + name_ + ": " +
                       listener.error().message());
  }
  listener_ = *listener;
  listener_.on(events::connection, [this](TcpSocket peer) { accept(peer); });
}

Service::~Service() = default;

void Service::accept(TcpSocket peer) {
  if (!peer.is_open()) return;  // reset before anybody looked at it
  // A peer that vanished without a word would otherwise stay in the table for ever.
  (void)peer.set_keepalive(true);
  const ConnectionId id = peer.id();
  connections_.emplace(id, make_connection(peer));
  // Registered after the connection's own functions, so it runs after them.
  peer.on(events::close, [this, id] { forget(id); });
}

void Service::forget(ConnectionId id) {
  connections_.erase(id);
  if (connections_.empty() && stopped_) std::exchange(stopped_, nullptr)();
}

void Service::stop(std::function<void()> stopped) {
  (void)listener_.close();
  if (connections_.empty()) {
    stopped();
    return;
  }
  stopped_ = std::move(stopped);
  for (const auto& [id, connection] : connections_) connection->finish();
}

void Service::abort() {
  for (const auto& [id, connection] : connections_) connection->abort();
}

}  // namespace runnel::apps
