// Many peers that send into one queue, which loses what does not fit, as a TUN device's does.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "runnel/random.h"
#include "runnel/stack.h"

namespace runnel {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPlaces = 40;
constexpr std::size_t kConnections = 16;
constexpr std::size_t kPieceOctets = std::size_t{16} << 10U;
constexpr std::uint16_t kPort = 9;

Config offloading() {
  Config config;
  config.checksum_offload = true;
  config.tcp_segmentation_offload = true;
  // A sender that goes on until something is lost.
  config.tcp.congestion_control = CongestionAlgorithm::Cubic;
  config.tcp.hystart = false;
  config.tcp.pacing = false;
  return config;
}

// A client that sends on many connections, and a server that reads what it can of the queue before
// it, now and then.
class CrowdedQueue {
 public:
  explicit CrowdedQueue(std::size_t windows_total_octets, Config config = offloading())
      : client_(config, client_random_) {
    config.receive_windows_total_octets = windows_total_octets;
    server_.emplace(config, server_random_);
    EXPECT_TRUE(client_.add_address({IpAddress(192, 0, 2, 1), 24}));
    EXPECT_TRUE(server_->add_address({server_address_, 24}));
    listener_ = server_->listen({server_address_, kPort}).value();
    for (std::size_t i = 0; i < kConnections; ++i) {
      senders_.push_back(client_.connect({server_address_, kPort}).value());
    }
  }

  // For `duration` every connection sends all that it may. The server's turn comes every
  // ten milliseconds, and is good for half of what the queue holds.
  void run_for(Duration duration) {
    for (const Instant end = now_ + duration; now_ < end; now_ += 10ms) {
      client_.advance(now_);
      for (const ConnectionId sender : senders_) {
        while (client_.write(sender, Buffer::of_static(text_)).value_or(0) == text_.size()) {
        }
      }
      fill();
      server_->advance(now_);
      for (std::size_t i = 0; i < kPlaces / 2 && !queue_.empty(); ++i) {
        server_->receive(std::move(queue_.front()), now_);
        queue_.pop_front();
      }
      read_everything();
      answer();
      while (client_.poll_event()) {
      }
    }
  }

  [[nodiscard]] std::size_t lost() const noexcept { return lost_; }
  void forget() {
    lost_ = 0;
    for (Receiver& one : receivers_) one.octets = 0;
  }
  [[nodiscard]] std::vector<std::uint64_t> received() const {
    std::vector<std::uint64_t> octets;
    for (const Receiver& one : receivers_) octets.push_back(one.octets);
    return octets;
  }

 private:
  struct Receiver {
    ConnectionId id;
    std::uint64_t octets = 0;
  };

  void fill() {
    while (client_.poll_transmit(frame_, now_)) {
      if (queue_.size() == kPlaces) {
        ++lost_;
        continue;
      }
      RxBuffer packet = server_->acquire_rx_buffer();
      carry(packet);
      queue_.push_back(std::move(packet));
    }
  }
  void answer() {
    while (server_->poll_transmit(frame_, now_)) {
      RxBuffer packet = client_.acquire_rx_buffer();
      carry(packet);
      client_.receive(std::move(packet), now_);
    }
  }
  void carry(RxBuffer& packet) {
    ASSERT_TRUE(packet);
    packet.set_packet(0, frame_.copy_to(packet.space()));
    packet.meta.gso_size_octets = frame_.meta.gso_size_octets;
    packet.meta.checksum = ChecksumStatus::Verified;
  }
  void read_everything() {
    while (server_->poll_event()) {
    }
    while (const auto accepted = server_->accept(listener_)) receivers_.push_back({*accepted});
    for (Receiver& one : receivers_) {
      while (const auto text = server_->peek(one.id)) {
        one.octets += text->size();
        EXPECT_TRUE(server_->consume(one.id, text->size()));
      }
    }
  }

  const std::vector<std::uint8_t> text_ = std::vector<std::uint8_t>(64'000, 'x');
  const IpAddress server_address_{192, 0, 2, 2};
  SeededRandom client_random_{1};
  SeededRandom server_random_{2};
  Stack client_;
  std::optional<Stack> server_;
  ListenerId listener_;
  std::vector<ConnectionId> senders_;
  std::vector<Receiver> receivers_;
  std::deque<RxBuffer> queue_;
  TxFrame frame_;
  Instant now_{1s};
  std::size_t lost_ = 0;
};

TEST(WindowShare, AllWindowsTogetherFitIntoTheQueue) {
  CrowdedQueue crowd(kPlaces / 2 * kPieceOctets);
  crowd.run_for(1s);
  crowd.forget();
  crowd.run_for(3s);
  EXPECT_EQ(crowd.lost(), 0U);
  const auto received = crowd.received();
  ASSERT_EQ(received.size(), kConnections);
  const auto [least, most] = std::minmax_element(received.begin(), received.end());
  EXPECT_GT(*least, 0U);
  EXPECT_LT(*most, *least * 2);
}

// What the limit is for: each window by itself would fit.
TEST(WindowShare, WithoutALimitTheyOverflowIt) {
  CrowdedQueue crowd(0);
  crowd.run_for(1s);
  crowd.forget();
  crowd.run_for(3s);
  EXPECT_GT(crowd.lost(), 50U);
}

// Two segments are always announced, however many connections there are.
TEST(WindowShare, AShareIsNeverTooSmallToGoOn) {
  CrowdedQueue crowd(1000);
  crowd.run_for(1s);
  crowd.forget();
  crowd.run_for(1s);
  EXPECT_EQ(crowd.lost(), 0U);
  const auto received = crowd.received();
  ASSERT_EQ(received.size(), kConnections);
  for (const std::uint64_t octets : received) EXPECT_GT(octets, 100'000U);
}

// Every place of the queue holds one segment, and there are more connections than half of them:
// a segment each is what remains, and initial windows of ten would be four times the queue.
TEST(WindowShare, ConnectionsThatAreOpenedAtOnceLoseNothing) {
  constexpr std::size_t kSegmentOctets = 1448;
  Config config = offloading();
  config.tcp_segmentation_offload = false;
  CrowdedQueue crowd(kPlaces / 2 * kSegmentOctets, config);
  crowd.run_for(3s);
  EXPECT_EQ(crowd.lost(), 0U);
  const auto received = crowd.received();
  ASSERT_EQ(received.size(), kConnections);
  const auto [least, most] = std::minmax_element(received.begin(), received.end());
  EXPECT_GT(*least, 200 * kSegmentOctets);
  EXPECT_LT(*most, *least * 2);
}

}  // namespace
}  // namespace runnel
