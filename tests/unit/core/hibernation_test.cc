// Which connections hibernate, when, and what wakes them. That nothing is lost by it is for
// tests/property/hibernation_test.cc, and the conformance program with RUNNEL_TEST_HIBERNATION.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "tests/support/host_pair.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7;

// A client and an echo server, which keeps few connections awake.
class HibernationTest : public ::testing::Test {
 protected:
  void start(std::size_t awake_connections, const TcpConfig& tcp = {}) {
    HostPairOptions options;
    options.server.awake_connections = awake_connections;
    options.server.tcp = tcp;
    hosts_ = std::make_unique<HostPair>(options);
    auto listener = server().sockets.listen({IpAddress(), kPort}).value();
    listener.on(events::connection, [this](TcpSocket peer) {
      served_.push_back(peer);
      peer.on(events::data, [peer](Bytes octets) mutable { (void)peer.write(octets); });
    });
  }

  void connect(int count) {
    for (int i = 0; i < count; ++i) {
      auto socket = hosts_->client().sockets.connect({server().address, kPort}).value();
      socket.on(events::data, [this](Bytes octets) { echoed_ += octets.size(); });
      clients_.push_back(socket);
      hosts_->run_for(10ms);
    }
    hosts_->run_for(10s);  // delayed ACKs and all that
  }

  Host& server() { return hosts_->server(); }
  [[nodiscard]] std::size_t awake() { return server().stack.awake_count(); }

  std::unique_ptr<HostPair> hosts_;
  std::vector<TcpSocket> clients_;
  std::vector<TcpSocket> served_;
  std::size_t echoed_ = 0;
};

TEST_F(HibernationTest, NoneDoesWhileFewAreAwake) {
  start(20);
  connect(20);
  for (TcpSocket& socket : clients_) (void)socket.write(as_bytes("hello"));
  hosts_->run_for(1h);
  if (server().stack.config().awake_connections == 20) {
    EXPECT_EQ(awake(), 20U);
  }
}

TEST_F(HibernationTest, NoMoreAreAwakeThanConfiguredOnceTheyRest) {
  start(4);
  connect(30);
  EXPECT_EQ(server().stack.connection_count(), 30U);
  EXPECT_LE(awake(), 4U);
}

TEST_F(HibernationTest, AStackOfThemSleeps) {
  start(0);
  connect(10);
  EXPECT_EQ(awake(), 0U);
  EXPECT_EQ(server().stack.next_deadline(), kNever);
  EXPECT_EQ(server().stack.timer_count(), 0U);
}

TEST_F(HibernationTest, ASegmentWakes) {
  start(0);
  connect(10);
  for (TcpSocket& socket : clients_) (void)socket.write(as_bytes("hello"));
  hosts_->run_for(10s);
  EXPECT_EQ(echoed_, 50U);
  EXPECT_EQ(awake(), 0U);
}

TEST_F(HibernationTest, TheApplicationWakes) {
  start(0);
  connect(3);
  ASSERT_EQ(served_.size(), 3U);
  EXPECT_EQ(*served_[0].write(as_bytes("news")), 4U);
  hosts_->run_for(10s);
  EXPECT_EQ(echoed_, 4U);
  EXPECT_EQ(awake(), 0U);
  EXPECT_TRUE(served_[1].close());
  hosts_->run_for(5min);
  EXPECT_EQ(server().stack.connection_count(), 2U);
}

TEST_F(HibernationTest, ATimerWakes) {
  TcpConfig tcp;
  tcp.keepalive = true;
  tcp.keepalive_idle = 60s;
  start(0, tcp);
  connect(5);
  EXPECT_EQ(awake(), 0U);
  EXPECT_NE(server().stack.next_deadline(), kNever);
  hosts_->run_for(61s);
  EXPECT_EQ(server().stack.counters().tcp_keepalive_probes, 5U);
  hosts_->set_link_up(false);
  hosts_->run_for(1h);
  EXPECT_EQ(server().stack.connection_count(), 0U) << "keepalive has found that nobody is there";
}

TEST_F(HibernationTest, QuestionsAreAnsweredAsIfItWereAwake) {
  start(0);
  connect(2);
  EXPECT_EQ(awake(), 0U);
  const auto before = server().stack.memory_octets();
  for (const TcpSocket& socket : served_) {
    EXPECT_TRUE(socket.is_open());
    EXPECT_EQ(socket.remote_endpoint()->address, hosts_->client().address);
    EXPECT_EQ(socket.info()->state, TcpState::Established);
    EXPECT_EQ(socket.readable_octets(), 0U);
    EXPECT_GT(socket.writable_octets(), 0U);
    EXPECT_EQ(socket.peek().error(), make_error_code(Errc::would_block));
    EXPECT_EQ(awake(), 0U) << "it goes on hibernating";
  }
  EXPECT_EQ(server().stack.memory_octets(), before);
  for (TcpSocket& socket : clients_) (void)socket.write(as_bytes("hello"));
  hosts_->run_for(10s);
  EXPECT_EQ(echoed_, 10U);
}

TEST_F(HibernationTest, UnreadOctetsKeepAConnectionAwake) {
  start(0);
  connect(2);
  served_[0].pause();
  (void)clients_[0].write(as_bytes("unread"));
  hosts_->run_for(10s);
  EXPECT_EQ(awake(), 1U);
  served_[0].resume();
  hosts_->run_for(10s);
  EXPECT_EQ(echoed_, 6U);
  EXPECT_EQ(awake(), 0U);
}

TEST_F(HibernationTest, AStackWithRecordsCanBeDestroyed) {
  start(0);
  connect(100);
  hosts_.reset();
}

}  // namespace
}  // namespace runnel::test
