#include "apps/http_response.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace runnel::apps {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

void append_header(std::string& out, const ResponseHeader& header) {
  const auto end = std::back_inserter(out);
  fmt::format_to(end, "HTTP/1.1 {} {}\r\nServer: runnel\r\nDate: {}\r\n", header.status,
                 reason_of(header.status), header.date);
  if (!header.content_type.empty()) {
    fmt::format_to(end, "Content-Type: {}\r\n", header.content_type);
  }
  if (header.content_length) fmt::format_to(end, "Content-Length: {}\r\n", *header.content_length);
  // Said only where it differs from the default of the request's version (RFC 9112 section 9.3).
  if (!header.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!header.is_http11) {
    out += "Connection: keep-alive\r\n";
  }
  out += header.more_fields;
  out += "\r\n";
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 416:
      return "Range Not Satisfiable";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string http_date(std::time_t when) {
  std::tm utc{};
  if (::gmtime_r(&when, &utc) == nullptr) utc = {};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

std::optional<std::time_t> parse_http_date(const std::string& text) {
  std::tm utc{};
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  return ::timegm(&utc);
}

}  // namespace runnel::apps
