// The batch over a socket pair, which keeps packets apart and really fills.
#include "tun/write_ring.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/unit/tun/network_namespace.h"
#include "tun/unique_fd.h"

namespace runnel::tun {
namespace {

// A ring, in a process of its own: for a moment after a ring has gone, the kernel interrupts the
// waits of whoever had it.
class Pair {
 public:
  Pair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours = UniqueFd(ends[0]);
    peer = UniqueFd(ends[1]);
    ring = WriteRing::make(ours.get());
    if (!ring) std::fputs("this system has no io_uring for us: not tested\n", stderr);
  }
  void push(const std::string& packet) {
    std::memcpy(ring->next().data(), packet.data(), packet.size());
    ring->push(packet.size());
  }
  std::string next() {
    std::string packet(1024, '\0');
    const ssize_t size = ::recv(peer.get(), packet.data(), packet.size(), 0);
    packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return packet;
  }

  UniqueFd ours;
  UniqueFd peer;
  std::unique_ptr<WriteRing> ring;
};

TEST(WriteRing, WritesAllInOrderAgainAndAgain) {
  in_network_namespace([] {
    Pair pair;
    if (!pair.ring) return;
    for (int round = 0; round < 10; ++round) {
      for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
        EXPECT_FALSE(pair.ring->is_full());
        pair.push("packet " + std::to_string(i));
      }
      EXPECT_TRUE(pair.ring->is_full());
      const auto results = pair.ring->write_all();
      ASSERT_EQ(results.size(), WriteRing::kPackets);
      for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
        const std::string packet = "packet " + std::to_string(i);
        EXPECT_EQ(results[i], static_cast<int>(packet.size()));
        EXPECT_EQ(pair.next(), packet);
      }
      pair.ring->resize(0);
      EXPECT_TRUE(pair.ring->empty());
    }
  });
}

TEST(WriteRing, WhatHasNoRoomIsNotWaitedFor) {
  in_network_namespace([] {
    Pair pair;
    if (!pair.ring) return;
    const int octets = 4096;
    ::setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
    const auto letter = [](std::size_t i) { return static_cast<char>('a' + i % 26); };
    for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
      pair.push(std::string(WriteRing::kPacketOctets, letter(i)));
    }
    const auto results = pair.ring->write_all();
    std::size_t written = 0;
    while (written < results.size() && results[written] > 0) ++written;
    EXPECT_GT(written, 0U);
    EXPECT_LT(written, WriteRing::kPackets);
    for (std::size_t i = written; i < results.size(); ++i) EXPECT_EQ(results[i], -EAGAIN);
    for (std::size_t i = 0; i < written; ++i) EXPECT_EQ(pair.next()[0], letter(i));

    // The rest is moved to the front and leaves when there is room.
    for (std::size_t i = written; i < WriteRing::kPackets; ++i) pair.ring->move(i, i - written);
    pair.ring->resize(WriteRing::kPackets - written);
    EXPECT_GT(pair.ring->write_all()[0], 0);
    EXPECT_EQ(pair.next()[0], letter(written));
  });
}

TEST(WriteRing, ErrorsAreOfEachPacket) {
  in_network_namespace([] {
    ::signal(SIGPIPE, SIG_IGN);
    Pair pair;
    if (!pair.ring) return;
    pair.peer = UniqueFd();
    pair.push("one");
    pair.push("two");
    const auto results = pair.ring->write_all();
    ASSERT_EQ(results.size(), 2U);
    EXPECT_EQ(results[0], -EPIPE);
    EXPECT_EQ(results[1], -EPIPE);
  });
}

}  // namespace
}  // namespace runnel::tun
