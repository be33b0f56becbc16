#include "stack/tcp/congestion/any_congestion_control.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

AnyCongestionControl with_window(std::uint32_t smss_octets, std::uint64_t window_octets) {
  CongestionParameters parameters;
  parameters.smss_octets = smss_octets;
  parameters.initial_window_octets = window_octets;
  return {CongestionAlgorithm::NewReno, TcpConfig{}, parameters};
}

AckEvent acked(std::uint64_t octets) {
  AckEvent event;
  event.newly_acked_octets = octets;
  return event;
}

TEST(AnyCongestionControl, IsTheControllerThatItHolds) {
  AnyCongestionControl any = with_window(1460, 14600);
  EXPECT_EQ(any->cwnd_octets(), 14600U);
  any->on_ack(acked(1460));
  EXPECT_EQ((*any).cwnd_octets(), 16060U);
  const AnyCongestionControl& constant = any;
  EXPECT_EQ(constant->cwnd_octets(), 16060U);
  EXPECT_EQ((*constant).ssthresh_octets(), any->ssthresh_octets());
}

TEST(AnyCongestionControl, CopiesAreControllersOfTheirOwn) {
  AnyCongestionControl one = with_window(1460, 14600);
  one->on_ack(acked(1460));
  AnyCongestionControl other = one;
  other->on_ack(acked(1460));
  EXPECT_EQ(one->cwnd_octets(), 16060U);
  EXPECT_EQ(other->cwnd_octets(), 17520U);
  one = other;
  EXPECT_EQ(one->cwnd_octets(), 17520U);
}

TEST(AnyCongestionControl, AssigningANewOneBeginsAnew) {
  AnyCongestionControl any = with_window(536, 5360);
  any->on_retransmission_timeout({});
  any = with_window(1460, 14600);
  EXPECT_EQ(any->cwnd_octets(), 14600U);
}

}  // namespace
}  // namespace runnel::tcp
