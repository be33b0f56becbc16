// The batch over a socket pair.
#include "tun/write_ring.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/unit/tun/network_namespace.h"
#include "tests/unit/tun/ring_pair.h"

namespace runnel::tun {
namespace {

void push(WriteRing& batch, const std::string& packet) {
  std::memcpy(batch.next().data(), packet.data(), packet.size());
  batch.push(packet.size());
}

TEST(WriteRing, WritesAllInOrderAgainAndAgain) {
  in_network_namespace([] {
    RingPair pair;
    if (!pair.ring) return;
    WriteRing batch(*pair.ring);
    for (int round = 0; round < 10; ++round) {
      for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
        EXPECT_FALSE(batch.is_full());
        push(batch, "packet " + std::to_string(i));
      }
      EXPECT_TRUE(batch.is_full());
      const auto results = batch.write_all();
      ASSERT_EQ(results.size(), WriteRing::kPackets);
      for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
        const std::string packet = "packet " + std::to_string(i);
        EXPECT_EQ(results[i], static_cast<int>(packet.size()));
        EXPECT_EQ(pair.next(), packet);
      }
      batch.resize(0);
      EXPECT_TRUE(batch.empty());
    }
  });
}

TEST(WriteRing, WhatHasNoRoomIsNotWaitedFor) {
  in_network_namespace([] {
    RingPair pair;
    if (!pair.ring) return;
    WriteRing batch(*pair.ring);
    const int octets = 4096;
    ::setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
    const auto letter = [](std::size_t i) { return static_cast<char>('a' + i % 26); };
    for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
      push(batch, std::string(WriteRing::kPacketOctets, letter(i)));
    }
    const auto results = batch.write_all();
    std::size_t written = 0;
    while (written < results.size() && results[written] > 0) ++written;
    EXPECT_GT(written, 0U);
    EXPECT_LT(written, WriteRing::kPackets);
    for (std::size_t i = written; i < results.size(); ++i) EXPECT_EQ(results[i], -EAGAIN);
    for (std::size_t i = 0; i < written; ++i) EXPECT_EQ(pair.next()[0], letter(i));

    // The rest is moved to the front and leaves when there is room.
    for (std::size_t i = written; i < WriteRing::kPackets; ++i) batch.move(i, i - written);
    batch.resize(WriteRing::kPackets - written);
    EXPECT_GT(batch.write_all()[0], 0);
    EXPECT_EQ(pair.next()[0], letter(written));
  });
}

}  // namespace
}  // namespace runnel::tun
