// What every server of `runnel serve` has in common: one listener, a table of live connections,
// and an orderly end.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "runnel/sockets.h"
#include "runnel/tcp_listener.h"
#include "runnel/tcp_socket.h"

namespace runnel::apps {

// A service could not start; the text says which and why.
class ServiceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One accepted connection of a service: a socket and what the service is in the middle of there.
//
// Lives from the handshake until the socket's `close` event, which is always the last one. That is
// why functions registered on the socket may capture `this`.
class ServiceConnection {
 public:
  explicit ServiceConnection(TcpSocket socket) : socket_(socket) {}
  ServiceConnection(const ServiceConnection&) = delete;
  ServiceConnection& operator=(const ServiceConnection&) = delete;
  virtual ~ServiceConnection() = default;

  // The service stops: sends FIN behind what has been promised to the peer, and from then on reads
  // only to throw away, until the peer ends too.
  virtual void finish() = 0;

  void abort() { (void)socket_.abort(); }

 protected:
  [[nodiscard]] TcpSocket& socket() noexcept { return socket_; }

 private:
  TcpSocket socket_;
};

// A server on one endpoint.
//
// Theory of operation. The constructor listens. Each connection becomes a ServiceConnection in
// `connections_`, made by make_connection(), and is erased on its `close` event. A service knows
// nothing but Sockets: it runs over a TUN device and between two stacks in memory alike.
//
// Must outlive the last Sockets::dispatch(): registered functions refer to it.
class Service {
 public:
  // Throws ServiceError when `local` cannot be listened on.
  Service(Sockets& sockets, std::string name, const Endpoint& local,
          const ListenOptions& options = {});
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service();

  // Stops to listen and finishes every connection. `stopped` runs when the last one is gone, which
  // may be at once.
  void stop(std::function<void()> stopped);
  // Resets what is left.
  void abort();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Endpoint& local() const noexcept { return local_; }
  [[nodiscard]] std::size_t connection_count() const noexcept { return connections_.size(); }

 protected:
  [[nodiscard]] virtual std::unique_ptr<ServiceConnection> make_connection(TcpSocket peer) = 0;

 private:
  struct HashOfId {
    std::size_t operator()(const ConnectionId& id) const noexcept {
      // The index alone is unique among live connections.
      return std::hash<std::uint32_t>{}(id.index);
    }
  };

  void accept(TcpSocket peer);
  void forget(ConnectionId id);

  std::string name_;
  Endpoint local_;
  TcpListener listener_;
  std::unordered_map<ConnectionId, std::unique_ptr<ServiceConnection>, HashOfId> connections_;
  std::function<void()> stopped_;  // set while stopping
};

}  // namespace runnel::apps
