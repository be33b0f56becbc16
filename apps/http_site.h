// What an HTTP server has to say: requests in, responses out. Knows nothing of connections.
#pragma once

#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/http_cache.h"
#include "apps/http_file.h"
#include "apps/http_page.h"
#include "apps/http_request.h"
#include "runnel/sockets.h"
#include "runnel/tcp_socket.h"

namespace runnel::apps {

struct HttpOptions {
  std::string root;  // directory of static files; empty: none are served
  std::vector<Neighbour> neighbours;
  std::function<std::time_t()> wall_clock = [] { return std::time(nullptr); };
};

// One response: its beginning in memory, the rest, if any, in a file.
struct HttpReply {
  std::string_view message;  // header and a short content; valid until the next reply
  FileRange file;
  bool keep_alive = true;
};

// Decides how each request is answered (RFC 9110).
//
// GET and HEAD of `/` give the landing page, unless the root has an index.html; other paths are
// files. Content in a request is never wanted: it is refused with 405 or 413, and the connection
// ends after that, so where it ends need not be known.
class HttpSite {
 public:
  // Throws std::system_error when the root cannot be served.
  HttpSite(HttpOptions options, const Stack& stack);

  [[nodiscard]] HttpReply answer(const HttpRequest& request, const TcpSocket& peer);

  // An error after which the connection ends: for what is not a request.
  [[nodiscard]] HttpReply refuse(int status);

 private:
  [[nodiscard]] HttpReply answer_anew(const HttpRequest& request, const TcpSocket& peer);
  [[nodiscard]] HttpReply landing_page(const HttpRequest& request, const TcpSocket& peer);
  [[nodiscard]] HttpReply file(const HttpRequest& request, OpenedFile opened);
  [[nodiscard]] HttpReply redirect(const HttpRequest& request);
  [[nodiscard]] HttpReply error(const HttpRequest& request, int status,
                                std::string_view more_fields = {});
  // A reply with all of `content` in memory.
  [[nodiscard]] HttpReply in_memory(const HttpRequest& request, int status,
                                    std::string_view content_type, std::string_view content,
                                    std::string_view more_fields);
  [[nodiscard]] std::string_view date();

  HttpOptions options_;
  const Stack& stack_;
  LandingPage page_;
  std::optional<StaticFiles> files_;

  HttpCache cache_;
  std::time_t dated_ = -1;  // what `date_` says, formatted once a second
  std::string date_;
  std::string content_;  // scratch, so that a reply costs no allocation
  std::string message_;
};

}  // namespace runnel::apps
