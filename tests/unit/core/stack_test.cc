// The Stack's contract that is not TCP's: handles, events, addresses, memory.
#include <map>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class StackContract : public TcpTester {
 protected:
  void expect_every_call_says_invalid_handle(ConnectionId stale) {
    std::uint8_t octet = 0;
    EXPECT_EQ(stack().write(stale, {&octet, 1}).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().read(stale, {&octet, 1}).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().peek(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().consume(stale, 0).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().shutdown_write(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().close(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().abort(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().set_nagle(stale, true).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().set_keepalive(stale, true).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().set_user_timeout(stale, 1s).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().set_inactivity_timeout(stale, 1s).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().info(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().local_endpoint(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().remote_endpoint(stale).error(), Errc::invalid_handle);
    EXPECT_EQ(stack().writable_octets(stale), 0U);
    EXPECT_EQ(stack().readable_octets(stale), 0U);
  }
};

// --- Handles ---

TEST_F(StackContract, AHandleThatWasNeverGivenIsInvalid) {
  expect_every_call_says_invalid_handle({});
  expect_every_call_says_invalid_handle({0, 0});
  expect_every_call_says_invalid_handle({123456, 1});
  EXPECT_EQ(stack().accept({}).error(), Errc::invalid_handle);
  EXPECT_EQ(stack().close_listener({}).error(), Errc::invalid_handle);
}

TEST_F(StackContract, AHandleIsGoodUntilGivenUpAndClosed) {
  establish_passive();
  const ConnectionId handle = id();
  send(segment().rst().seq(their(0)));
  EXPECT_TRUE(take_event(EventKind::Closed));
  EXPECT_TRUE(stack().info(handle)) << "the application has not given it up";
  EXPECT_TRUE(close());
  expect_every_call_says_invalid_handle(handle);
}

TEST_F(StackContract, AHandleThatWasGivenUpIsGoodUntilClosedIsSent) {
  establish_passive();
  const ConnectionId handle = id();
  EXPECT_TRUE(close());
  EXPECT_TRUE(stack().info(handle));
  send(ack_segment(0, 1));
  send(ack_segment(0, 1).fin());
  EXPECT_TRUE(take_event(EventKind::Closed));
  expect_every_call_says_invalid_handle(handle);
}

TEST_F(StackContract, AStaleHandleNeverNamesTheNextConnection) {
  listen();
  ConnectionId first;
  for (std::uint16_t i = 0; i < 50; ++i) {
    const auto peer = [&] { return segment().from_port(static_cast<std::uint16_t>(1000 + i)); };
    send(peer().syn().seq(peer_iss).mss(1460));
    const auto syn_ack = next_sent();
    ASSERT_THAT(syn_ack, IsSynAck());
    send(peer().seq(their(0)).ack(syn_ack->seq + 1));
    ASSERT_TRUE(accept());
    if (i == 0) first = id();
    if (i > 0) {
      EXPECT_NE(id(), first);
      EXPECT_EQ(stack().info(first).error(), Errc::invalid_handle);
      EXPECT_EQ(stack().abort(first).error(), Errc::invalid_handle);
      EXPECT_EQ(name_of(state_of(id())), "ESTABLISHED");
    }
    EXPECT_TRUE(abort());
    (void)take_events();
    forget_sent();
  }
}

TEST_F(StackContract, AListenersStaleHandleIsInvalid) {
  listen();
  const ListenerId stale = listener();
  ASSERT_TRUE(stack().close_listener(stale));
  EXPECT_EQ(stack().close_listener(stale).error(), Errc::invalid_handle);
  EXPECT_EQ(stack().accept(stale).error(), Errc::invalid_handle);
  EXPECT_EQ(stack().local_endpoint(stale).error(), Errc::invalid_handle);
  listen();
  EXPECT_EQ(stack().accept(stale).error(), Errc::invalid_handle);
  EXPECT_EQ(stack().local_endpoint(listener()).value_or({}), kLocal);
}

TEST_F(StackContract, EndpointsAreThoseOfTheConnection) {
  establish_passive();
  EXPECT_EQ(stack().local_endpoint(id()).value_or({}), kLocal);
  EXPECT_EQ(stack().remote_endpoint(id()).value_or({}), kPeer);
}

// --- Events ---

TEST_F(StackContract, AnEventThatWaitsIsNotRepeated) {
  establish_passive();
  stack().advance(now());
  for (std::uint32_t i = 0; i < 20; ++i) {
    stack().receive(ack_segment(i, 0).payload("x").build(), now());
  }
  std::map<EventKind, int> count;
  for (const Event& event : take_events()) ++count[event.kind];
  EXPECT_EQ(count[EventKind::Readable], 1);
  EXPECT_EQ(read_all().size(), 20U);
  send(ack_segment(20, 0).payload("y"));
  EXPECT_TRUE(take_event(EventKind::Readable)) << "once fetched, the next may come";
}

TEST_F(StackContract, WritableComesOnlyAfterAWriteThatFellShort) {
  TcpConfig config;
  config.send_buffer_octets = 2000;
  config.nagle = false;
  rebuild(config);
  establish_passive();
  EXPECT_EQ(write_octets(1000).value_or(0), 1000U);
  send(ack_segment(0, 1000));
  EXPECT_FALSE(take_event(EventKind::Writable));
  EXPECT_EQ(stack().writable_octets(id()), 2000U);
  EXPECT_EQ(write_octets(3000).value_or(0), 2000U);
  EXPECT_EQ(stack().writable_octets(id()), 0U);
  EXPECT_EQ(write("x").error(), Errc::would_block);
  send(ack_segment(0, 3000));
  EXPECT_TRUE(take_event(EventKind::Writable));
  EXPECT_FALSE(take_event(EventKind::Writable));
  EXPECT_TRUE(write("x"));
}

TEST_F(StackContract, EventsOfAConnectionComeInTheOrderOfItsLife) {
  connect();
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  send(ack_segment(0, 0).payload("x").fin());
  EXPECT_EQ(read_all(), "x");
  EXPECT_TRUE(close());
  send(ack_segment(2, 1));
  std::vector<EventKind> kinds;
  for (const Event& event : take_events()) {
    EXPECT_EQ(event.connection, id());
    kinds.push_back(event.kind);
  }
  EXPECT_EQ(kinds, (std::vector<EventKind>{EventKind::Connected, EventKind::Readable,
                                           EventKind::Ended, EventKind::Closed}));
}

TEST_F(StackContract, ErrorComesBeforeClosedAndNothingAfter) {
  establish_passive();
  send(ack_segment(0, 0).payload("x"));
  send(segment().rst().seq(their(1)));
  const std::vector<Event> events = take_events();
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(events.back().kind, EventKind::Closed);
  EXPECT_EQ(events[events.size() - 2].kind, EventKind::Error);
  EXPECT_EQ(events[events.size() - 2].error, Errc::connection_reset);
  EXPECT_TRUE(close());
  advance(10min);
  EXPECT_TRUE(take_events().empty());
}

TEST_F(StackContract, IncomingNamesTheListener) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  EXPECT_FALSE(take_event(EventKind::Incoming)) << "not before the handshake is complete";
  send(ack_segment(0, 0));
  const auto event = take_event(EventKind::Incoming);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->listener, listener());
  EXPECT_FALSE(event->connection.is_set());
}

TEST_F(StackContract, WhatArrivedBeforeAcceptIsThereAfterwards) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0).payload("early"));
  send(ack_segment(5, 0).payload(" bird").fin());
  ASSERT_TRUE(accept());
  EXPECT_EQ(stack().readable_octets(id()), 10U);
  EXPECT_EQ(read_all(), "early bird");
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(StackContract, TheApplicationHearsOfWhatArrivedBeforeAccept) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0).payload("early"));
  ASSERT_TRUE(accept());
  // Either the events were queued under the id that accept() gives, or they are sent now.
  EXPECT_TRUE(take_event(EventKind::Readable));
}

// --- Reading and writing ---

TEST_F(StackContract, PeekAndConsumeReadWithoutACopy) {
  establish_passive();
  send(ack_segment(0, 0).payload("hello world"));
  const auto view = stack().peek(id());
  ASSERT_TRUE(view);
  EXPECT_EQ(as_text(*view), "hello world");
  EXPECT_TRUE(stack().consume(id(), 6));
  EXPECT_EQ(as_text(*stack().peek(id())), "world");
  EXPECT_EQ(stack().consume(id(), 6).error(), Errc::invalid_argument);
  EXPECT_EQ(stack().readable_octets(id()), 5U);
  EXPECT_TRUE(stack().consume(id(), 5));
  EXPECT_EQ(stack().peek(id()).error(), Errc::would_block);
  send(ack_segment(11, 0).fin());
  const auto end = stack().peek(id());
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->empty());
}

TEST_F(StackContract, ReadAfterCloseIsABrokenPipe) {
  establish_passive();
  EXPECT_TRUE(close());
  EXPECT_EQ(read_error(), Errc::broken_pipe);
  EXPECT_EQ(write("x").error(), Errc::broken_pipe);
  EXPECT_EQ(shutdown_write().error(), Errc::broken_pipe);
}

TEST_F(StackContract, WritingNothingWritesNothing) {
  establish_passive();
  EXPECT_EQ(write("").value_or(9), 0U);
  EXPECT_THAT(next_sent(), IsNothing());
}

// --- Addresses ---

TEST_F(StackContract, AnAddressMustBeAHostsOwn) {
  EXPECT_EQ(stack().add_address({kLocal.address, 24}).error(), Errc::address_in_use);
  for (const IpAddress& bad :
       {IpAddress(0, 0, 0, 0), IpAddress(224, 0, 0, 1), IpAddress(255, 255, 255, 255),
        IpAddress(127, 0, 0, 1), IpAddress(198, 51, 100, 0), IpAddress(198, 51, 100, 255)}) {
    EXPECT_EQ(stack().add_address({bad, 24}).error(), Errc::invalid_argument) << bad.to_string();
  }
  EXPECT_TRUE(stack().add_address({IpAddress(198, 51, 100, 1), 24}));
}

TEST_F(StackContract, ListeningNeedsAnAddressAndAPortThatExist) {
  EXPECT_EQ(stack().listen({kLocal.address, 0}).error(), Errc::invalid_argument);
  EXPECT_EQ(stack().listen({IpAddress(203, 0, 113, 1), 80}).error(), Errc::address_not_available);
}

TEST_F(StackContract, WithoutAnAddressNothingCanBeOpened) {
  SeededRandom random(1);
  Stack bare(Config{}, random);
  EXPECT_EQ(bare.connect(kPeer).error(), Errc::address_not_available);
}

// --- Time ---

TEST_F(StackContract, AnIdleStackHasNoDeadline) {
  EXPECT_EQ(stack().next_deadline(), kNever);
  establish_passive();
  EXPECT_EQ(stack().next_deadline(), kNever);
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(StackContract, TheDeadlineIsNeverLate) {
  connect();
  EXPECT_LE(stack().next_deadline(), now() + 1s);
  EXPECT_EQ(stack().now(), now());
}

}  // namespace
}  // namespace runnel::test
