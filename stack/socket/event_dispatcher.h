// From the stack's events to the functions that applications have registered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "runnel/sockets.h"
#include "runnel/tcp_listener.h"
#include "runnel/tcp_socket.h"
#include "stack/base/sparse_table.h"
#include "stack/socket/emitter.h"

namespace runnel::socket {

// Theory of operation. The stack's events are values in a queue; dispatch() takes one after the
// other and runs functions. Nothing else here runs a function: calls that change what should be
// emitted (on, resume, read, close) only note the connection in `to_review_`, and dispatch()
// reviews it. So no function ever runs inside another, or inside a call of the application's.
//
// `end` and `close` wait until everything was read: a connection may be over for TCP while its last
// octets are still with a paused application.
class EventDispatcher {
 public:
  explicit EventDispatcher(Stack& stack) : stack_(stack) {}

  [[nodiscard]] Stack& stack() noexcept { return stack_; }
  [[nodiscard]] const Stack& stack() const noexcept { return stack_; }

  [[nodiscard]] TcpSocket adopt(ConnectionId id);
  [[nodiscard]] TcpListener adopt(ListenerId id);
  std::size_t dispatch(std::size_t most);

  // What a handle's calls need.
  [[nodiscard]] bool is_open(ConnectionId id) const {
    return const_cast<EventDispatcher*>(this)->find(id) != nullptr;
  }
  template <typename Function>
  Subscription add(ConnectionId id, EmittedEvent event, Function function);
  template <typename Function>
  Subscription add(ListenerId id, EmittedEvent event, Function function);
  void remove(ConnectionId id, Subscription subscription);
  void remove(ListenerId id, Subscription subscription);
  void set_paused(ConnectionId id, bool paused);
  void allow_half_open(ConnectionId id, bool allowed);
  [[nodiscard]] Result<TcpSocket> accept(ListenerId id);
  Result<void> close(ListenerId id);
  // A close() or abort() that is called by the connection's own `data` function takes effect when
  // that returns: until then the octets that it was given must stay, and they count as read.
  Result<void> close(ConnectionId id);
  Result<void> abort(ConnectionId id);
  [[nodiscard]] bool is_ending(ConnectionId id) const noexcept {
    return flowing_.id == id && flowing_.ending != Ending::None;
  }
  // Looks at a connection again in the next dispatch(): something about it was changed.
  void review(ConnectionId id) { to_review_.push_back(id); }
  // The same after a read: only who has nothing more to expect may have come to an end by it.
  void review_after_read(ConnectionId id) {
    const ConnectionState* const state = find(id);
    if (state != nullptr && (state->has_peer_ended || state->is_over)) review(id);
  }

 private:
  struct ConnectionState {
    Emitter emitter;
    std::uint32_t generation = 0;  // of the handle
    bool is_paused : 1 = false;
    bool is_half_open_allowed : 1 = false;
    bool has_peer_ended : 1 = false;  // the stack's Ended was seen
    bool is_end_emitted : 1 = false;
    bool is_over : 1 = false;     // the stack's Closed was seen
    bool has_failed : 1 = false;  // ... after an Error
  };
  // There may be a million of them.
  static_assert(sizeof(ConnectionState) <= 24);
  enum class Ending : std::uint8_t { None, Close, Abort };
  // The connection whose `data` function runs now.
  struct Flowing {
    ConnectionId id;
    Ending ending = Ending::None;
  };
  struct ListenerState {
    Emitter emitter;
    bool is_closed = false;
  };

  [[nodiscard]] static std::uint64_t key_of(ConnectionId id) noexcept {
    return std::uint64_t{id.generation} << 32U | id.index;
  }
  [[nodiscard]] static std::uint64_t key_of(ListenerId id) noexcept {
    return std::uint64_t{id.generation} << 32U | id.index;
  }
  [[nodiscard]] ConnectionState* find(ConnectionId id);
  [[nodiscard]] ListenerState* find(ListenerId id);
  void forget(ConnectionId id);

  void handle(const Event& event);
  void handle_connection_event(const Event& event, ConnectionState& state);
  void accept_all(ListenerId id);
  void review_listener(ListenerId id);
  // Emits what is due: data while it flows, then end, then close.
  void review_now(ConnectionId id);
  void flow(ConnectionId id, ConnectionState& state);

  Stack& stack_;
  base::SparseTable<ConnectionState> connections_;  // by the index of their handles
  // Those whose index is still that of a connection that is over, and whose last events wait.
  std::unordered_map<std::uint64_t, ConnectionState> latecomers_;
  std::unordered_map<std::uint64_t, ListenerState> listeners_;
  std::deque<ConnectionId> to_review_;
  std::deque<ListenerId> listeners_to_review_;
  Flowing flowing_;
  bool is_dispatching_ = false;
};

template <typename Function>
Subscription EventDispatcher::add(ConnectionId id, EmittedEvent event, Function function) {
  ConnectionState* const state = find(id);
  if (state == nullptr) return {};
  review(id);
  return state->emitter.add(event, std::move(function));
}

template <typename Function>
Subscription EventDispatcher::add(ListenerId id, EmittedEvent event, Function function) {
  ListenerState* const state = find(id);
  if (state == nullptr) return {};
  listeners_to_review_.push_back(id);
  return state->emitter.add(event, std::move(function));
}

}  // namespace runnel::socket
