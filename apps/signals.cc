#include "apps/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace runnel::apps {

SignalWatch::SignalWatch(tun::Driver& driver, std::function<void()> on_signal,
                         std::initializer_list<int> signals)
    : driver_(driver) {
  sigemptyset(&signals_);
  for (const int signal : signals) sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  descriptor_ = tun::UniqueFd(::signalfd(-1, &signals_, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!descriptor_) throw std::system_error(errno, std::generic_category(), "signalfd");
  driver_.watch(descriptor_.get(), [this, on_signal = std::move(on_signal)] {
    signalfd_siginfo signal{};
    while (::read(descriptor_.get(), &signal, sizeof signal) == sizeof signal) on_signal();
  });
}

SignalWatch::~SignalWatch() {
  driver_.unwatch(descriptor_.get());
  ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

}  // namespace runnel::apps
