#include "runnel/system.h"

#include <sys/random.h>

#include <cerrno>
#include <ctime>
#include <span>
#include <system_error>
#include <utility>

namespace runnel::tun {
namespace {

Instant read_clock(clockid_t clock) {
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) {
    throw std::system_error(errno, std::system_category(), "clock_gettime");
  }
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

void fill_with_entropy(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::system_category(), "getrandom");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace

Instant monotonic_now() {
  return read_clock(CLOCK_MONOTONIC);
}

Instant wall_clock_now() {
  return read_clock(CLOCK_REALTIME);
}

std::uint64_t SystemRandom::next() {
  if (left_ == 0) {
    fill_with_entropy(std::as_writable_bytes(std::span(pool_)));
    left_ = pool_.size();
  }
  // A number that was given away does not stay in memory.
  return std::exchange(pool_[--left_], 0);
}

}  // namespace runnel::tun
