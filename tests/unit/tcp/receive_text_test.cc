// Text in order and out of order, and what happens when memory is short.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

// --- The budget ----------------------------------------------------------------------------------

LoneConnectionOptions short_of_memory(std::size_t budget_octets) {
  LoneConnectionOptions options;
  options.budget_octets = budget_octets;
  return options;
}

TEST(ReceiveMemory, TextBeyondTheBudgetIsDroppedAndNotAcknowledged) {
  LoneConnection host(short_of_memory(20'000));
  host.establish();
  std::uint32_t sent = 0;
  while (sent < 40'000) {  // a peer that sends on whatever is acknowledged
    host.arrive(host.text(sent, LoneConnection::pattern(sent, 1000)));
    sent += 1000;
  }
  const std::size_t held = host.tcp.readable_octets();
  EXPECT_GT(held, 5'000U);
  EXPECT_LE(held, 17'500U) << "seven eighths of the budget";
  EXPECT_LE(host.budget.used_octets(), 17'500U);
  EXPECT_GT(host.counters.dropped(DropReason::NoMemory), 0U);
  ASSERT_FALSE(host.sent.empty());
  EXPECT_EQ(host.sent.back().ack.value(), host.their(static_cast<std::uint32_t>(held)));
}

TEST(ReceiveMemory, WhatWasDroppedIsTakenWhenItComesAgain) {
  LoneConnection host(short_of_memory(20'000));
  host.establish();
  std::string received;
  for (int rounds = 0; received.size() < 200'000; ++rounds) {
    ASSERT_LT(rounds, 1000);
    const auto next = static_cast<std::uint32_t>(host.tcp.rcv().nxt.value() - host.their(0));
    for (std::uint32_t i = 0; i < 20; ++i) {
      host.arrive(host.text(next + i * 1000, LoneConnection::pattern(next + i * 1000, 1000)));
    }
    received += host.read_all();
  }
  EXPECT_EQ(received, LoneConnection::pattern(0, received.size()));
}

TEST(ReceiveMemory, AFinBehindTextThatWasDroppedIsNotReached) {
  LoneConnection host(short_of_memory(20'000));
  host.establish();
  const std::size_t ballast = host.budget.receive_room_octets() - 100;
  ASSERT_TRUE(host.budget.try_charge(ballast));
  const std::string text = LoneConnection::pattern(0, 1000);
  Segment last = host.text(0, text);
  last.flags.fin = true;
  host.arrive(last);
  EXPECT_EQ(host.tcp.state(), State::Established);
  EXPECT_EQ(host.tcp.readable_octets(), 0U);
  EXPECT_EQ(host.events.count(EventKind::Ended), 0U);
  host.budget.release(ballast);
  host.arrive(last);
  EXPECT_EQ(host.tcp.state(), State::CloseWait);
  EXPECT_EQ(host.read_all(), text);
}

// --- Out of order --------------------------------------------------------------------------------

TEST(OutOfOrderMemory, SingleOctetsCannotStopTheStream) {
  // Octets at every second place cost a block each, until the queue takes no more. What fills the
  // gaps must be taken all the same.
  LoneConnectionOptions options;
  options.config.receive_buffer_octets = 4096;
  LoneConnection host(options);
  host.establish();
  for (std::uint32_t at = 1; at < 4000; at += 2) {
    host.arrive(host.text(at, LoneConnection::pattern(at, 1)));
  }
  EXPECT_LE(host.budget.used_octets(), 2U * 4096 + 8192);
  for (std::uint32_t at = 0; at < 4000; at += 500) {
    host.arrive(host.text(at, LoneConnection::pattern(at, 500)));
  }
  EXPECT_EQ(host.read_all(), LoneConnection::pattern(0, 4000));
}

TEST(OutOfOrderMemory, OctetsBeyondAGapGiveWayToTheOnesThatFillIt) {
  // The budget is spent on what cannot be read yet: unless that gives way, nothing moves again.
  LoneConnection host(short_of_memory(20'000));
  host.establish();
  for (std::uint32_t at = 1000; at < 40'000; at += 1000) {
    host.arrive(host.text(at, LoneConnection::pattern(at, 1000)));
  }
  ASSERT_LT(host.tcp.info().out_of_order_octets, 39'000U);
  host.arrive(host.text(0, LoneConnection::pattern(0, 1000)));
  const std::string received = host.read_all();
  EXPECT_GE(received.size(), 1000U);
  EXPECT_EQ(received, LoneConnection::pattern(0, received.size()));
}

TEST(OutOfOrder, TheCopyThatCameFirstIsKept) {
  LoneConnection host;
  host.establish();
  host.arrive(host.text(2, "BB"));
  host.arrive(host.text(0, "aaaaaa"));
  EXPECT_EQ(host.read_all(), "aaBBaa");
}

TEST(OutOfOrder, EverySegmentBeyondAGapIsAnsweredAtOnce) {
  LoneConnection host;
  host.establish();
  for (std::uint32_t i = 1; i <= 3; ++i) host.arrive(host.text(i * 10, "0123456789"));
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 3U);
  for (const Sent& one : sent) {
    EXPECT_EQ(one.ack.value(), host.their(0));
    EXPECT_EQ(one.window, sent[0].window) << "or it would be no duplicate";
  }
}

TEST(OutOfOrder, AFinWaitsForTheTextBeforeIt) {
  LoneConnection host;
  host.establish();
  Segment fin = host.text(3, "def");
  fin.flags.fin = true;
  host.arrive(fin);
  EXPECT_EQ(host.tcp.state(), State::Established);
  host.arrive(host.text(0, "abc"));
  EXPECT_EQ(host.tcp.state(), State::CloseWait);
  EXPECT_EQ(host.read_all(), "abcdef");
  EXPECT_EQ(host.sent.back().ack.value(), host.their(7));
}

TEST(OutOfOrder, TextBehindTheFinIsNotTaken) {
  LoneConnection host;
  host.establish();
  Segment fin = host.text(3, "");
  fin.flags.fin = true;
  host.arrive(fin);
  host.arrive(host.text(0, "abcXYZ"));
  EXPECT_EQ(host.read_all(), "abc");
  EXPECT_EQ(host.tcp.state(), State::CloseWait);
}

// --- Blocks --------------------------------------------------------------------------------------

TEST(ReceiveBlocks, ALargeTextIsKeptWhereItArrived) {
  LoneConnection host;
  host.establish();
  const std::string text = LoneConnection::pattern(0, 40'000);
  Segment seg = host.text(0, text);
  seg.segment_count = 28;
  host.arrive(seg);
  EXPECT_EQ(host.pool.live_count(), 1U);
  EXPECT_EQ(host.read_all(), text);
  EXPECT_EQ(host.pool.live_count(), 0U);
}

TEST(ReceiveBlocks, SmallTextsDoNotPinTheBlocksTheyArriveIn) {
  LoneConnectionOptions options;
  options.receive_block_octets = buffer::SlabPool::kLargest;  // as the link's are
  LoneConnection host(options);
  host.establish();
  for (std::uint32_t i = 0; i < 1000; ++i) host.arrive(host.text(i, LoneConnection::pattern(i, 1)));
  EXPECT_LT(host.budget.used_octets(), 4000U);
  for (std::uint32_t i = 1002; i < 1100; i += 2) {
    host.arrive(host.text(i, LoneConnection::pattern(i, 1)));
  }
  EXPECT_LT(host.budget.used_octets(), 20'000U);
  EXPECT_EQ(host.read_all(), LoneConnection::pattern(0, 1000));
}

TEST(AfterClose, TextIsAnsweredWithAReset) {
  LoneConnection host;
  host.establish();
  host.tcp.close(host.now);
  host.pump();
  host.arrive(host.text(0, "too late"));
  EXPECT_EQ(host.tcp.state(), State::Closed);
  ASSERT_EQ(host.resets.list.size(), 1U);
  EXPECT_EQ(host.resets.list[0].seq, host.tcp.snd().nxt);
}

}  // namespace
}  // namespace runnel::tcp
