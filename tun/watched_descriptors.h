// Functions that are to run when a descriptor is readable.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tun/poller.h"

namespace runnel::tun {

// The application's descriptors, in the poller of a loop.
//
// Theory of operation. The loop waits, reports what the poller said, and runs the functions later,
// in the application's turn. Any of them may end any watch, its own too. A descriptor that the
// poller cannot wait for (a regular file) is always readable.
class WatchedDescriptors {
 public:
  // `poller` must outlive this.
  explicit WatchedDescriptors(Poller& poller) noexcept : poller_(poller) {}

  // Watching a descriptor again replaces its function. Throws DeviceError.
  void watch(int descriptor, std::function<void()> function);
  // REQUIRES: the descriptor is still open.
  void unwatch(int descriptor);

  // A wait begins, and forgets what the last one has found; it has found `descriptor` readable.
  void forget_ready() noexcept { ready_.clear(); }
  void is_ready(int descriptor) { ready_.push_back(descriptor); }

  // Runs the functions of those that are ready. Returns whether there was one.
  bool run();

 private:
  using Function = std::function<void()>;
  struct Watch {
    std::shared_ptr<Function> function;  // shared with the call under way, which may end the watch
    bool is_always_ready = false;
  };

  Poller& poller_;
  std::unordered_map<int, Watch> watches_;
  std::vector<int> ready_;
};

}  // namespace runnel::tun
