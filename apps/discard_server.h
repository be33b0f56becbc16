// The Discard Protocol, RFC 863: whatever comes is thrown away.
#pragma once

#include <memory>

#include "apps/service.h"

namespace runnel::apps {

class DiscardServer final : public Service {
 public:
  DiscardServer(Sockets& sockets, const Endpoint& local);

 protected:
  [[nodiscard]] std::unique_ptr<ServiceConnection> make_connection(TcpSocket peer) override;
};

}  // namespace runnel::apps
