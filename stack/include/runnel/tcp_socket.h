// A TCP connection as an application sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>

#include "runnel/buffer.h"
#include "runnel/bytes.h"
#include "runnel/congestion_algorithm.h"
#include "runnel/endpoint.h"
#include "runnel/handle.h"
#include "runnel/info.h"
#include "runnel/result.h"
#include "runnel/time.h"

namespace runnel {

namespace socket {
class EventDispatcher;
}

// The events of a connection: what they are called, and what their functions take.
struct ConnectEvent {
  using Function = std::function<void()>;
};
struct DataEvent {
  using Function = std::function<void(Bytes)>;
};
struct ReadableEvent {
  using Function = std::function<void()>;
};
struct DrainEvent {
  using Function = std::function<void()>;
};
struct EndEvent {
  using Function = std::function<void()>;
};
struct UrgentEvent {
  using Function = std::function<void()>;
};
struct ErrorEvent {
  using Function = std::function<void(std::error_code)>;
};
struct TimeoutEvent {
  using Function = std::function<void()>;
};
struct CloseEvent {
  using Function = std::function<void()>;
};

namespace events {
inline constexpr ConnectEvent connected{};  // connect() has succeeded
inline constexpr DataEvent data{};          // octets arrived; registering it starts the flow
inline constexpr ReadableEvent readable{};  // for read() and peek(): octets wait, or the end does
inline constexpr DrainEvent drain{};        // there is room again after a write that fell short
inline constexpr EndEvent end{};            // the peer has ended its stream, and all of it was read
inline constexpr UrgentEvent urgent{};      // urgent octets are on their way, or more of them
inline constexpr ErrorEvent error{};        // the connection failed; close follows
inline constexpr TimeoutEvent timeout{};    // nothing moved for set_timeout(); nothing is closed
inline constexpr CloseEvent close{};        // the last event, always sent once
}  // namespace events

// Names one registered function, to take it away again with off().
struct Subscription {
  std::uint32_t value = 0;
};

// A handle of one connection. See Sockets for lifetime.
//
// Reading. With a function on `data` the octets flow: each Bytes is valid during the call, and
// counts as read when it returns; close() and abort() called by it take effect then. A function
// that wants to keep the octets calls take(), which gives the same ones. pause() stops the flow,
// and with it, as the receive buffer fills, the peer; resume() starts it again. Without one,
// `readable` says when to read() or peek().
//
// Without copying. take() hands over what was received, and write() takes such a Buffer, of this
// connection or of another, or one with the application's own memory: see <runnel/buffer.h>.
// forward_to() is both: an echo, or a proxy, that calls it at `readable` and at the other side's
// `drain` keeps nothing itself.
//
// Writing. write() takes what fits and says how much that was; the rest is the caller's to keep
// until `drain`. It may be called before `connected`: the octets wait for the handshake, or, with
// TCP Fast Open and a cookie of the server's, go with the SYN (see Stack::connect()).
//
// Ending. shutdown_write() ends this side's stream, `end` says that the peer ended its own. When
// both have, or after close(), abort() or an error, `close` is emitted and the handle is stale. A
// connection whose peer has ended is closed by itself after `end`, unless allow_half_open(true)
// was called: then it is the application's to close().
//
// Functions may do anything: add and remove functions, close, abort, connect.
class TcpSocket {
 public:
  TcpSocket() noexcept = default;

  // Adds a function for an event: socket.on(events::data, [](Bytes octets) { ... }).
  // Functions run in the order in which they were added. On a stale handle nothing is registered.
  Subscription on(ConnectEvent, ConnectEvent::Function function);
  Subscription on(DataEvent, DataEvent::Function function);
  Subscription on(ReadableEvent, ReadableEvent::Function function);
  Subscription on(DrainEvent, DrainEvent::Function function);
  Subscription on(EndEvent, EndEvent::Function function);
  Subscription on(UrgentEvent, UrgentEvent::Function function);
  Subscription on(ErrorEvent, ErrorEvent::Function function);
  Subscription on(TimeoutEvent, TimeoutEvent::Function function);
  Subscription on(CloseEvent, CloseEvent::Function function);
  void off(Subscription subscription);

  // As the Stack's calls of the same names.
  [[nodiscard]] Result<std::size_t> read(MutableBytes out);
  [[nodiscard]] Result<Bytes> peek() const;
  Result<void> consume(std::size_t octets);
  [[nodiscard]] Result<Buffer> take(std::size_t most_octets = SIZE_MAX);
  Result<std::size_t> write(Bytes octets);
  Result<std::size_t> write(Buffer& octets);
  Result<std::size_t> write(Buffer&& octets);
  // Stack::forward() to a socket of the same Sockets.
  Result<std::size_t> forward_to(TcpSocket to, std::size_t most_octets = SIZE_MAX);
  // New applications should not use urgent data: see Stack.
  Result<std::size_t> write_urgent(Bytes octets);
  [[nodiscard]] Result<std::uint8_t> read_urgent();
  Result<void> shutdown_write();
  Result<void> close();
  Result<void> abort();
  [[nodiscard]] std::size_t writable_octets() const;
  [[nodiscard]] std::size_t readable_octets() const;

  void pause();
  void resume();
  void allow_half_open(bool allowed);

  Result<void> set_timeout(Duration inactivity);
  Result<void> set_nagle(bool enabled);
  // See Stack::set_congestion_control().
  Result<void> set_congestion_control(CongestionAlgorithm algorithm);
  Result<void> set_keepalive(bool enabled);
  Result<void> set_user_timeout(Duration timeout);
  Result<void> set_linger(std::optional<Duration> linger);
  Result<void> set_dscp(std::uint8_t dscp);

  [[nodiscard]] Result<Endpoint> local_endpoint() const;
  [[nodiscard]] Result<Endpoint> remote_endpoint() const;
  [[nodiscard]] Result<TcpInfo> info() const;

  // Identifies the connection, for tables keyed by it.
  [[nodiscard]] ConnectionId id() const noexcept { return id_; }
  // False once the connection is gone (or for a default-constructed handle).
  [[nodiscard]] bool is_open() const;

  friend bool operator==(const TcpSocket& a, const TcpSocket& b) noexcept { return a.id_ == b.id_; }

 private:
  friend class socket::EventDispatcher;
  TcpSocket(socket::EventDispatcher* dispatcher, ConnectionId id) noexcept
      : dispatcher_(dispatcher), id_(id) {}

  socket::EventDispatcher* dispatcher_ = nullptr;
  ConnectionId id_;
};

}  // namespace runnel
