// ACKs of nothing but FIN, and of nothing at all.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

LoneConnectionOptions with_sack() {
  LoneConnectionOptions options;
  options.peer_sack = true;
  return options;
}

void send_fin(LoneConnection& host) {
  host.establish();
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  host.pump();
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  ASSERT_TRUE(sent[0].flags.fin);
}

TEST(AckOfNoData, ThatOfFinMeasuresTheRoundTrip) {
  LoneConnection host(with_sack());
  send_fin(host);
  const TcpInfo before = host.tcp.info();
  host.advance(20ms);
  host.ack(1);
  const TcpInfo after = host.tcp.info();
  EXPECT_EQ(host.tcp.state(), State::FinWait2);
  EXPECT_EQ(after.smoothed_rtt, before.smoothed_rtt - (before.smoothed_rtt - 20ms) / 8);
  EXPECT_EQ(after.recovery_timer, RecoveryTimer::None);
  EXPECT_EQ(after.in_flight_octets, 0U);
  EXPECT_EQ(after.congestion_window_octets, before.congestion_window_octets);
}

TEST(AckOfNoData, ThatOfFinThatWasSentTwiceMeasuresNothing) {
  LoneConnection host(with_sack());  // Karn's rule
  send_fin(host);
  const Duration before = host.tcp.info().smoothed_rtt;
  host.advance(5s);
  ASSERT_GT(host.take_sent().size(), 0U);
  host.ack(1);
  EXPECT_EQ(host.tcp.state(), State::FinWait2);
  EXPECT_EQ(host.tcp.info().smoothed_rtt, before);
  EXPECT_EQ(host.tcp.info().recovery_timer, RecoveryTimer::None);
}

TEST(AckOfNoData, FinBehindDataWaitsForTheirs) {
  LoneConnection host(with_sack());
  host.establish();
  host.write(100);
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  host.pump();
  host.advance(20ms);
  host.ack(100);
  EXPECT_EQ(host.tcp.state(), State::FinWait1);
  EXPECT_EQ(host.tcp.info().in_flight_octets, 1U);
  host.ack(101);
  EXPECT_EQ(host.tcp.state(), State::FinWait2);
  EXPECT_EQ(host.tcp.info().in_flight_octets, 0U);
  EXPECT_EQ(host.tcp.info().octets_acknowledged, 100U);
}

TEST(AckOfNoData, WhileNothingIsInFlightChangesNothing) {
  LoneConnection host(with_sack());
  host.establish();
  const TcpInfo before = host.tcp.info();
  host.advance(1s);
  host.arrive(host.text(0, "abc"));
  const TcpInfo after = host.tcp.info();
  EXPECT_EQ(after.octets_received, 3U);
  EXPECT_EQ(after.smoothed_rtt, before.smoothed_rtt);
  EXPECT_EQ(after.congestion_window_octets, before.congestion_window_octets);
  EXPECT_EQ(after.recovery_timer, RecoveryTimer::None);
}

}  // namespace
}  // namespace runnel::tcp
