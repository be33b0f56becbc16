// A ring over one end of a socket pair.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "runnel/unique_fd.h"
#include "tun/io_ring.h"

namespace runnel::tun {

// To be used in a process of its own: for a moment after a ring has gone, the kernel interrupts the
// waits of whoever had it.
class RingPair {
 public:
  RingPair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours = UniqueFd(ends[0]);
    peer_ = UniqueFd(ends[1]);
    ring = IoRing::make(ours.get());
    if (!ring) std::fputs("this system has no io_uring for us: not tested\n", stderr);
  }

  // The other end.
  void send(const std::string& packet) {
    EXPECT_EQ(::send(peer_.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }
  std::string next() {
    std::string packet(1024, '\0');
    const ssize_t size = ::recv(peer_.get(), packet.data(), packet.size(), 0);
    packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return packet;
  }
  void hang_up() { peer_.reset(); }

  UniqueFd ours;
  std::unique_ptr<IoRing> ring;  // none where the system has none for us

 private:
  UniqueFd peer_;
};

}  // namespace runnel::tun
