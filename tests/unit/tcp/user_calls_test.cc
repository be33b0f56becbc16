// The application's calls where memory or the order of events matters.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

TEST(Write, StopsAtHalfOfTheBudgetAndSaysSo) {
  LoneConnectionOptions options;
  options.budget_octets = 400'000;
  LoneConnection host(options);
  host.establish();
  host.options.peer_window = 0;
  host.ack(0);
  while (host.write(10'000) > 0) {
  }
  // Blocks are whole: the last one may reach beyond.
  EXPECT_LE(host.budget.used_octets(), 200'000U + buffer::SlabPool::kLargest);
  EXPECT_GT(host.tcp.info().send_queue_octets, 100'000U);
  const auto refused = host.tcp.write(as_bytes("x"), host.now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::no_buffer_space);
  EXPECT_GT(host.tcp.writable_octets(), 0U) << "the queue has room, the stack has not";
}

TEST(Write, IsToldWhenThereIsMemoryAgain) {
  LoneConnectionOptions options;
  options.budget_octets = 20'000;
  LoneConnection host(options);
  host.establish();
  const std::size_t ballast = host.budget.send_room_octets();
  ASSERT_TRUE(host.budget.try_charge(ballast));
  EXPECT_EQ(host.tcp.write(as_bytes("hello"), host.now).error(), Errc::no_buffer_space);
  host.budget.release(ballast);
  host.tcp.memory_is_available();
  EXPECT_EQ(host.events.count(EventKind::Writable), 1U);
  host.tcp.memory_is_available();
  EXPECT_EQ(host.events.count(EventKind::Writable), 1U) << "once";
  EXPECT_EQ(host.write(5), 5U);
}

TEST(Write, IsToldWhenAnEighthOfTheQueueIsFree) {
  LoneConnectionOptions options;
  options.config.send_buffer_octets = 8 * 1460;
  LoneConnection host(options);
  host.establish();
  EXPECT_EQ(host.write(20 * 1460), 8U * 1460);
  EXPECT_EQ(host.tcp.write(as_bytes("x"), host.now).error(), Errc::would_block);
  host.ack(1460 - 1);
  EXPECT_EQ(host.events.count(EventKind::Writable), 0U);
  host.ack(1460);
  EXPECT_EQ(host.events.count(EventKind::Writable), 1U);
}

TEST(Write, OfNothingIsNothing) {
  LoneConnection host;
  host.establish();
  const auto none = host.tcp.write({}, host.now);
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, 0U);
  EXPECT_TRUE(host.take_sent().empty());
}

TEST(Write, AfterTheEndIsABrokenPipe) {
  LoneConnection host;
  host.establish();
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  EXPECT_EQ(host.tcp.write(as_bytes("x"), host.now).error(), Errc::broken_pipe);
  EXPECT_EQ(host.tcp.shutdown_write(host.now).error(), Errc::broken_pipe);
  EXPECT_EQ(host.tcp.writable_octets(), 0U);
}

TEST(Consume, TakesWhatPeekShowsAndNoMoreThanThereIs) {
  LoneConnection host;
  host.establish();
  host.arrive(host.text(0, "hello"));
  ASSERT_TRUE(host.tcp.peek());
  EXPECT_EQ(as_text(*host.tcp.peek()), "hello");
  EXPECT_EQ(host.tcp.consume(6, host.now).error(), Errc::invalid_argument);
  EXPECT_TRUE(host.tcp.consume(2, host.now));
  EXPECT_EQ(as_text(*host.tcp.peek()), "llo");
  EXPECT_TRUE(host.tcp.consume(3, host.now));
  EXPECT_EQ(host.tcp.peek().error(), Errc::would_block);
}

TEST(Peek, TellsTheEndOfTheStreamByNothing) {
  LoneConnection host;
  host.bring_to(State::CloseWait);
  ASSERT_TRUE(host.tcp.peek());
  EXPECT_TRUE(host.tcp.peek()->empty());
}

TEST(Events, ReadableIsToldOnceUntilItIsFetched) {
  LoneConnection host;
  host.establish();
  host.fetch_events();
  for (std::uint32_t i = 0; i < 100; ++i) host.arrive(host.text(i, LoneConnection::pattern(i, 1)));
  EXPECT_EQ(host.events.count(EventKind::Readable), 1U);
  host.fetch_events();
  host.arrive(host.text(100, "x"));
  EXPECT_EQ(host.events.count(EventKind::Readable), 1U);
}

TEST(Events, ClosedIsTheLastAndComesOnce) {
  LoneConnection reset;
  reset.establish();
  Segment rst = reset.segment(0, 0);
  rst.flags = {.rst = true};
  reset.arrive(rst);
  reset.arrive(rst);
  reset.tcp.abort(reset.now);
  EXPECT_EQ(reset.events.count(EventKind::Error), 1U);
  EXPECT_EQ(reset.events.count(EventKind::Closed), 1U);
  EXPECT_EQ(reset.events.list.back().kind, EventKind::Closed);
  EXPECT_EQ(reset.events.error_of(EventKind::Error), Errc::connection_reset);
}

TEST(Close, WithOctetsUnreadResets) {
  LoneConnection host;  // RFC 9293 section 3.6.1, SHLD-3
  host.establish();
  host.arrive(host.text(0, "unread"));
  host.tcp.close(host.now);
  host.pump();
  EXPECT_EQ(host.tcp.state(), State::Closed);
  EXPECT_EQ(host.resets.list.size(), 1U);
  EXPECT_EQ(host.pool.live_count(), 0U);
}

TEST(Abort, GivesEverythingBack) {
  LoneConnection host;
  host.establish();
  host.write(100'000);
  host.arrive(host.text(0, "unread"));
  host.arrive(host.text(100, "out of order"));
  host.tcp.abort(host.now);
  EXPECT_EQ(host.tcp.state(), State::Closed);
  EXPECT_EQ(host.pool.live_count(), 0U);
  EXPECT_EQ(host.budget.used_octets(), 0U);
  EXPECT_EQ(host.tcp.next_deadline(), kNever);
  ASSERT_EQ(host.resets.list.size(), 1U);
  EXPECT_EQ(host.resets.list[0].seq, host.tcp.snd().nxt);
}

TEST(Info, SaysWhatHappened) {
  LoneConnection host;
  host.establish();
  host.write(3 * 1460);
  host.ack(1460);
  host.arrive(host.text(0, "abc"));
  host.arrive(host.text(10, "xyz"));
  const TcpInfo info = host.tcp.info();
  EXPECT_EQ(info.state, State::Established);
  EXPECT_EQ(info.local, LoneConnection::kTuple.local);
  EXPECT_EQ(info.remote, LoneConnection::kTuple.remote);
  EXPECT_EQ(info.send_mss_octets, 1460);
  EXPECT_EQ(info.octets_sent, 3U * 1460);
  EXPECT_EQ(info.octets_acknowledged, 1460U);
  EXPECT_EQ(info.in_flight_octets, 2U * 1460);
  EXPECT_EQ(info.send_queue_octets, 2U * 1460);
  EXPECT_EQ(info.octets_received, 3U);
  EXPECT_EQ(info.receive_queue_octets, 3U);
  EXPECT_EQ(info.out_of_order_octets, 3U);
  EXPECT_EQ(info.segments_retransmitted, 0U);
}

}  // namespace
}  // namespace runnel::tcp
