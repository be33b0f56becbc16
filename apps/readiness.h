// Waiting for a descriptor of any kind, in either direction, with a loop that waits for readable
// ones.
#pragma once

#include <functional>

#include "runnel/driver.h"
#include "runnel/unique_fd.h"

namespace runnel::apps {

// Calls a function once when a descriptor is ready.
//
// An epoll instance of its own stands between: it holds the descriptor with the direction wanted,
// and is itself readable when the descriptor is ready. Regular files, /dev/null and others that
// epoll refuses (EPERM) never block: they are always ready.
class Readiness {
 public:
  enum class Direction { Read, Write };

  // Throws std::system_error. `driver` must outlive this.
  Readiness(tun::Driver& driver, int descriptor, Direction direction);
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness();

  // True for what epoll refuses.
  [[nodiscard]] bool never_blocks() const noexcept { return is_always_ready_; }
  [[nodiscard]] bool is_ready() const;
  // Runs `function` once, in the loop, when the descriptor is ready. REQUIRES: !is_ready() was
  // seen, so that there is something to wait for. A wait that is under way already goes on.
  void when_ready(std::function<void()> function);

 private:
  tun::Driver& driver_;
  tun::UniqueFd epoll_;
  bool is_always_ready_ = false;
  bool is_waiting_ = false;
};

}  // namespace runnel::apps
