#include "tun/post_queue.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "runnel/tun_device.h"

namespace runnel::tun {

PostQueue::PostQueue() : wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wakeup_) throw DeviceError(std::string("cannot make an eventfd: ") + std::strerror(errno));
}

void PostQueue::post(std::function<void()> function) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(function));
  has_posts_.store(true, std::memory_order_release);
  ::eventfd_write(wakeup_.get(), 1);  // under the lock: collect() takes both, or neither
}

bool PostQueue::run() {
  if (running_.empty()) {
    if (!has_posts()) return false;
    collect();
  }
  const bool any = !running_.empty();
  while (!running_.empty()) {
    const auto function = std::move(running_.front());
    running_.pop_front();
    function();
  }
  return any;
}

void PostQueue::collect() {
  const std::lock_guard lock(mutex_);
  if (posted_.empty()) return;
  eventfd_t count = 0;
  ::eventfd_read(wakeup_.get(), &count);
  running_.swap(posted_);
  has_posts_.store(false, std::memory_order_relaxed);
}

}  // namespace runnel::tun
