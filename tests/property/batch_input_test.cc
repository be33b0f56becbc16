// A batch of packets has the outcome of its packets one by one: the same conversation, with noise
// of every kind, goes to two servers, one of which takes batches.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runnel/random.h"
#include "runnel/stack.h"
#include "tests/support/segment.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;

struct Packet {
  Octets octets;
  PacketMeta meta;
};

const Endpoint kServer{IpAddress{192, 0, 2, 2}, 80};

Config config_of(std::uint64_t seed) {
  Config config;
  config.checksum_offload = config.tcp_segmentation_offload = seed % 2 == 0;
  if (seed % 3 == 0) config.memory_budget_octets = 600'000;  // hardly enough
  if (seed % 5 == 0) config.maximum_connections = 6;
  config.tcp.time_wait = 3s;
  return config;
}

std::vector<Packet> everything_from(Stack& stack, Instant now) {
  std::vector<Packet> packets;
  TxFrame frame;
  while (stack.poll_transmit(frame, now)) {
    Octets octets(frame.size());
    frame.copy_to(octets);
    packets.push_back({std::move(octets), frame.meta});
  }
  return packets;
}

// What the link makes of the meta data on the way from one stack to another.
PacketMeta arriving(const PacketMeta& sent) {
  PacketMeta meta;
  meta.gso_size_octets = sent.gso_size_octets;
  if (sent.checksum == ChecksumStatus::Partial) meta.checksum = ChecksumStatus::Verified;
  return meta;
}

RxBuffer buffer_of(Stack& stack, const Packet& packet) {
  RxBuffer buffer = stack.acquire_rx_buffer();
  if (!buffer) return buffer;
  std::copy(packet.octets.begin(), packet.octets.end(), buffer.space().begin());
  buffer.set_packet(0, packet.octets.size());
  buffer.meta = packet.meta;
  return buffer;
}

// Accepts, echoes, and closes with the peer; writes down what it was told.
class EchoServer {
 public:
  explicit EchoServer(std::uint64_t seed) : random_(seed), stack_(config_of(seed), random_) {
    EXPECT_TRUE(stack_.add_address(*IpPrefix::parse_v4("192.0.2.2/24")));
    ListenOptions options;
    options.backlog = 5;
    EXPECT_TRUE(stack_.listen(kServer, options));
  }

  [[nodiscard]] Stack& stack() noexcept { return stack_; }

  void work(Instant now) {
    stack_.advance(now);
    while (const auto event = stack_.poll_event()) {
      log_ += std::to_string(static_cast<int>(event->kind)) + " " +
              std::to_string(event->connection.index) + "/" +
              std::to_string(event->connection.generation) + " " + event->error.message() + "\n";
      if (event->kind == EventKind::Incoming) {
        while (stack_.accept(event->listener)) {
        }
      }
      if (event->kind == EventKind::Readable) echo(event->connection);
      if (event->kind == EventKind::Ended) (void)stack_.close(event->connection);
      if (event->kind == EventKind::Error) (void)stack_.close(event->connection);
    }
  }

  [[nodiscard]] const std::string& log() const noexcept { return log_; }

 private:
  void echo(ConnectionId id) {
    Octets octets(3000);
    while (const auto count = stack_.read(id, octets)) {
      if (*count == 0) break;
      (void)stack_.write(id, Bytes(octets).first(*count));
    }
  }

  SeededRandom random_;
  Stack stack_;
  std::string log_;
};

// A client with a few connections that come and go, and a link that loses, doubles, swaps and
// damages packets and makes some up.
class NoisyClient {
 public:
  explicit NoisyClient(std::uint64_t seed)
      : dice_(seed + 1000), random_(seed + 2000), stack_(config_of(2 * seed + 2), random_) {
    EXPECT_TRUE(stack_.add_address(*IpPrefix::parse_v4("192.0.2.1/24")));
  }

  void receive(const Packet& packet, Instant now) {
    if (dice_.below(100) < 2) return;
    stack_.receive(packet.octets, now, arriving(packet.meta));
  }

  [[nodiscard]] std::vector<Packet> work(Instant now) {
    stack_.advance(now);
    Octets octets(5000);
    while (const auto event = stack_.poll_event()) {
      if (event->kind == EventKind::Readable) {
        while (stack_.read(event->connection, octets).value_or(0) > 0) {
        }
      }
      if (event->kind == EventKind::Ended) (void)stack_.close(event->connection);
    }
    act();
    std::vector<Packet> packets = everything_from(stack_, now);
    for (Packet& packet : packets) packet.meta = arriving(packet.meta);
    add_noise(packets);
    return packets;
  }

 private:
  void act() {
    if (ids_.size() < 3 || dice_.below(10) == 0) {
      if (const auto id = stack_.connect(kServer)) ids_.push_back(*id);
    }
    const std::size_t which = static_cast<std::size_t>(dice_.below(ids_.size()));
    const std::uint64_t what = dice_.below(100);
    if (what < 80) {
      (void)stack_.write(ids_[which], Octets(static_cast<std::size_t>(dice_.below(9000)), 'x'));
      return;
    }
    if (what < 90) (void)stack_.close(ids_[which]);
    if (what >= 97) (void)stack_.abort(ids_[which]);
    if (what < 90 || what >= 97) ids_.erase(ids_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void add_noise(std::vector<Packet>& packets) {
    for (std::size_t i = packets.size(); i-- > 0;) {
      const std::uint64_t fate = dice_.below(100);
      if (fate < 3) packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(i));
      if (fate >= 3 && fate < 6) packets.push_back(packets[i]);
      if (fate >= 6 && fate < 12) packets.push_back(damaged(packets[i]));
      if (fate >= 12 && fate < 16) std::swap(packets[i], packets[dice_.below(packets.size())]);
      if (fate >= 16 && fate < 20) packets.push_back(made_up());
    }
  }

  // Anything may be wrong with it, and the checksums perhaps vouched for.
  Packet damaged(Packet packet) {
    if (dice_.below(2) == 0) packet.meta.checksum = ChecksumStatus::Verified;
    for (std::uint64_t n = dice_.below(3); n-- > 0;) {
      packet.octets[dice_.below(std::min<std::size_t>(packet.octets.size(), 44))] ^=
          static_cast<std::uint8_t>(1U << dice_.below(8));
    }
    if (dice_.below(4) == 0) packet.octets.resize(dice_.below(packet.octets.size() + 1));
    return packet;
  }

  // SYNs, RSTs, ACKs of connections that may be there, and to a port where nobody listens.
  Packet made_up() {
    SegmentBuilder segment(
        {IpAddress{192, 0, 2, 1}, static_cast<std::uint16_t>(40'000 + dice_.below(4))}, kServer);
    if (dice_.below(5) == 0) segment.to_port(81);
    segment.seq(static_cast<std::uint32_t>(dice_.below(5000))).window(1000);
    const std::uint64_t kind = dice_.below(4);
    if (kind == 0) segment.syn().mss(1460);
    if (kind == 1) segment.rst();
    if (kind >= 2) segment.ack(static_cast<std::uint32_t>(dice_.below(5000)));
    return {segment.build(), {}};
  }

  SeededRandom dice_;
  SeededRandom random_;
  Stack stack_;
  std::vector<ConnectionId> ids_;
};

bool are_equal(const Counters& one, const Counters& other) {
  static_assert(std::has_unique_object_representations_v<Counters>);
  return std::memcmp(&one, &other, sizeof one) == 0;
}

void expect_same(EchoServer& one, EchoServer& other) {
  EXPECT_EQ(one.log(), other.log());
  EXPECT_TRUE(are_equal(one.stack().counters(), other.stack().counters()));
  EXPECT_EQ(one.stack().memory_octets(), other.stack().memory_octets());
  EXPECT_EQ(one.stack().connection_count(), other.stack().connection_count());
  EXPECT_EQ(one.stack().syn_received_count(), other.stack().syn_received_count());
  EXPECT_EQ(one.stack().time_wait_count(), other.stack().time_wait_count());
  EXPECT_EQ(one.stack().timer_count(), other.stack().timer_count());
  EXPECT_EQ(one.stack().next_deadline(), other.stack().next_deadline());
}

class BatchInput : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(BatchInput, HasTheOutcomeOfItsPacketsOneByOne) {
  const std::uint64_t seed = GetParam();
  EchoServer single(seed);
  EchoServer batched(seed);
  NoisyClient client(seed);
  SeededRandom dice(seed);
  Instant now{};
  std::size_t packet_count = 0;
  for (int step = 0; step < 400; ++step) {
    now += Duration(static_cast<Duration::rep>(dice.below(1U << (10 + dice.below(20)))));
    const std::vector<Packet> packets = client.work(now);
    packet_count += packets.size();

    // Both have all buffers of a batch before either gives up the first.
    std::vector<RxBuffer> one_by_one;
    std::vector<RxBuffer> batch;
    for (const Packet& packet : packets) {
      one_by_one.push_back(buffer_of(single.stack(), packet));
      batch.push_back(buffer_of(batched.stack(), packet));
      ASSERT_EQ(static_cast<bool>(one_by_one.back()), static_cast<bool>(batch.back()));
      if (batch.back()) continue;
      one_by_one.pop_back();
      batch.pop_back();
    }
    for (RxBuffer& buffer : one_by_one) single.stack().receive(std::move(buffer), now);
    batched.stack().receive(std::span<RxBuffer>(batch), now);
    for (const RxBuffer& buffer : batch) EXPECT_FALSE(buffer) << "a buffer that was not taken";

    single.work(now);
    batched.work(now);
    const std::vector<Packet> sent = everything_from(single.stack(), now);
    const std::vector<Packet> sent_batched = everything_from(batched.stack(), now);
    ASSERT_EQ(sent.size(), sent_batched.size()) << "step " << step;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_EQ(sent[i].octets, sent_batched[i].octets) << "step " << step;
      ASSERT_EQ(sent[i].meta.gso_size_octets, sent_batched[i].meta.gso_size_octets);
    }
    expect_same(single, batched);
    if (HasFailure()) FAIL() << "step " << step;
    for (const Packet& packet : sent) client.receive(packet, now);
  }
  EXPECT_GT(packet_count, 500U);
  EXPECT_GT(single.stack().counters().tcp_passive_opens, 3U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BatchInput, ::testing::Range<std::uint64_t>(1, 31));

TEST(BatchInput, AnEmptyBatchIsTheTimeAlone) {
  EchoServer server(1);
  server.stack().receive(std::span<RxBuffer>(), Instant(5s));
  EXPECT_EQ(server.stack().now(), Instant(5s));
  EXPECT_TRUE(are_equal(server.stack().counters(), Counters{}));
}

// The second packet of the batch is for what the first one opens, the fourth for what the third
// one has closed.
TEST(BatchInput, PacketsMeetWhatEarlierOnesOfTheirBatchHaveDone) {
  EchoServer server(1);
  Instant now{};
  const auto receive = [&](const std::vector<SegmentBuilder>& segments) {
    std::vector<RxBuffer> batch;
    for (const SegmentBuilder& segment : segments) {
      batch.push_back(buffer_of(server.stack(), {segment.build(), {}}));
    }
    server.stack().receive(std::span<RxBuffer>(batch), now);
    return everything_from(server.stack(), now);
  };
  const SegmentBuilder peer({IpAddress{192, 0, 2, 1}, 1024}, kServer);
  const auto from_peer = [&](std::uint32_t seq) {
    return SegmentBuilder(peer).seq(seq).window(1000);
  };
  const auto syn_acks = receive({from_peer(100).syn(), from_peer(100).syn()});
  ASSERT_EQ(syn_acks.size(), 2U) << "one record, which answers the second time too";
  EXPECT_EQ(server.stack().syn_received_count(), 1U);
  const auto syn_ack = SentSegment::parse(syn_acks[0].octets, {}, now);
  ASSERT_TRUE(syn_ack);
  const auto answers = receive({from_peer(101).ack(syn_ack->seq + 1), from_peer(101).rst(),
                                from_peer(101).ack(syn_ack->seq + 1)});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(SentSegment::parse(answers[0].octets, {}, now)->flags.rst)
      << "nobody is there any more";
  EXPECT_EQ(server.stack().counters().tcp_passive_opens, 1U);
  EXPECT_EQ(server.stack().syn_received_count(), 0U);
}

}  // namespace
}  // namespace runnel::test
