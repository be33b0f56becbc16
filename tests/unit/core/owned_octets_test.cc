// Octets that change owners instead of being copied: take(), write(Buffer), forward().
#include <algorithm>
#include <array>
#include <numeric>

#include "tests/support/matchers.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class OwnedOctets : public TcpTester {
 protected:
  void begin() {
    establish_passive();
    ASSERT_TRUE(stack().set_nagle(id(), false));
  }
  std::string take(std::size_t most = SIZE_MAX) {
    const auto octets = stack().take(id(), most);
    pump();
    return octets ? std::string(as_text(octets->bytes())) : octets.error().message();
  }
  std::string sent_text() {
    std::string text;
    for (const SentSegment& segment : all_sent()) {
      text.append(segment.payload);
    }
    return text;
  }
};

// --- Taking --------------------------------------------------------------------------------------

TEST_F(OwnedOctets, TakeGivesWhatReadWould) {
  begin();
  EXPECT_EQ(stack().take(id()).error(), Errc::would_block);
  send(ack_segment(0, 0).payload("hello there"));
  EXPECT_EQ(stack().take(id(), 0).error(), Errc::would_block);
  EXPECT_EQ(take(5), "hello");
  EXPECT_EQ(stack().readable_octets(id()), 6U);
  EXPECT_EQ(take(), " there");
  send(ack_segment(11, 0).fin());
  const auto end = stack().take(id());
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->empty());
  send(ack_segment(12, 0).rst());
  EXPECT_EQ(stack().take(ConnectionId{}).error(), Errc::invalid_handle);
}

TEST_F(OwnedOctets, TakenOctetsAreReadAndTheWindowOpens) {
  Config config;
  config.tcp.receive_buffer_octets = 10'000;
  rebuild(config);
  begin();
  for (std::uint32_t i = 0; i < 10; ++i) {
    send(ack_segment(i * 1000, 0).payload(pattern(i * 1000, 1000)));
  }
  EXPECT_LT(announced_window(), 1000U);
  std::string got;
  std::vector<Buffer> kept;
  while (auto octets = stack().take(id())) {
    got += as_text(octets->bytes());
    kept.push_back(std::move(*octets));
  }
  pump();
  EXPECT_EQ(got, pattern(0, 10'000));
  EXPECT_GE(announced_window(), 9000U);
  EXPECT_GE(stack().memory_octets(), 10'000U) << "held by the application";
  kept.clear();
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(OwnedOctets, OctetsThatWereTakenOutliveTheConnection) {
  begin();
  send(ack_segment(0, 0).payload("to be kept"));
  auto octets = stack().take(id());
  ASSERT_TRUE(octets);
  ASSERT_TRUE(abort());
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(as_text(octets->bytes()), "to be kept");
  *octets = {};
  forget_sent();
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(OwnedOctets, ASuperPacketIsTakenWhereItArrived) {
  TcpConfig tcp;
  tcp.timestamps = false;
  ignore_timestamps_default();
  rebuild(tcp);
  begin();
  const std::string text = pattern(0, 60'000);
  const std::vector<std::uint8_t> packet = ack_segment(0, 0).payload(text).build();
  RxBuffer block = stack().acquire_rx_buffer();
  std::copy(packet.begin(), packet.end(), block.space().begin());
  const std::uint8_t* const where = block.space().data();
  const std::size_t room = block.space().size();
  block.set_packet(0, packet.size());
  stack().receive(std::move(block), now());
  const auto octets = stack().take(id());
  ASSERT_TRUE(octets);
  EXPECT_EQ(as_text(octets->bytes()), text);
  EXPECT_GE(octets->bytes().data(), where);
  EXPECT_LT(octets->bytes().data(), where + room);
}

TEST_F(OwnedOctets, OneOctetSegmentsDoNotPinBlocks) {
  begin();
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const std::vector<std::uint8_t> packet = ack_segment(i, 0).payload("x").build();
    RxBuffer block = stack().acquire_rx_buffer();
    std::copy(packet.begin(), packet.end(), block.space().begin());
    block.set_packet(0, packet.size());
    stack().receive(std::move(block), now());
  }
  std::vector<Buffer> taken;
  while (auto octets = stack().take(id())) taken.push_back(std::move(*octets));
  EXPECT_LE(stack().memory_octets(), 8192U);
  EXPECT_EQ(std::accumulate(taken.begin(), taken.end(), std::size_t{0},
                            [](std::size_t sum, const Buffer& b) { return sum + b.size(); }),
            2000U);
}

TEST_F(OwnedOctets, TheUrgentOctetOutOfLineIsNotTaken) {
  TcpConfig tcp;
  tcp.urgent_inline = false;
  rebuild(tcp);
  begin();
  send(ack_segment(0, 0).payload("before!after").urg(7));
  EXPECT_EQ(take(), "before");
  EXPECT_EQ(take(), "after");
}

// --- Writing -------------------------------------------------------------------------------------

TEST_F(OwnedOctets, WritesBuffersOfEveryKindInOrder) {
  begin();
  static const std::string fixed = pattern(3000, 3000);
  EXPECT_EQ(stack().write(id(), Buffer(pattern(0, 3000))).value_or(0), 3000U);
  EXPECT_EQ(stack().write(id(), Buffer::of_static(as_bytes(fixed))).value_or(0), 3000U);
  EXPECT_EQ(stack().write(id(), Buffer(pattern(6000, 10))).value_or(0), 10U);
  EXPECT_EQ(stack().write(id(), as_bytes(pattern(6010, 90))).value_or(0), 90U);
  EXPECT_EQ(stack().write(id(), Buffer()).value_or(1), 0U);
  pump();
  EXPECT_EQ(sent_text(), pattern(0, 6100));
  send(ack_segment(0, 6100));
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(OwnedOctets, WhatIsTakenIsRemovedAndWritableFollowsForTheRest) {
  Config config;
  config.tcp.send_buffer_octets = 10'000;
  rebuild(config);
  begin();
  Buffer data(pattern(0, 25'000));
  EXPECT_EQ(stack().write(id(), data).value_or(0), 10'000U);
  EXPECT_EQ(data.size(), 15'000U);
  EXPECT_EQ(stack().write(id(), data).error(), Errc::would_block);
  EXPECT_EQ(data.size(), 15'000U);
  std::uint32_t acknowledged = 0;
  std::string text;
  pump();
  while (acknowledged < 25'000) {
    const std::string more = sent_text();
    ASSERT_FALSE(more.empty());
    text += more;
    acknowledged += static_cast<std::uint32_t>(more.size());
    send(ack_segment(0, acknowledged));
    if (!data.empty() && take_event(EventKind::Writable)) {
      EXPECT_TRUE(stack().write(id(), std::move(data)));
      pump();
    }
  }
  EXPECT_EQ(text, pattern(0, 25'000));
  EXPECT_TRUE(data.empty());
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(OwnedOctets, MemoryIsHeldUntilItIsAcknowledgedAndForRetransmissions) {
  begin();
  const std::string text = pattern(0, 5000);
  bool is_released = false;
  ASSERT_TRUE(stack().write(id(), Buffer::adopt(as_bytes(text), [&] { is_released = true; })));
  EXPECT_GE(stack().memory_octets(), 5000U) << "charged while it is in the queue";
  pump();
  EXPECT_EQ(sent_text(), text);
  send(ack_segment(0, 4999));
  EXPECT_FALSE(is_released);
  advance(2s);
  const auto again = next_sent();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->seq, our(4999));
  EXPECT_EQ(again->payload, text.substr(4999));
  send(ack_segment(0, 5000));
  EXPECT_TRUE(is_released);
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(OwnedOctets, MemoryIsReleasedWhenTheConnectionEnds) {
  begin();
  bool is_released = false;
  const std::string text = pattern(0, 5000);
  ASSERT_TRUE(stack().write(id(), Buffer::adopt(as_bytes(text), [&] { is_released = true; })));
  pump();
  send(ack_segment(0, 0).rst());
  EXPECT_TRUE(is_released);
}

TEST_F(OwnedOctets, WriteRefusesAsItDoesForBytes) {
  begin();
  ASSERT_TRUE(shutdown_write());
  Buffer data(pattern(0, 5000));
  EXPECT_EQ(stack().write(id(), data).error(), Errc::broken_pipe);
  EXPECT_EQ(data.size(), 5000U);
  EXPECT_EQ(stack().write(ConnectionId{}, data).error(), Errc::invalid_handle);
}

TEST_F(OwnedOctets, TheApplicationsMemoryIsLimitedByTheBudget) {
  Config config;
  config.memory_budget_octets = std::size_t{1} << 20U;
  config.tcp.send_buffer_octets = std::size_t{4} << 20U;
  rebuild(config);
  begin();
  Buffer data(std::string(std::size_t{4} << 20U, 'x'));
  const auto written = stack().write(id(), data);
  ASSERT_TRUE(written);
  EXPECT_EQ(*written, config.memory_budget_octets / 2);
  EXPECT_EQ(stack().write(id(), data).error(), Errc::no_buffer_space);
  EXPECT_LE(stack().memory_octets(), config.memory_budget_octets / 2 + 1024);
}

TEST_F(OwnedOctets, StaticOctetsTakeNoMemory) {
  begin();
  static const std::string fixed = pattern(0, 500'000);
  ASSERT_EQ(stack().write(id(), Buffer::of_static(as_bytes(fixed))).value_or(0), 500'000U);
  EXPECT_LE(stack().memory_octets(), 1024U);
}

TEST_F(OwnedOctets, AnotherStacksOctetsAreCopied) {
  begin();
  send(ack_segment(0, 0).payload(pattern(0, 1400)));
  SeededRandom random(1);
  Stack other(Config{}, random);
  ASSERT_TRUE(other.add_address({{192, 0, 2, 99}, 24}));
  const auto waiting = other.connect({{192, 0, 2, 98}, 7});  // writes before it is established
  ASSERT_TRUE(waiting);
  {
    auto octets = stack().take(id());
    ASSERT_TRUE(octets);
    EXPECT_EQ(other.write(*waiting, *octets).value_or(0), 1400U);
  }
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_GE(other.memory_octets(), 1400U);
}

// --- Forwarding ----------------------------------------------------------------------------------

TEST_F(OwnedOctets, ForwardMovesWhatWasReceivedToTheSendQueue) {
  begin();
  EXPECT_EQ(stack().forward(id(), id()).error(), Errc::would_block);
  send(ack_segment(0, 0).payload(pattern(0, 1000)));
  forget_sent();
  const std::size_t before = stack().memory_octets();
  EXPECT_EQ(stack().forward(id(), id(), 600).value_or(0), 600U);
  EXPECT_EQ(stack().readable_octets(id()), 400U);
  EXPECT_EQ(stack().forward(id(), id()).value_or(0), 400U);
  EXPECT_LE(stack().memory_octets(), before + 2048);
  pump();
  EXPECT_EQ(sent_text(), pattern(0, 1000));
  send(ack_segment(1000, 1000).fin());
  EXPECT_EQ(stack().forward(id(), id()).value_or(1), 0U) << "the end";
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(OwnedOctets, ForwardLeavesUnreadWhatTheOtherSideDoesNotTake) {
  Config config;
  config.tcp.send_buffer_octets = 5000;
  rebuild(config);
  begin();
  peer_window = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    send(ack_segment(i * 1000, 0).payload(pattern(i * 1000, 1000)));
  }
  EXPECT_EQ(stack().forward(id(), id()).value_or(0), 5000U);
  EXPECT_EQ(stack().readable_octets(id()), 3000U);
  EXPECT_EQ(stack().forward(id(), id()).error(), Errc::would_block);
  peer_window = 65535;
  send(ack_segment(8000, 0));
  EXPECT_EQ(sent_text(), pattern(0, 5000));
  send(ack_segment(8000, 5000));
  EXPECT_TRUE(take_event(EventKind::Writable)) << "it can go on";
  EXPECT_EQ(stack().forward(id(), id()).value_or(0), 3000U);
  pump();
  EXPECT_EQ(sent_text(), pattern(5000, 3000));
}

TEST_F(OwnedOctets, ForwardGoesOnWhenTheBudgetIsSpentOnWhatItForwards) {
  Config config;
  config.memory_budget_octets = std::size_t{1} << 20U;
  config.tcp.receive_buffer_octets = std::size_t{4} << 20U;
  config.tcp.send_buffer_octets = std::size_t{4} << 20U;
  rebuild(config);
  begin();
  std::uint32_t sent = 0;
  while (dropped(DropReason::NoMemory) == 0 && sent < 2'000'000) {
    send(ack_segment(sent, 0).payload(pattern(sent, 1400)));
    sent += 1400;
  }
  ASSERT_EQ(stack().write(id(), as_bytes("more")).error(), Errc::no_buffer_space);
  const std::size_t used = stack().memory_octets();
  std::size_t moved = 0;
  while (const auto octets = stack().forward(id(), id())) moved += *octets;
  EXPECT_GE(moved, 500'000U);
  EXPECT_EQ(stack().readable_octets(id()), 0U);
  EXPECT_LE(stack().memory_octets(), used);
}

}  // namespace
}  // namespace runnel::test
