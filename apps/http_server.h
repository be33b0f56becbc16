// HTTP/1.1 (RFC 9112): the landing page and static files, over runnel's own sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "apps/http_site.h"
#include "apps/service.h"
#include "runnel/time.h"

namespace runnel::apps {

// Serves an HttpSite. How a connection behaves is told in http_connection.h.
class HttpServer final : public Service {
 public:
  // Throws ServiceError, or std::system_error when the root cannot be served.
  HttpServer(Sockets& sockets, const Endpoint& local, HttpOptions options = {});

 protected:
  [[nodiscard]] std::unique_ptr<ServiceConnection> make_connection(TcpSocket peer) override;

 private:
  Stack& stack_;
  HttpSite site_;
  // Where pieces of files pass through on their way into send queues: one for all connections.
  std::vector<std::uint8_t> scratch_;
};

}  // namespace runnel::apps
