// Functions on their way from any thread to the loop's.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>

#include "runnel/unique_fd.h"

namespace runnel::tun {

// post() may be called by any thread; everything else by the loop's thread alone.
class PostQueue {
 public:
  // Throws DeviceError when the system has no descriptors left.
  PostQueue();

  void post(std::function<void()> function);

  // Readable while there is something for run().
  [[nodiscard]] int descriptor() const noexcept { return wakeup_.get(); }

  // Whether there is something for run(); a post that is just being made may be missed.
  [[nodiscard]] bool has_posts() const noexcept {
    return has_posts_.load(std::memory_order_acquire);
  }

  // Runs what was posted before the call, in order; what the functions post waits for the next
  // call, and so does the rest when one throws. Returns whether there was something.
  bool run();

 private:
  void collect();

  UniqueFd wakeup_;
  std::atomic<bool> has_posts_{false};  // so that an empty queue costs no lock
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;   // guarded by mutex_
  std::deque<std::function<void()>> running_;  // the loop's own
};

}  // namespace runnel::tun
