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
  // Moves octets from the receive queue to the send queue until one of them is exhausted; its
  // event, readable or drain, calls again.
  void echo() {
    for (;;) {
      const Result<Bytes> arrived = socket().peek();
      if (!arrived) return;
      if (arrived->empty()) {  // the peer has ended, and everything was echoed
        (void)socket().close();
        return;
      }
      std::size_t used = arrived->size();
      if (!is_finishing_) {
        const Result<std::size_t> written = socket().write(*arrived);
        if (!written) return;
        used = *written;
      }
      const bool fell_short = used < arrived->size();
      if (used == 0 || !socket().consume(used) || fell_short) return;
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
