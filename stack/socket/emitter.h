// Functions registered for the events of one connection or listener.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

#include "runnel/tcp_listener.h"
#include "runnel/tcp_socket.h"

namespace runnel::socket {

// The events that sockets and listeners emit.
enum class EmittedEvent : std::uint8_t {
  Connect,
  Data,
  Readable,
  Drain,
  End,
  Error,
  Timeout,
  Urgent,
  Close,
  Connection,
};

// A list of functions that may be changed while it runs, in two words while it is empty.
//
// Functions run in the order in which they were added. One that is added during a call does not
// run in it; one that is removed runs no more, and is destroyed when no call is under way, so that
// a function may remove itself.
class Emitter {
 public:
  template <typename Function>
  Subscription add(EmittedEvent event, Function function) {
    if (!function) return {};
    const Subscription subscription{++last_};
    std::unique_ptr<Entry>* end = &first_;
    while (*end != nullptr) end = &(*end)->next;
    *end = std::make_unique<Entry>();
    (*end)->subscription = subscription.value;
    (*end)->event = event;
    (*end)->function = std::move(function);
    mask_ = static_cast<std::uint16_t>(mask_ | bit(event));
    return subscription;
  }

  void remove(Subscription subscription) {
    for (Entry* entry = first_.get(); entry != nullptr; entry = entry->next.get()) {
      if (entry->subscription == subscription.value) entry->is_removed = has_removed_ = true;
    }
    prune();
  }

  [[nodiscard]] bool has(EmittedEvent event) const noexcept { return (mask_ & bit(event)) != 0; }

  // Runs the functions of type `Function` that are registered for `event`.
  template <typename Function, typename... Arguments>
  void emit(EmittedEvent event, Arguments&&... arguments) {
    if (!has(event)) return;
    ++depth_;
    const std::uint32_t last = last_;
    for (Entry* entry = first_.get(); entry != nullptr; entry = entry->next.get()) {
      if (entry->subscription > last) break;
      if (entry->event != event || entry->is_removed) continue;
      std::get<Function>(entry->function)(arguments...);
    }
    --depth_;
    prune();
  }

 private:
  // Does not move while it runs.
  struct Entry {
    std::unique_ptr<Entry> next;
    std::uint32_t subscription = 0;
    EmittedEvent event{};
    bool is_removed = false;
    std::variant<std::function<void()>, std::function<void(Bytes)>,
                 std::function<void(std::error_code)>, std::function<void(TcpSocket)>>
        function;
  };

  [[nodiscard]] static constexpr std::uint16_t bit(EmittedEvent event) noexcept {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(event));
  }

  void prune() {
    if (depth_ > 0 || !has_removed_) return;
    has_removed_ = false;
    std::uint16_t mask = 0;
    for (std::unique_ptr<Entry>* place = &first_; *place != nullptr;) {
      if ((*place)->is_removed) {
        *place = std::move((*place)->next);
        continue;
      }
      mask = static_cast<std::uint16_t>(mask | bit((*place)->event));
      place = &(*place)->next;
    }
    mask_ = mask;
  }

  std::unique_ptr<Entry> first_;
  std::uint32_t last_ = 0;
  std::uint16_t mask_ = 0;  // which events have a function
  std::uint8_t depth_ = 0;
  bool has_removed_ = false;
};

}  // namespace runnel::socket
