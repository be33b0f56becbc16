// Signals as events of the driver's loop.
#pragma once

#include <signal.h>

#include <functional>
#include <initializer_list>

#include "runnel/driver.h"
#include "runnel/unique_fd.h"

namespace runnel::apps {

// While it lives, the signals call a function in the loop's thread instead of ending the process.
class SignalWatch {
 public:
  // Throws std::system_error when the system has no descriptor left. `driver` must outlive this.
  SignalWatch(tun::Driver& driver, std::function<void()> on_signal,
              std::initializer_list<int> signals = {SIGINT, SIGTERM});
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

 private:
  tun::Driver& driver_;
  sigset_t signals_{};
  tun::UniqueFd descriptor_;
};

}  // namespace runnel::apps
