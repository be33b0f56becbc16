#include "apps/http_request.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in boost::optional
#endif
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace runnel::apps {
namespace {

namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;
using BeastText = boost::beast::string_view;

// Takes from Beast's parser what an HttpRequest holds, and stores nothing else.
class RequestParser final : public http::basic_parser<true> {
 public:
  explicit RequestParser(HttpRequest& request) : request_(request) {
    skip(true);  // content is never parsed: it is refused
  }

  // HTTP/1.1 demands exactly one Host field (RFC 9112 section 3.2).
  [[nodiscard]] bool host_is_right() const noexcept {
    return request_.is_http11 ? hosts_ == 1 : hosts_ <= 1;
  }
  [[nodiscard]] bool has_unknown_coding() const noexcept { return has_coding_ && !chunked(); }

 private:
  void on_request_impl(http::verb method, BeastText, BeastText target, int version,
                       BeastError&) override {
    switch (method) {
      case http::verb::get:
        request_.method = HttpMethod::Get;
        break;
      case http::verb::head:
        request_.method = HttpMethod::Head;
        break;
      case http::verb::unknown:
        request_.method = HttpMethod::Unknown;
        break;
      default:
        request_.method = HttpMethod::NotAllowed;
        break;
    }
    request_.target.assign(target.data(), target.size());
    request_.is_http11 = version >= 11;
  }

  void on_field_impl(http::field name, BeastText, BeastText value, BeastError&) override {
    const auto keep = [&](std::string& where) { where.assign(value.data(), value.size()); };
    switch (name) {
      case http::field::host:
        ++hosts_;
        break;
      case http::field::range:
        keep(request_.range);
        break;
      case http::field::if_range:
        keep(request_.if_range);
        break;
      case http::field::if_none_match:
        keep(request_.if_none_match);
        break;
      case http::field::if_modified_since:
        keep(request_.if_modified_since);
        break;
      case http::field::transfer_encoding:
        has_coding_ = true;
        break;
      default:
        break;
    }
  }

  void on_response_impl(int, BeastText, int, BeastError&) override {}
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}
  std::size_t on_body_impl(BeastText, BeastError&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastText, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText, BeastError&) override { return 0; }
  void on_finish_impl(BeastError&) override {}

  HttpRequest& request_;
  int hosts_ = 0;
  bool has_coding_ = false;
};

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// True when the request line is well formed but for a version other than 1.0 and 1.1: then 505 is
// a better answer than 400.
bool has_other_version(std::string_view input) {
  const std::string_view line = input.substr(0, input.find("\r\n"));
  if (line.size() < 9) return false;
  const std::string_view version = line.substr(line.size() - 9);
  return version.substr(0, 6) == " HTTP/" && is_digit(version[6]) && version[7] == '.' &&
         is_digit(version[8]);
}

int refusal_of(const BeastError& error, std::string_view input) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::bad_version && has_other_version(input)) return 505;
  return 400;
}

std::optional<unsigned> hex_digit(char c) noexcept {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10U;
  return std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const auto high = hex_digit(text[i + 1]);
      const auto low = hex_digit(text[i + 2]);
      if (!high || !low) return std::nullopt;
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    decoded.push_back(c);
  }
  return decoded;
}

bool has_parent_segment(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

// Scheme and authority of the absolute form, which a server must understand (RFC 9112 section
// 3.2.2) and has no use for.
std::string_view without_authority(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.size() < kScheme.size()) return target;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = target[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != kScheme[i]) return target;
  }
  target.remove_prefix(kScheme.size());
  const std::size_t path = target.find_first_of("/?#");
  if (path == std::string_view::npos || target[path] != '/') return "/";
  return target.substr(path);
}

}  // namespace

ParseOutcome parse_request(std::string_view input, HttpRequest& request) {
  // Empty lines before a request line are to be ignored (RFC 9112 section 2.2).
  std::size_t skipped = 0;
  while (input.substr(skipped, 2) == "\r\n") skipped += 2;
  const std::string_view header = input.substr(skipped);
  if (header.empty() || header == "\r") return {ParseStatus::NeedMore, skipped, 0};

  RequestParser parser(request);
  parser.header_limit(kHeaderLimitOctets);
  BeastError error;
  std::size_t used = 0;
  // The parser consumes in steps: the request line and fields can be two of them.
  while (!error && !parser.is_done() && used < header.size()) {
    used += parser.put({header.data() + used, header.size() - used}, error);
  }
  if (used > kHeaderLimitOctets) return {ParseStatus::Refused, 0, 431};
  if (error == http::error::need_more || (!error && !parser.is_done())) {
    if (header.size() >= kHeaderLimitOctets) return {ParseStatus::Refused, 0, 431};
    return {ParseStatus::NeedMore, skipped, 0};
  }
  if (error) return {ParseStatus::Refused, 0, refusal_of(error, header)};
  if (!parser.host_is_right()) return {ParseStatus::Refused, 0, 400};
  if (parser.has_unknown_coding()) return {ParseStatus::Refused, 0, 501};

  request.keep_alive = parser.keep_alive();
  request.has_content = parser.chunked() || parser.content_length().value_or(0) > 0;
  return {ParseStatus::Complete, skipped + used, 0};
}

std::optional<std::string> decode_path(std::string_view target) {
  const std::string_view path = without_authority(target);
  if (path.empty() || path.front() != '/') return std::nullopt;
  std::optional<std::string> decoded = percent_decode(path.substr(0, path.find_first_of("?#")));
  if (decoded && has_parent_segment(*decoded)) return std::nullopt;
  return decoded;
}

}  // namespace runnel::apps
