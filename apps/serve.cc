#include "apps/serve.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
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

Services start_services(const ServeCommand& command, Sockets& sockets) {
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
  add(command.chat_port,
      [&](const Endpoint& local) { return std::make_unique<ChatServer>(sockets, local); });
  return services;
}

// Every response of a file holds a descriptor while it is sent.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

void announce(const ServeCommand& command, const Host& host, const Services& services) {
  std::string list;
  for (const auto& service : services) {
    list +=
        fmt::format("{} {} {}", list.empty() ? ":" : ",", service->name(), service->local().port);
  }
  fmt::print("runnel: serving {} on {}{}\n", command.link.address.address.to_string(),
             host.device_name(), list);
  std::fflush(stdout);
}

// The end: the first signal drains, the second one, or the limit, cuts short.
class Shutdown {
 public:
  Shutdown(tun::Driver& driver, const Services& services) : driver_(driver), services_(services) {}

  void on_signal() {
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
    if (--open_services_ == 0) driver_.stop();
  }

  void cut_short() {
    for (const auto& service : services_) service->abort();
    driver_.stop();
  }

  tun::Driver& driver_;
  const Services& services_;
  std::size_t open_services_ = 0;
  bool has_begun_ = false;
};

}  // namespace

int serve(const ServeCommand& command) {
  raise_descriptor_limit();
  Host host(command.link);
  const Services services = start_services(command, host.sockets());
  Shutdown shutdown(host.driver(), services);
  const SignalWatch signals(host.driver(), [&shutdown] { shutdown.on_signal(); });
  announce(command, host, services);
  host.driver().run();
  return kExitDone;
}

}  // namespace runnel::apps
