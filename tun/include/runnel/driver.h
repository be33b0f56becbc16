// The loop that joins a Stack to a Device, a clock and an application.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "runnel/sockets.h"
#include "runnel/stack.h"
#include "runnel/tun_device.h"

namespace runnel::tun {

// Runs a stack over a device, in one thread: timers, a batch of input, the application, a batch of
// output, wait. Waits with epoll and a deadline in nanoseconds; when the device takes no more
// packets (Full), output waits for it and nothing is lost.
class Driver {
 public:
  // All must outlive the driver; `sockets` belongs to `stack`.
  // Throws DeviceError when the system has no descriptors left.
  Driver(Stack& stack, Sockets& sockets, Device& device);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver();

  // Runs until stop() is called. Throws DeviceError when the device is gone.
  void run();

  // Runs the loop once: waits at most `longest`, then handles what there is.
  void run_once(Duration longest);

  // Makes run() return after the current turn; what is queued for output is written first.
  // May be called by functions that the loop runs.
  void stop() noexcept;

  // Runs `function` in the loop's thread, soon. The only call that other threads and signal
  // handlers' threads may make.
  void post(std::function<void()> function);

  // Runs `function` once in the loop's thread when `delay` has passed.
  void after(Duration delay, std::function<void()> function);

  // Runs `function` in the loop's thread whenever `descriptor` is readable (standard input, a
  // signalfd), until unwatch().
  void watch(int descriptor, std::function<void()> function);
  void unwatch(int descriptor);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
