// HTTP/1.1 request headers (RFC 9112) as values: Boost.Beast's parser, which does no I/O, behind a
// function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runnel::apps {

// A whole request header: request line and fields together.
inline constexpr std::size_t kHeaderLimitOctets = 8192;

enum class HttpMethod : std::uint8_t {
  Get,
  Head,
  NotAllowed,  // known, but nothing here answers to it
  Unknown,
};

// What a request asks for, as far as this server cares.
struct HttpRequest {
  HttpMethod method = HttpMethod::Unknown;
  std::string target;
  bool is_http11 = true;
  bool keep_alive = false;  // by the rules of the request's version
  bool has_content = false;
  // Field values, empty when the field was not there.
  std::string range;
  std::string if_range;
  std::string if_none_match;
  std::string if_modified_since;
};

enum class ParseStatus : std::uint8_t { NeedMore, Complete, Refused };

struct ParseOutcome {
  ParseStatus status = ParseStatus::NeedMore;
  // Complete: the header's length. NeedMore: octets in front that mean nothing (empty lines).
  std::size_t used = 0;
  // Refused: the status code to answer with, after which the connection cannot go on.
  int refusal = 0;
};

// Reads one request header from the front of `input`. REQUIRES: `request` is fresh.
[[nodiscard]] ParseOutcome parse_request(std::string_view input, HttpRequest& request);

// The path of a request target in origin or absolute form, percent-decoded and without its query:
// always beginning with a slash. None when it is malformed, or holds a NUL or a ".." segment.
[[nodiscard]] std::optional<std::string> decode_path(std::string_view target);

}  // namespace runnel::apps
