#include "apps/http_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace runnel::apps {
namespace {

using ::testing::Optional;

int refusal_of(std::string_view input) {
  HttpRequest request;
  const ParseOutcome outcome = parse_request(input, request);
  return outcome.status == ParseStatus::Refused ? outcome.refusal : 0;
}

HttpRequest complete(std::string_view input) {
  HttpRequest request;
  const ParseOutcome outcome = parse_request(input, request);
  EXPECT_EQ(outcome.status, ParseStatus::Complete) << input;
  return request;
}

// A header of exactly `octets`.
std::string header_of(std::size_t octets) {
  std::string header = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  header.append(octets - header.size() - 4, 'x');
  return header + "\r\n\r\n";
}

TEST(HttpRequest, IsReadFromItsHeader) {
  const std::string_view header = "GET /a?b HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n";
  HttpRequest request;
  const ParseOutcome outcome = parse_request(std::string(header) + "GET /next", request);
  ASSERT_EQ(outcome.status, ParseStatus::Complete);
  EXPECT_EQ(outcome.used, header.size());
  EXPECT_EQ(request.method, HttpMethod::Get);
  EXPECT_EQ(request.target, "/a?b");
  EXPECT_EQ(request.range, "bytes=1-2");
  EXPECT_TRUE(request.is_http11);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_FALSE(request.has_content);
}

TEST(HttpRequest, NeedsMoreAtEveryShorterPrefix) {
  const std::string header = "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  for (std::size_t length = 0; length < header.size(); ++length) {
    HttpRequest request;
    EXPECT_EQ(parse_request(std::string_view(header).substr(0, length), request).status,
              ParseStatus::NeedMore)
        << length;
  }
  EXPECT_FALSE(complete(header).keep_alive);
}

TEST(HttpRequest, EmptyLinesInFrontAreIgnored) {
  HttpRequest request;
  const ParseOutcome outcome = parse_request("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", request);
  EXPECT_EQ(outcome.status, ParseStatus::Complete);
  EXPECT_EQ(outcome.used, 4U + 27U);
  HttpRequest none;
  const ParseOutcome only_empty = parse_request("\r\n\r\n", none);
  EXPECT_EQ(only_empty.status, ParseStatus::NeedMore);
  EXPECT_EQ(only_empty.used, 4U);
}

TEST(HttpRequest, PersistenceFollowsTheVersion) {  // RFC 9112 section 9.3
  EXPECT_FALSE(complete("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(complete("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_TRUE(complete("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
}

TEST(HttpRequest, ContentIsNoticedAndNotParsed) {
  EXPECT_TRUE(complete("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").has_content);
  EXPECT_FALSE(complete("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").has_content);
  EXPECT_TRUE(
      complete("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").has_content);
}

TEST(HttpRequest, MethodsAreKnownOrNot) {
  EXPECT_EQ(complete("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").method, HttpMethod::Head);
  EXPECT_EQ(complete("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n").method, HttpMethod::NotAllowed);
  EXPECT_EQ(complete("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").method, HttpMethod::Unknown);
  EXPECT_EQ(complete("get / HTTP/1.1\r\nHost: a\r\n\r\n").method, HttpMethod::Unknown);
}

TEST(HttpRequest, AHostFieldIsDemandedExactlyOnceByHttp11) {  // RFC 9112 section 3.2
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\n\r\n"), 0);
}

TEST(HttpRequest, MalformedOnesAreRefused) {
  for (const std::string_view bad : {
           "\x16\x03\x01\x02",
           "GET\r\n\r\n",
           "GET  HTTP/1.1\r\n\r\n",
           "GET / HTTQ/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX\x01: b\r\n\r\n",
           "GET / HTTP/1.1\nHost: a\n\n",
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       }) {
    EXPECT_EQ(refusal_of(bad), 400) << bad;
  }
}

TEST(HttpRequest, OtherVersionsAndCodingsAreRefusedByName) {
  EXPECT_EQ(refusal_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  EXPECT_EQ(refusal_of("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n"), 501);
}

TEST(HttpRequest, TheHeaderHasALimit) {
  const std::string longest = header_of(kHeaderLimitOctets);
  ASSERT_EQ(longest.size(), 8192U);
  EXPECT_EQ(refusal_of(longest), 0);
  EXPECT_EQ(refusal_of(header_of(kHeaderLimitOctets + 1)), 431);
  EXPECT_EQ(refusal_of(longest.substr(0, kHeaderLimitOctets - 1)), 0) << "may still end in time";
  const std::string endless = "GET / HTTP/1.1\r\n" + std::string(8192, 'x');
  EXPECT_EQ(refusal_of(endless), 431);
  EXPECT_EQ(refusal_of("GET /" + std::string(8192, 'x')), 431);
}

TEST(HttpRequest, AShortHeaderIsReadFromALongRowOfThem) {
  std::string pipelined;
  while (pipelined.size() < 3 * kHeaderLimitOctets) {
    pipelined += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  HttpRequest request;
  const ParseOutcome outcome = parse_request(pipelined, request);
  EXPECT_EQ(outcome.status, ParseStatus::Complete);
  EXPECT_EQ(outcome.used, 27U);
}

TEST(HttpRequest, AnyChangedOctetIsReadOrRefusedAndNeverMore) {
  const std::string header =
      "POST /a%20b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
  for (std::size_t at = 0; at < header.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      std::string changed = header;
      changed[at] = static_cast<char>(value);
      HttpRequest request;
      const ParseOutcome outcome = parse_request(changed, request);
      EXPECT_LE(outcome.used, changed.size());
      EXPECT_EQ(outcome.refusal != 0, outcome.status == ParseStatus::Refused);
    }
  }
}

TEST(DecodePath, TakesThePathOfOriginAndAbsoluteForm) {
  EXPECT_THAT(decode_path("/"), Optional(std::string("/")));
  EXPECT_THAT(decode_path("/a/b.txt?x=/../&y#z"), Optional(std::string("/a/b.txt")));
  EXPECT_THAT(decode_path("/a%20b%2Fc"), Optional(std::string("/a b/c")));
  EXPECT_THAT(decode_path("http://host:80/a"), Optional(std::string("/a")));
  EXPECT_THAT(decode_path("HTTP://host"), Optional(std::string("/")));
  EXPECT_THAT(decode_path("http://host?x=/y"), Optional(std::string("/")));
  EXPECT_THAT(decode_path("/..a/b../..."), Optional(std::string("/..a/b../...")));
}

TEST(DecodePath, RefusesWhatIsMalformedOrLeavesTheRoot) {
  for (const std::string_view bad :
       {"", "*", "a", "/%", "/%2", "/%zz", "/%00", "/a%00.html", "/..", "/../etc/passwd", "/a/../b",
        "/%2e%2e/x", "/a/%2E.", "/%2e%2e%2fetc", "ftp://host/a"}) {
    EXPECT_EQ(decode_path(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace runnel::apps
