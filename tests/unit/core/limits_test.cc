// What a stack holds is limited, and given back.
#include <algorithm>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using StackLimits = TcpTester;

TEST_F(StackLimits, ConnectionsAreLimited) {
  Config config;
  config.maximum_connections = 2;
  rebuild(config);
  EXPECT_TRUE(try_connect({kPeer.address, 1}));
  EXPECT_TRUE(try_connect({kPeer.address, 2}));
  EXPECT_EQ(try_connect({kPeer.address, 3}).error(), Errc::no_buffer_space);
}

TEST_F(StackLimits, PassiveConnectionsAreLimitedToo) {
  Config config;
  config.maximum_connections = 2;
  rebuild(config);
  listen();
  for (std::uint16_t port = 1; port <= 5; ++port) {
    send(segment().from_port(port).syn().seq(1).mss(1460));
    if (const auto syn_ack = next_sent(); syn_ack && syn_ack->flags.syn) {
      send(segment().from_port(port).seq(2).ack(syn_ack->seq + 1));
    }
  }
  EXPECT_LE(stack().connection_count(), 2U);
  EXPECT_GT(dropped(DropReason::TcpConnectionsFull), 0U);
}

TEST_F(StackLimits, WithASpentBudgetWritingSaysSoAndRecovers) {
  Config config;
  config.memory_budget_octets = std::size_t{1} << 20U;
  config.tcp.send_buffer_octets = std::size_t{4} << 20U;
  rebuild(config);
  establish_passive();
  std::uint32_t taken = 0;
  std::error_code error;
  for (int i = 0; i < 5000 && !error; ++i) {
    const auto written = write_octets(1000);
    if (written) taken += static_cast<std::uint32_t>(*written);
    error = written.error();
  }
  EXPECT_EQ(error, Errc::no_buffer_space);
  EXPECT_LE(stack().memory_octets(), config.memory_budget_octets);
  // The peer takes everything; then there is room again.
  std::uint32_t acknowledged = 0;
  for (int i = 0; i < 5000 && acknowledged < taken; ++i) {
    for (const SentSegment& sent : all_sent()) {
      acknowledged = std::max(acknowledged, sent.seq + sent.length() - our(0));
    }
    send(ack_segment(0, acknowledged));
    advance(1ms);
  }
  EXPECT_EQ(acknowledged, taken);
  EXPECT_TRUE(take_event(EventKind::Writable));
  EXPECT_TRUE(write("x"));
}

TEST_F(StackLimits, WithASpentBudgetReceivingDropsAndCounts) {
  Config config;
  config.memory_budget_octets = 16 * 1024;
  rebuild(config);
  establish_passive();
  for (std::uint32_t i = 0; i < 200; ++i) {
    send(ack_segment(i * 1460, 0).payload(pattern(0, 1460)));
  }
  EXPECT_LE(stack().memory_octets(), config.memory_budget_octets);
  EXPECT_GT(counters().dropped_total(), 0U);
  EXPECT_TRUE(abort());
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(StackLimits, MemoryReturnsToZero) {
  establish_passive();
  EXPECT_TRUE(write_octets(100'000));
  send(ack_segment(0, 0).payload(pattern(0, 1000)));
  send(ack_segment(5000, 0).payload(pattern(0, 1000)));
  EXPECT_GT(stack().memory_octets(), 0U);
  EXPECT_TRUE(abort());
  (void)take_events();
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
  EXPECT_EQ(stack().connection_count(), 0U);
}

TEST_F(StackLimits, AnRxBufferTakesAPacketWithoutACopy) {
  listen();
  RxBuffer buffer = stack().acquire_rx_buffer();
  ASSERT_TRUE(buffer);
  const auto packet = segment().syn().seq(1).mss(1460).build();
  ASSERT_GE(buffer.space().size(), 65535U);
  std::copy(packet.begin(), packet.end(), buffer.space().begin() + 10);
  buffer.set_packet(10, packet.size());
  stack().receive(std::move(buffer), now());
  EXPECT_FALSE(buffer);
  pump();
  EXPECT_THAT(next_sent(), IsSynAck());
}

TEST_F(StackLimits, AnUnusedRxBufferGoesBack) {
  {
    const RxBuffer buffer = stack().acquire_rx_buffer();
    EXPECT_GT(stack().memory_octets(), 0U);
  }
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(StackLimits, AStackMayBeMoved) {
  listen();
  Stack moved = std::move(stack());
  moved.receive(segment().syn().seq(1).mss(1460).build(), now());
  TxFrame frame;
  EXPECT_TRUE(moved.poll_transmit(frame, now()));
  stack() = std::move(moved);
  EXPECT_EQ(stack().syn_received_count(), 1U);
}

TEST_F(StackLimits, RandomOctetsAreOnlyCounted) {
  establish_passive();
  SeededRandom dice(99);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::uint8_t> packet = ack_segment(0, 0).payload("data").build();
    const std::uint64_t flips = dice.below(8) + 1;
    for (std::uint64_t flip = 0; flip < flips; ++flip) {
      packet[dice.below(packet.size())] ^= static_cast<std::uint8_t>(1U << dice.below(8));
    }
    packet.resize(dice.below(packet.size() + 1));
    PacketMeta meta;  // the checksums would keep almost everything out
    meta.checksum = ChecksumStatus::Verified;
    stack().receive(packet, now(), meta);
  }
  EXPECT_GT(counters().dropped_total(), 10'000U);
  EXPECT_GE(counters().ip_in_receives, 20'000U);
}

}  // namespace
}  // namespace runnel::test
