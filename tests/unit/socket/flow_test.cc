// Data and back-pressure; reading by hand; timeouts.
#include "tests/unit/socket/socket_events.h"

namespace runnel::test {
namespace {

// --- Pause, resume, back-pressure ---

TEST_F(SocketEvents, PauseStopsTheFlowAndThenThePeer) {
  establish();
  std::size_t got = 0;
  server_.on(events::data, [&](Bytes octets) { got += octets.size(); });
  server_.pause();
  const std::string text(4 << 20, 'z');
  std::size_t written = client_.write(as_bytes(text)).value_or(0);
  client_.on(events::drain,
             [&] { written += client_.write(as_bytes(text).subspan(written)).value_or(0); });
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

}  // namespace
}  // namespace runnel::test
