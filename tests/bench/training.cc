// Shows a compiler what the stack does all day: scripts/cmake/Profile.cmake runs it in a build that
// counts which way every branch goes, and the real build then lays out the code by these counts.
//
// Virtual time, so that two builds count the same.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "tests/bench/memory_link.h"

namespace runnel::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7;
constexpr Duration kTurn = 50us;  // from one turn of a link to the next: half a round trip

struct Path {
  bool offload = true;       // super-packets, and nobody looks at checksums
  unsigned drops_every = 0;  // packets; 0: none
};

// Two hosts, and a link that may lose packets.
class Link {
 public:
  Link(Config config, const Path& path)
      : path_(path),
        client(with(config, path), 1, {IpAddress(192, 0, 2, 1), 24}),
        server(with(config, path), 2, {IpAddress(192, 0, 2, 2), 24}) {}

  // One turn: time passes, and what the hosts have to say crosses.
  void turn() {
    now += kTurn;
    client.stack.advance(now);
    server.stack.advance(now);
    carry(client, server);
    carry(server, client);
  }

 private:
  static Config with(Config config, const Path& path) {
    config.checksum_offload = config.tcp_segmentation_offload = path.offload;
    return config;
  }

  void carry(Host& from, Host& to) {
    for (std::size_t count = 0; count < MemoryLink::kBatch; ++count) {
      if (!from.stack.poll_transmit(frame_, now)) return;
      if (path_.drops_every != 0 && ++carried_ % path_.drops_every == 0) continue;
      RxBuffer packet = to.stack.acquire_rx_buffer();
      if (!packet) return;
      packet.set_packet(0, frame_.copy_to(packet.space()));
      packet.meta.gso_size_octets = frame_.meta.gso_size_octets;
      if (path_.offload) packet.meta.checksum = ChecksumStatus::Verified;
      to.stack.receive(std::move(packet), now);
    }
  }

  Path path_;
  TxFrame frame_;
  std::uint64_t carried_ = 0;

 public:
  Instant now{1s};
  Host client;
  Host server;
};

Config with_control(CongestionAlgorithm algorithm) {
  Config config;
  config.tcp.congestion_control = algorithm;
  return config;
}

// Accepts what has come, and gives back every event that is no new connection.
template <typename Accepted, typename Other>
void serve(Stack& stack, Accepted&& accepted, Other&& other) {
  while (const auto event = stack.poll_event()) {
    if (event->kind != EventKind::Incoming) {
      other(*event);
      continue;
    }
    while (const auto connection = stack.accept(event->listener)) accepted(*connection);
  }
}

// Sends back what has come.
void echo(Stack& stack, const Event& event) {
  if (event.kind != EventKind::Readable) return;
  std::vector<std::uint8_t> room(4096);
  const auto octets = stack.read(event.connection, room);
  if (octets && *octets > 0) {
    (void)stack.write(event.connection, Bytes{room}.first(*octets));
  }
}

// A message there and back, over and over, on many connections at once.
void ping_pong(const Config& config, const Path& path, std::size_t connections, int turns) {
  Link link(config, path);
  Stack& client = link.client.stack;
  Stack& server = link.server.stack;
  (void)server.listen({link.server.address, kPort});
  const std::vector<std::uint8_t> message(64, 0x5a);
  for (std::size_t i = 0; i < connections; ++i) {
    const auto id = client.connect({link.server.address, kPort});
    if (id) (void)client.write(*id, message);
  }
  for (int i = 0; i < turns; ++i) {
    link.turn();
    serve(
        server, [](ConnectionId) {}, [&](const Event& event) { echo(server, event); });
    serve(
        client, [](ConnectionId) {}, [&](const Event& event) { echo(client, event); });
  }
}

// One connection, as fast as it goes.
void bulk(const Config& config, const Path& path, bool copies, int turns) {
  static const std::vector<std::uint8_t> pattern(256U << 10U, 0x5a);
  Link link(config, path);
  Stack& client = link.client.stack;
  Stack& server = link.server.stack;
  (void)server.listen({link.server.address, kPort});
  const ConnectionId sender = client.connect({link.server.address, kPort}).value();
  ConnectionId receiver;
  for (int i = 0; i < turns; ++i) {
    if (copies) {
      (void)client.write(sender, pattern);
    } else {
      (void)client.write(sender, Buffer::of_static(pattern));
    }
    link.turn();
    serve(
        server, [&](ConnectionId id) { receiver = id; }, [](const Event&) {});
    while (const auto text = server.peek(receiver)) {
      if (text->empty()) break;
      (void)server.consume(receiver, text->size());
    }
    serve(
        client, [](ConnectionId) {}, [](const Event&) {});
  }
}

// Connections that are opened, answer a request, and are closed.
void come_and_go(const Config& config, std::size_t at_once, int turns) {
  Link link(config, {});
  Stack& client = link.client.stack;
  Stack& server = link.server.stack;
  (void)server.listen({link.server.address, kPort});
  const std::vector<std::uint8_t> message(64, 0x5a);
  const auto open_one = [&] {
    const auto id = client.connect({link.server.address, kPort});
    if (id) (void)client.write(*id, message);
  };
  for (std::size_t i = 0; i < at_once; ++i) open_one();
  for (int i = 0; i < turns; ++i) {
    link.turn();
    serve(
        server, [](ConnectionId) {},
        [&](const Event& event) {
          echo(server, event);
          if (event.kind == EventKind::Readable || event.kind == EventKind::Ended) {
            (void)server.close(event.connection);
          }
        });
    serve(
        client, [](ConnectionId) {},
        [&](const Event& event) {
          if (event.kind == EventKind::Readable) {
            std::vector<std::uint8_t> room(message.size());
            (void)client.read(event.connection, room);
          }
          if (event.kind == EventKind::Ended) (void)client.close(event.connection);
          if (event.kind == EventKind::Closed) open_one();
        });
  }
}

int train() {
  for (const auto algorithm : {CongestionAlgorithm::Bbr, CongestionAlgorithm::Cubic}) {
    const Config config = with_control(algorithm);
    ping_pong(config, {}, 64, 4000);
    ping_pong(config, {.offload = false}, 64, 500);
    bulk(config, {}, false, 3000);
    bulk(config, {}, true, 1000);
    bulk(config, {.offload = false}, true, 2000);
    bulk(config, {.offload = false, .drops_every = 100}, true, 1000);
  }
  Config brief;
  brief.tcp.time_wait = 50ms;
  come_and_go(brief, 64, 2000);
  Config crowded;
  crowded.awake_connections = 64;
  ping_pong(crowded, {}, 1000, 300);
  return 0;
}

}  // namespace
}  // namespace runnel::bench

int main() {
  return runnel::bench::train();
}
