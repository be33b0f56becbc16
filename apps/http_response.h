// HTTP response headers: status lines, dates and fields as text.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace runnel::apps {

// What stands between the status line and the empty line.
struct ResponseHeader {
  int status = 200;
  std::string_view date;
  std::string_view content_type;                // empty: no such field
  std::optional<std::uint64_t> content_length;  // none: no such field (304)
  bool is_http11 = true;                        // the request's version
  bool keep_alive = true;
  std::string_view more_fields;  // each with its CR LF
};

// Appends status line, fields and the empty line to `out`.
void append_header(std::string& out, const ResponseHeader& header);

// The phrase behind a status code, such as "Not Found".
[[nodiscard]] std::string_view reason_of(int status) noexcept;

// The IMF-fixdate form, RFC 9110 section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.
[[nodiscard]] std::string http_date(std::time_t when);
[[nodiscard]] std::optional<std::time_t> parse_http_date(const std::string& text);

}  // namespace runnel::apps
