// Functions registered for the events of one connection or listener.
#pragma once

#include <cstdint>
#include <list>
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

// A list of functions that may be changed while it runs.
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
    functions_.push_back({subscription.value, event, std::move(function)});
    mask_ = static_cast<std::uint16_t>(mask_ | bit(event));
    return subscription;
  }

  void remove(Subscription subscription) {
    for (Entry& entry : functions_) {
      if (entry.subscription == subscription.value) entry.is_removed = true;
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
    for (Entry& entry : functions_) {
      if (entry.subscription > last) break;
      if (entry.event != event || entry.is_removed) continue;
      std::get<Function>(entry.function)(arguments...);
    }
    --depth_;
    prune();
  }

 private:
  struct Entry {
    std::uint32_t subscription;
    EmittedEvent event;
    std::variant<std::function<void()>, std::function<void(Bytes)>,
                 std::function<void(std::error_code)>, std::function<void(TcpSocket)>>
        function;
    bool is_removed = false;
  };

  [[nodiscard]] static constexpr std::uint16_t bit(EmittedEvent event) noexcept {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(event));
  }

  void prune() {
    if (depth_ > 0) return;
    std::uint16_t mask = 0;
    functions_.remove_if([](const Entry& entry) { return entry.is_removed; });
    for (const Entry& entry : functions_)
      mask = static_cast<std::uint16_t>(mask | bit(entry.event));
    mask_ = mask;
  }

  std::list<Entry> functions_;  // entries must not move while they run
  std::uint32_t last_ = 0;
  std::uint16_t mask_ = 0;  // which events have a function
  std::uint16_t depth_ = 0;
};

}  // namespace runnel::socket
