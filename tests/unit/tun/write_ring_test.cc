// The batch over a socket pair, which keeps packets apart and really fills.
#include "tun/write_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tun/unique_fd.h"

namespace runnel::tun {
namespace {

class WriteRingTest : public ::testing::Test {
 protected:
  WriteRingTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours_ = UniqueFd(ends[0]);
    peer_ = UniqueFd(ends[1]);
    ring_ = WriteRing::make(ours_.get());
  }
  void SetUp() override {
    if (!ring_) GTEST_SKIP() << "this system has no io_uring for us";
  }
  void push(const std::string& packet) {
    std::memcpy(ring_->next().data(), packet.data(), packet.size());
    ring_->push(packet.size());
  }
  std::string next() {
    std::string packet(1024, '\0');
    const ssize_t size = ::recv(peer_.get(), packet.data(), packet.size(), 0);
    packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return packet;
  }

  UniqueFd ours_;
  UniqueFd peer_;
  std::unique_ptr<WriteRing> ring_;
};

TEST_F(WriteRingTest, WritesAllInOrderAgainAndAgain) {
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
      EXPECT_FALSE(ring_->is_full());
      push("packet " + std::to_string(i));
    }
    EXPECT_TRUE(ring_->is_full());
    const auto results = ring_->write_all();
    ASSERT_EQ(results.size(), WriteRing::kPackets);
    for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
      const std::string packet = "packet " + std::to_string(i);
      EXPECT_EQ(results[i], static_cast<int>(packet.size()));
      EXPECT_EQ(next(), packet);
    }
    ring_->resize(0);
    EXPECT_TRUE(ring_->empty());
  }
}

TEST_F(WriteRingTest, WhatHasNoRoomIsNotWaitedFor) {
  const int octets = 4096;
  ::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
  for (std::size_t i = 0; i < WriteRing::kPackets; ++i) {
    push(std::string(WriteRing::kPacketOctets, static_cast<char>('a' + i % 26)));
  }
  const auto results = ring_->write_all();
  std::size_t written = 0;
  while (written < results.size() && results[written] > 0) ++written;
  EXPECT_GT(written, 0U);
  EXPECT_LT(written, WriteRing::kPackets);
  for (std::size_t i = written; i < results.size(); ++i) EXPECT_EQ(results[i], -EAGAIN);
  for (std::size_t i = 0; i < written; ++i) EXPECT_EQ(next()[0], static_cast<char>('a' + i % 26));

  // The rest is moved to the front and leaves when there is room.
  for (std::size_t i = written; i < WriteRing::kPackets; ++i) ring_->move(i, i - written);
  ring_->resize(WriteRing::kPackets - written);
  EXPECT_GT(ring_->write_all()[0], 0);
  EXPECT_EQ(next()[0], static_cast<char>('a' + written % 26));
}

TEST_F(WriteRingTest, ErrorsAreOfEachPacket) {
  ::signal(SIGPIPE, SIG_IGN);
  peer_ = UniqueFd();
  push("one");
  push("two");
  const auto results = ring_->write_all();
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0], -EPIPE);
  EXPECT_EQ(results[1], -EPIPE);
}

}  // namespace
}  // namespace runnel::tun
