#include "apps/discard_server.h"

namespace runnel::apps {
namespace {

class DiscardConnection final : public ServiceConnection {
 public:
  explicit DiscardConnection(TcpSocket peer) : ServiceConnection(peer) {
    // A function that does nothing is what discards: octets count as read when it returns. After
    // the peer's end the socket closes itself.
    socket().on(events::data, [](Bytes) {});
  }

  void finish() override { (void)socket().shutdown_write(); }
};

}  // namespace

DiscardServer::DiscardServer(Sockets& sockets, const Endpoint& local)
    : Service(sockets, "discard", local) {}

std::unique_ptr<ServiceConnection> DiscardServer::make_connection(TcpSocket peer) {
  return std::make_unique<DiscardConnection>(peer);
}

}  // namespace runnel::apps
