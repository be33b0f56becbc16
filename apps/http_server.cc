#include "apps/http_server.h"

#include <cstddef>
#include <utility>

#include "apps/http_connection.h"

namespace runnel::apps {
namespace {

constexpr std::size_t kScratchOctets = std::size_t{256} << 10U;

}  // namespace

HttpServer::HttpServer(Sockets& sockets, const Endpoint& local, HttpOptions options)
    : Service(sockets, "http", local),
      stack_(sockets.stack()),
      site_(std::move(options), sockets.stack()),
      scratch_(kScratchOctets) {}

std::unique_ptr<ServiceConnection> HttpServer::make_connection(TcpSocket peer) {
  return std::make_unique<HttpConnection>(peer, stack_, site_, scratch_);
}

}  // namespace runnel::apps
