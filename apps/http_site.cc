#include "apps/http_site.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "apps/http_range.h"
#include "apps/http_response.h"

namespace runnel::apps {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

bool keeps_alive(const HttpRequest& request) {
  return request.keep_alive && !request.has_content;
}

// A request whose answer depends on nothing but its target and version.
bool is_plain_get(const HttpRequest& request) {
  return request.method == HttpMethod::Get && keeps_alive(request) && request.range.empty() &&
         request.if_none_match.empty() && request.if_modified_since.empty();
}

// True when an entity tag in an If-None-Match list equals `tag`, by the weak comparison of
// RFC 9110 section 8.8.3.2. The tags of this server contain neither commas nor spaces.
bool matches_any(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (item.substr(0, 2) == "W/") item.remove_prefix(2);
    if (item == tag || item == "*") return true;
  }
  return false;
}

// RFC 9110 section 13.2.2: If-None-Match, and only without one If-Modified-Since.
bool is_not_modified(const HttpRequest& request, const OpenedFile& opened) {
  if (!request.if_none_match.empty()) {
    return matches_any(request.if_none_match, opened.entity_tag);
  }
  if (request.if_modified_since.empty()) return false;
  const std::optional<std::time_t> since = parse_http_date(request.if_modified_since);
  return since && opened.modified <= *since;
}

// RFC 9110 section 13.1.5: a range of what the client has seen before, or the whole of what there
// is now.
bool range_applies(const HttpRequest& request, const OpenedFile& opened) {
  if (request.range.empty()) return false;
  return request.if_range.empty() || request.if_range == opened.entity_tag ||
         request.if_range == http_date(opened.modified);
}

}  // namespace

HttpSite::HttpSite(HttpOptions options, const Stack& stack)
    : options_(std::move(options)), stack_(stack), page_(options_.neighbours) {
  if (!options_.root.empty()) files_.emplace(options_.root);
}

HttpReply HttpSite::answer(const HttpRequest& request, const TcpSocket& peer) {
  if (!files_ || !is_plain_get(request)) return answer_anew(request, peer);
  if (const auto* found = cache_.find(request.target, request.is_http11, stack_.now())) {
    return {*found, {}, true};
  }
  HttpReply reply = answer_anew(request, peer);
  FileRange& file = reply.file;
  if (file.remaining == 0 || file.remaining > HttpCache::kMaxContentOctets) return reply;
  // A small file: its octets go where the header is.
  const std::size_t header_octets = message_.size();
  const std::size_t content_octets = static_cast<std::size_t>(file.remaining);
  message_.resize(header_octets + content_octets);
  auto* const content = reinterpret_cast<std::uint8_t*>(message_.data() + header_octets);
  const bool is_whole = file.read({content, content_octets}) == content_octets;
  if (is_whole) {
    file = {};
    cache_.add(request.target, request.is_http11, message_);
  } else {
    message_.resize(header_octets);  // it shrinks right now: for the connection to find out
  }
  reply.message = message_;
  return reply;
}

HttpReply HttpSite::answer_anew(const HttpRequest& request, const TcpSocket& peer) {
  if (request.method == HttpMethod::Unknown) return error(request, 501);
  if (request.method == HttpMethod::NotAllowed) {
    return error(request, 405, "Allow: GET, HEAD\r\n");
  }
  if (request.has_content) return error(request, 413);
  const std::optional<std::string> path = decode_path(request.target);
  if (!path) return error(request, 400);

  OpenedFile opened;
  if (files_) opened = files_->open(*path);
  using Outcome = OpenedFile::Outcome;
  if (opened.outcome == Outcome::NotFound && *path == "/") return landing_page(request, peer);
  switch (opened.outcome) {
    case Outcome::File:
      return file(request, std::move(opened));
    case Outcome::MissingSlash:
      return redirect(request);
    case Outcome::Forbidden:
      return error(request, 403);
    case Outcome::Unavailable:
      return error(request, 503, "Retry-After: 1\r\n");
    case Outcome::NotFound:
      break;
  }
  return error(request, 404);
}

HttpReply HttpSite::refuse(int status) {
  HttpRequest nothing;
  nothing.method = HttpMethod::Get;
  return error(nothing, status);  // without keep_alive
}

HttpReply HttpSite::landing_page(const HttpRequest& request, const TcpSocket& peer) {
  content_.clear();
  page_.append_to(content_, peer, stack_);
  return in_memory(request, 200, kHtml, content_, "Cache-Control: no-store\r\n");
}

HttpReply HttpSite::file(const HttpRequest& request, OpenedFile opened) {
  std::string fields = fmt::format("Accept-Ranges: bytes\r\nLast-Modified: {}\r\nETag: {}\r\n",
                                   http_date(opened.modified), opened.entity_tag);
  ResponseHeader header;
  header.date = date();
  header.is_http11 = request.is_http11;
  header.keep_alive = keeps_alive(request);
  header.content_type = opened.content_type;

  ByteRange range{ByteRange::Kind::Whole, 0, opened.size_octets};
  if (is_not_modified(request, opened)) {
    header.status = 304;
    header.content_type = {};
    range.octets = 0;
  } else if (request.method == HttpMethod::Get && range_applies(request, opened)) {
    range = parse_range(request.range, opened.size_octets);
  }
  if (range.kind == ByteRange::Kind::Unsatisfiable) {
    return error(request, 416, fmt::format("Content-Range: bytes */{}\r\n", opened.size_octets));
  }
  if (range.kind == ByteRange::Kind::Part) {
    header.status = 206;
    fields += fmt::format("Content-Range: bytes {}-{}/{}\r\n", range.first,
                          range.first + range.octets - 1, opened.size_octets);
  }
  if (header.status != 304) header.content_length = range.octets;
  header.more_fields = fields;

  message_.clear();
  append_header(message_, header);
  HttpReply reply{message_, {}, header.keep_alive};
  if (request.method == HttpMethod::Get && range.octets > 0) {
    reply.file = {std::move(opened.descriptor), range.first, range.octets};
  }
  return reply;
}

HttpReply HttpSite::redirect(const HttpRequest& request) {
  // Only the path as it came, percent-encoded as it is: no control character can be in it. A
  // second slash in front would name another host, so exactly one is left.
  std::string_view target(request.target);
  if (target.front() != '/') target.remove_prefix(target.find('/', target.find("//") + 2));
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  const std::size_t name = std::min(path.find_first_not_of('/'), path.size());
  return error(request, 301, fmt::format("Location: /{}/\r\n", path.substr(name)));
}

HttpReply HttpSite::error(const HttpRequest& request, int status, std::string_view more_fields) {
  content_ = fmt::format("{} {}\n", status, reason_of(status));
  return in_memory(request, status, kPlain, content_, more_fields);
}

HttpReply HttpSite::in_memory(const HttpRequest& request, int status, std::string_view content_type,
                              std::string_view content, std::string_view more_fields) {
  ResponseHeader header;
  header.status = status;
  header.date = date();
  header.content_type = content_type;
  header.content_length = content.size();
  header.is_http11 = request.is_http11;
  header.keep_alive = keeps_alive(request);
  header.more_fields = more_fields;
  message_.clear();
  append_header(message_, header);
  if (request.method != HttpMethod::Head) message_ += content;
  return {message_, {}, header.keep_alive};
}

std::string_view HttpSite::date() {
  const std::time_t now = options_.wall_clock();
  if (now != dated_) {
    dated_ = now;
    date_ = http_date(now);
  }
  return date_;
}

}  // namespace runnel::apps
