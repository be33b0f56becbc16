// A listening endpoint as an application sees it.
#pragma once

#include <functional>

#include "runnel/endpoint.h"
#include "runnel/handle.h"
#include "runnel/result.h"
#include "runnel/tcp_socket.h"

namespace runnel {

struct ConnectionEvent {
  using Function = std::function<void(TcpSocket)>;
};

namespace events {
inline constexpr ConnectionEvent connection{};  // a handshake was completed
}  // namespace events

// A handle of one listener. See Sockets for lifetime.
//
// With a function on `connection` every connection is accepted and passed to it; without one they
// wait for accept(), up to the backlog.
class TcpListener {
 public:
  TcpListener() noexcept = default;

  Subscription on(ConnectionEvent, ConnectionEvent::Function function);
  Subscription on(CloseEvent, CloseEvent::Function function);  // after close()
  void off(Subscription subscription);

  [[nodiscard]] Result<TcpSocket> accept();
  Result<void> close();
  [[nodiscard]] Result<Endpoint> local_endpoint() const;
  [[nodiscard]] ListenerId id() const noexcept { return id_; }

 private:
  friend class socket::EventDispatcher;
  TcpListener(socket::EventDispatcher* dispatcher, ListenerId id) noexcept
      : dispatcher_(dispatcher), id_(id) {}

  socket::EventDispatcher* dispatcher_ = nullptr;
  ListenerId id_;
};

}  // namespace runnel
