// The loop that joins a Stack to a Device, a clock and an application.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "runnel/sockets.h"
#include "runnel/stack.h"
#include "runnel/time.h"
#include "runnel/tun_device.h"

namespace runnel::tun {

struct DriverOptions {
  // Polls the device for up to so long after every packet before it goes to sleep, as long as
  // packets come in that time: answers are quicker, and a processor is busy. Nothing: some tens of
  // microseconds, where the traffic shows that it is waited for.
  std::optional<Duration> busy_poll = {};
};

// Runs a stack over a device, in one thread.
//
// Theory of operation. A turn of the loop is the order that lets an acknowledgment ride on the
// application's answer:
//
//    timers of the stack that are due, and packets that the device held back until now
//    a batch of packets from the device           until it is empty, or 64 packets, or 256 KiB
//    the application's turn                       posted functions, after(), watch(), the sockets
//    a batch of packets to the device             until the stack has none, or as many
//    wait for whatever comes first                not at all when there was something to do
//
// A packet costs one read or one write, or a share in one system call for many where the last turn
// has shown that there are many. Other descriptors are looked at when there are no packets,
// and once a millisecond. Before it sleeps the driver polls the device for a moment when that has
// paid before (AdaptiveSpin, DriverOptions); an idle driver sleeps, in epoll and with a limit in
// nanoseconds. When the device takes no more packets (Full), the frame is kept, output waits until
// the device is writable, and input goes on: nothing is lost and nothing spins.
//
// When the stack's memory budget is spent, packets are still read, into a block that the driver
// keeps for that, and shown to the stack: acknowledgments are what frees its memory.
//
// What a function throws comes out of run(); the driver may be run again.
class Driver {
 public:
  // All must outlive the driver; `sockets` belongs to `stack`.
  // Throws DeviceError when the system has no descriptors left.
  Driver(Stack& stack, Sockets& sockets, Device& device, const DriverOptions& options = {});
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

  // Shows `next`'s stack the packets that are strays for this one's (Stack::poll_stray()). For
  // drivers on the queues of one device, each in a thread: they form a ring, which is closed before
  // the first of them runs, and none of them may go before all of them have stopped.
  void pass_strays_to(Driver& next) noexcept;

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
