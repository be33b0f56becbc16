// Two stacks, and a link that marks: what the sender has counted is what was marked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "tests/support/host_pair.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

// What a path does, each with this chance out of 1,000.
struct Path {
  std::uint64_t seed = 1;
  std::uint32_t marks = 0;
  std::uint32_t lost = 0;
  std::uint32_t lost_acks = 0;  // to the client, which receives no data
  std::uint32_t reordered = 0;
  bool offload = false;
  EcnMode client = EcnMode::Accurate;
};

void mark(std::vector<std::uint8_t>& packet) {
  packet[1] = static_cast<std::uint8_t>(packet[1] | 3U);
  base::store_be<std::uint16_t>(packet, 10, 0);
  base::store_be<std::uint16_t>(packet, 10, wire::internet_checksum(Bytes(packet).first(20)));
}

class EcnPair {
 public:
  explicit EcnPair(const Path& path) : path_(path), random_(path.seed), pair_(options(path)) {
    pair_.set_filter([this](Direction direction, std::vector<std::uint8_t>& packet) {
      return pass(direction, packet);
    });
    auto listener = server().sockets.listen({IpAddress(), 7});
    listener_ = *listener;
    listener_.on(events::connection, [this](TcpSocket peer) {
      accepted_ = peer;
      peer.on(events::data, [this](Bytes octets) { received_ += octets.size(); });
    });
    client_ = *client().sockets.connect({server().address, 7});
  }

  void transfer(std::size_t octets) {
    const std::string text(octets, 'x');
    std::size_t written = 0;
    ASSERT_TRUE(pair_.run_until(
        [&] {
          if (written < octets) {
            if (const auto took = client_.write(as_bytes(text).subspan(written))) written += *took;
          }
          return received_ == octets;
        },
        10min));
    pair_.run_for(2s);  // the last ACKs
  }

  Host& client() { return pair_.client(); }
  Host& server() { return pair_.server(); }
  [[nodiscard]] TcpInfo sender() { return *client_.info(); }
  [[nodiscard]] TcpInfo receiver() { return *accepted_.info(); }
  [[nodiscard]] std::uint64_t marked() const { return marked_; }
  [[nodiscard]] std::uint64_t ect_segments() const { return ect_segments_; }

 private:
  static HostPairOptions options(const Path& path) {
    HostPairOptions options;
    options.seed = path.seed;
    options.offload = path.offload;
    options.one_way_delay = 10ms;
    options.reordering_per_mille = path.reordered;
    options.client.tcp.ecn = path.client;
    options.keep_whole_trace = false;
    options.check_with_libtins = false;
    return options;
  }
  bool happens(std::uint32_t per_mille) { return random_() % 1000 < per_mille; }

  bool pass(Direction direction, std::vector<std::uint8_t>& packet) {
    const auto ip = wire::Ipv4View::parse(packet);
    const auto tcp = wire::TcpView::parse(ip->payload());
    if (tcp->flags().syn) return true;
    if (direction == Direction::ToClient) {
      EXPECT_EQ(ip->ecn(), 0U) << "pure ACKs are Not-ECT";
      return !happens(path_.lost_acks);
    }
    if (ip->ecn() == 2) {
      ++ect_segments_;
      EXPECT_FALSE(tcp->payload().empty());
    }
    if (happens(path_.lost)) return false;
    if (ip->ecn() == 2 && happens(path_.marks)) {
      ++marked_packets_;
      const std::size_t text = tcp->payload().size();
      constexpr std::size_t kSegment = 1448;  // of a super-packet: timestamps are on
      marked_ += path_.offload ? (text + kSegment - 1) / kSegment : 1;
      mark(packet);
    }
    return true;
  }

  Path path_;
  std::mt19937_64 random_;
  HostPair pair_;
  TcpListener listener_;
  TcpSocket client_;
  TcpSocket accepted_;
  std::size_t received_ = 0;
  std::uint64_t marked_ = 0;
  std::uint64_t marked_packets_ = 0;
  std::uint64_t ect_segments_ = 0;
};

TEST(EcnFeedbackProperty, CountsExactlyWhatWasMarked) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const std::uint32_t marks : {10U, 100U, 500U, 1000U}) {
      EcnPair pair({.seed = seed, .marks = marks});
      pair.transfer(300'000);
      EXPECT_EQ(pair.receiver().ce_marks_received, pair.marked());
      EXPECT_EQ(pair.sender().ce_marks_reported, pair.marked()) << seed << ' ' << marks;
      EXPECT_TRUE(pair.sender().sends_ecn_capable);
      EXPECT_EQ(pair.sender().octets_retransmitted, 0U);
      EXPECT_EQ(pair.sender().ecn_responses > 0, pair.marked() > 0);
    }
  }
}

// Whatever is lost of the ACKs, the next one contains it. Where that one has no option, having no
// news, and stands for many packets, the most that is likely is assumed: never too few.
TEST(EcnFeedbackProperty, NeverCountsTooFewThoughAcksAreLost) {
  int exact = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    EcnPair pair({.seed = seed, .marks = 50, .lost_acks = 300});
    pair.transfer(300'000);
    const std::uint64_t reported = pair.sender().ce_marks_reported;
    const std::uint64_t received = pair.receiver().ce_marks_received;
    EXPECT_GE(reported, received) << seed;
    EXPECT_EQ(reported % 8, received % 8) << seed;
    if (reported == received) ++exact;
  }
  EXPECT_GE(exact, 36);
}

TEST(EcnFeedbackProperty, CountsExactlyThoughDataAreLostAndReordered) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    EcnPair pair({.seed = seed, .marks = 30, .lost = 10, .lost_acks = 10, .reordered = 20});
    pair.transfer(300'000);
    EXPECT_EQ(pair.sender().ce_marks_reported, pair.receiver().ce_marks_received) << seed;
  }
}

// A mark on a super-packet is one for each of its segments.
TEST(EcnFeedbackProperty, CountsTheSegmentsOfSuperPackets) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EcnPair pair({.seed = seed, .marks = 50, .offload = true});
    pair.transfer(2'000'000);
    EXPECT_EQ(pair.receiver().ce_marks_received, pair.marked()) << seed;
    EXPECT_EQ(pair.sender().ce_marks_reported, pair.marked()) << seed;
  }
}

TEST(EcnFeedbackProperty, ClassicEcnAnswersMarksAndRepairsNothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EcnPair pair({.seed = seed, .marks = 20, .client = EcnMode::Classic});
    pair.transfer(300'000);
    EXPECT_EQ(pair.sender().ecn, EcnFeedback::Classic);
    EXPECT_EQ(pair.receiver().ce_marks_received, pair.marked());
    EXPECT_EQ(pair.sender().ecn_responses > 0, pair.marked() > 0);
    EXPECT_LE(pair.sender().ecn_responses, pair.marked());
    EXPECT_EQ(pair.sender().octets_retransmitted, 0U);
  }
}

TEST(EcnFeedbackProperty, NobodyIsAskedNothingIsMarked) {
  EcnPair pair({.marks = 1000, .client = EcnMode::WhenAsked});
  pair.transfer(300'000);
  EXPECT_EQ(pair.ect_segments(), 0U);
  EXPECT_EQ(pair.sender().ecn, EcnFeedback::None);
}

}  // namespace
}  // namespace runnel::test
