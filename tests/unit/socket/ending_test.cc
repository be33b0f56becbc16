// How connections end, as their sockets tell it.
#include "tests/unit/socket/socket_events.h"

namespace runnel::test {
namespace {

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

TEST_F(SocketEvents, ClosingInsideOfItsOwnDataFunctionIsTheEndOfWriting) {
  establish();
  server_.on(events::data, [this](Bytes) {
    EXPECT_TRUE(server_.write(as_bytes("the answer")));
    EXPECT_TRUE(server_.close());
    EXPECT_EQ(server_.write(as_bytes("and more")).error(), Errc::broken_pipe);
    EXPECT_EQ(server_.shutdown_write().error(), Errc::broken_pipe);
  });
  note_everything(client_, "client");
  EXPECT_TRUE(client_.write(as_bytes("x")));
  pair_.run_for(1s);
  EXPECT_THAT(log_of("client"), ElementsAre("data the answer", "end", "close"));
}

TEST_F(SocketEvents, AResetOfAPausedReaderIsNoEnd) {
  establish();
  note_everything(server_, "server");
  server_.pause();
  EXPECT_TRUE(client_.write(as_bytes("unread")));
  EXPECT_TRUE(client_.shutdown_write());
  pair_.run_for(100ms);
  EXPECT_TRUE(server_.write(as_bytes("for nobody")));
  EXPECT_TRUE(client_.close());
  pair_.run_for(1s);
  EXPECT_THAT(log_of("server"),
              ElementsAre("error " + make_error_code(Errc::connection_reset).message(), "close"));
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

}  // namespace
}  // namespace runnel::test
