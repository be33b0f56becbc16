// The page that `GET /` shows when no files are served: what answered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runnel/sockets.h"
#include "runnel/tcp_socket.h"

namespace runnel::apps {

// Another service of the same host, to be named on the page.
struct Neighbour {
  std::string name;
  std::uint16_t port = 0;
};

class LandingPage {
 public:
  explicit LandingPage(const std::vector<Neighbour>& neighbours);

  // Appends the page to `out`: which stack this is, how `peer`'s connection to it looks from
  // inside, and what else is alive.
  void append_to(std::string& out, const TcpSocket& peer, const Stack& stack) const;

 private:
  std::string end_;
};

}  // namespace runnel::apps
