#include "apps/readiness.h"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace runnel::apps {

Readiness::Readiness(tun::Driver& driver, int descriptor, Direction direction)
    : driver_(driver), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll");
  epoll_event interest{};
  interest.events = direction == Direction::Read ? EPOLLIN : EPOLLOUT;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &interest) != 0) {
    if (errno != EPERM) throw std::system_error(errno, std::generic_category(), "epoll");
    is_always_ready_ = true;
  }
}

Readiness::~Readiness() {
  if (is_waiting_) driver_.unwatch(epoll_.get());
}

bool Readiness::is_ready() const {
  if (is_always_ready_) return true;
  epoll_event event{};
  return ::epoll_wait(epoll_.get(), &event, 1, 0) != 0;
}

void Readiness::when_ready(std::function<void()> function) {
  if (is_waiting_) return;
  is_waiting_ = true;
  driver_.watch(epoll_.get(), [this, function = std::move(function)] {
    // Unwatching destroys this function object, so what is still needed moves out of it first.
    const std::function<void()> ready = function;
    is_waiting_ = false;
    driver_.unwatch(epoll_.get());
    ready();
  });
}

}  // namespace runnel::apps
