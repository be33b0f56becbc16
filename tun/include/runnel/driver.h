// The loop that joins a Stack to a Device, a clock and an application.
#pragma once

#include <functional>
#include <memory>

#include "runnel/sockets.h"
#include "runnel/stack.h"
#include "runnel/time.h"
#include "runnel/tun_device.h"

namespace runnel::tun {

// Runs a stack over a device, in one thread.
//
// Theory of operation. A turn of the loop is the order that lets an acknowledgment ride on the
// application's answer:
//
//    timers of the stack that are due, and packets that the device held back until now
//    a batch of packets from the device           until it is empty, or 64
//    the application's turn                       posted functions, after(), watch(), the sockets
//    a batch of packets to the device             until the stack has none, or 64
//    wait for whatever comes first                not at all when a batch ended at its limit
//
// It waits with epoll and a limit in nanoseconds; an idle driver sleeps. When the device takes no
// more packets (Full), the frame is kept, output waits until the device is writable, and input goes
// on: nothing is lost and nothing spins.
//
// When the stack's memory budget is spent, packets are still read, into a block that the driver
// keeps for that, and shown to the stack: acknowledgments are what frees its memory.
//
// What a function throws comes out of run(); the driver may be run again.
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

  // Does one turn of the loop; when nothing was to be done, waits at most `longest` for something
  // and does another.
  void run_once(Duration longest);

  // Makes run() return after the current turn, or at once when it is called next. What is queued
  // for output is written first, as long as the device takes it within a second.
  // May be called by functions that the loop runs.
  void stop() noexcept;

  // Runs `function` in the loop's thread, soon. The only call that other threads may make (and with
  // them a thread that waits for signals; a signal handler may not).
  void post(std::function<void()> function);

  // Runs `function` once in the loop's thread when `delay` has passed; those that are due together
  // run in the order of their times, and equal times in the order of the calls.
  void after(Duration delay, std::function<void()> function);

  // Runs `function` in the loop's thread whenever `descriptor` is readable, or at its end or in
  // error (standard input, a signalfd), until unwatch(). A regular file is always readable.
  // Watching a descriptor again replaces its function.
  void watch(int descriptor, std::function<void()> function);
  // REQUIRES: the descriptor is still open.
  void unwatch(int descriptor);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
