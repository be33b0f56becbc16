#include <gtest/gtest.h>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class PathMtuDiscovery : public TcpTester {};

TEST_F(PathMtuDiscovery, ASegmentLargerThanTheWindowLeavesWhenNothingIsInFlight) {
  ignore_timestamps_default();
  constexpr std::uint32_t kBaseText = 1160;  // in a packet of 1200 octets
  constexpr std::uint32_t kProbeText = 8960;
  Config config;
  config.mtu_octets = 9000;
  config.tcp.mtu_probing = MtuProbing::Always;
  peer_mss = kProbeText;
  rebuild(config);
  establish_passive();
  (void)write_octets(60'000);
  for (std::uint32_t i = 1; i <= 5; ++i) send(ack_segment(0, i * kBaseText));
  // A loss while little is in flight but the probe makes a window that is smaller than its size ...
  for (int i = 0; i < 3; ++i) send(ack_segment(0, 5 * kBaseText));
  std::uint32_t end = 0;
  bool has_probed = false;
  for (const SentSegment& sent : all_sent()) {
    if (sent.payload.empty()) continue;
    end = std::max(end, sent.seq + sent.length() - our(0));
    has_probed = has_probed || sent.payload.size() == kProbeText;
  }
  ASSERT_TRUE(has_probed);
  // ... which the path turns out to carry.
  send(ack_segment(0, end));
  ASSERT_EQ(info().send_mss_octets, kProbeText);
  ASSERT_LT(info().congestion_window_octets, kProbeText);
  const auto sent = next_sent();
  ASSERT_TRUE(sent) << "stuck for ever";
  EXPECT_EQ(sent->payload.size(), kProbeText) << "the loss window of RFC 5681 section 3.1";
  EXPECT_FALSE(next_sent());
}

}  // namespace
}  // namespace runnel::test
