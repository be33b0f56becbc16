#include "runnel/impairment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stack/wire/checksum.h"
#include "tests/unit/tun/packets.h"

namespace runnel::tun {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;

// Gives the packets that it was told to, and keeps what is written.
class FakeDevice final : public Device {
 public:
  ReadStatus read(RxBuffer& buffer) override {
    if (incoming.empty()) return ReadStatus::Empty;
    const Octets packet = incoming.front();
    incoming.pop_front();
    std::copy(packet.begin(), packet.end(), buffer.space().begin());
    buffer.set_packet(0, packet.size());
    return ReadStatus::Packet;
  }
  WriteStatus write(TxFrame& frame) override {
    if (answer != WriteStatus::Written) return answer;
    Octets packet(frame.size());
    frame.copy_to(packet);
    written.push_back(packet);
    return answer;
  }
  int descriptor() const noexcept override { return 42; }
  bool checksum_offload() const noexcept override { return false; }
  bool tcp_segmentation_offload() const noexcept override { return false; }

  std::deque<Octets> incoming;
  std::vector<Octets> written;
  WriteStatus answer = WriteStatus::Written;
};

class ImpairedDeviceTest : public ::testing::Test {
 protected:
  void make(const Impairment& impairment) {
    device_ = std::make_unique<ImpairedDevice>(inner_, impairment, [this] { return now_; });
  }
  void write(const Octets& packet) {
    TxFrame frame;
    fill(frame, packet, std::min<std::size_t>(packet.size(), 20));
    EXPECT_EQ(device_->write(frame), Device::WriteStatus::Written);
  }
  // A packet that says which one it is.
  static Octets numbered(std::size_t number, std::size_t octets = 100) {
    Octets packet(octets, 0x55);
    packet[0] = 0x45;
    packet[1] = static_cast<std::uint8_t>(number >> 8U);
    packet[2] = static_cast<std::uint8_t>(number);
    return packet;
  }
  static std::size_t number_of(const Octets& packet) {
    return static_cast<std::size_t>(packet[1]) << 8U | packet[2];
  }
  Octets read() {
    RxBuffer buffer = memory_.acquire();
    if (device_->read(buffer) == Device::ReadStatus::Empty) return {};
    return to_vector(buffer.packet());
  }
  // Lets time go on to each deadline in turn; what has left by then is in inner_.written.
  void run_dry() {
    for (int i = 0; i < 100'000 && device_->next_deadline() != kNever; ++i) {
      now_ = std::max(now_, device_->next_deadline());
      device_->release();
    }
    EXPECT_EQ(device_->next_deadline(), kNever);
  }
  std::vector<std::size_t> numbers_written() const {
    std::vector<std::size_t> numbers;
    for (const Octets& packet : inner_.written) numbers.push_back(number_of(packet));
    return numbers;
  }

  Instant now_{1s};
  FakeDevice inner_;
  TestBuffer memory_;
  std::unique_ptr<ImpairedDevice> device_;
};

TEST_F(ImpairedDeviceTest, WithoutImpairmentEverythingIsDueAtOnce) {
  make({});
  EXPECT_EQ(device_->next_deadline(), kNever);
  write(numbered(1));
  EXPECT_EQ(device_->next_deadline(), now_);
  device_->release();
  EXPECT_EQ(inner_.written, std::vector<Octets>{numbered(1)});
  inner_.incoming = {numbered(2), numbered(3)};
  EXPECT_EQ(read(), numbered(2));
  EXPECT_EQ(read(), numbered(3));
  EXPECT_EQ(read(), Octets());
  EXPECT_EQ(device_->next_deadline(), kNever);
}

TEST_F(ImpairedDeviceTest, ADelayedPacketLeavesAtItsInstantAndNotBefore) {
  make({.delay = 20ms});
  write(numbered(1));
  EXPECT_EQ(device_->next_deadline(), now_ + 20ms);
  now_ += 20ms - 1ns;
  device_->release();
  EXPECT_TRUE(inner_.written.empty());
  now_ += 1ns;
  device_->release();
  EXPECT_EQ(inner_.written.size(), 1U);
}

TEST_F(ImpairedDeviceTest, AnIncomingPacketIsReadAtItsInstantAndNotBefore) {
  make({.delay = 20ms});
  inner_.incoming = {numbered(1)};
  EXPECT_EQ(read(), Octets());
  EXPECT_EQ(device_->next_deadline(), now_ + 20ms);
  now_ += 20ms - 1ns;
  EXPECT_EQ(read(), Octets());
  now_ += 1ns;
  EXPECT_EQ(read(), numbered(1));
}

TEST_F(ImpairedDeviceTest, TheDirectionsDoNotTouchEachOther) {
  make({.rate_bits_per_second = 8000});  // a second for 1000 octets
  write(numbered(1, 1000));
  inner_.incoming = {numbered(2, 500)};
  EXPECT_EQ(read(), Octets());
  EXPECT_EQ(device_->next_deadline(), now_ + 500ms);
}

TEST_F(ImpairedDeviceTest, TheRateSpacesPacketsByTheirSize) {
  make({.delay = 5ms, .rate_bits_per_second = 8'000'000});  // a microsecond for each octet
  const Instant start = now_;
  write(numbered(1, 1000));
  write(numbered(2, 500));
  for (const auto& [due, count] : {std::pair(6000us, 1U), std::pair(6500us, 2U)}) {
    EXPECT_EQ(device_->next_deadline(), start + due);
    now_ = start + due;
    device_->release();
    EXPECT_EQ(inner_.written.size(), count);
  }
}

TEST_F(ImpairedDeviceTest, AQueueThatIsFullDropsTheNewestUntilOneHasLeft) {
  make({.rate_bits_per_second = 8'000'000, .queue_packets = 3});
  for (std::size_t i = 0; i < 5; ++i) write(numbered(i, 1000));
  EXPECT_EQ(device_->counters().queue_full, 2U);
  now_ += 1ms;  // the first has left
  write(numbered(5, 1000));
  write(numbered(6, 1000));
  EXPECT_EQ(device_->counters().queue_full, 3U);
  run_dry();
  EXPECT_EQ(numbers_written(), (std::vector<std::size_t>{0, 1, 2, 5}));
}

TEST_F(ImpairedDeviceTest, JitterDoesNotReorderAndStaysWithinItsBounds) {
  make({.delay = 10ms, .jitter = 4ms});
  Duration shortest = 1s;
  Duration longest{};
  for (std::size_t i = 0; i < 500; ++i) {
    const Instant sent = now_;
    write(numbered(i));
    const Duration took = device_->next_deadline() - sent;
    shortest = std::min(shortest, took);
    longest = std::max(longest, took);
    run_dry();
  }
  EXPECT_GE(shortest, 6ms);
  EXPECT_LT(shortest, 7ms);
  EXPECT_LE(longest, 14ms);
  EXPECT_GT(longest, 13ms);
  inner_.written.clear();
  for (std::size_t i = 0; i < 500; ++i, now_ += 100us) write(numbered(i));
  run_dry();
  for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(number_of(inner_.written[i]), i);
}

TEST_F(ImpairedDeviceTest, AReorderedPacketIsOvertakenAndTheOthersKeepTheirOrder) {
  make({.delay = 1ms, .reorder = 0.1});
  for (std::size_t i = 0; i < 1000; ++i, now_ += 100us) write(numbered(i));
  run_dry();
  std::vector<std::size_t> numbers = numbers_written();
  EXPECT_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_NEAR(static_cast<double>(device_->counters().reordered), 100, 40);
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(numbers[i], i);  // none lost, none twice
}

TEST_F(ImpairedDeviceTest, LossDuplicationAndCorruptionComeAsOftenAsAsked) {
  make({.loss = 0.1, .duplicate = 0.05, .corrupt = 0.02, .seed = 7});
  constexpr std::size_t kPackets = 20'000;
  for (std::size_t i = 0; i < kPackets; ++i) write(numbered(i));
  run_dry();
  const auto& counters = device_->counters();
  EXPECT_EQ(counters.packets, kPackets);
  EXPECT_NEAR(static_cast<double>(counters.lost), 2000, 200);
  EXPECT_NEAR(static_cast<double>(counters.duplicated), 900, 150);
  EXPECT_NEAR(static_cast<double>(counters.corrupted), 360, 100);
  EXPECT_EQ(inner_.written.size(), kPackets - counters.lost + counters.duplicated);
}

TEST_F(ImpairedDeviceTest, MarksWhatTakesPartAndNothingElse) {
  make({.mark = 1});
  for (unsigned tos = 0; tos < 256; ++tos) {
    Octets packet(100, 0x55);
    packet[0] = 0x45;
    packet[1] = static_cast<std::uint8_t>(tos);
    packet[10] = packet[11] = 0;
    const std::uint16_t sum = wire::internet_checksum(Bytes(packet).first(20));
    packet[10] = static_cast<std::uint8_t>(sum >> 8U);
    packet[11] = static_cast<std::uint8_t>(sum);
    inner_.written.clear();
    write(packet);
    run_dry();
    ASSERT_EQ(inner_.written.size(), 1U);
    const Octets& arrived = inner_.written[0];
    const bool takes_part = tos % 4 == 1 || tos % 4 == 2;
    EXPECT_EQ(arrived[1], takes_part ? tos | 3U : tos);
    EXPECT_EQ(wire::internet_checksum(Bytes(arrived).first(20)), 0) << tos;
    EXPECT_TRUE(std::equal(packet.begin() + 12, packet.end(), arrived.begin() + 12));
  }
  EXPECT_EQ(device_->counters().marked, 128U);
}

TEST_F(ImpairedDeviceTest, MarksAsOftenAsAsked) {
  make({.mark = 0.1});
  Octets packet(100, 0x55);
  packet[0] = 0x45;
  packet[1] = 2;
  for (int i = 0; i < 10'000; ++i) write(packet);
  run_dry();
  EXPECT_NEAR(static_cast<double>(device_->counters().marked), 1000, 150);
}

TEST_F(ImpairedDeviceTest, CertainAndImpossibleAreJustThat) {
  make({.loss = 1});
  for (std::size_t i = 0; i < 100; ++i) write(numbered(i));
  EXPECT_EQ(device_->next_deadline(), kNever);
  EXPECT_EQ(device_->counters().lost, 100U);
}

TEST_F(ImpairedDeviceTest, ADuplicateFollowsItsOriginal) {
  make({.duplicate = 1});
  write(numbered(1));
  write(numbered(2));
  run_dry();
  EXPECT_EQ(numbers_written(), (std::vector<std::size_t>{1, 1, 2, 2}));
}

TEST_F(ImpairedDeviceTest, EveryCorruptionIsOneBitThatTheChecksumFinds) {
  make({.corrupt = 1});
  Octets packet = pattern(101);
  packet[2] = packet[3] = 0;
  const std::uint16_t sum = wire::internet_checksum(packet);
  packet[2] = static_cast<std::uint8_t>(sum >> 8U);
  packet[3] = static_cast<std::uint8_t>(sum);
  ASSERT_EQ(wire::internet_checksum(packet), 0);
  for (int i = 0; i < 2000; ++i) write(packet);
  run_dry();
  ASSERT_EQ(inner_.written.size(), 2000U);
  for (const Octets& spoiled : inner_.written) {
    int bits = 0;
    for (std::size_t i = 0; i < packet.size(); ++i) {
      bits += std::popcount(static_cast<unsigned>(packet[i] ^ spoiled[i]));
    }
    EXPECT_EQ(bits, 1);
    EXPECT_EQ(spoiled[0], packet[0]);
    EXPECT_NE(wire::internet_checksum(spoiled), 0);
  }
}

TEST_F(ImpairedDeviceTest, TheSameSeedGivesTheSameFate) {
  const Impairment bad{.delay = 2ms,
                       .jitter = 1ms,
                       .loss = 0.2,
                       .reorder = 0.1,
                       .duplicate = 0.1,
                       .corrupt = 0.1,
                       .rate_bits_per_second = 8'000'000,
                       .queue_packets = 20};
  std::vector<std::vector<Octets>> runs;
  for (const std::uint64_t seed : {3U, 3U, 4U}) {
    Impairment impairment = bad;
    impairment.seed = seed;
    now_ = Instant(1s);
    inner_.written.clear();
    make(impairment);
    for (std::size_t i = 0; i < 300; ++i, now_ += 50us) {
      write(numbered(i));
      device_->release();
    }
    run_dry();
    runs.push_back(inner_.written);
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_NE(runs[0], runs[2]);
}

TEST_F(ImpairedDeviceTest, WhatIsHeldOnTheWayOutIsWrittenAtTheEnd) {
  make({.delay = 1s});
  write(numbered(1));
  write(numbered(2));
  device_.reset();
  EXPECT_EQ(numbers_written(), (std::vector<std::size_t>{1, 2}));
}

TEST_F(ImpairedDeviceTest, WhatTheInnerDeviceRefusesIsCountedAndGone) {
  make({});
  inner_.answer = Device::WriteStatus::Full;
  write(numbered(1));
  device_->release();
  EXPECT_EQ(device_->counters().refused, 1U);
  EXPECT_EQ(device_->next_deadline(), kNever);
}

TEST_F(ImpairedDeviceTest, ABurstIsTakenInBatchesAndLosesNothing) {
  make({});
  for (std::size_t i = 0; i < 1000; ++i) inner_.incoming.push_back(numbered(i));
  for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(number_of(read()), i);
  EXPECT_EQ(read(), Octets());
}

TEST_F(ImpairedDeviceTest, TheRestIsTheInnerDevices) {
  make({});
  EXPECT_EQ(device_->descriptor(), 42);
  EXPECT_FALSE(device_->checksum_offload());
  EXPECT_FALSE(device_->tcp_segmentation_offload());
}

}  // namespace
}  // namespace runnel::tun
