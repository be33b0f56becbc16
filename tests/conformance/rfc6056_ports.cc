// Local ports that connect() chooses: RFC 6056.
#include <array>
#include <set>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class EphemeralPorts : public TcpTester {
 protected:
  // The port of a connection to this remote end; it is given up at once.
  std::uint16_t port_to(const Endpoint& remote) {
    const auto connection = stack().connect(remote, {});
    EXPECT_TRUE(connection);
    if (!connection) return 0;
    const std::uint16_t port = stack().info(*connection)->local.port;
    (void)stack().abort(*connection);
    TxFrame frame;
    while (stack().poll_transmit(frame, now())) {
    }
    while (stack().poll_event()) {
    }
    return port;
  }
  static Endpoint destination(std::uint32_t i) {
    return {IpAddress::from_v4(0xc6336400U + i / 100), static_cast<std::uint16_t>(1 + i % 100)};
  }
};

TEST_F(EphemeralPorts, R_6056_3_2_RANGE_FiveThousandPortsAreSpreadOverTheWholeRange) {
  for (const auto& [first, last] : std::vector<std::pair<std::uint16_t, std::uint16_t>>{
           {1024, 65535}, {Config{}.ephemeral_port_first, Config{}.ephemeral_port_last}}) {
    Config config;
    config.ephemeral_port_first = first;
    config.ephemeral_port_last = last;
    rebuild(config);
    constexpr std::uint32_t kDraws = 5000;
    const std::uint32_t range = std::uint32_t{last} - first + 1;
    std::array<double, 16> classes{};
    for (std::uint32_t i = 0; i < kDraws; ++i) {
      const std::uint16_t port = port_to(destination(i));
      ASSERT_GE(port, first);
      ASSERT_LE(port, last);
      ++classes[(std::uint32_t{port} - first) * 16 / range];
    }
    // Chi square with 15 degrees of freedom is beyond 44.3 once in 10,000.
    double chi_square = 0;
    for (const double count : classes) {
      chi_square += (count - kDraws / 16.0) * (count - kDraws / 16.0) / (kDraws / 16.0);
    }
    EXPECT_LT(chi_square, 44.3);
  }
}

TEST_F(EphemeralPorts, R_6056_3_3_OBF_OneDestinationSeesStepsOfOneAndSaysNothingOfAnother) {
  const Endpoint here{IpAddress(198, 51, 100, 1), 443};
  const auto step = [](std::uint16_t before, std::uint16_t after) {
    const Config config;
    const int range = config.ephemeral_port_last - config.ephemeral_port_first + 1;
    return (after - before + range) % range;
  };
  std::uint16_t before = port_to(here);
  for (int i = 0; i < 100; ++i) {
    const std::uint16_t port = port_to(here);
    EXPECT_EQ(step(before, port), 1) << "the longest time until one comes again";
    before = port;
  }
  // From one destination to the next the steps are anything: hardly any is small.
  int small_steps = 0;
  std::set<int> steps;
  before = port_to(destination(0));
  for (std::uint32_t i = 1; i < 500; ++i) {
    const std::uint16_t port = port_to(destination(i));
    const int this_step = step(before, port);
    if (this_step <= 10) ++small_steps;
    steps.insert(this_step);
    before = port;
  }
  EXPECT_LE(small_steps, 5);
  EXPECT_GT(steps.size(), 450U);
}

TEST_F(EphemeralPorts, R_6056_3_3_OBF_AnotherSecretGivesOtherPorts) {
  const auto with_seed = [](std::uint64_t seed) {
    SeededRandom random(seed);
    Stack stack(Config{}, random);
    EXPECT_TRUE(stack.add_address({kLocal.address, 24}));
    return stack.info(*stack.connect(kPeer, {}))->local.port;
  };
  EXPECT_EQ(with_seed(1), with_seed(1));
  std::set<std::uint16_t> ports;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) ports.insert(with_seed(seed));
  EXPECT_GE(ports.size(), 19U);
}

TEST_F(EphemeralPorts, R_6056_3_1_UNIQ_APairInTimeWaitIsNotChosen) {
  Config config;
  config.ephemeral_port_first = config.ephemeral_port_last = 40000;
  rebuild(config);
  const auto connection = try_connect(kPeer);
  ASSERT_TRUE(connection);
  use(*connection);
  const std::uint32_t ours = next_sent()->seq + 1;
  const auto answer = [&] { return segment().to({kLocal.address, 40000}); };
  send(answer().syn().seq(peer_iss).ack(ours).mss(1460));
  EXPECT_TRUE(shutdown_write());
  send(answer().seq(their(0)).ack(ours + 1).fin());
  ASSERT_EQ(stack().time_wait_count(), 1U);
  EXPECT_EQ(try_connect(kPeer).error(), Errc::address_not_available);
  EXPECT_TRUE(try_connect({kPeer.address, 50001})) << "to another port it is another pair";
  advance(60s - 1ns);
  EXPECT_EQ(try_connect(kPeer).error(), Errc::address_not_available);
  advance(1ns);
  EXPECT_TRUE(try_connect(kPeer));
}

}  // namespace
}  // namespace runnel::test
