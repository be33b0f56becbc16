// Which functions run, in which order, and what they may change about that.
#include "tests/unit/socket/socket_events.h"

namespace runnel::test {
namespace {

// --- Order ---

TEST_F(SocketEvents, AWholeLifeInOrder) {
  auto socket = pair_.client().sockets.connect({pair_.server().address, kPort});
  ASSERT_TRUE(socket);
  note_everything(*socket, "client");
  on_server_ = [this](TcpSocket peer) {
    note_everything(peer, "server");
    peer.on(events::data, [peer](Bytes) mutable { EXPECT_TRUE(peer.write(as_bytes("pong"))); });
  };
  socket->on(events::connected,
             [socket]() mutable { EXPECT_TRUE(socket->write(as_bytes("ping"))); });
  socket->on(events::data, [socket](Bytes) mutable { EXPECT_TRUE(socket->close()); });
  pair_.run_for(1s);
  EXPECT_THAT(log_of("client"), ElementsAre("connect", "data pong", "close"));
  EXPECT_THAT(log_of("server"), ElementsAre("data ping", "end", "close"));
}

TEST_F(SocketEvents, FunctionsRunInTheOrderInWhichTheyWereAdded) {
  establish();
  for (int i = 0; i < 5; ++i) {
    server_.on(events::data, [this, i](Bytes) { log_.push_back(std::to_string(i)); });
  }
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(10ms);
  EXPECT_THAT(log_, ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(SocketEvents, EveryDataFunctionSeesTheSameOctets) {
  establish();
  std::string first;
  std::string second;
  server_.on(events::data, [&](Bytes octets) { first += as_text(octets); });
  server_.on(events::data, [&](Bytes octets) { second += as_text(octets); });
  EXPECT_TRUE(client_.write(as_bytes("to both")));
  pair_.run_for(10ms);
  EXPECT_EQ(first, "to both");
  EXPECT_EQ(second, "to both");
}

// --- Taking functions away, and adding them, inside of functions ---

TEST_F(SocketEvents, AFunctionThatWasTakenAwayRunsNoMore) {
  establish();
  const Subscription subscription =
      server_.on(events::data, [this](Bytes) { log_.push_back("first"); });
  server_.on(events::data, [this](Bytes) { log_.push_back("second"); });
  server_.off(subscription);
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(10ms);
  EXPECT_THAT(log_, ElementsAre("second"));
}

TEST_F(SocketEvents, AFunctionMayTakeItselfAway) {
  establish();
  Subscription subscription;
  subscription = server_.on(events::data, [&](Bytes) {
    log_.push_back("once");
    server_.off(subscription);
  });
  server_.on(events::data, [this](Bytes) { log_.push_back("always"); });
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(client_.write(as_bytes("x")));
    pair_.run_for(10ms);
  }
  EXPECT_THAT(log_, ElementsAre("once", "always", "always"));
}

TEST_F(SocketEvents, AFunctionMayTakeAwayOneThatIsStillToRun) {
  establish();
  Subscription second;
  server_.on(events::data, [&](Bytes) {
    log_.push_back("first");
    server_.off(second);
  });
  second = server_.on(events::data, [this](Bytes) { log_.push_back("second"); });
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(10ms);
  EXPECT_THAT(log_, ElementsAre("first"));
}

TEST_F(SocketEvents, AFunctionAddedDuringAnEventRunsFromTheNextOn) {
  establish();
  bool is_added = false;
  server_.on(events::data, [&](Bytes) {
    log_.push_back("old");
    if (is_added) return;
    is_added = true;
    server_.on(events::data, [this](Bytes) { log_.push_back("new"); });
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(client_.write(as_bytes("x")));
    pair_.run_for(10ms);
  }
  EXPECT_THAT(log_, ElementsAre("old", "old", "new"));
}

TEST_F(SocketEvents, ASubscriptionOfAnotherSocketIsHarmless) {
  establish();
  server_.off(Subscription{12345});
  server_.off(Subscription{});
  TcpSocket none;
  none.off(Subscription{1});
  EXPECT_EQ(none.on(events::close, [] {}).value, 0U);
  EXPECT_FALSE(none.is_open());
  EXPECT_EQ(none.write(as_bytes("x")).error(), Errc::invalid_handle);
}

}  // namespace
}  // namespace runnel::test
