#include "stack/tcp/congestion/any_congestion_control.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

AckEvent acked(std::uint64_t octets) {
  AckEvent event;
  event.newly_acked_octets = octets;
  return event;
}

TEST(AnyCongestionControl, IsTheControllerThatItHolds) {
  AnyCongestionControl any(1460, 14600);
  EXPECT_EQ(any->cwnd_octets(), 14600U);
  any->on_ack(acked(1460));
  EXPECT_EQ((*any).cwnd_octets(), 16060U);
  const AnyCongestionControl& constant = any;
  EXPECT_EQ(constant->cwnd_octets(), 16060U);
  EXPECT_EQ((*constant).ssthresh_octets(), any->ssthresh_octets());
}

TEST(AnyCongestionControl, CopiesAreControllersOfTheirOwn) {
  AnyCongestionControl one(1460, 14600);
  one->on_ack(acked(1460));
  AnyCongestionControl other = one;
  other->on_ack(acked(1460));
  EXPECT_EQ(one->cwnd_octets(), 16060U);
  EXPECT_EQ(other->cwnd_octets(), 17520U);
  one = other;
  EXPECT_EQ(one->cwnd_octets(), 17520U);
}

TEST(AnyCongestionControl, AssigningANewOneBeginsAnew) {
  AnyCongestionControl any(536, 5360);
  any->on_retransmission_timeout({});
  any = AnyCongestionControl(1460, 14600);
  EXPECT_EQ(any->cwnd_octets(), 14600U);
}

}  // namespace
}  // namespace runnel::tcp
