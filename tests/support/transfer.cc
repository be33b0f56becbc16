#include "tests/support/transfer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>

namespace runnel::test {

void StreamEnd::attach(TcpSocket socket, bool is_established) {
  socket_ = socket;
  socket_.allow_half_open(true);
  socket_.on(events::connected, [this] { write_more(); });
  socket_.on(events::drain, [this] { write_more(); });
  socket_.on(events::data, [this](Bytes octets) { take(octets); });
  socket_.on(events::end, [this] { has_ended_ = true; });
  socket_.on(events::error, [this](std::error_code error) { error_ = error; });
  socket_.on(events::close, [this] { ++close_count_; });
  if (is_established) write_more();
}

void StreamEnd::write_more() {
  std::array<std::uint8_t, 16384> chunk;
  while (written_ < octets_) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), octets_ - written_));
    for (std::size_t i = 0; i < wanted; ++i) chunk[i] = stream_octet(outgoing_, written_ + i);
    const auto taken = socket_.write(Bytes(chunk).first(wanted));
    if (!taken) return;
    written_ += *taken;
    if (*taken < wanted) return;
  }
  if (!is_shut_down_) {
    is_shut_down_ = true;
    EXPECT_TRUE(socket_.shutdown_write());
  }
}

void StreamEnd::take(Bytes octets) {
  for (const std::uint8_t octet : octets) {
    is_intact_ = is_intact_ && octet == stream_octet(incoming_, received_);
    ++received_;
  }
}

void expect_nothing_left(const Host& host) {
  EXPECT_EQ(host.stack.connection_count(), 0U);
  EXPECT_EQ(host.stack.syn_received_count(), 0U);
  EXPECT_EQ(host.stack.time_wait_count(), 0U);
  EXPECT_EQ(host.stack.timer_count(), 0U);
  EXPECT_EQ(host.stack.memory_octets(), 0U);
}

Duration transfer_and_expect_everything(HostPair& pair, std::uint64_t to_server,
                                        std::uint64_t to_client, Duration limit) {
  StreamEnd client(1, to_server, 2);
  StreamEnd server(2, to_client, 1);
  auto listener = pair.server().sockets.listen({pair.server().address, 5001});
  EXPECT_TRUE(listener);
  if (!listener) return {};
  listener->on(events::connection, [&](TcpSocket socket) { server.attach(socket, true); });
  auto socket = pair.client().sockets.connect({pair.server().address, 5001});
  EXPECT_TRUE(socket);
  if (!socket) return {};
  client.attach(*socket, false);

  const Instant begin = pair.now();
  pair.run_until([&] { return client.has_ended() && server.has_ended(); }, limit);
  const Duration taken = pair.now() - begin;
  EXPECT_EQ(server.received(), to_server);
  EXPECT_EQ(client.received(), to_client);
  EXPECT_TRUE(server.is_intact()) << "octets to the server differ";
  EXPECT_TRUE(client.is_intact()) << "octets to the client differ";
  EXPECT_TRUE(client.has_ended() && server.has_ended());

  EXPECT_TRUE(listener->close());
  EXPECT_TRUE(pair.run_until_idle());
  EXPECT_TRUE(client.is_closed()) << "close is emitted once";
  EXPECT_TRUE(server.is_closed()) << "close is emitted once";
  EXPECT_FALSE(client.error()) << client.error().message();
  EXPECT_FALSE(server.error()) << server.error().message();
  expect_nothing_left(pair.client());
  expect_nothing_left(pair.server());
  return taken;
}

}  // namespace runnel::test
