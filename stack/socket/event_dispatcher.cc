#include "stack/socket/event_dispatcher.h"

#include <utility>

namespace runnel::socket {

TcpSocket EventDispatcher::adopt(ConnectionId id) {
  if (find(id) != nullptr) return {this, id};
  if (connections_.find(id.index) == nullptr) {
    connections_.add(id.index).generation = id.generation;
  } else {
    latecomers_[key_of(id)].generation = id.generation;
  }
  return {this, id};
}

TcpListener EventDispatcher::adopt(ListenerId id) {
  listeners_.try_emplace(key_of(id));
  return {this, id};
}

EventDispatcher::ConnectionState* EventDispatcher::find(ConnectionId id) {
  ConnectionState* const found = connections_.find(id.index);
  if (found != nullptr && found->generation == id.generation) return found;
  if (latecomers_.empty()) return nullptr;
  const auto late = latecomers_.find(key_of(id));
  return late != latecomers_.end() ? &late->second : nullptr;
}

void EventDispatcher::forget(ConnectionId id) {
  if (latecomers_.erase(key_of(id)) == 0) connections_.remove(id.index);
}

EventDispatcher::ListenerState* EventDispatcher::find(ListenerId id) {
  const auto found = listeners_.find(key_of(id));
  return found != listeners_.end() ? &found->second : nullptr;
}

// --- Taking events -------------------------------------------------------------------------------

std::size_t EventDispatcher::dispatch(std::size_t most) {
  if (is_dispatching_) return 0;  // called from a function that it runs
  is_dispatching_ = true;
  std::size_t handled = 0;
  for (; handled < most; ++handled) {
    if (!listeners_to_review_.empty()) {
      const ListenerId id = listeners_to_review_.front();
      listeners_to_review_.pop_front();
      review_listener(id);
    } else if (!to_review_.empty()) {
      const ConnectionId id = to_review_.front();
      to_review_.pop_front();
      review_now(id);
    } else if (const auto event = stack_.poll_event()) {
      handle(*event);
    } else {
      break;
    }
  }
  is_dispatching_ = false;
  return handled;
}

void EventDispatcher::handle(const Event& event) {
  if (event.kind == EventKind::Incoming) {
    accept_all(event.listener);
    return;
  }
  if (ConnectionState* const state = find(event.connection)) handle_connection_event(event, *state);
}

void EventDispatcher::handle_connection_event(const Event& event, ConnectionState& state) {
  switch (event.kind) {
    case EventKind::Connected:
      state.emitter.emit<ConnectEvent::Function>(EmittedEvent::Connect);
      return;
    case EventKind::Readable:
      state.emitter.emit<ReadableEvent::Function>(EmittedEvent::Readable);
      if (state.emitter.has(EmittedEvent::Data) || state.has_peer_ended || state.is_over) {
        review_now(event.connection);
      }
      return;
    case EventKind::Writable:
      state.emitter.emit<DrainEvent::Function>(EmittedEvent::Drain);
      return;
    case EventKind::Ended:
      state.has_peer_ended = true;
      review_now(event.connection);
      return;
    case EventKind::Timeout:
      state.emitter.emit<TimeoutEvent::Function>(EmittedEvent::Timeout);
      return;
    case EventKind::Error:
      state.has_failed = true;
      state.emitter.emit<ErrorEvent::Function>(EmittedEvent::Error, event.error);
      return;
    case EventKind::Closed:
      state.is_over = true;
      review_now(event.connection);
      return;
    case EventKind::Urgent:
      state.emitter.emit<UrgentEvent::Function>(EmittedEvent::Urgent);
      return;
    case EventKind::SoftError:  // for those who ask the stack itself
    case EventKind::Incoming:
      return;
  }
}

// --- Listeners -----------------------------------------------------------------------------------

void EventDispatcher::accept_all(ListenerId id) {
  for (;;) {
    ListenerState* const state = find(id);
    if (state == nullptr || state->is_closed || !state->emitter.has(EmittedEvent::Connection))
      return;
    const auto accepted = accept(id);
    if (!accepted) return;
    state->emitter.emit<ConnectionEvent::Function>(EmittedEvent::Connection, *accepted);
  }
}

void EventDispatcher::review_listener(ListenerId id) {
  ListenerState* const state = find(id);
  if (state == nullptr) return;
  if (!state->is_closed) {
    accept_all(id);
    return;
  }
  state->emitter.emit<CloseEvent::Function>(EmittedEvent::Close);
  listeners_.erase(key_of(id));
}

Result<TcpSocket> EventDispatcher::accept(ListenerId id) {
  const auto accepted = stack_.accept(id);
  if (!accepted) return accepted.error();
  return adopt(*accepted);
}

Result<void> EventDispatcher::close(ListenerId id) {
  if (const auto closed = stack_.close_listener(id); !closed) return closed.error();
  if (ListenerState* const state = find(id)) state->is_closed = true;
  listeners_to_review_.push_back(id);
  return {};
}

// --- Connections ---------------------------------------------------------------------------------

void EventDispatcher::review_now(ConnectionId id) {
  ConnectionState* const state = find(id);
  if (state == nullptr) return;
  if (!state->has_failed) flow(id, *state);

  // Everything was read when peek() has neither octets nor the prospect of more.
  const auto front = stack_.peek(id);
  const bool has_unread = front && !front->empty();
  if (state->has_peer_ended && !state->has_failed && front && !has_unread &&
      !state->is_end_emitted) {
    state->is_end_emitted = true;
    state->emitter.emit<EndEvent::Function>(EmittedEvent::End);
    if (!state->is_half_open_allowed) (void)stack_.close(id);
  }
  const bool nobody_reads_on = !has_unread || state->has_failed;
  if (state->is_over && nobody_reads_on) {
    (void)stack_.close(id);  // gives the handle back
    state->emitter.emit<CloseEvent::Function>(EmittedEvent::Close);
    forget(id);
  }
}

void EventDispatcher::flow(ConnectionId id, ConnectionState& state) {
  if (!state.emitter.has(EmittedEvent::Data)) return;
  std::size_t readable = stack_.readable_octets(id);
  while (readable > 0 && !state.is_paused && state.emitter.has(EmittedEvent::Data)) {
    const auto octets = stack_.peek(id);
    if (!octets || octets->empty()) return;
    const std::size_t size = octets->size();
    flowing_ = {id, Ending::None};
    state.emitter.emit<DataEvent::Function>(EmittedEvent::Data, *octets);
    const Ending ending = std::exchange(flowing_, {}).ending;
    // Less what the function has read by itself, with take() for instance.
    const std::size_t left = stack_.readable_octets(id);
    const std::size_t read = readable - left;
    if (read < size) (void)stack_.consume(id, size - read);
    readable = read < size ? readable - size : left;
    if (ending == Ending::Close) (void)stack_.close(id);
    if (ending == Ending::Abort) (void)stack_.abort(id);
    if (ending != Ending::None) return;
  }
}

Result<void> EventDispatcher::close(ConnectionId id) {
  if (flowing_.id == id && id.is_set()) {
    if (flowing_.ending == Ending::None) flowing_.ending = Ending::Close;
    return {};
  }
  review(id);
  return stack_.close(id);
}

Result<void> EventDispatcher::abort(ConnectionId id) {
  if (flowing_.id == id && id.is_set()) {
    flowing_.ending = Ending::Abort;
    return {};
  }
  review(id);
  return stack_.abort(id);
}

void EventDispatcher::remove(ConnectionId id, Subscription subscription) {
  if (ConnectionState* const state = find(id)) state->emitter.remove(subscription);
}

void EventDispatcher::remove(ListenerId id, Subscription subscription) {
  if (ListenerState* const state = find(id)) state->emitter.remove(subscription);
}

void EventDispatcher::set_paused(ConnectionId id, bool paused) {
  ConnectionState* const state = find(id);
  if (state == nullptr) return;
  state->is_paused = paused;
  if (!paused) review(id);
}

void EventDispatcher::allow_half_open(ConnectionId id, bool allowed) {
  if (ConnectionState* const state = find(id)) state->is_half_open_allowed = allowed;
}

}  // namespace runnel::socket
