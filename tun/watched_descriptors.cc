#include "tun/watched_descriptors.h"

#include <utility>

namespace runnel::tun {

void WatchedDescriptors::watch(int descriptor, std::function<void()> function) {
  const bool waits = poller_.watch(descriptor, EPOLLIN);
  watches_[descriptor] = {std::make_shared<Function>(std::move(function)), !waits};
}

void WatchedDescriptors::unwatch(int descriptor) {
  if (watches_.erase(descriptor) > 0) poller_.forget(descriptor);
}

bool WatchedDescriptors::run() {
  if (watches_.empty()) return false;
  std::vector<int> running = std::exchange(ready_, {});
  for (const auto& [descriptor, watch] : watches_) {
    if (watch.is_always_ready) running.push_back(descriptor);
  }
  bool any = false;
  for (const int descriptor : running) {
    const auto found = watches_.find(descriptor);
    if (found == watches_.end()) continue;  // by one of those before it
    const auto function = found->second.function;
    (*function)();
    any = true;
  }
  return any;
}

}  // namespace runnel::tun
