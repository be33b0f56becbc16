#include "apps/http_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace runnel::apps {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;

std::string text_of(const ResponseHeader& header) {
  std::string text;
  append_header(text, header);
  return text;
}

TEST(HttpResponse, HeaderHasStatusLineFieldsAndAnEmptyLine) {
  ResponseHeader header;
  header.status = 405;
  header.date = "now";
  header.content_type = "text/plain";
  header.content_length = 3;
  header.more_fields = "Allow: GET\r\n";
  EXPECT_EQ(text_of(header),
            "HTTP/1.1 405 Method Not Allowed\r\nServer: runnel\r\nDate: now\r\n"
            "Content-Type: text/plain\r\nContent-Length: 3\r\nAllow: GET\r\n\r\n");
}

TEST(HttpResponse, ConnectionIsSaidWhereItIsNotTheDefault) {  // RFC 9112 section 9.3
  ResponseHeader header;
  EXPECT_THAT(text_of(header), Not(HasSubstr("Connection")));
  header.is_http11 = false;
  EXPECT_THAT(text_of(header), HasSubstr("Connection: keep-alive\r\n"));
  header.keep_alive = false;
  EXPECT_THAT(text_of(header), HasSubstr("Connection: close\r\n"));
  header.is_http11 = true;
  EXPECT_THAT(text_of(header), HasSubstr("Connection: close\r\n"));
}

TEST(HttpResponse, DatesHaveTheFixedForm) {  // the example of RFC 9110 section 5.6.7
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_THAT(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Optional(784111777));
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(parse_http_date("yesterday"), std::nullopt);
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT+1"), std::nullopt);
}

}  // namespace
}  // namespace runnel::apps
