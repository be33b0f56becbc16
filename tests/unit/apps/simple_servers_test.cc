// Echo, discard and chargen between two stacks in memory.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "apps/chargen_server.h"
#include "apps/discard_server.h"
#include "apps/echo_server.h"
#include "tests/support/host_pair.h"
#include "tests/unit/apps/test_client.h"

namespace runnel::apps {
namespace {

using test::HostPair;
using test::HostPairOptions;
using namespace std::chrono_literals;

constexpr std::uint16_t kEcho = 7;
constexpr std::uint16_t kDiscard = 9;
constexpr std::uint16_t kChargen = 19;

HostPairOptions for_bulk() {
  HostPairOptions options;
  options.keep_whole_trace = false;
  options.check_with_libtins = false;
  return options;
}

// Text of which every part tells where it is from.
std::string numbered_lines(std::size_t octets) {
  std::string text;
  for (std::size_t line = 0; text.size() < octets; ++line) text += std::to_string(line) + "\n";
  text.resize(octets);
  return text;
}

template <typename Server>
class Served {
 public:
  explicit Served(std::uint16_t port, const HostPairOptions& options = {})
      : pair(options), server(pair.server().sockets, Endpoint{pair.server().address, port}) {}

  HostPair pair;
  Server server;
};

TEST(EchoServer, SendsBackWhatComes) {
  Served<EchoServer> echo(kEcho);
  TestClient client(echo.pair, kEcho);
  client.send("hello");
  EXPECT_TRUE(client.wait_for("hello"));
  client.send(" again");
  EXPECT_TRUE(client.wait_for("hello again"));
}

TEST(EchoServer, EchoesEverythingToAPeerThatEndsFirst) {
  Served<EchoServer> echo(kEcho, for_bulk());
  TestClient client(echo.pair, kEcho);
  const std::string text = numbered_lines(5'000'000);
  client.send_and_end(text);
  EXPECT_TRUE(client.wait_for_end());
  EXPECT_TRUE(client.received() == text);
  EXPECT_FALSE(client.error());
  EXPECT_TRUE(echo.pair.run_until([&] { return echo.server.connection_count() == 0; }));
}

TEST(EchoServer, EchoesEverythingThroughALinkThatLosesPackets) {
  HostPairOptions options = for_bulk();
  options.loss_per_mille = 20;
  Served<EchoServer> echo(kEcho, options);
  TestClient client(echo.pair, kEcho);
  const std::string text = numbered_lines(300'000);
  client.send_and_end(text);
  EXPECT_TRUE(client.wait_for_end());
  EXPECT_TRUE(client.received() == text);
}

TEST(EchoServer, APeerThatDoesNotReadIsHeldUpAndCostsNoMoreThanTheQueues) {
  HostPairOptions options = for_bulk();
  // Of a fixed size: what they grow to is not the application's doing.
  options.server.tcp.receive_buffer_octets = 65536;
  options.server.tcp.receive_buffer_maximum_octets = 0;
  options.server.tcp.send_buffer_octets = 65536;
  options.server.tcp.send_buffer_maximum_octets = 0;
  options.client.tcp.receive_buffer_octets = 65536;
  Served<EchoServer> echo(kEcho, options);
  TestClient client(echo.pair, kEcho);
  ASSERT_TRUE(echo.pair.run_until([&] { return echo.server.connection_count() == 1; }));
  client.socket().pause();
  const std::string text = numbered_lines(8'000'000);
  client.send(text);
  echo.pair.run_for(30s);
  const std::size_t held_up = client.unsent_octets();
  EXPECT_GT(held_up, 0U);
  EXPECT_LT(echo.pair.server().stack.memory_octets(), 1'000'000U);
  echo.pair.run_for(30s);
  EXPECT_EQ(client.unsent_octets(), held_up);

  client.socket().resume();
  EXPECT_TRUE(client.wait_for_octets(text.size()));
  EXPECT_TRUE(client.received() == text);
}

TEST(EchoServer, ForgetsAConnectionThatIsReset) {
  Served<EchoServer> echo(kEcho);
  TestClient client(echo.pair, kEcho);
  client.send("hello");
  ASSERT_TRUE(client.wait_for("hello"));
  EXPECT_EQ(echo.server.connection_count(), 1U);
  (void)client.socket().abort();
  echo.pair.run_for(1s);
  EXPECT_EQ(echo.server.connection_count(), 0U);
}

TEST(EchoServer, KeepsManyConnectionsApart) {
  Served<EchoServer> echo(kEcho);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<TestClient>(echo.pair, kEcho));
    clients.back()->send_and_end("I am number " + std::to_string(i));
  }
  for (int i = 0; i < 50; ++i) {
    TestClient& client = *clients[static_cast<std::size_t>(i)];
    EXPECT_TRUE(client.wait_for_end());
    EXPECT_EQ(client.received(), "I am number " + std::to_string(i));
  }
}

TEST(DiscardServer, ReadsEverythingAndSaysNothing) {
  Served<DiscardServer> discard(kDiscard, for_bulk());
  TestClient client(discard.pair, kDiscard);
  client.send_and_end(numbered_lines(3'000'000));
  EXPECT_TRUE(client.wait_for_end());
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(client.unsent_octets(), 0U);
  EXPECT_TRUE(discard.pair.run_until([&] { return discard.server.connection_count() == 0; }));
}

// RFC 864's own example: 72 of the 95 printable characters, shifted by one from line to line.
std::string chargen_line(std::size_t number) {
  std::string line;
  for (std::size_t column = 0; column < 72; ++column) {
    line.push_back(static_cast<char>(32 + (number + column) % 95));
  }
  return line + "\r\n";
}

TEST(ChargenServer, SendsThePatternWithoutABreak) {
  Served<ChargenServer> chargen(kChargen, for_bulk());
  TestClient client(chargen.pair, kChargen);
  ASSERT_TRUE(client.wait_for_octets(2'000'000));
  std::string expected;
  for (std::size_t line = 0; expected.size() < 2'000'000; ++line) expected += chargen_line(line);
  EXPECT_TRUE(client.received().compare(0, 2'000'000, expected, 0, 2'000'000) == 0);
}

TEST(ChargenServer, GoesOnAfterThePeersEndAndStopsAtItsReset) {
  Served<ChargenServer> chargen(kChargen, for_bulk());
  TestClient client(chargen.pair, kChargen);
  client.count_only();
  client.send_and_end("ignored");
  ASSERT_TRUE(client.wait_for_octets(5'000'000));
  (void)client.socket().abort();
  chargen.pair.run_for(1s);
  EXPECT_EQ(chargen.server.connection_count(), 0U);
}

TEST(ChargenServer, APeerThatDoesNotReadStopsTheStream) {
  Served<ChargenServer> chargen(kChargen, for_bulk());
  TestClient client(chargen.pair, kChargen);
  client.socket().pause();
  chargen.pair.run_for(10s);
  const std::size_t memory = chargen.pair.server().stack.memory_octets();
  EXPECT_LT(memory, 3'000'000U);
  chargen.pair.run_for(60s);
  EXPECT_EQ(chargen.pair.server().stack.memory_octets(), memory);
}

TEST(Service, StoppingEndsEveryConnectionWithFinAndRefusesNewOnes) {
  Served<EchoServer> echo(kEcho);
  TestClient idle(echo.pair, kEcho);
  TestClient busy(echo.pair, kEcho);
  busy.send("hello");
  ASSERT_TRUE(busy.wait_for("hello"));
  bool stopped = false;
  echo.server.stop([&] { stopped = true; });
  EXPECT_TRUE(idle.wait_for_end());
  EXPECT_TRUE(busy.wait_for_end());
  EXPECT_FALSE(idle.error());
  EXPECT_FALSE(stopped) << "the peers have not ended yet";
  (void)idle.socket().shutdown_write();
  busy.send_and_end("not echoed any more");
  EXPECT_TRUE(echo.pair.run_until([&] { return stopped; }));
  EXPECT_FALSE(busy.error());

  TestClient late(echo.pair, kEcho);
  EXPECT_TRUE(late.wait_for_close());
  EXPECT_EQ(late.error(), std::errc::connection_refused);
}

TEST(Service, StoppingWithoutConnectionsIsDoneAtOnce) {
  Served<ChargenServer> chargen(kChargen);
  bool stopped = false;
  chargen.server.stop([&] { stopped = true; });
  EXPECT_TRUE(stopped);
}

TEST(Service, StoppingEndsAnEndlessStream) {
  Served<ChargenServer> chargen(kChargen, for_bulk());
  TestClient client(chargen.pair, kChargen);
  client.count_only();
  ASSERT_TRUE(client.wait_for_octets(1'000'000));
  bool stopped = false;
  chargen.server.stop([&] { stopped = true; });
  EXPECT_TRUE(client.wait_for_end());
  (void)client.socket().close();
  EXPECT_TRUE(chargen.pair.run_until([&] { return stopped; }));
}

TEST(Service, AbortResetsWhatIsLeft) {
  Served<EchoServer> echo(kEcho);
  TestClient client(echo.pair, kEcho);
  client.send("hello");
  ASSERT_TRUE(client.wait_for("hello"));
  echo.server.abort();
  EXPECT_TRUE(client.wait_for_close());
  EXPECT_EQ(client.error(), std::errc::connection_reset);
  EXPECT_EQ(echo.server.connection_count(), 0U);
}

TEST(Service, APortThatIsTakenIsAnErrorWithItsName) {
  Served<EchoServer> echo(kEcho);
  try {
    const EchoServer second(echo.pair.server().sockets, {echo.pair.server().address, kEcho});
    FAIL() << "listened twice";
  } catch (const ServiceError& error) {
    EXPECT_NE(std::string(error.what()).find("192.0.2.2:7"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace runnel::apps
