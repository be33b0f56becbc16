// Waits for descriptors with a time limit in nanoseconds.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runnel/time.h"
#include "runnel/unique_fd.h"

namespace runnel::tun {

// An epoll instance, level-triggered. Where the kernel has no epoll_pwait2 (before 5.11), a timerfd
// beside the descriptors keeps the time.
class Poller {
 public:
  enum class Clockwork : std::uint8_t { Pwait2, TimerFd };

  // Throws DeviceError when the system has no descriptors left.
  explicit Poller(Clockwork clockwork = Clockwork::Pwait2);

  // Starts, or goes on, to watch `descriptor` for `events` (EPOLLIN, EPOLLOUT); errors are always
  // reported. False when it is of a kind that is always ready: a regular file, /dev/null.
  // Throws DeviceError.
  bool watch(int descriptor, std::uint32_t events);
  void forget(int descriptor) noexcept;

  // Waits until a descriptor is ready, but not longer than `longest` (nothing: as long as it
  // takes). Returns what is ready, good until the next call; a signal may end the wait early.
  std::span<const epoll_event> wait(std::optional<Duration> longest);

 private:
  int wait_with_timerfd(std::optional<Duration> longest);
  void use_timerfd();

  UniqueFd epoll_;
  UniqueFd timer_;  // set: the clockwork is a timerfd
  std::array<epoll_event, 64> ready_{};
};

}  // namespace runnel::tun
