// In which order connections send that all have something.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runnel/random.h"
#include "runnel/stack.h"

namespace runnel {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 19;
constexpr std::size_t kInitialSegments = 10;

// A server of which two clients' connections have everything to send, and the order in which it
// does: a letter for each segment with text.
class TwoSenders {
 public:
  explicit TwoSenders(const Config& config) : server_(config, server_random_) {
    EXPECT_TRUE(client_.add_address({IpAddress(192, 0, 2, 1), 24}));
    EXPECT_TRUE(server_.add_address({server_address_, 24}));
    const ListenerId listener = server_.listen({server_address_, kPort}).value();
    for (std::size_t i = 0; i < 2; ++i) {
      clients_.push_back(client_.connect({server_address_, kPort}).value());
    }
    for (int i = 0; i < 2; ++i) {
      carry(client_, server_);
      carry(server_, client_);
    }
    carry(client_, server_);
    const std::vector<std::uint8_t> text(100'000, 'x');
    while (const auto accepted = server_.accept(listener)) {
      EXPECT_TRUE(server_.write(*accepted, text));
    }
  }

  [[nodiscard]] std::string order() {
    std::string letters;
    std::vector<std::uint8_t> packet(65536);
    while (server_.poll_transmit(frame_, now_)) {
      frame_.copy_to(packet);
      const auto port = static_cast<std::uint16_t>(packet[22] << 8U | packet[23]);
      letters += port == client_.local_endpoint(clients_[0])->port ? 'a' : 'b';
    }
    return letters;
  }

 private:
  void carry(Stack& from, Stack& to) {
    std::vector<std::uint8_t> packet(65536);
    while (from.poll_transmit(frame_, now_)) {
      to.receive(Bytes(packet).first(frame_.copy_to(packet)), now_);
    }
  }

  const IpAddress server_address_{192, 0, 2, 2};
  SeededRandom client_random_{1};
  SeededRandom server_random_{2};
  Stack client_{Config(), client_random_};
  Stack server_;
  std::vector<ConnectionId> clients_;
  TxFrame frame_;
  Instant now_{1s};
};

Config unpaced(std::size_t turn_octets) {
  Config config;
  config.tcp.congestion_control = CongestionAlgorithm::Cubic;
  config.tcp.pacing = false;
  config.turn_octets = turn_octets;
  return config;
}

TEST(Turns, AConnectionSendsSeveralSegmentsBeforeTheNextOne) {
  TwoSenders senders(unpaced(16384));
  const std::string order = senders.order();
  ASSERT_EQ(order.size(), 2 * kInitialSegments);
  EXPECT_EQ(order, std::string(kInitialSegments, order.front()) +
                       std::string(kInitialSegments, order.back()));
  EXPECT_NE(order.front(), order.back());
}

// Where those that receive are held to a segment each, so are those that send.
TEST(Turns, AreWorthNoMoreThanAShareOfTheWindows) {
  Config config = unpaced(16384);
  config.receive_windows_total_octets = 1000;
  TwoSenders senders(config);
  const std::string order = senders.order();
  ASSERT_EQ(order.size(), 2 * kInitialSegments);
  for (std::size_t i = 1; i < order.size(); ++i) EXPECT_NE(order[i], order[i - 1]) << order;
}

TEST(Turns, AreOnePacketUnlessAskedFor) {
  TwoSenders senders(unpaced(0));
  const std::string order = senders.order();
  ASSERT_EQ(order.size(), 2 * kInitialSegments);
  for (std::size_t i = 1; i < order.size(); ++i) EXPECT_NE(order[i], order[i - 1]) << order;
}

}  // namespace
}  // namespace runnel
