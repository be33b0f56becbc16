// The Character Generator Protocol, RFC 864: an endless stream of printable characters.
#pragma once

#include <memory>

#include "apps/service.h"

namespace runnel::apps {

// Sends the pattern that RFC 864 suggests: lines of 72 of the 95 printable ASCII characters, each
// line beginning one character later than the one before, and CR LF.
//
// The pattern repeats after 95 lines. It is written out once, long enough that a large piece can
// be taken from any place in its first period, so that sending is a reference to it and no
// arithmetic.
class ChargenServer final : public Service {
 public:
  ChargenServer(Sockets& sockets, const Endpoint& local);

 protected:
  [[nodiscard]] std::unique_ptr<ServiceConnection> make_connection(TcpSocket peer) override;
};

}  // namespace runnel::apps
