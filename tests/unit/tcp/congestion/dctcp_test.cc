// DCTCP: RFC 8257, in segments of 1,000 octets.
#include "stack/tcp/congestion/dctcp.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using wire::SeqNum;

constexpr std::uint32_t kSmss = 1000;

double share_of(const Dctcp& dctcp) {
  return static_cast<double>(dctcp.alpha()) / Dctcp::kWhole;
}

// Windows of ten segments, of which the last ones are marked.
struct Windows {
  void run(int windows, std::uint64_t marked_segments) {
    for (int window = 0; window < windows; ++window) {
      for (std::uint64_t i = 0; i < 10; ++i) {
        una += kSmss;
        AckEvent event;
        event.newly_acked_octets = event.newly_delivered_octets = kSmss;
        event.ce_marked_octets = i < 10 - marked_segments ? 0 : kSmss;
        event.una = SeqNum{una};
        event.nxt = SeqNum{una + 9 * kSmss};
        event.app_limited = true;
        dctcp.on_ack(event);
      }
    }
  }
  void mark() {
    LossEvent event;
    event.cause = LossEvent::Cause::EcnMark;
    event.in_flight_before_octets = dctcp.cwnd_octets();
    dctcp.on_loss(event);
  }
  Dctcp dctcp{kSmss, 40 * kSmss};
  std::uint32_t una = 0xffffff00;
};

TEST(Dctcp, AlphaBeginsAtOne) {
  EXPECT_EQ(share_of(Windows().dctcp), 1.0);
}

TEST(Dctcp, AlphaFollowsTheShareOfMarkedOctets) {
  for (const std::uint64_t marked : {1U, 5U, 9U, 10U}) {
    Windows windows;
    windows.run(200, marked);
    EXPECT_NEAR(share_of(windows.dctcp), static_cast<double>(marked) / 10, 0.02) << marked;
  }
}

TEST(Dctcp, AlphaMovesByASixteenthOfTheWayOnceInAWindow) {
  Windows windows;
  windows.run(1, 0);  // its first ACK is a window of its own
  const double before = share_of(windows.dctcp);
  EXPECT_NEAR(before, 15.0 / 16, 1e-5);
  windows.run(1, 0);
  EXPECT_NEAR(share_of(windows.dctcp), before * 15 / 16, 1e-5);
}

TEST(Dctcp, AlphaReachesZeroAndOneExactly) {
  Windows windows;
  windows.run(500, 0);
  EXPECT_EQ(windows.dctcp.alpha(), 0U);
  windows.run(1, 0);
  EXPECT_EQ(windows.dctcp.alpha(), 0U);
  windows.run(500, 10);
  EXPECT_NEAR(share_of(windows.dctcp), 1.0, 1e-4);
}

TEST(Dctcp, TheFirstMarkHalves) {
  Windows windows;
  windows.mark();
  EXPECT_EQ(windows.dctcp.cwnd_octets(), 20U * kSmss);
  EXPECT_EQ(windows.dctcp.ssthresh_octets(), 20U * kSmss);
}

TEST(Dctcp, AMarkIsAnsweredInProportion) {
  Windows windows;
  windows.run(300, 5);
  windows.mark();
  EXPECT_NEAR(static_cast<double>(windows.dctcp.cwnd_octets()), 30 * kSmss, 0.02 * 40 * kSmss);
}

TEST(Dctcp, WithoutMarksForLongAMarkCostsNothing) {
  Windows windows;
  windows.run(500, 0);
  windows.mark();
  EXPECT_EQ(windows.dctcp.cwnd_octets(), 40U * kSmss);
}

TEST(Dctcp, ALossIsARenoLossWhateverAlpha) {
  Windows windows;
  windows.run(500, 0);
  LossEvent event;
  event.in_flight_before_octets = 30 * kSmss;
  windows.dctcp.on_loss(event);
  EXPECT_EQ(windows.dctcp.cwnd_octets(), 15U * kSmss);
  EXPECT_EQ(windows.dctcp.ssthresh_octets(), 15U * kSmss);
  windows.dctcp.on_retransmission_timeout(event);
  EXPECT_EQ(windows.dctcp.cwnd_octets(), 1U * kSmss);
  EXPECT_EQ(windows.dctcp.ssthresh_octets(), 15U * kSmss);
}

TEST(Dctcp, FurtherMarksOfTheSameWindowChangeNothing) {
  Windows windows;
  windows.mark();
  LossEvent event;
  event.cause = LossEvent::Cause::EcnMark;
  event.calls_for_response = false;
  windows.dctcp.on_loss(event);
  EXPECT_EQ(windows.dctcp.cwnd_octets(), 20U * kSmss);
}

}  // namespace
}  // namespace runnel::tcp
