// What a simulated link does to packets, one property at a time.
#include "tests/support/simulation/link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "stack/wire/checksum.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kNotEct = 0;
constexpr std::uint8_t kEct1 = 1;
constexpr std::uint8_t kEct0 = 2;
constexpr std::uint8_t kCe = 3;

struct Arrival {
  Duration after{0};
  std::uint8_t ecn = 0;
  bool has_right_checksum = false;
};

// A link that carries packets of 1000 octets: at 8 Mbit/s one takes a millisecond.
class LinkTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kPacketOctets = 1000;
  static constexpr Instant kStart{1s};

  LinkTest() { options.delay = 10ms; }

  void send(Duration after, std::uint8_t ecn = kNotEct) {
    if (!link_) link_.emplace(options, 1, kStart, pool_);
    TxFrame frame;
    frame.clear();
    const MutableBytes header = frame.prepend(20);
    std::fill(header.begin(), header.end(), std::uint8_t{0});
    header[0] = 0x45;
    header[1] = ecn;
    header[2] = kPacketOctets / 256;
    header[3] = kPacketOctets % 256;
    const std::uint16_t sum = wire::internet_checksum(header);
    header[10] = static_cast<std::uint8_t>(sum >> 8U);
    header[11] = static_cast<std::uint8_t>(sum & 0xffU);
    static constexpr std::array<std::uint8_t, kPacketOctets - 20> kText{};
    frame.append(kText);
    link_->send(frame, kStart + after, reverse_);
  }

  std::vector<Arrival> receive_all() {
    std::vector<Arrival> arrivals;
    while (link_->next_arrival() != kNever) {
      const Instant now = link_->next_arrival();
      while (auto packet = link_->receive(now)) {
        const Bytes octets = packet->octets();
        arrivals.push_back({now - kStart, static_cast<std::uint8_t>(octets[1] & 3U),
                            wire::internet_checksum(octets.first(20)) == 0});
        pool_.give_back(std::move(packet));
      }
    }
    return arrivals;
  }

  std::vector<Duration> receive_times() {
    std::vector<Duration> times;
    for (const Arrival& arrival : receive_all()) times.push_back(arrival.after);
    return times;
  }

  [[nodiscard]] const LinkCounters& counters() const { return link_->counters(); }

  LinkOptions options;

 private:
  PacketPool pool_;
  std::optional<Link> link_;
  Link reverse_{LinkOptions{}, 2, kStart, pool_};
};

using Times = std::vector<Duration>;

// --- Marks ---------------------------------------------------------------------------------------

TEST_F(LinkTest, MarksCongestionOnlyOnPacketsThatAllowIt) {
  options.mark_ppm = 1'000'000;
  for (const std::uint8_t ecn : {kNotEct, kEct1, kEct0, kCe}) send(0ms, ecn);
  const auto arrivals = receive_all();
  ASSERT_EQ(arrivals.size(), 4U);
  EXPECT_EQ(arrivals[0].ecn, kNotEct);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(arrivals[i].ecn, kCe);
  for (const Arrival& arrival : arrivals) EXPECT_TRUE(arrival.has_right_checksum);
  EXPECT_EQ(counters().ce_marks, 2U);  // one had its mark before
}

TEST_F(LinkTest, MarksAtRandom) {
  options.mark_ppm = 250'000;
  for (int i = 0; i < 1000; ++i) send(0ms, kEct0);
  EXPECT_NEAR(static_cast<double>(counters().ce_marks), 250, 50);
}

TEST_F(LinkTest, MarksWhatFindsMoreThanTheThresholdInTheQueue) {
  options.bits_per_second = 8'000'000;
  options.mark_above_octets = 2 * kPacketOctets;
  for (int i = 0; i < 6; ++i) send(0ms, kEct0);  // one is being sent, 0, 1, 2, 3, 4 wait before it
  std::vector<std::uint8_t> marks;
  for (const Arrival& arrival : receive_all()) marks.push_back(arrival.ecn);
  EXPECT_EQ(marks, (std::vector<std::uint8_t>{kEct0, kEct0, kEct0, kEct0, kCe, kCe}));
}

// --- Policer -------------------------------------------------------------------------------------

TEST_F(LinkTest, APolicerDropsWhatIsMoreThanItsBurst) {
  options.policer = {8'000'000, 3 * kPacketOctets};
  for (int i = 0; i < 5; ++i) send(0ms);
  send(999us);  // tokens come at the rate
  send(1ms);
  send(1ms);
  EXPECT_EQ(receive_times(), (Times{10ms, 10ms, 10ms, 11ms}));
  EXPECT_EQ(counters().policed, 4U);
  EXPECT_EQ(counters().tail_drops, 0U);
}

TEST_F(LinkTest, APolicersBucketHoldsNoMoreThanItsBurst) {
  options.policer = {8'000'000, 2 * kPacketOctets};
  for (int i = 0; i < 3; ++i) send(1h);
  EXPECT_EQ(counters().policed, 1U);
}

// --- Changes of the path -------------------------------------------------------------------------

TEST_F(LinkTest, ChangesItsDelayForWhatLeavesFromThenOn) {
  options.path_changes = {{20ms, 100ms, 0}};
  send(20ms - 1ns);
  send(20ms);
  EXPECT_EQ(receive_times(), (Times{30ms - 1ns, 120ms}));
}

TEST_F(LinkTest, KeepsTheOrderWhenTheDelayBecomesSmaller) {
  options.path_changes = {{20ms, 1ms, 0}};
  send(19ms);
  send(20ms);
  send(29ms);
  EXPECT_EQ(receive_times(), (Times{29ms, 29ms, 30ms}));
}

TEST_F(LinkTest, ChangesItsRateInTheMiddleOfAPacket) {
  options.bits_per_second = 8'000'000;
  options.path_changes = {{2500us, 10ms, 800'000}, {7500us, 10ms, 8'000'000}};
  for (int i = 0; i < 4; ++i) send(0ms);
  // The third packet's second half takes ten times its time.
  EXPECT_EQ(receive_times(), (Times{11ms, 12ms, 17500us, 18500us}));
}

TEST_F(LinkTest, LosesWhatLeavesInAnOutage) {
  options.outages = {{10ms, 5ms}, {30ms, 1ms}};
  for (const Duration after : {Duration(10ms - 1ns), Duration(10ms), Duration(15ms - 1ns),
                               Duration(15ms), Duration(30ms), Duration(31ms)}) {
    send(after);
  }
  EXPECT_EQ(receive_times(), (Times{20ms - 1ns, 25ms, 41ms}));
}

// --- Aggregation ---------------------------------------------------------------------------------

TEST_F(LinkTest, PacketsThatGatherArriveWhenTheFirstHasWaitedLongEnough) {
  options.aggregation.interval = 4ms;
  for (const Duration after : {0ms, 1ms, 4ms, 5ms, 9ms, 10ms}) send(after);
  EXPECT_EQ(receive_times(), (Times{14ms, 14ms, 14ms, 19ms, 19ms, 24ms}));
}

TEST_F(LinkTest, AnAggregateThatIsFullArrivesAtOnce) {
  options.aggregation = {4ms, 3};
  for (const Duration after : {0ms, 1ms, 2ms, 3ms, 8ms, 9ms, 9ms}) send(after);
  EXPECT_EQ(receive_times(), (Times{12ms, 12ms, 12ms, 17ms, 19ms, 19ms, 19ms}));
}

}  // namespace
}  // namespace runnel::test
