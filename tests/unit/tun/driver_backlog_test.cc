// What the loop does about a device's queue that is full of packets: how much it reads before it
// writes, and how much it writes then.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <deque>
#include <string>

#include "runnel/driver.h"
#include "runnel/random.h"
#include "runnel/unique_fd.h"
#include "tests/unit/tun/pair_device.h"

namespace runnel::tun {
namespace {

// Has all its packets in memory, and writes down what is done to it.
class BackloggedDevice : public Device {
 public:
  ReadStatus read(RxBuffer& buffer) override {
    if (arrivals.empty()) return ReadStatus::Empty;
    const Octets packet = std::move(arrivals.front());
    arrivals.pop_front();
    std::copy(packet.begin(), packet.end(), buffer.space().begin());
    buffer.set_packet(0, packet.size());
    buffer.meta = {};
    log += 'r';
    return ReadStatus::Packet;
  }
  WriteStatus write(TxFrame&) override {
    log += 'w';
    return WriteStatus::Written;
  }
  int descriptor() const noexcept override { return descriptor_.get(); }
  bool checksum_offload() const noexcept override { return false; }
  bool tcp_segmentation_offload() const noexcept override { return false; }

  std::deque<Octets> arrivals;
  std::string log;  // r: read a packet, w: wrote one

 private:
  UniqueFd descriptor_{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};  // always readable
};

class DriverBacklog : public ::testing::Test {
 protected:
  DriverBacklog() { EXPECT_TRUE(stack_.add_address({IpAddress(192, 0, 2, 2), 24})); }

  // `count` packets that want an answer each are waiting; one turn of the loop after the other
  // until all have been answered. Returns what was done, turn by turn: how often, and what.
  std::string answer(int count) {
    for (int i = 0; i < count; ++i) {
      device_.arrivals.push_back(echo_request(static_cast<std::uint16_t>(i)));
    }
    const auto answers = [&] { return std::count(device_.log.begin(), device_.log.end(), 'w'); };
    for (int turns = 0; turns < 100 && answers() < count; ++turns) driver_.run_once(Duration{0});
    EXPECT_EQ(answers(), count);
    std::string summary;
    for (std::size_t at = 0; at < device_.log.size();) {
      const std::size_t end =
          std::min(device_.log.find_first_not_of(device_.log[at], at), device_.log.size());
      summary += (summary.empty() ? "" : " ") + std::to_string(end - at) + device_.log[at];
      at = end;
    }
    return summary;
  }

  SeededRandom random_{1};
  Stack stack_{Config{}, random_};
  Sockets sockets_{stack_};
  BackloggedDevice device_;
  Driver driver_{stack_, sockets_, device_};
};

const std::string kBeginning = "1r 1w 2r 2w 4r 4w 8r 8w 16r 16w 32r 32w";

// A batch is 64 packets. From here on, whole ones are read one after the other.
TEST_F(DriverBacklog, WhatWaitsIsReadBeforeAnythingIsWritten) {
  EXPECT_EQ(answer(63 + 64 + 40), kBeginning + " 104r 104w");
}

TEST_F(DriverBacklog, SoMuchAtMost) {
  EXPECT_EQ(answer(63 + 512 + 40), kBeginning + " 512r 256w 40r 296w");
}

}  // namespace
}  // namespace runnel::tun
