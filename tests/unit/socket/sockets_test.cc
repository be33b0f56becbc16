// What sockets and listeners emit, in which order, and what their functions may do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/host_pair.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// A pair with one listener; every accepted socket goes to `on_server`.
class SocketEvents : public ::testing::Test {
 protected:
  static constexpr std::uint16_t kPort = 7;

  void SetUp() override {
    auto result = pair_.server().sockets.listen({IpAddress(), kPort});
    ASSERT_TRUE(result);
    listener_ = *result;
    listener_.on(events::connection, [this](TcpSocket socket) {
      server_ = socket;
      if (on_server_) on_server_(socket);
    });
  }

  // Connects; afterwards client_ and server_ are both established.
  void establish(std::function<void(TcpSocket)> on_server = {}) {
    on_server_ = std::move(on_server);
    auto socket = pair_.client().sockets.connect({pair_.server().address, kPort});
    ASSERT_TRUE(socket);
    client_ = *socket;
    pair_.run_for(10ms);
    ASSERT_TRUE(client_.is_open());
    ASSERT_TRUE(server_.is_open());
  }

  // Notes everything that `socket` emits under its name.
  void note_everything(TcpSocket socket, const std::string& name) {
    socket.on(events::connected, [this, name] { log_.push_back(name + " connect"); });
    socket.on(events::data, [this, name](Bytes octets) {
      log_.push_back(name + " data " + std::string(as_text(octets)));
    });
    socket.on(events::drain, [this, name] { log_.push_back(name + " drain"); });
    socket.on(events::end, [this, name] { log_.push_back(name + " end"); });
    socket.on(events::error, [this, name](std::error_code error) {
      log_.push_back(name + " error " + error.message());
    });
    socket.on(events::timeout, [this, name] { log_.push_back(name + " timeout"); });
    socket.on(events::close, [this, name] { log_.push_back(name + " close"); });
  }

  // What one side has noted.
  [[nodiscard]] std::vector<std::string> log_of(const std::string& name) const {
    std::vector<std::string> lines;
    for (const std::string& line : log_) {
      if (line.starts_with(name + ' ')) lines.push_back(line.substr(name.size() + 1));
    }
    return lines;
  }

  HostPair pair_;
  TcpListener listener_;
  std::function<void(TcpSocket)> on_server_;
  TcpSocket client_;
  TcpSocket server_;
  std::vector<std::string> log_;
};

// --- Order ---

TEST_F(SocketEvents, AWholeLifeInOrder) {
  auto socket = pair_.client().sockets.connect({pair_.server().address, kPort});
  ASSERT_TRUE(socket);
  note_everything(*socket, "client");
  on_server_ = [this](TcpSocket peer) {
    note_everything(peer, "server");
    peer.on(events::data, [peer](Bytes) mutable { EXPECT_TRUE(peer.write(as_bytes("pong"))); });
  };
  socket->on(events::connected, [socket]() mutable {
    EXPECT_TRUE(socket->write(as_bytes("ping")));
  });
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

// --- Ending inside of functions ---

TEST_F(SocketEvents, ClosingInsideOfItsOwnDataFunction) {
  establish();
  note_everything(server_, "server");
  server_.on(events::data, [this](Bytes) { EXPECT_TRUE(server_.close()); });
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(1s);
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "server close"), 1);
  EXPECT_FALSE(server_.is_open());
}

TEST_F(SocketEvents, AbortingInsideOfItsOwnDataFunction) {
  establish();
  note_everything(server_, "server");
  note_everything(client_, "client");
  server_.on(events::data, [this](Bytes) { EXPECT_TRUE(server_.abort()); });
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(1s);
  EXPECT_FALSE(server_.is_open());
  EXPECT_THAT(log_, ElementsAre("server data x", "server close",
                                "client error " + make_error_code(Errc::connection_reset).message(),
                                "client close"));
}

TEST_F(SocketEvents, ConnectingInsideOfACloseFunction) {
  establish();
  int connections = 0;
  client_.on(events::close, [&] {
    auto again = pair_.client().sockets.connect({pair_.server().address, kPort});
    ASSERT_TRUE(again);
    again->on(events::connected, [&connections] { ++connections; });
  });
  EXPECT_TRUE(client_.close());
  EXPECT_TRUE(server_.close());
  pair_.run_for(1s);
  EXPECT_EQ(connections, 1);
}

TEST_F(SocketEvents, CloseIsEmittedOnceWhateverHappens) {
  establish();
  int closes = 0;
  client_.on(events::close, [&] { ++closes; });
  EXPECT_TRUE(client_.close());
  (void)client_.abort();
  (void)client_.close();
  pair_.run_for(5min);
  EXPECT_EQ(closes, 1);
  EXPECT_EQ(client_.close().error(), Errc::invalid_handle);
  EXPECT_EQ(client_.on(events::close, [] {}).value, 0U) << "nothing is registered on it";
}

// --- Errors ---

TEST_F(SocketEvents, ARefusalIsErrorThenClose) {
  auto socket = pair_.client().sockets.connect({pair_.server().address, 9999});
  ASSERT_TRUE(socket);
  note_everything(*socket, "client");
  pair_.run_for(1s);
  EXPECT_THAT(log_,
              ElementsAre("client error " + make_error_code(Errc::connection_refused).message(),
                          "client close"));
  EXPECT_FALSE(socket->is_open());
}

TEST_F(SocketEvents, AResetIsErrorThenClose) {
  establish();
  note_everything(client_, "client");
  EXPECT_TRUE(server_.abort());
  pair_.run_for(1s);
  EXPECT_THAT(log_, ElementsAre("client error " + make_error_code(Errc::connection_reset).message(),
                                "client close"));
}

TEST_F(SocketEvents, WhatWasReadBeforeAResetWasRead) {
  establish();
  note_everything(client_, "client");
  EXPECT_TRUE(server_.write(as_bytes("last words")));
  pair_.run_for(10ms);
  EXPECT_TRUE(server_.abort());
  pair_.run_for(10ms);
  ASSERT_EQ(log_.size(), 3U);
  EXPECT_EQ(log_[0], "client data last words");
}

TEST_F(SocketEvents, NobodyThereIsATimeout) {
  pair_.set_link_up(false);
  auto socket = pair_.client().sockets.connect({pair_.server().address, kPort});
  ASSERT_TRUE(socket);
  note_everything(*socket, "client");
  pair_.run_for(10min);
  EXPECT_THAT(log_, ElementsAre("client error " + make_error_code(Errc::timed_out).message(),
                                "client close"));
}

// --- End and half-close ---

TEST_F(SocketEvents, WithoutHalfOpenTheOtherSideIsClosedByItself) {
  establish();
  note_everything(server_, "server");
  note_everything(client_, "client");
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(2min);
  EXPECT_THAT(log_of("server"), ElementsAre("end", "close"));
  EXPECT_THAT(log_of("client"), ElementsAre("end", "close"));
}

TEST_F(SocketEvents, WithHalfOpenTheApplicationClosesWhenItLikes) {
  establish();
  server_.allow_half_open(true);
  note_everything(server_, "server");
  note_everything(client_, "client");
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(5min);
  EXPECT_THAT(log_, ElementsAre("server end"));
  EXPECT_TRUE(server_.is_open());
  EXPECT_TRUE(server_.write(as_bytes("the answer")));
  pair_.run_for(1s);
  EXPECT_TRUE(server_.close());
  pair_.run_for(2min);
  EXPECT_THAT(log_of("server"), ElementsAre("end", "close"));
  EXPECT_THAT(log_of("client"), ElementsAre("data the answer", "end", "close"));
}

TEST_F(SocketEvents, WhatWasWrittenInTheEndFunctionIsStillDelivered) {
  establish();
  server_.on(events::data, [](Bytes) {});
  server_.on(events::end, [this] { EXPECT_TRUE(server_.write(as_bytes("goodbye"))); });
  note_everything(client_, "client");
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(2min);
  EXPECT_THAT(log_, ElementsAre("client data goodbye", "client end", "client close"));
}

TEST_F(SocketEvents, EndComesAfterAllTheData) {
  establish();
  std::string got;
  bool has_ended = false;
  server_.on(events::data, [&](Bytes octets) {
    EXPECT_FALSE(has_ended);
    got += as_text(octets);
  });
  server_.on(events::end, [&] { has_ended = true; });
  const std::string text(50'000, 'z');
  EXPECT_EQ(client_.write(as_bytes(text)).value_or(0), text.size());
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(1s);
  EXPECT_EQ(got, text);
  EXPECT_TRUE(has_ended);
}

// --- Pause, resume, back-pressure ---

TEST_F(SocketEvents, PauseStopsTheFlowAndThenThePeer) {
  establish();
  std::size_t got = 0;
  server_.on(events::data, [&](Bytes octets) { got += octets.size(); });
  server_.pause();
  const std::string text(4 << 20, 'z');
  std::size_t written = client_.write(as_bytes(text)).value_or(0);
  client_.on(events::drain, [&] {
    written += client_.write(as_bytes(text).subspan(written)).value_or(0);
  });
  pair_.run_for(1min);
  EXPECT_EQ(got, 0U);
  EXPECT_LT(written, text.size()) << "both buffers are full";
  EXPECT_LE(pair_.server().stack.memory_octets(), std::size_t{4} << 20U);
  EXPECT_EQ(client_.info()->send_window_octets, 0U);
  server_.resume();
  pair_.run_for(1min);
  EXPECT_EQ(got, text.size());
}

TEST_F(SocketEvents, PausingInsideOfADataFunctionHoldsTheRest) {
  establish();
  std::string got;
  server_.on(events::data, [&](Bytes octets) {
    got += as_text(octets);
    server_.pause();
  });
  EXPECT_TRUE(client_.write(as_bytes("first")));
  pair_.run_for(100ms);
  EXPECT_TRUE(client_.write(as_bytes("second")));
  pair_.run_for(100ms);
  EXPECT_EQ(got, "first");
  server_.resume();
  pair_.run_for(100ms);
  EXPECT_EQ(got, "firstsecond");
}

TEST_F(SocketEvents, EndAndCloseWaitForAPausedReader) {
  establish();
  note_everything(server_, "server");
  server_.pause();
  EXPECT_TRUE(client_.write(as_bytes("unread")));
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(1min);
  EXPECT_TRUE(log_.empty());
  server_.resume();
  pair_.run_for(1s);
  ASSERT_GE(log_.size(), 2U);
  EXPECT_EQ(log_[0], "server data unread");
  EXPECT_EQ(log_[1], "server end");
}

TEST_F(SocketEvents, RegisteringDataStartsTheFlowOfWhatWaits) {
  establish();
  EXPECT_TRUE(client_.write(as_bytes("early")));
  pair_.run_for(100ms);
  std::string got;
  server_.on(events::data, [&](Bytes octets) { got += as_text(octets); });
  pair_.run_for(100ms);
  EXPECT_EQ(got, "early");
}

TEST_F(SocketEvents, DrainComesAfterAWriteThatFellShort) {
  establish();
  int drains = 0;
  client_.on(events::drain, [&] { ++drains; });
  server_.on(events::data, [](Bytes) {});
  EXPECT_TRUE(client_.write(as_bytes("fits")));
  pair_.run_for(1s);
  EXPECT_EQ(drains, 0);
  const std::string text(3 << 20, 'z');
  EXPECT_LT(client_.write(as_bytes(text)).value_or(0), text.size());
  pair_.run_for(1s);
  EXPECT_EQ(drains, 1);
}

// --- readable, read(), peek() ---

TEST_F(SocketEvents, ReadableIsForThoseWhoReadThemselves) {
  establish();
  std::string got;
  bool is_at_end = false;
  server_.on(events::readable, [&] {
    for (;;) {
      const auto view = server_.peek();
      if (!view) return;
      if (view->empty()) {
        is_at_end = true;
        return;
      }
      got += as_text(*view);
      ASSERT_TRUE(server_.consume(view->size()));
    }
  });
  EXPECT_TRUE(client_.write(as_bytes("by hand")));
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(1s);
  EXPECT_EQ(got, "by hand");
  EXPECT_TRUE(is_at_end);
}

TEST_F(SocketEvents, PlainCallsWithoutAnyFunction) {
  establish();
  EXPECT_TRUE(client_.write(as_bytes("plain")));
  pair_.run_for(10ms);
  std::array<std::uint8_t, 100> buffer{};
  EXPECT_EQ(server_.readable_octets(), 5U);
  const auto count = server_.read(buffer);
  ASSERT_TRUE(count);
  EXPECT_EQ(as_text(Bytes(buffer).first(*count)), "plain");
  EXPECT_EQ(server_.read(buffer).error(), Errc::would_block);
  EXPECT_GT(server_.writable_octets(), 0U);
  EXPECT_EQ(server_.local_endpoint()->port, kPort);
  EXPECT_EQ(server_.remote_endpoint()->address, pair_.client().address);
  EXPECT_EQ(name_of(server_.info()->state), "ESTABLISHED");
}

// --- Timeout ---

TEST_F(SocketEvents, TimeoutIsEmittedAndNothingIsClosed) {
  establish();
  note_everything(server_, "server");
  EXPECT_TRUE(server_.set_timeout(10s));
  pair_.run_for(9s);
  EXPECT_TRUE(log_.empty());
  pair_.run_for(1s);
  EXPECT_THAT(log_, ElementsAre("server timeout"));
  EXPECT_TRUE(server_.is_open());
}

// --- Listeners ---

TEST_F(SocketEvents, EveryConnectionFunctionGetsTheSocket) {
  int calls = 0;
  listener_.on(events::connection, [&](TcpSocket socket) {
    EXPECT_TRUE(socket.is_open());
    ++calls;
  });
  establish();
  EXPECT_EQ(calls, 1);
}

TEST_F(SocketEvents, WithoutAFunctionConnectionsWaitForAccept) {
  auto listener = pair_.server().sockets.listen({IpAddress(), 8});
  ASSERT_TRUE(listener);
  EXPECT_EQ(listener->accept().error(), Errc::would_block);
  auto socket = pair_.client().sockets.connect({pair_.server().address, 8});
  ASSERT_TRUE(socket);
  pair_.run_for(10ms);
  auto accepted = listener->accept();
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->is_open());
  EXPECT_EQ(listener->accept().error(), Errc::would_block);
}

TEST_F(SocketEvents, AFunctionRegisteredLateGetsWhatWaits) {
  auto listener = pair_.server().sockets.listen({IpAddress(), 8});
  ASSERT_TRUE(listener);
  auto socket = pair_.client().sockets.connect({pair_.server().address, 8});
  ASSERT_TRUE(socket);
  pair_.run_for(10ms);
  int calls = 0;
  listener->on(events::connection, [&](TcpSocket) { ++calls; });
  pair_.run_for(10ms);
  EXPECT_EQ(calls, 1);
}

TEST_F(SocketEvents, AListenerClosesOnceAndItsConnectionsGoOn) {
  establish();
  int closes = 0;
  listener_.on(events::close, [&] { ++closes; });
  EXPECT_TRUE(listener_.close());
  pair_.run_for(10ms);
  EXPECT_EQ(closes, 1);
  EXPECT_EQ(listener_.close().error(), Errc::invalid_handle);
  EXPECT_EQ(listener_.local_endpoint().error(), Errc::invalid_handle);
  std::string got;
  server_.on(events::data, [&](Bytes octets) { got += as_text(octets); });
  EXPECT_TRUE(client_.write(as_bytes("still here")));
  pair_.run_for(10ms);
  EXPECT_EQ(got, "still here");
  auto refused = pair_.client().sockets.connect({pair_.server().address, kPort});
  ASSERT_TRUE(refused);
  note_everything(*refused, "late");
  pair_.run_for(1s);
  EXPECT_THAT(log_, ElementsAre("late error " + make_error_code(Errc::connection_refused).message(),
                                "late close"));
}

TEST_F(SocketEvents, AListenerMayBeClosedInItsOwnFunction) {
  listener_.on(events::connection, [this](TcpSocket) { EXPECT_TRUE(listener_.close()); });
  establish();
  EXPECT_TRUE(client_.is_open());
}

TEST_F(SocketEvents, HandlesAreEqualWhenTheyNameTheSameConnection) {
  establish();
  const TcpSocket copy = server_;
  EXPECT_TRUE(copy == server_);
  EXPECT_EQ(copy.id(), server_.id());
  EXPECT_FALSE(TcpSocket() == server_);
}

TEST_F(SocketEvents, NothingIsLeftAfterwards) {
  establish();
  server_.on(events::data, [](Bytes) {});
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(10ms);
  EXPECT_TRUE(client_.close());
  EXPECT_TRUE(pair_.run_until_idle());
  EXPECT_FALSE(client_.is_open());
  EXPECT_FALSE(server_.is_open());
  for (Host* host : {&pair_.client(), &pair_.server()}) {
    EXPECT_EQ(host->stack.connection_count(), 0U);
    EXPECT_EQ(host->stack.memory_octets(), 0U);
    EXPECT_EQ(host->stack.timer_count(), 0U);
  }
}

TEST_F(SocketEvents, DispatchDoesAtMostWhatItIsAskedTo) {
  establish();
  note_everything(server_, "server");
  EXPECT_EQ(pair_.server().sockets.dispatch(0), 0U);
  EXPECT_EQ(&pair_.server().sockets.stack(), &pair_.server().stack);
}

}  // namespace
}  // namespace runnel::test
