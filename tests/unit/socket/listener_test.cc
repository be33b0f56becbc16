// Listeners, and what is left when everything is closed.
#include "tests/unit/socket/socket_events.h"

namespace runnel::test {
namespace {

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
