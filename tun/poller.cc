#include "tun/poller.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "runnel/tun_device.h"

namespace runnel::tun {
namespace {

timespec to_timespec(Duration duration) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = (duration - seconds).count();
  return result;
}

[[noreturn]] void throw_error(const char* what) {
  throw DeviceError(std::string("cannot wait for descriptors: ") + what + ": " +
                    std::strerror(errno));
}

}  // namespace

Poller::Poller(Clockwork clockwork) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw_error("epoll_create1");
  if (clockwork == Clockwork::TimerFd) use_timerfd();
}

void Poller::use_timerfd() {
  timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_) throw_error("timerfd_create");
  watch(timer_.get(), EPOLLIN);
}

bool Poller::watch(int descriptor, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event) == 0) return true;
  if (errno == ENOENT && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0) {
    return true;
  }
  if (errno != EPERM) throw_error("epoll_ctl");
  return false;
}

void Poller::forget(int descriptor) noexcept {
  // Fails when the descriptor was closed or never watched: forgotten already.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

std::span<const epoll_event> Poller::wait(std::optional<Duration> longest) {
  if (longest) longest = std::max(*longest, Duration::zero());
  int count = -1;
  if (!timer_) {
    const timespec limit = to_timespec(longest.value_or(Duration::zero()));
    count = ::epoll_pwait2(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()),
                           longest ? &limit : nullptr, nullptr);
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) use_timerfd();  // EPERM: seccomp
  }
  if (timer_) count = wait_with_timerfd(longest);
  if (count < 0 && errno != EINTR) throw_error("epoll_wait");
  return std::span(ready_).first(static_cast<std::size_t>(std::max(count, 0)));
}

int Poller::wait_with_timerfd(std::optional<Duration> longest) {
  const bool timed = longest && *longest > Duration::zero();
  // Zero would disarm it. Setting it also takes back an expiry that nobody has read.
  const itimerspec at{.it_interval = {}, .it_value = to_timespec(longest.value_or(Duration{}))};
  if (::timerfd_settime(timer_.get(), 0, &at, nullptr) != 0) throw_error("timerfd_settime");
  const int milliseconds = timed || !longest ? -1 : 0;
  const int count =
      ::epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), milliseconds);
  if (count <= 0) return count;
  const auto end =
      std::remove_if(ready_.begin(), ready_.begin() + count,
                     [this](const epoll_event& event) { return event.data.fd == timer_.get(); });
  return static_cast<int>(end - ready_.begin());
}

}  // namespace runnel::tun
