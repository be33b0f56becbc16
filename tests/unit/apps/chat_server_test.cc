// The chat between stacks in memory.
#include "apps/chat_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/support/host_pair.h"
#include "tests/unit/apps/test_client.h"

namespace runnel::apps {
namespace {

using test::HostPair;
using test::HostPairOptions;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr std::uint16_t kChat = 4000;

HostPairOptions quick() {
  HostPairOptions options;
  options.keep_whole_trace = false;
  options.check_with_libtins = false;
  return options;
}

class ChatServerTest : public ::testing::Test {
 protected:
  ChatServerTest()
      : pair_(quick()), server_(pair_.server().sockets, {pair_.server().address, kChat}) {}

  // A client that has been greeted, under a name of its own.
  std::unique_ptr<TestClient> enter(const std::string& name, const ConnectOptions& options = {}) {
    auto client = std::make_unique<TestClient>(pair_, kChat, options);
    EXPECT_TRUE(client->wait_for("* welcome"));
    client->send("/nick " + name + "\n");
    EXPECT_TRUE(client->wait_for("* you are now " + name + "\n"));
    return client;
  }

  void settle() { pair_.run_for(1s); }

  HostPair pair_;
  ChatServer server_;
};

TEST_F(ChatServerTest, GreetsEachWithANameAndTellsTheOthers) {
  TestClient first(pair_, kChat);
  EXPECT_TRUE(first.wait_for("* welcome, guest1. Commands: /nick NAME, /who, /quit\n"));
  EXPECT_TRUE(first.wait_for("* here: guest1\n"));
  TestClient second(pair_, kChat);
  EXPECT_TRUE(second.wait_for("* here: guest1, guest2\n"));
  EXPECT_TRUE(first.wait_for("* guest2 joined\n"));
  EXPECT_THAT(second.received(), Not(HasSubstr("joined")));
}

TEST_F(ChatServerTest, SendsALineToEveryoneElse) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  const auto eve = enter("eve");
  settle();
  ann->take();
  ann->send("hello\r\n");
  EXPECT_TRUE(bob->wait_for("ann: hello\n"));
  EXPECT_TRUE(eve->wait_for("ann: hello\n"));
  settle();
  EXPECT_EQ(ann->received(), "") << "not to the one who spoke";
}

TEST_F(ChatServerTest, NamesAreUniqueWhateverTheirCase) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  bob->send("/nick Ann\n");
  EXPECT_TRUE(bob->wait_for("* Ann is taken\n"));
  bob->send("/nick BOB\n");
  EXPECT_TRUE(bob->wait_for("* you are now BOB\n"));
  EXPECT_TRUE(ann->wait_for("* bob is now BOB\n"));
  bob->send("/nick a b\n");
  EXPECT_TRUE(bob->wait_for("* a name is 1 to 24 octets"));
}

TEST_F(ChatServerTest, AGuestIsNotGivenANameThatIsTaken) {
  const auto first = enter("guest2");
  TestClient second(pair_, kChat);
  EXPECT_TRUE(second.wait_for("* welcome, guest3."));
}

TEST_F(ChatServerTest, WhoListsTheNames) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  ann->send("/who\n");
  EXPECT_TRUE(ann->wait_for("* here: ann, bob\n"));
}

TEST_F(ChatServerTest, AnUnknownCommandIsAnsweredAndNotSent) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  settle();
  bob->take();
  ann->send("/dance now\n");
  EXPECT_TRUE(ann->wait_for("* no such command: /dance."));
  settle();
  EXPECT_EQ(bob->received(), "");
}

TEST_F(ChatServerTest, QuitIsAnsweredWithGoodbyeAndTheEnd) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  bob->send("/quit\nnot sent\n");
  EXPECT_TRUE(bob->wait_for_end());
  EXPECT_THAT(bob->received(), HasSubstr("* goodbye\n"));
  EXPECT_TRUE(ann->wait_for("* bob left\n"));
  settle();
  EXPECT_THAT(ann->received(), Not(HasSubstr("not sent")));
  (void)bob->socket().close();
  EXPECT_TRUE(pair_.run_until([&] { return server_.connection_count() == 1; }));
  EXPECT_FALSE(bob->error());
}

TEST_F(ChatServerTest, AnEndedStreamIsALeaveBehindItsLastLine) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  bob->send_and_end("/who\nlast words");
  EXPECT_TRUE(bob->wait_for_end());
  EXPECT_THAT(bob->received(), HasSubstr("* here: ann, bob\n"));
  EXPECT_TRUE(ann->wait_for("bob: last words\n* bob left\n"));
}

TEST_F(ChatServerTest, AResetIsALeave) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  (void)bob->socket().abort();
  EXPECT_TRUE(ann->wait_for("* bob left\n"));
  EXPECT_EQ(server_.connection_count(), 1U);
}

TEST_F(ChatServerTest, NobodyCanSteerAnothersTerminal) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  ann->send("\x1b]0;title\x07 \x1b[2Jgr\xC3\xBC\xC3\x9F\xFF\x08\n");
  EXPECT_TRUE(bob->wait_for("ann: ]0;title [2Jgr\xC3\xBC\xC3\x9F\xEF\xBF\xBD\n"));
  ann->send("\x01\x02\r\n\n");
  ann->send("next\n");
  EXPECT_TRUE(bob->wait_for("\nann: next\n")) << "empty lines are not sent";
  EXPECT_THAT(bob->received(), Not(HasSubstr("ann: \n")));
}

TEST_F(ChatServerTest, ALongLineIsCutToOneKibibyte) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  settle();
  bob->take();
  ann->send(std::string(1024, 'a') + "\n");
  EXPECT_TRUE(bob->wait_for("ann: " + std::string(1024, 'a') + "\n"));
  settle();
  EXPECT_THAT(ann->received(), Not(HasSubstr("cut")));
  ann->send(std::string(100'000, 'b') + "\n");
  EXPECT_TRUE(bob->wait_for("ann: " + std::string(1024, 'b') + "\n"));
  EXPECT_TRUE(ann->wait_for("* that line was cut to 1024 octets\n"));
}

TEST_F(ChatServerTest, ASlowReaderIsDroppedAndDoesNotStallTheRoom) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  ConnectOptions small;
  small.tcp = pair_.client().stack.config().tcp;
  small.tcp->receive_buffer_octets = 8192;
  const auto slow = enter("slow", small);
  slow->socket().pause();
  const std::string line = std::string(1000, 'x') + "\n";
  // 200 lines are well below what may wait: they wait, and nobody is dropped.
  for (int i = 0; i < 200; ++i) ann->send(line);
  settle();
  EXPECT_THAT(bob->received(), Not(HasSubstr("too slow")));
  EXPECT_EQ(server_.connection_count(), 3U);
  for (int i = 0; i < 100; ++i) ann->send(line);
  EXPECT_TRUE(bob->wait_for("* slow was too slow and is gone\n"));
  settle();
  EXPECT_EQ(slow->error(), std::errc::connection_reset);
  EXPECT_EQ(server_.connection_count(), 2U);
  const std::string received = bob->received();
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = received.find("ann: xxx", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 300U);
}

TEST_F(ChatServerTest, AFastSpeakerDoesNotDriveOutThoseWhoRead) {
  const auto ann = enter("an-extraordinarily-long-"), bob = enter("bob");
  std::string flood;
  for (int i = 0; i < 200'000; ++i) flood += "x\n";
  bob->count_only();
  const std::size_t before = bob->received_octets();
  ann->send(flood + "/quit\n");
  EXPECT_TRUE(ann->wait_for_end());
  settle();
  EXPECT_FALSE(bob->is_closed());
  EXPECT_GE(bob->received_octets() - before, 200'000U * 28U);
}

TEST_F(ChatServerTest, AllWhoAreSlowAtOnceAreDroppedWithoutRecursion) {
  const auto ann = enter("ann");
  std::vector<std::unique_ptr<TestClient>> slow;
  for (int i = 0; i < 30; ++i) {
    slow.push_back(enter("slow" + std::to_string(i)));
    slow.back()->socket().pause();
  }
  for (int i = 0; i < 3000; ++i) ann->send(std::string(1000, 'x') + "\n");
  EXPECT_TRUE(pair_.run_until([&] { return server_.connection_count() == 1; }, 5min));
  settle();
  for (int i = 0; i < 30; ++i) {
    EXPECT_THAT(ann->received(), HasSubstr("* slow" + std::to_string(i) + " was too slow"));
  }
}

TEST_F(ChatServerTest, StoppingSaysSoAndEndsEveryone) {
  const auto ann = enter("ann");
  const auto bob = enter("bob");
  bool stopped = false;
  server_.stop([&] { stopped = true; });
  for (const auto* client : {&ann, &bob}) {
    EXPECT_TRUE((*client)->wait_for_end());
    EXPECT_THAT((*client)->received(), HasSubstr("* the server is closing\n"));
    EXPECT_THAT((*client)->received(), Not(HasSubstr(" left\n")));
    (void)(*client)->socket().close();
  }
  EXPECT_TRUE(pair_.run_until([&] { return stopped; }));
}

}  // namespace
}  // namespace runnel::apps
