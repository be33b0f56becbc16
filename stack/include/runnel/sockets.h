// Sockets in the manner of event-driven servers: listeners and connections that emit events to any
// number of functions. Still without I/O: Sockets::dispatch() runs the functions, whoever drives
// the stack decides when.
#pragma once

#include <cstddef>
#include <memory>

#include "runnel/result.h"
#include "runnel/stack.h"

namespace runnel {

class TcpListener;
class TcpSocket;

namespace socket {
class EventDispatcher;
}

// The applications' side of one Stack.
//
//    Sockets sockets(stack);
//    TcpListener echo = *sockets.listen({IpAddress(), 7});
//    echo.on(events::connection, [](TcpSocket peer) {
//      peer.on(events::data, [peer](Bytes octets) mutable { peer.write(octets); });
//      peer.on(events::end, [peer]() mutable { peer.close(); });
//    });
//    ... then dispatch() after every batch of packets.
//
// TcpSocket and TcpListener are handles: copy them freely. A handle that outlives its connection
// is harmless, every call answers Errc::invalid_handle. All handles must be gone, or unused, when
// the Sockets object is destroyed.
class Sockets {
 public:
  explicit Sockets(Stack& stack);
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  ~Sockets();

  // As Stack::listen() and Stack::connect().
  [[nodiscard]] Result<TcpListener> listen(const Endpoint& local,
                                           const ListenOptions& options = {});
  [[nodiscard]] Result<TcpSocket> connect(const Endpoint& remote,
                                          const ConnectOptions& options = {});

  // Runs the functions registered for every event that the stack has queued, and for every event
  // that they cause, up to `most` events; returns how many events there were.
  std::size_t dispatch(std::size_t most = 65536);

  [[nodiscard]] Stack& stack() noexcept;

 private:
  std::unique_ptr<socket::EventDispatcher> dispatcher_;
};

}  // namespace runnel
