// What is asked of a device, and in which order the stack gets it.
#include "tun/packet_input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "runnel/random.h"
#include "tests/unit/tun/pair_device.h"

namespace runnel::tun {
namespace {

// Has all its packets in memory, and writes down what it is asked for.
class AskedDevice : public Device {
 public:
  ReadStatus read(RxBuffer& buffer) override {
    log += "1 ";
    return give(buffer) ? ReadStatus::Packet : ReadStatus::Empty;
  }
  std::size_t read_batch(std::span<RxBuffer> buffers) override {
    log += std::to_string(buffers.size()) + " ";
    std::size_t count = 0;
    while (count < buffers.size() && give(buffers[count])) ++count;
    return count;
  }
  WriteStatus write(TxFrame&) override { return WriteStatus::Written; }
  int descriptor() const noexcept override { return -1; }
  bool checksum_offload() const noexcept override { return false; }
  bool tcp_segmentation_offload() const noexcept override { return false; }

  std::deque<Octets> arrivals;
  std::string log;  // how many packets each call asked for

 private:
  bool give(RxBuffer& buffer) {
    if (arrivals.empty()) return false;
    std::copy(arrivals.front().begin(), arrivals.front().end(), buffer.space().begin());
    buffer.set_packet(0, arrivals.front().size());
    buffer.meta = {};
    arrivals.pop_front();
    return true;
  }
};

Config with_memory(std::size_t octets) {
  Config config;
  config.memory_budget_octets = octets;
  config.mtu_octets = 9000;
  return config;
}

class PacketInputTest : public ::testing::Test {
 protected:
  explicit PacketInputTest(std::size_t memory_octets = std::size_t{64} << 20U)
      : stack_(with_memory(memory_octets), random_), input_(stack_, device_) {
    EXPECT_TRUE(stack_.add_address({IpAddress(192, 0, 2, 2), 24}));
  }

  void arrive(int count, std::size_t payload_octets = 56) {
    for (int i = 0; i < count; ++i) {
      device_.arrivals.push_back(echo_request(next_++, payload_octets));
    }
  }
  // One batch. Returns what the device was asked for.
  std::string read() {
    device_.log.clear();
    input_.look_again();
    batch_ = input_.read(now_);
    while (stack_.poll_transmit(frame_, now_)) {
      Octets reply(frame_.size());
      frame_.copy_to(reply);
      EXPECT_EQ(reply_sequence(reply), answered_++) << "packets have changed places";
    }
    if (!device_.log.empty()) device_.log.pop_back();
    return device_.log;
  }
  // Batches until the device is empty, so that the last one is of `count` packets.
  void last_batch_was(int count, std::size_t payload_octets = 56) {
    input_.expect_many();
    arrive(count, payload_octets);
    read();
    EXPECT_EQ(batch_.packets, static_cast<std::size_t>(count));
  }

  SeededRandom random_{1};
  Stack stack_;
  AskedDevice device_;
  PacketInput input_;
  Instant now_{};
  TxFrame frame_;
  PacketInput::Batch batch_;
  std::uint16_t next_ = 0;
  std::uint16_t answered_ = 0;
};

TEST_F(PacketInputTest, AsManyAsTheLastBatchHadAreAskedForTogether) {
  last_batch_was(8);
  arrive(8);
  EXPECT_EQ(read(), "8 1");
  EXPECT_EQ(batch_.packets, 8U);
  EXPECT_FALSE(batch_.is_whole);
  arrive(12);
  EXPECT_EQ(read(), "8 1 1 1 1 1");
  EXPECT_EQ(batch_.packets, 12U);
}

TEST_F(PacketInputTest, AGroupThatComesShortHasFoundTheDeviceEmpty) {
  last_batch_was(20);
  arrive(7);
  EXPECT_EQ(read(), "20");
  EXPECT_EQ(batch_.packets, 7U);
  arrive(7);
  EXPECT_EQ(read(), "7 1");
}

TEST_F(PacketInputTest, FewPacketsAreReadOneByOne) {
  last_batch_was(5);
  arrive(5);
  EXPECT_EQ(read(), "1 1 1 1 1 1");
  last_batch_was(6);
  arrive(6);
  EXPECT_EQ(read(), "6 1");
}

TEST_F(PacketInputTest, AfterOneThatCameAloneTheNextIsAnsweredWithoutAskingForMore) {
  last_batch_was(1);
  arrive(1);
  EXPECT_EQ(read(), "1 1");
  arrive(20);
  EXPECT_EQ(read(), "1 1");
  EXPECT_EQ(read(), "1 1 1 1");
  EXPECT_EQ(read(), "1 1 1 1 1 1 1 1");
  EXPECT_EQ(read(), "8");
  EXPECT_EQ(batch_.packets, 6U);
}

TEST_F(PacketInputTest, GroupsAreOfThirtyTwoAndABatchOfSixtyFour) {
  last_batch_was(64);
  EXPECT_TRUE(batch_.is_whole);
  arrive(100);
  EXPECT_EQ(read(), "32 32");
  EXPECT_TRUE(batch_.is_whole);
  EXPECT_EQ(read(), "32 32");
  EXPECT_EQ(batch_.packets, 36U);
  EXPECT_FALSE(batch_.is_whole);
}

TEST_F(PacketInputTest, LongPacketsAreReadOneByOne) {
  last_batch_was(8, 3000);
  arrive(8, 3000);
  EXPECT_EQ(read(), "1 1 1 1 1 1 1 1 1");
  // What counts is the mean: a long one among short ones is no bulk.
  last_batch_was(8);
  arrive(1, 3000);
  arrive(9);
  EXPECT_EQ(read(), "8 1 1 1");
  arrive(10);
  EXPECT_EQ(read(), "10 1");
}

TEST_F(PacketInputTest, ADeviceThatIsLookedAwayFromIsNotAsked) {
  last_batch_was(8);
  arrive(8);
  device_.log.clear();
  input_.look_away();
  EXPECT_EQ(input_.read(now_).packets, 0U);
  EXPECT_EQ(device_.log, "");
}

TEST_F(PacketInputTest, BlocksThatNothingCameIntoAreGivenBack) {
  last_batch_was(1);
  EXPECT_EQ(read(), "1");
  const std::size_t before = stack_.memory_octets();
  last_batch_was(32);
  arrive(2);
  EXPECT_EQ(read(), "32");
  EXPECT_EQ(read(), "1") << "which takes the block for the next packet";
  EXPECT_EQ(stack_.memory_octets(), before);
}

class PacketInputWithLittleMemory : public PacketInputTest {
 protected:
  PacketInputWithLittleMemory() : PacketInputTest(std::size_t{8} << 20U) {}
};

TEST_F(PacketInputWithLittleMemory, GroupsThatWouldTakeMuchOfItAreNotRead) {
  last_batch_was(10);
  arrive(10);
  EXPECT_EQ(read(), "10 1") << "650 KiB of 8 MiB";
  last_batch_was(20);
  arrive(20);
  EXPECT_EQ(read().substr(0, 4), "1 1 ") << "1300 KiB would be more than an eighth";
  EXPECT_EQ(stack_.counters().dropped(DropReason::NoMemory), 0U);
}

}  // namespace
}  // namespace runnel::tun
