// Random applications on a random link: whatever they do, streams are prefixes of what was written,
// an end comes only after everything, and in the end nothing is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>

#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

// One end of a connection that does whatever the dice say.
class Whimsical {
 public:
  explicit Whimsical(std::uint32_t stream) : stream_(stream) {}

  void attach(TcpSocket socket) {
    socket_ = socket;
    socket_.allow_half_open(true);
    socket_.on(events::data, [this](Bytes octets) {
      for (const std::uint8_t octet : octets) {
        if (octet != stream_octet(peer_->stream_, received_)) ++wrong_octets_;
        ++received_;
      }
    });
    socket_.on(events::end, [this] {
      EXPECT_TRUE(peer_->has_ended_) << "an end that nobody sent";
      EXPECT_EQ(received_, peer_->written_) << "an end before the last octet";
    });
    socket_.on(events::close, [this] { ++closes_; });
  }
  void set_peer(Whimsical& peer) { peer_ = &peer; }

  void act(SeededRandom& dice) {
    if (!socket_.is_open()) return;
    const std::uint64_t what = dice.below(100);
    if (what < 60) {
      write(dice.below(20'000));
    } else if (what < 70) {
      socket_.pause();
    } else if (what < 90) {
      socket_.resume();
    } else if (what < 93) {
      if (socket_.shutdown_write()) has_ended_ = true;
    } else if (what < 94) {
      if (socket_.close()) has_ended_ = true;
    } else if (what < 95) {
      (void)socket_.abort();
    } else if (what < 97) {
      (void)socket_.set_nagle(dice.below(2) == 0);
    }
  }
  void give_up() {
    socket_.resume();
    if (socket_.close()) has_ended_ = true;
  }

  [[nodiscard]] std::uint64_t wrong_octets() const noexcept { return wrong_octets_; }
  [[nodiscard]] bool is_a_prefix() const noexcept { return received_ <= peer_->written_; }
  [[nodiscard]] bool was_attached() const noexcept { return socket_.id().is_set(); }
  [[nodiscard]] int closes() const noexcept { return closes_; }

 private:
  void write(std::uint64_t octets) {
    std::vector<std::uint8_t> text(octets);
    for (std::uint64_t i = 0; i < octets; ++i) text[i] = stream_octet(stream_, written_ + i);
    written_ += socket_.write(text).value_or(0);
  }

  std::uint32_t stream_;
  Whimsical* peer_ = nullptr;
  TcpSocket socket_;
  std::uint64_t written_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t wrong_octets_ = 0;
  bool has_ended_ = false;
  int closes_ = 0;
};

HostPairOptions random_link(std::uint64_t seed) {
  SeededRandom dice(seed * 7919);
  HostPairOptions options;
  options.seed = seed;
  options.keep_whole_trace = false;
  options.check_with_libtins = false;
  options.one_way_delay = Duration(static_cast<Duration::rep>(dice.below(50'000'000)));
  options.mtu_octets = static_cast<std::uint16_t>(200 + dice.below(3000));
  options.offload = dice.below(2) == 0;
  options.loss_per_mille = static_cast<std::uint32_t>(dice.below(100));
  options.duplicates_per_mille = static_cast<std::uint32_t>(dice.below(50));
  options.reordering_per_mille = static_cast<std::uint32_t>(dice.below(100));
  options.client.tcp.receive_buffer_octets = 500 + dice.below(200'000);
  options.client.tcp.send_buffer_octets = 500 + dice.below(200'000);
  options.server.tcp.receive_buffer_octets = 500 + dice.below(200'000);
  options.server.tcp.send_buffer_octets = 500 + dice.below(200'000);
  return options;
}

TEST(RandomLife, StreamsArePrefixesAndNothingIsLeft) {
  for (std::uint64_t seed = 1; seed <= 46; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    HostPair pair(random_link(seed));
    SeededRandom dice(seed);
    std::deque<Whimsical> clients;
    std::deque<Whimsical> servers;
    auto listener = pair.server().sockets.listen({IpAddress(), 5001});
    ASSERT_TRUE(listener);
    // Local ports tell which server end belongs to which client end.
    listener->on(events::connection, [&](TcpSocket socket) {
      const std::size_t i = socket.remote_endpoint()->port - 40000U;
      if (!servers[i].was_attached()) servers[i].attach(socket);
    });
    constexpr std::size_t kCount = 4;
    for (std::size_t i = 0; i < kCount; ++i) {
      clients.emplace_back(static_cast<std::uint32_t>(2 * i));
      servers.emplace_back(static_cast<std::uint32_t>(2 * i + 1));
      clients.back().set_peer(servers.back());
      servers.back().set_peer(clients.back());
      ConnectOptions options;
      options.local.port = static_cast<std::uint16_t>(40000 + i);
      auto socket = pair.client().sockets.connect({pair.server().address, 5001}, options);
      ASSERT_TRUE(socket);
      clients.back().attach(*socket);
    }
    for (int step = 0; step < 200; ++step) {
      clients[dice.below(kCount)].act(dice);
      servers[dice.below(kCount)].act(dice);
      pair.run_for(Duration(static_cast<Duration::rep>(dice.below(50'000'000))));
    }
    for (std::size_t i = 0; i < kCount; ++i) {
      clients[i].give_up();
      servers[i].give_up();
    }
    EXPECT_TRUE(listener->close());
    EXPECT_TRUE(pair.run_until_idle(2h));
    for (std::size_t i = 0; i < kCount; ++i) {
      EXPECT_EQ(clients[i].wrong_octets() + servers[i].wrong_octets(), 0U);
      EXPECT_TRUE(clients[i].is_a_prefix() && servers[i].is_a_prefix());
      EXPECT_EQ(clients[i].closes(), 1);
      EXPECT_EQ(servers[i].closes(), servers[i].was_attached() ? 1 : 0);
    }
    expect_nothing_left(pair.client());
    expect_nothing_left(pair.server());
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace runnel::test
