#include "apps/serve.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "apps/chargen_server.h"
#include "apps/chat_server.h"
#include "apps/discard_server.h"
#include "apps/echo_server.h"
#include "apps/host.h"
#include "apps/http_server.h"
#include "apps/service.h"
#include "apps/signals.h"
#include "apps/totals.h"

namespace runnel::apps {
namespace {

constexpr Duration kDrainLimit = std::chrono::seconds(5);

using Services = std::vector<std::unique_ptr<Service>>;

HttpOptions http_options(const ServeCommand& command) {
  HttpOptions options;
  options.root = command.http_root;
  const std::pair<const char*, std::uint16_t> neighbours[] = {{"echo", command.echo_port},
                                                              {"discard", command.discard_port},
                                                              {"chargen", command.chargen_port},
                                                              {"chat", command.chat_port}};
  for (const auto& [name, port] : neighbours) {
    if (port != 0) options.neighbours.push_back({name, port});
  }
  return options;
}

Services start_services(const ServeCommand& command, Sockets& sockets, bool is_first) {
  Services services;
  const auto add = [&](std::uint16_t port, auto make) {
    if (port != 0) services.push_back(make(Endpoint{command.link.address.address, port}));
  };
  add(command.echo_port,
      [&](const Endpoint& local) { return std::make_unique<EchoServer>(sockets, local); });
  add(command.discard_port,
      [&](const Endpoint& local) { return std::make_unique<DiscardServer>(sockets, local); });
  add(command.chargen_port,
      [&](const Endpoint& local) { return std::make_unique<ChargenServer>(sockets, local); });
  add(command.http_port, [&](const Endpoint& local) {
    return std::make_unique<HttpServer>(sockets, local, http_options(command));
  });
  // There is one room: on the other queues nobody listens for it, so what comes there is a stray,
  // and is shown to the stack of this one.
  if (is_first) {
    add(command.chat_port,
        [&](const Endpoint& local) { return std::make_unique<ChatServer>(sockets, local); });
  }
  return services;
}

// Every response of a file holds a descriptor while it is sent.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// The end of one queue's services: the first call drains them, the second one, or the limit, cuts
// them short. Calls `drained` once.
class Shutdown {
 public:
  Shutdown(tun::Driver& driver, const Services& services, std::function<void()> drained)
      : driver_(driver), services_(services), drained_(std::move(drained)) {}

  void begin() {
    if (has_begun_) {
      cut_short();
      return;
    }
    has_begun_ = true;
    open_services_ = services_.size() + 1;  // one for this function, so that it ends only once
    for (const auto& service : services_) service->stop([this] { one_is_closed(); });
    driver_.after(kDrainLimit, [this] { cut_short(); });
    one_is_closed();
  }

 private:
  void one_is_closed() {
    if (--open_services_ == 0) end();
  }

  void cut_short() {
    for (const auto& service : services_) service->abort();
    end();
  }

  void end() {
    if (drained_) std::exchange(drained_, nullptr)();
  }

  tun::Driver& driver_;
  const Services& services_;
  std::function<void()> drained_;
  std::size_t open_services_ = 0;
  bool has_begun_ = false;
};

// One queue of the device: a stack with services of its own, in a thread of its own.
struct Queue {
  Queue(const ServeCommand& command, bool is_first, std::function<void()> drained)
      : host(command.link),
        services(start_services(command, host.sockets(), is_first)),
        shutdown(host.driver(), services, std::move(drained)) {}

  Host host;
  const Services services;
  Shutdown shutdown;
};

// All queues.
//
// Theory of operation. Nothing is shared between them but the device, and the kernel sends each
// connection's packets to one. What it sends elsewhere in the middle of a connection goes round as
// a stray until the stack that knows it has it. The first queue runs in the calling thread; queues
// talk by Driver::post(). A queue that is drained goes on until all are, because packets for the
// others may still come in by it.
class Queues {
 public:
  explicit Queues(const ServeCommand& command) {
    for (unsigned i = 0; i < command.link.queues; ++i) {
      queues_.push_back(std::make_unique<Queue>(command, i == 0, [this] { one_is_drained(); }));
    }
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      driver(i).pass_strays_to(driver((i + 1) % queues_.size()));
    }
  }

  [[nodiscard]] Queue& first() noexcept { return *queues_.front(); }

  // Drains all of them, then ends run(); again: cuts them short. In the first queue's thread.
  void shut_down() {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      driver(i).post([queue = queues_[i].get()] { queue->shutdown.begin(); });
    }
  }

  // Prints what each has done so far. In the first queue's thread.
  void show_totals() {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      driver(i).post([this, i] { show_totals_of(i); });
    }
  }
  // ... when none of them runs any more.
  void show_last_totals() const {
    for (std::size_t i = 0; i < queues_.size(); ++i) show_totals_of(i);
  }

  // Runs until the end has come for all. Throws what ended one of them.
  void run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < queues_.size(); ++i) {
      threads.emplace_back([this, i] { run_one(i); });
    }
    run_one(0);
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  [[nodiscard]] tun::Driver& driver(std::size_t i) noexcept { return queues_[i]->host.driver(); }

  void show_totals_of(std::size_t i) const {
    const std::string prefix =
        queues_.size() > 1 ? fmt::format("runnel: queue {}: ", i) : std::string("runnel: ");
    std::fputs(describe(queues_[i]->host.totals(), prefix).c_str(), stderr);
  }

  void run_one(std::size_t i) {
    try {
      driver(i).run();
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
      stop_all();
    }
  }

  void one_is_drained() {  // in any of the threads
    if (++drained_ == queues_.size()) stop_all();
  }

  void stop_all() {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      driver(i).post([this, i] { driver(i).stop(); });
    }
  }

  std::vector<std::unique_ptr<Queue>> queues_;
  std::atomic<std::size_t> drained_{0};
  std::mutex mutex_;
  std::exception_ptr failure_;  // guarded by mutex_ while threads run
};

void announce(const ServeCommand& command, const Queue& first) {
  std::string list;
  for (const auto& service : first.services) {
    list +=
        fmt::format("{} {} {}", list.empty() ? ":" : ",", service->name(), service->local().port);
  }
  const unsigned queues = command.link.queues;
  fmt::print("runnel: serving {} on {}{}{}\n", command.link.address.address.to_string(),
             first.host.device_name(), queues > 1 ? fmt::format(" ({} queues)", queues) : "", list);
  std::fflush(stdout);
  if (const std::string warning = first.host.short_queue(); !warning.empty()) {
    fmt::print(stderr, "runnel: {}\n", warning);
  }
}

}  // namespace

int serve(const ServeCommand& command) {
  raise_descriptor_limit();
  Queues queues(command);
  // Before there are threads: they inherit that the signals are not theirs.
  const SignalWatch signals(queues.first().host.driver(), [&queues] { queues.shut_down(); });
  const SignalWatch curiosity(queues.first().host.driver(), [&queues] { queues.show_totals(); },
                              {SIGUSR1});
  announce(command, queues.first());
  queues.run();
  if (command.link.verbose) queues.show_last_totals();
  return kExitDone;
}

}  // namespace runnel::apps
