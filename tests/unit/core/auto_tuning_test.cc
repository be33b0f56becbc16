// Buffers that grow with the path, between two whole stacks.
#include <gtest/gtest.h>

#include <deque>

#include "tests/support/host_pair.h"
#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMebibyte = std::size_t{1} << 20U;

HostPairOptions long_fat_path() {
  HostPairOptions options;
  options.one_way_delay = 50ms;
  options.mtu_octets = 9000;
  options.offload = true;
  options.keep_whole_trace = false;
  options.check_with_libtins = false;
  return options;
}

// The buffers grow so fast that it takes at most so many round trips until one carries a gigabit a
// second.
void fill_a_gigabit(CongestionAlgorithm controller, int most_round_trips) {
  constexpr std::uint64_t kProduct = 12'500'000;  // 1 Gbit/s for 100 ms, in octets
  HostPairOptions options = long_fat_path();
  options.client.tcp.congestion_control = controller;
  HostPair pair(options);
  auto listener = pair.server().sockets.listen({pair.server().address, 7});
  ASSERT_TRUE(listener);
  StreamEnd sender(1, 60 * kMebibyte, 2);
  StreamEnd receiver(2, 0, 1);
  listener->on(events::connection, [&](TcpSocket socket) { receiver.attach(socket, true); });
  auto socket = pair.client().sockets.connect({pair.server().address, 7});
  ASSERT_TRUE(socket);
  sender.attach(*socket, false);
  pair.run_for(100ms);
  ASSERT_TRUE(pair.run_until([&] { return receiver.socket().is_open(); }, 1s));
  EXPECT_EQ(receiver.socket().info()->receive_buffer_octets, TcpConfig{}.receive_buffer_octets);

  std::uint64_t most_in_a_round_trip = 0;
  int round_trips = 0;
  while (round_trips < 20 && most_in_a_round_trip < kProduct) {
    const std::uint64_t before = receiver.received();
    pair.run_for(100ms);
    most_in_a_round_trip = std::max(most_in_a_round_trip, receiver.received() - before);
    ++round_trips;
  }
  EXPECT_GE(most_in_a_round_trip, kProduct);
  EXPECT_LE(round_trips, most_round_trips);
  EXPECT_GE(receiver.socket().info()->receive_window_octets, kProduct);
  EXPECT_GE(sender.socket().info()->send_buffer_octets, 2 * kProduct);
  ASSERT_TRUE(pair.run_until([&] { return receiver.has_ended(); }, 1min));
  EXPECT_TRUE(receiver.is_intact());
  EXPECT_EQ(receiver.received(), 60 * kMebibyte);
}

// The window doubles from ten segments of 8960 octets: 8 round trips to a gigabit.
TEST(AutoTuning, FillsAGigabitAtAHundredMilliseconds) {
  fill_a_gigabit(CongestionAlgorithm::NewReno, 11);
}

// What Startup paces takes a part of a round trip more to leave.
TEST(AutoTuning, FillsAGigabitAtAHundredMillisecondsAlsoWhenPaced) {
  fill_a_gigabit(CongestionAlgorithm::Bbr, 12);
}

TEST(AutoTuning, FixedBuffersStayAsTheyAre) {
  HostPairOptions options = long_fat_path();
  options.client.tcp.send_buffer_maximum_octets = 0;
  options.server.tcp.receive_buffer_maximum_octets = 0;
  HostPair pair(options);
  // 256 KiB a round trip at most.
  const Duration taken = transfer_and_expect_everything(pair, 4 * kMebibyte, 0);
  EXPECT_GE(taken, 16 * 100ms);
}

TEST(AutoTuning, TheBudgetBoundsTheSumOfManyConnections) {
  HostPairOptions options = long_fat_path();
  options.one_way_delay = 10ms;
  options.server.memory_budget_octets = 16 * kMebibyte;
  HostPair pair(options);
  auto listener = pair.server().sockets.listen({pair.server().address, 7});
  ASSERT_TRUE(listener);
  constexpr std::size_t kConnections = 24;
  std::deque<StreamEnd> senders;
  std::deque<StreamEnd> receivers;
  listener->on(events::connection, [&](TcpSocket socket) {
    receivers.emplace_back(2, 0, 1);
    receivers.back().attach(socket, true);
  });
  for (std::size_t i = 0; i < kConnections; ++i) {
    auto socket = pair.client().sockets.connect({pair.server().address, 7});
    ASSERT_TRUE(socket);
    senders.emplace_back(1, 2 * kMebibyte, 2);
    senders.back().attach(*socket, false);
  }
  std::size_t most = 0;
  const bool ended = pair.run_until(
      [&] {
        std::size_t sum = 0;
        std::size_t ends = 0;
        for (StreamEnd& receiver : receivers) {
          const auto info = receiver.socket().info();
          if (info) sum += info->receive_buffer_octets - TcpConfig{}.receive_buffer_octets;
          if (receiver.has_ended()) ++ends;
        }
        most = std::max(most, sum);
        return ends == kConnections;
      },
      10min);
  EXPECT_TRUE(ended);
  EXPECT_GT(most, 2 * kMebibyte) << "they did grow";
  EXPECT_LE(most, 8 * kMebibyte) << "half of the budget";
  for (const StreamEnd& receiver : receivers) {
    EXPECT_TRUE(receiver.is_intact());
    EXPECT_EQ(receiver.received(), 2 * kMebibyte);
  }
}

}  // namespace
}  // namespace runnel::test
