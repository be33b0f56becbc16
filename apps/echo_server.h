// The Echo Protocol, RFC 862: whatever comes goes back.
#pragma once

#include <memory>

#include "apps/service.h"

namespace runnel::apps {

// Echoes without a buffer of its own: octets stay in the receive queue until the send queue has
// taken them. So a peer that does not read fills its own send queue, closes its own window, and
// costs no more memory than the two queues have.
class EchoServer final : public Service {
 public:
  EchoServer(Sockets& sockets, const Endpoint& local);

 protected:
  [[nodiscard]] std::unique_ptr<ServiceConnection> make_connection(TcpSocket peer) override;
};

}  // namespace runnel::apps
