// The kernel's TCP as a server: echo on port 7, discard on 9, chargen on 19, with one thread and
// one epoll instance, as `runnel serve` is.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr std::size_t kPieceOctets = std::size_t{256} << 10U;
constexpr std::array<std::uint16_t, 3> kPorts = {7, 9, 19};
enum class Service : std::uint32_t { Echo, Discard, Chargen };

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A descriptor, what is served on it, and whether it listens, in the 64 bits that epoll keeps.
struct Subject {
  int descriptor = -1;
  Service service = Service::Echo;
  bool listens = false;

  [[nodiscard]] std::uint64_t packed() const {
    return static_cast<std::uint64_t>(descriptor) | static_cast<std::uint64_t>(service) << 32U |
           (listens ? std::uint64_t{1} << 40U : 0);
  }
  [[nodiscard]] static Subject unpacked(std::uint64_t packed) {
    return {static_cast<int>(packed & 0xffffffffU), static_cast<Service>((packed >> 32U) & 0xffU),
            (packed >> 40U) != 0};
  }
};

class Server {
 public:
  Server() : poller_(::epoll_create1(0)), piece_(kPieceOctets, 'x') {
    if (poller_ < 0) fail("epoll_create1");
    for (std::uint32_t i = 0; i < kPorts.size(); ++i) listen(kPorts[i], static_cast<Service>(i));
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = ::epoll_wait(poller_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const Subject subject = Subject::unpacked(events[static_cast<std::size_t>(i)].data.u64);
        if (subject.listens) {
          accept(subject);
        } else if (!serve(subject)) {
          ::close(subject.descriptor);
        }
      }
    }
  }

 private:
  void watch(const Subject& subject, std::uint32_t what) const {
    epoll_event event{};
    event.events = what;
    event.data.u64 = subject.packed();
    if (::epoll_ctl(poller_, EPOLL_CTL_ADD, subject.descriptor, &event) < 0) fail("epoll_ctl");
  }

  void listen(std::uint16_t port, Service service) const {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listener < 0) fail("socket");
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_port = htons(port);
    if (::bind(listener, static_cast<sockaddr*>(static_cast<void*>(&local)), sizeof local) < 0) {
      fail("bind");
    }
    if (::listen(listener, 4096) < 0) fail("listen");
    watch({listener, service, true}, EPOLLIN);
  }

  void accept(const Subject& listener) const {
    for (;;) {
      const int peer = ::accept4(listener.descriptor, nullptr, nullptr, SOCK_NONBLOCK);
      if (peer < 0) return;
      const int on = 1;
      ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch({peer, listener.service, false},
            listener.service == Service::Chargen ? EPOLLOUT : EPOLLIN);
    }
  }

  // False when the connection is over.
  [[nodiscard]] bool serve(const Subject& peer) {
    if (peer.service == Service::Chargen) {
      return ::send(peer.descriptor, piece_.data(), piece_.size(), MSG_NOSIGNAL) > 0 ||
             errno == EAGAIN;
    }
    const ssize_t octets = ::recv(peer.descriptor, piece_.data(), piece_.size(), 0);
    if (octets <= 0) return octets < 0 && errno == EAGAIN;
    // Only the loads with a few octets on their way use echo: there is always room for the answer.
    return peer.service != Service::Echo ||
           ::send(peer.descriptor, piece_.data(), static_cast<std::size_t>(octets), MSG_NOSIGNAL) ==
               octets;
  }

  int poller_;
  std::vector<char> piece_;
};

}  // namespace

int main(int argc, char**) {
  if (argc > 1) {
    std::fprintf(stderr, "usage: bench_kernel_server   (see scripts/bench)\n");
    return 2;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  Server().run();
}
