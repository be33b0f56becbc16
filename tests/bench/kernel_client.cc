// A load on a server over the kernel's TCP: what runnel and the kernel are compared with. One
// thread and one epoll instance. The result is one line of JSON on standard output.
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "runnel/unique_fd.h"

namespace runnel::bench {
namespace {

using tun::UniqueFd;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kPieceOctets = std::size_t{256} << 10U;

struct Options {
  std::string load;
  std::string address;
  std::uint16_t port = 0;
  double seconds = 3;
  std::uint32_t connections = 1;
  std::uint32_t sources = 0;
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "kernel_client: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

struct Figures {
  double per_second = 0;
  const char* unit = "";
  std::uint64_t failed = 0;
  std::vector<float> latencies_us = {};

  void print() {
    std::sort(latencies_us.begin(), latencies_us.end());
    const auto percentile = [this](double part) {
      if (latencies_us.empty()) return 0.0;
      const auto at = static_cast<std::size_t>(part * static_cast<double>(latencies_us.size()));
      return static_cast<double>(latencies_us[std::min(at, latencies_us.size() - 1)]);
    };
    std::printf(
        "{\"figure\": %.6g, \"unit\": \"%s\", \"failed\": %llu, \"p50_us\": %.1f, \"p99_us\": "
        "%.1f}\n",
        per_second, unit, static_cast<unsigned long long>(failed), percentile(0.5),
        percentile(0.99));
  }
};

// The connections' sockets, and which of them are ready.
class Client {
 public:
  explicit Client(const Options& options) : options_(options), poller_(::epoll_create1(0)) {
    if (!poller_) fail("epoll_create1");
    remote_.sin_family = AF_INET;
    remote_.sin_port = htons(options.port);
    if (::inet_pton(AF_INET, options.address.c_str(), &remote_.sin_addr) != 1) {
      errno = EINVAL;
      fail(options.address);
    }
    sockets_.resize(options.connections);
  }

  // Begins to open connection `index`, instead of the one before it, and waits for `events`.
  void open(std::uint32_t index, std::uint32_t events) {
    UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) fail("socket");
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options_.sources > 0) bind_to_next_source(fd.get());
    if (::connect(fd.get(), address_of(remote_), sizeof remote_) < 0 && errno != EINPROGRESS) {
      fail("connect");
    }
    epoll_event event{};
    event.events = events;
    event.data.u32 = index;
    if (::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, fd.get(), &event) < 0) fail("epoll_ctl");
    sockets_[index] = std::move(fd);
  }

  void wait_for(std::uint32_t index, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u32 = index;
    if (::epoll_ctl(poller_.get(), EPOLL_CTL_MOD, socket(index), &event) < 0) fail("epoll_ctl");
  }

  [[nodiscard]] int socket(std::uint32_t index) const { return sockets_[index].get(); }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(sockets_.size()); }

  // Calls `on_ready(index)` for whatever becomes ready until `end`.
  template <typename OnReady>
  void run_until(Clock::time_point end, OnReady&& on_ready) {
    std::array<epoll_event, 512> events;
    while (Clock::now() < end) {
      const int count =
          ::epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < count; ++i) on_ready(events[static_cast<std::size_t>(i)].data.u32);
    }
  }

 private:
  static const sockaddr* address_of(const sockaddr_in& address) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address));
  }

  // 127.x sources would be simpler, but the server is on a link: the namespace has
  // 198.51.100.100 and those behind it.
  void bind_to_next_source(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(0xc6336464U + next_source_++ % options_.sources);
    if (::bind(fd, address_of(local), sizeof local) < 0) fail("bind");
  }

  const Options& options_;
  UniqueFd poller_;
  sockaddr_in remote_{};
  std::vector<UniqueFd> sockets_;
  std::uint32_t next_source_ = 0;
};

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
}

// Whether a call on a socket that is not ready yet, or not any more, may simply come again later.
bool may_try_again() {
  return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS;
}

// --- Bulk, in one direction ----------------------------------------------------------------------

std::uint64_t acknowledged(const Client& client) {
  std::uint64_t octets = 0;
  for (std::uint32_t i = 0; i < client.size(); ++i) {
    tcp_info info{};
    socklen_t length = sizeof info;
    ::getsockopt(client.socket(i), IPPROTO_TCP, TCP_INFO, &info, &length);
    octets += info.tcpi_bytes_acked;
  }
  return octets;
}

Figures bulk(const Options& options, bool outward) {
  Client client(options);
  for (std::uint32_t i = 0; i < client.size(); ++i) client.open(i, outward ? EPOLLOUT : EPOLLIN);
  std::vector<char> piece(outward ? kPieceOctets : 4 * kPieceOctets, 'x');
  std::uint64_t received = 0;
  const auto on_ready = [&](std::uint32_t index) {
    const ssize_t moved =
        outward ? ::send(client.socket(index), piece.data(), piece.size(), MSG_NOSIGNAL)
                : ::recv(client.socket(index), piece.data(), piece.size(), 0);
    if (moved > 0) {
      if (!outward) received += static_cast<std::uint64_t>(moved);
    } else if (moved == 0 || !may_try_again()) {
      fail("the connection has ended");
    }
  };
  client.run_until(after(options.seconds / 10), on_ready);  // while windows grow
  const Clock::time_point begin = Clock::now();
  const std::uint64_t before = outward ? acknowledged(client) : received;
  client.run_until(after(options.seconds), on_ready);
  const std::uint64_t octets = (outward ? acknowledged(client) : received) - before;
  return {static_cast<double>(octets) * 8e-9 / Seconds(Clock::now() - begin).count(), "Gbit/s"};
}

// --- One octet there and back --------------------------------------------------------------------

float microseconds_since(Clock::time_point begin) {
  return std::chrono::duration<float, std::micro>(Clock::now() - begin).count();
}

// Behind a warm-up: each answer that `on_ready` sees is a latency in `figures`.
template <typename OnReady>
void count_answers(Client& client, const Options& options, OnReady& on_ready, Figures& figures) {
  client.run_until(after(options.seconds / 10), on_ready);
  figures.latencies_us.clear();
  const Clock::time_point begin = Clock::now();
  client.run_until(after(options.seconds), on_ready);
  figures.per_second =
      static_cast<double>(figures.latencies_us.size()) / Seconds(Clock::now() - begin).count();
}

Figures request_response(const Options& options) {
  Client client(options);
  std::vector<Clock::time_point> sent_at(client.size());
  std::vector<bool> is_open(client.size());
  Figures figures{0, "transactions/s"};
  const auto request = [&](std::uint32_t index) {
    sent_at[index] = Clock::now();
    if (::send(client.socket(index), "x", 1, MSG_NOSIGNAL) != 1) fail("send");
  };
  for (std::uint32_t i = 0; i < client.size(); ++i) client.open(i, EPOLLOUT);
  const auto on_ready = [&](std::uint32_t index) {
    if (!is_open[index]) {
      is_open[index] = true;
      client.wait_for(index, EPOLLIN);
      request(index);
      return;
    }
    char response;
    const ssize_t octets = ::recv(client.socket(index), &response, 1, 0);
    if (octets < 0 && may_try_again()) return;
    if (octets != 1) fail("the connection has ended");
    figures.latencies_us.push_back(microseconds_since(sent_at[index]));
    request(index);
  };
  count_answers(client, options, on_ready, figures);
  return figures;
}

// --- Connect, one octet there and back, close ----------------------------------------------------

Figures connect_request_response(const Options& options) {
  Client client(options);
  std::vector<Clock::time_point> began_at(client.size());
  std::vector<bool> is_open(client.size());
  Figures figures{0, "connections/s"};
  const auto begin_one = [&](std::uint32_t index) {
    began_at[index] = Clock::now();
    is_open[index] = false;
    client.open(index, EPOLLOUT);
  };
  for (std::uint32_t i = 0; i < client.size(); ++i) begin_one(i);
  const auto on_ready = [&](std::uint32_t index) {
    char octet = 'x';
    if (!is_open[index]) {
      is_open[index] = true;
      if (::send(client.socket(index), &octet, 1, MSG_NOSIGNAL) == 1) {
        client.wait_for(index, EPOLLIN);
        return;
      }
    } else {
      const ssize_t octets = ::recv(client.socket(index), &octet, 1, 0);
      if (octets < 0 && may_try_again()) return;
      if (octets == 1) {
        figures.latencies_us.push_back(microseconds_since(began_at[index]));
        begin_one(index);
        return;
      }
    }
    ++figures.failed;
    begin_one(index);
  };
  count_answers(client, options, on_ready, figures);
  return figures;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Loads a server over the kernel's TCP and prints what came of it as JSON."};
  app.add_option(
         "LOAD", options.load,
         "stream (to discard), maerts (from chargen), rr (echo), crr (connect, echo, close)")
      ->required()
      ->check(CLI::IsMember({"stream", "maerts", "rr", "crr"}));
  app.add_option("ADDRESS", options.address, "the server's")->required();
  app.add_option("PORT", options.port, "the server's")->required();
  app.add_option("--seconds", options.seconds, "behind a warm-up of a tenth of that")
      ->capture_default_str();
  app.add_option("--connections", options.connections, "at the same time")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--sources", options.sources,
                 "so many source addresses from 198.51.100.100 up, in turns")
      ->check(CLI::Range(0, 150));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  Figures figures = options.load == "rr"    ? request_response(options)
                    : options.load == "crr" ? connect_request_response(options)
                                            : bulk(options, options.load == "stream");
  figures.print();
  return 0;
}

}  // namespace
}  // namespace runnel::bench

int main(int argc, char** argv) {
  return runnel::bench::run(argc, argv);
}
