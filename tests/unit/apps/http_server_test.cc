// The HTTP server between two stacks in memory.
#include "apps/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/http_connection.h"
#include "tests/support/host_pair.h"
#include "tests/unit/apps/temporary_directory.h"
#include "tests/unit/apps/test_client.h"

namespace runnel::apps {
namespace {

using test::HostPair;
using test::HostPairOptions;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::uint16_t kHttp = 80;
constexpr std::time_t kToday = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string get(const std::string& target, const std::string& fields = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos;
       at += part.size()) {
    ++count;
  }
  return count;
}

std::string content_of(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : response.substr(end + 4);
}

// A field's value; empty when it is not there.
std::string field_of(const std::string& response, const std::string& name) {
  const std::string header = response.substr(0, response.find("\r\n\r\n") + 2);
  const std::size_t at = header.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return header.substr(begin, header.find("\r\n", begin) - begin);
}

class HttpServerTest : public ::testing::Test {
 protected:
  explicit HttpServerTest(const HostPairOptions& options = {}) : pair_(options) {
    directory_.write("secret", "outside");
    directory_.write("root/a.txt", "0123456789");
    directory_.write("root/empty", "");
    directory_.write("root/sub/index.html", "<p>index");
  }

  void serve(const std::string& root) {
    HttpOptions options;
    options.root = root;
    options.neighbours = {{"echo", 7}, {"chat", 4000}};
    options.wall_clock = [] { return kToday; };
    server_ = std::make_unique<HttpServer>(pair_.server().sockets,
                                           Endpoint{pair_.server().address, kHttp}, options);
  }
  void serve_files() { serve(root().string()); }
  void serve_page() { serve({}); }

  [[nodiscard]] std::filesystem::path root() const { return directory_.path() / "root"; }

  // The whole answer to one request on a connection of its own.
  std::string answer(const std::string& request) {
    TestClient client(pair_, kHttp);
    client.send_and_end(request);
    EXPECT_TRUE(client.wait_for_end());
    EXPECT_FALSE(client.error()) << client.error().message();
    (void)client.socket().close();
    pair_.run_for(1s);
    return client.take();
  }

  TemporaryDirectory directory_;
  HostPair pair_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ThePageSaysWhatAnswered) {
  serve_page();
  const std::string response = answer(std::string(kGet));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(field_of(response, "Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(field_of(response, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(field_of(response, "Content-Length"), std::to_string(content_of(response).size()));
  EXPECT_THAT(response, HasSubstr("192.0.2.2:80"));
  EXPECT_THAT(response, HasSubstr("192.0.2.1:"));
  EXPECT_THAT(response, HasSubstr("echo on port 7, chat on port 4000. "));
}

TEST_F(HttpServerTest, HeadHasTheSameHeaderAndNoContent) {
  serve_files();
  const std::string whole = answer(get("/a.txt"));
  const std::string head = answer("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(head + "0123456789", whole);
  EXPECT_EQ(content_of(answer("HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n")), "");
}

TEST_F(HttpServerTest, ServesFilesAndIndexes) {
  serve_files();
  const std::string file = answer(get("/a.txt"));
  EXPECT_THAT(file, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(content_of(file), "0123456789");
  EXPECT_EQ(field_of(file, "Accept-Ranges"), "bytes");
  EXPECT_EQ(content_of(answer(get("/sub/"))), "<p>index");
  EXPECT_EQ(content_of(answer(get("/%61.txt?query"))), "0123456789");
  EXPECT_EQ(content_of(answer(get("http://host/a.txt"))), "0123456789");
  const std::string empty = answer(get("/empty"));
  EXPECT_THAT(empty, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(field_of(empty, "Content-Length"), "0");
  const std::string page = answer(std::string(kGet));
  EXPECT_THAT(page, HasSubstr("runnel")) << "the root has no index.html";
}

TEST_F(HttpServerTest, ADirectoryWithoutItsSlashIsRedirectedWithinTheHost) {
  serve_files();
  EXPECT_EQ(field_of(answer(get("/sub")), "Location"), "/sub/");
  EXPECT_EQ(field_of(answer(get("//sub?x")), "Location"), "/sub/");
  EXPECT_EQ(field_of(answer(get("http://host/sub")), "Location"), "/sub/");
}

TEST_F(HttpServerTest, NothingOutsideOfTheRootIsReachable) {
  std::filesystem::create_symlink("../secret", root() / "link");
  serve_files();
  for (const char* target : {"/../secret", "/%2e%2e/secret", "/sub/../../secret", "/link",
                             "/..%2fsecret", "//../secret"}) {
    const std::string response = answer(get(target));
    EXPECT_THAT(response, Not(HasSubstr("outside"))) << target;
    EXPECT_THAT(response, StartsWith("HTTP/1.1 40")) << target;
  }
}

TEST_F(HttpServerTest, RangesArePartsOfTheFile) {
  serve_files();
  const std::string part = answer(get("/a.txt", "Range: bytes=2-4\r\n"));
  EXPECT_THAT(part, StartsWith("HTTP/1.1 206 "));
  EXPECT_EQ(field_of(part, "Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(field_of(part, "Content-Length"), "3");
  EXPECT_EQ(content_of(part), "234");
  EXPECT_EQ(content_of(answer(get("/a.txt", "Range: bytes=-3\r\n"))), "789");
  const std::string none = answer(get("/a.txt", "Range: bytes=10-\r\n"));
  EXPECT_THAT(none, StartsWith("HTTP/1.1 416 "));
  EXPECT_EQ(field_of(none, "Content-Range"), "bytes */10");
  const std::string several = answer(get("/a.txt", "Range: bytes=0-1,3-4\r\n"));
  EXPECT_THAT(several, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(content_of(several), "0123456789");
}

TEST_F(HttpServerTest, ConditionsAreHonoured) {
  serve_files();
  const std::string whole = answer(get("/a.txt"));
  const std::string tag = field_of(whole, "ETag");
  const std::string modified = field_of(whole, "Last-Modified");
  for (const std::string& condition :
       {"If-None-Match: " + tag, "If-None-Match: \"x\", W/" + tag, std::string("If-None-Match: *"),
        "If-Modified-Since: " + modified}) {
    const std::string response = answer(get("/a.txt", condition + "\r\n"));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 304 ")) << condition;
    EXPECT_EQ(content_of(response), "") << condition;
    EXPECT_EQ(field_of(response, "ETag"), tag);
  }
  for (const std::string& condition :
       {std::string("If-None-Match: \"x\""),
        "If-None-Match: \"x\"\r\nIf-Modified-Since: " + modified,
        std::string("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT")}) {
    EXPECT_EQ(content_of(answer(get("/a.txt", condition + "\r\n"))), "0123456789") << condition;
  }
  const std::string range = "Range: bytes=0-0\r\nIf-Range: ";
  EXPECT_EQ(content_of(answer(get("/a.txt", range + tag + "\r\n"))), "0");
  EXPECT_EQ(content_of(answer(get("/a.txt", range + modified + "\r\n"))), "0");
  EXPECT_EQ(content_of(answer(get("/a.txt", range + "\"x\"\r\n"))), "0123456789");
}

TEST_F(HttpServerTest, ErrorsHaveTheirStatus) {
  serve_files();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nonsense\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {get("/%00"), "400"},
      {get("/none"), "404"},
      {"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "405"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "413"},
      {get("/", "X: " + std::string(9000, 'x') + "\r\n"), "431"},
      {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
  };
  for (const auto& [request, status] : cases) {
    const std::string response = answer(request);
    EXPECT_THAT(response, StartsWith("HTTP/1.1 " + status + " ")) << request;
    EXPECT_EQ(field_of(response, "Content-Length"), std::to_string(content_of(response).size()));
  }
  EXPECT_EQ(field_of(answer(cases[4].first), "Allow"), "GET, HEAD");
}

TEST_F(HttpServerTest, AConnectionIsKeptAliveAsItsVersionHasIt) {
  serve_page();
  TestClient client(pair_, kHttp);
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    ASSERT_TRUE(client.wait_for("RFC 9293</a>.\n"));
    EXPECT_THAT(client.take(), Not(HasSubstr("Connection:")));
  }
  EXPECT_FALSE(client.has_peer_ended());
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(client.wait_for("RFC 9293</a>.\n"));
  EXPECT_THAT(client.take(), HasSubstr("Connection: keep-alive\r\n"));
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.wait_for_end());
  EXPECT_THAT(client.take(), HasSubstr("Connection: close\r\n"));
  EXPECT_FALSE(client.error());
}

TEST_F(HttpServerTest, ARequestMayComeOctetByOctet) {
  serve_files();
  TestClient client(pair_, kHttp);
  for (const char octet : "\r\n" + get("/a.txt")) {
    client.send(std::string_view(&octet, 1));
    pair_.run_for(10ms);
  }
  EXPECT_TRUE(client.wait_for("0123456789"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  serve_files();
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    requests += get(
        "/a.txt", "Range: bytes=" + std::to_string(i % 10) + "-" + std::to_string(i % 10) + "\r\n");
    if (i % 10 == 0) requests += get("/none");
  }
  const std::string responses = answer(requests);
  EXPECT_EQ(occurrences(responses, "HTTP/1.1 206 "), 100U);
  EXPECT_EQ(occurrences(responses, "HTTP/1.1 404 "), 10U);
  std::size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    at = responses.find("HTTP/1.1 206 ", at);
    const std::string one = responses.substr(at, 400);
    EXPECT_EQ(content_of(one).substr(0, 1), std::to_string(i % 10));
    ++at;
  }
}

TEST_F(HttpServerTest, TheSameSmallFileIsServedToAllWhoAskAtOnceAsItIs) {
  serve_files();
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += get("/a.txt");
    requests += get(i % 2 == 0 ? "/sub/" : "/empty");
    requests += "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  }
  const std::string responses = answer(requests);
  EXPECT_EQ(occurrences(responses, "HTTP/1.1 200 OK\r\n"), 60U);
  EXPECT_EQ(occurrences(responses, "\r\n\r\n0123456789"), 40U);
  EXPECT_EQ(occurrences(responses, "\r\n\r\n<p>index"), 10U);
  EXPECT_EQ(occurrences(responses, "Connection: keep-alive\r\n"), 20U);  // of HTTP/1.0 alone
  EXPECT_EQ(occurrences(responses, "Content-Length: 0\r\n"), 10U);
}

TEST_F(HttpServerTest, AFileThatHasChangedIsServedAnew) {
  serve_files();
  TestClient client(pair_, kHttp);
  client.send(get("/a.txt"));
  pair_.run_for(100ms);
  EXPECT_EQ(content_of(client.take()), "0123456789");
  directory_.write("root/a.txt", "changed");
  client.send(get("/a.txt"));
  pair_.run_for(100ms);
  EXPECT_EQ(content_of(client.take()), "changed");
}

TEST_F(HttpServerTest, APeerThatPipelinesWithoutReadingIsHeldUp) {
  serve_page();
  TestClient client(pair_, kHttp);
  client.count_only();
  client.socket().pause();
  std::string requests;
  for (int i = 0; i < 200'000; ++i) requests += kGet;
  client.send(requests);
  pair_.run_for(20s);
  EXPECT_GT(client.unsent_octets(), 0U);
  EXPECT_LT(pair_.server().stack.memory_octets(), 6'000'000U);
}

TEST_F(HttpServerTest, ARequestBehindItsEndIsStillAnswered) {
  serve_page();
  EXPECT_EQ(occurrences(answer(std::string(kGet) + std::string(kGet)), "HTTP/1.1 200 "), 2U);
}

TEST_F(HttpServerTest, AnUploadGetsTheWholeAnswerAndNoReset) {
  serve_page();
  TestClient client(pair_, kHttp);
  const std::size_t octets = 10'000'000;
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(octets) + "\r\n\r\n");
  client.send_and_end(std::string(octets, 'x'));
  EXPECT_TRUE(client.wait_for_end());
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 405 "));
  EXPECT_EQ(field_of(client.received(), "Connection"), "close");
  EXPECT_TRUE(pair_.run_until([&] { return client.unsent_octets() == 0; }));
  (void)client.socket().close();
  EXPECT_TRUE(pair_.run_until([&] { return server_->connection_count() == 0; }));
  EXPECT_FALSE(client.error()) << client.error().message();
}

TEST_F(HttpServerTest, WhatFollowsRefusedContentIsNotARequest) {
  serve_page();
  const std::string response =
      answer("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\n" + std::string(kGet));
  EXPECT_EQ(occurrences(response, "HTTP/1.1 "), 1U);
}

TEST_F(HttpServerTest, AnIdleConnectionIsEndedAfterAMinute) {
  serve_page();
  TestClient client(pair_, kHttp);
  client.send(kGet);
  ASSERT_TRUE(client.wait_for("RFC 9293"));
  pair_.run_for(HttpConnection::kIdleTimeout - 1s);
  EXPECT_FALSE(client.has_peer_ended());
  pair_.run_for(2s);
  EXPECT_TRUE(client.has_peer_ended());
  EXPECT_EQ(server_->connection_count(), 1U) << "waits for the peer's end";
  pair_.run_for(HttpConnection::kLingerTimeout + 1s);
  (void)client.socket().close();
  EXPECT_TRUE(pair_.run_until([&] { return server_->connection_count() == 0; }));
}

TEST_F(HttpServerTest, AHeaderThatNeverEndsIsGivenUp) {
  serve_page();
  TestClient silent(pair_, kHttp);
  silent.send("GET / HT");
  TestClient dripping(pair_, kHttp);
  dripping.send("GET / HTTP/1.1\r\nX: ");
  for (int second = 0; second < 59; ++second) {
    dripping.send("x");
    pair_.run_for(1s);
  }
  EXPECT_EQ(dripping.received(), "");
  for (int second = 0; second < 4; ++second) {
    dripping.send("x");
    pair_.run_for(1s);
  }
  EXPECT_THAT(dripping.received(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(silent.received(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, StoppingFinishesTheResponseThatIsUnderWay) {
  directory_.write("root/big", std::string(4'000'000, 'b'));
  serve_files();
  TestClient busy(pair_, kHttp);
  busy.send(get("/big"));
  ASSERT_TRUE(busy.wait_for_octets(100'000));
  TestClient idle(pair_, kHttp);
  idle.send(get("/a.txt"));
  ASSERT_TRUE(idle.wait_for("0123456789"));
  bool stopped = false;
  server_->stop([&] { stopped = true; });
  EXPECT_TRUE(idle.wait_for_end());
  EXPECT_TRUE(busy.wait_for_end());
  EXPECT_EQ(content_of(busy.received()).size(), 4'000'000U);
  (void)idle.socket().close();
  (void)busy.socket().close();
  EXPECT_TRUE(pair_.run_until([&] { return stopped; }));
}

TEST_F(HttpServerTest, NoiseIsAnsweredWithAnErrorOrNotAtAll) {
  serve_files();
  SeededRandom random(7);
  for (int round = 0; round < 100; ++round) {
    std::string noise = round % 2 == 0 ? std::string() : get("/a.txt").substr(0, random.below(30));
    for (std::uint64_t left = 1 + random.below(3000); left > 0; --left) {
      noise.push_back(static_cast<char>(random.below(256)));
    }
    const std::string response = answer(noise);
    if (!response.empty()) {
      EXPECT_THAT(response, StartsWith("HTTP/1.1 4")) << round;
    }
  }
  EXPECT_EQ(server_->connection_count(), 0U);
  EXPECT_EQ(content_of(answer(get("/a.txt"))), "0123456789") << "and goes on";
}

class HttpBulkTest : public HttpServerTest {
 protected:
  HttpBulkTest() : HttpServerTest(bulk()) {}

 private:
  static HostPairOptions bulk() {
    HostPairOptions options;
    options.keep_whole_trace = false;
    options.check_with_libtins = false;
    return options;
  }
};

std::string numbers(std::size_t octets) {
  std::string text;
  for (std::size_t i = 0; text.size() < octets; ++i) text += std::to_string(i) + " ";
  text.resize(octets);
  return text;
}

TEST_F(HttpBulkTest, ALargeFileArrivesWhole) {
  const std::string content = numbers(20'000'003);
  directory_.write("root/large", content);
  serve_files();
  EXPECT_TRUE(content_of(answer(get("/large"))) == content);
  const std::string part = answer(get("/large", "Range: bytes=1000000-\r\n"));
  EXPECT_TRUE(content_of(part) == content.substr(1'000'000));
}

TEST_F(HttpBulkTest, APeerThatDoesNotReadAFileHoldsNoMoreThanTheSendQueue) {
  directory_.write("root/large", std::string(50'000'000, 'x'));
  serve_files();
  TestClient client(pair_, kHttp);
  client.count_only();
  client.send(get("/large"));
  client.socket().pause();
  pair_.run_for(30s);
  EXPECT_LT(pair_.server().stack.memory_octets(), 3'000'000U);
  pair_.run_for(60s);
  EXPECT_EQ(server_->connection_count(), 0U) << "nothing moved for a minute";
}

TEST_F(HttpBulkTest, AFileThatShrinksUnderWayIsAResetAndNoLie) {
  directory_.write("root/large", std::string(20'000'000, 'x'));
  serve_files();
  TestClient client(pair_, kHttp);
  client.count_only();
  client.send(get("/large"));
  ASSERT_TRUE(client.wait_for_octets(100'000));
  std::filesystem::resize_file(root() / "large", 3'000'000);
  EXPECT_TRUE(client.wait_for_close());
  EXPECT_EQ(client.error(), std::errc::connection_reset);
}

TEST_F(HttpBulkTest, ManyClientsAreServedAtOnce) {
  const std::string content = numbers(500'000);
  directory_.write("root/file", content);
  serve_files();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<TestClient>(pair_, kHttp));
    clients.back()->send_and_end(get("/file"));
  }
  for (const auto& client : clients) {
    EXPECT_TRUE(client->wait_for_end());
    EXPECT_TRUE(content_of(client->received()) == content);
  }
}

}  // namespace
}  // namespace runnel::apps
