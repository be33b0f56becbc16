// What a window permits leaves in portions: RFC 7661 section 4.4.2, RFC 6928 for the first window,
// RFC 9002 section 7.7 for the rate. Everything is counted in segments of 1,460 octets; the path
// takes 100 ms.
#include <algorithm>
#include <numeric>

#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

class Pacing : public SackPath {
 protected:
  Pacing() {
    ignore_timestamps_default();
    peer_wscale = 7;
    keep_defaults = true;
    TcpConfig config;
    config.idle_restart = IdleRestart::Rfc7661;  // so that a large window outlives a pause
    use(config);
  }
  void use(TcpConfig config) {
    config.congestion_control = CongestionAlgorithm::NewReno;
    config.hystart = false;  // one ACK may stand for a whole flight here
    rebuild(config);
  }

  // A window of 40 segments, all acknowledged, and then a second of silence.
  void open_with_forty_unused() {
    open();
    ASSERT_TRUE(write_octets(70 * kMss));
    for (const std::uint32_t acknowledged : {10U, 30U, 70U}) {
      advance(kRoundTrip);
      acknowledge(acknowledged);
    }
    ASSERT_EQ(in_flight_segments(), 0U);
    ASSERT_GE(cwnd_segments(), 40U);
    forget_sent();
    advance(1s);
    una_ = 70;
  }
  // How many segments leave in each of the next milliseconds, the present instant first.
  std::vector<std::size_t> segments_by_millisecond(std::size_t milliseconds) {
    std::vector<std::size_t> sent{sent_segments().size()};
    while (sent.size() < milliseconds) {
      advance(1ms);
      sent.push_back(sent_segments().size());
    }
    return sent;
  }
  static std::size_t sum(const std::vector<std::size_t>& counts, std::size_t first) {
    return std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(first),
                           std::size_t{0});
  }

  std::uint32_t una_ = 0;
};

TEST_F(Pacing, R_7661_4_4_2_PACE_AnUnusedWindowIsSpreadOverTheRoundTrip) {
  open_with_forty_unused();
  const std::uint64_t cwnd = cwnd_segments();
  ASSERT_TRUE(write_octets(cwnd * kMss));
  const auto sent = segments_by_millisecond(100);
  EXPECT_EQ(sum(sent, 100), cwnd);
  EXPECT_LE(*std::max_element(sent.begin(), sent.end()), 4U) << "two quanta of two segments";
  // In slow start at twice the window in a round trip.
  EXPECT_LE(sum(sent, 25), cwnd / 2 + 4);
  EXPECT_GE(sum(sent, 25), cwnd / 2 - 4);
  EXPECT_LT(sum(sent, 45), cwnd);
}

TEST_F(Pacing, WithoutItTheWholeWindowLeavesAtOnce) {
  TcpConfig config;
  config.idle_restart = IdleRestart::Rfc7661;
  config.pacing = false;
  use(config);
  open_with_forty_unused();
  ASSERT_TRUE(write_octets(40 * kMss));
  EXPECT_EQ(sent_segments().size(), 40U);
}

TEST_F(Pacing, TheFirstWindowLeavesAtOnce) {
  open();
  ASSERT_TRUE(write_octets(20 * kMss));
  EXPECT_EQ(sent_segments().size(), 10U);
}

TEST_F(Pacing, EachQuantumHasItsInstant) {
  open_with_forty_unused();
  const std::uint64_t rate = info().pacing_rate_octets;
  EXPECT_EQ(rate, 2 * info().congestion_window_octets * 10) << "twice the window in 100 ms";
  ASSERT_TRUE(write_octets(40 * kMss));
  forget_sent();
  // Whatever the first burst was, from here on two segments leave at a time, as far apart as they
  // take at that rate.
  const auto gap = Duration(std::uint64_t{2 * kMss} * 1'000'000'000 / rate);
  while (sent_segments().empty()) advance(1us);
  for (int i = 0; i < 5; ++i) {
    advance(gap - 4us);
    EXPECT_EQ(sent_segments().size(), 0U);
    advance(4us);
    EXPECT_EQ(sent_segments().size(), 2U);
  }
}

TEST_F(Pacing, APathShorterThanTheThresholdIsNotPaced) {
  const Duration threshold = TcpConfig{}.pacing_minimum_rtt;
  open(threshold - 1ns);
  EXPECT_EQ(info().pacing_rate_octets, 0U);
  rebuild(TcpConfig{});
  open(threshold);
  ASSERT_EQ(info().smoothed_rtt, threshold);
  EXPECT_GT(info().pacing_rate_octets, 0U);
}

TEST_F(Pacing, InCongestionAvoidanceTheWindowTakesFiveSixthsOfTheRoundTrip) {
  open_with_forty_unused();
  ASSERT_TRUE(write_octets(40 * kMss));
  advance(kRoundTrip);
  acknowledge(una_, {{una_ + 1, una_ + 40}});  // one of them was lost
  advance(kRoundTrip);
  acknowledge(una_ + 40);
  const std::uint64_t cwnd = info().congestion_window_octets;
  ASSERT_LE(info().slow_start_threshold_octets, cwnd);
  EXPECT_NEAR(static_cast<double>(info().pacing_rate_octets), 1.2 * static_cast<double>(cwnd) / 0.1,
              0.01 * static_cast<double>(cwnd) / 0.1);
}

TEST_F(Pacing, TheFirstRetransmissionDoesNotWait) {
  open_with_forty_unused();
  ASSERT_TRUE(write_octets(80 * kMss));
  advance(99ms);
  forget_sent();
  acknowledge(una_, {{una_ + 1, una_ + 40}});
  EXPECT_THAT(sent_segments(), ::testing::Contains(una_));
}

TEST_F(Pacing, TheFlightFillsTheWindowAlsoWhenAcksComeInOneBatch) {
  open();
  ASSERT_TRUE(write_octets(200 * kMss));
  std::uint32_t una = 0;
  for (const std::uint64_t expected : {10U, 20U, 40U}) {
    advance(kRoundTrip);
    EXPECT_EQ(in_flight_segments(), expected);
    una += static_cast<std::uint32_t>(in_flight_segments());
    acknowledge(una);
  }
}

}  // namespace
}  // namespace runnel::test
