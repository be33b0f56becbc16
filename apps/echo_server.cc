#include "apps/echo_server.h"

namespace runnel::apps {
namespace {

class EchoConnection final : public ServiceConnection {
 public:
  explicit EchoConnection(TcpSocket peer) : ServiceConnection(peer) {
    // The peer may end its stream and still wait for the rest of the echo, as nc -N does.
    socket().allow_half_open(true);
    socket().on(events::readable, [this] { echo(); });
    socket().on(events::drain, [this] { echo(); });
    socket().on(events::end, [this] { (void)socket().close(); });
    echo();
  }

  void finish() override {
    is_finishing_ = true;
    (void)socket().shutdown_write();
    echo();
  }

 private:
  // Moves octets from the receive queue to the send queue, without a copy, until one of them is
  // exhausted; its event, readable or drain, calls again.
  void echo() {
    if (is_finishing_) {
      discard();
      return;
    }
    const Result<std::size_t> moved = socket().forward_to(socket());
    if (moved && *moved == 0) (void)socket().close();  // the peer has ended, all of it was echoed
  }

  void discard() {
    for (;;) {
      const Result<Buffer> arrived = socket().take();
      if (!arrived) return;
      if (arrived->empty()) {
        (void)socket().close();
        return;
      }
    }
  }

  bool is_finishing_ = false;
};

}  // namespace

EchoServer::EchoServer(Sockets& sockets, const Endpoint& local) : Service(sockets, "echo", local) {}

std::unique_ptr<ServiceConnection> EchoServer::make_connection(TcpSocket peer) {
  return std::make_unique<EchoConnection>(peer);
}

}  // namespace runnel::apps
