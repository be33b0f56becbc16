// What a sink of traces sees of a connection that sends.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSmss = 1460;

class RecordedSending final : public TraceSink {
 public:
  void on_state_change(const StateChange&) override {}
  void on_transmission(const Transmission& record) override { transmissions.push_back(record); }
  void on_acknowledgment(const Acknowledgment& record) override { acks.push_back(record); }

  std::vector<Transmission> transmissions;
  std::vector<Acknowledgment> acks;
};

class Tracing : public ::testing::Test {
 protected:
  Tracing() {
    host.environment.trace = &sink;
    host.establish();
  }

  RecordedSending sink;
  LoneConnection host;
};

TEST_F(Tracing, TheHandshakeCarriesNoOctetsOfTheStream) {
  EXPECT_TRUE(sink.transmissions.empty());
  EXPECT_TRUE(sink.acks.empty());
}

TEST_F(Tracing, ATransmissionHasItsPlaceInTheStream) {
  host.write(2 * kSmss);
  ASSERT_EQ(sink.transmissions.size(), 2U);
  const Transmission& second = sink.transmissions[1];
  EXPECT_EQ(second.at, host.now);
  EXPECT_EQ(second.connection, host.tcp.id());
  EXPECT_EQ(second.offset, kSmss);
  EXPECT_EQ(second.octets, kSmss);
  EXPECT_FALSE(second.is_retransmission);
  EXPECT_EQ(second.state.una_offset, 0U);
  EXPECT_EQ(second.state.nxt_offset, 2 * kSmss);
  EXPECT_EQ(second.state.in_flight_octets, 2 * kSmss);
  EXPECT_EQ(second.state.congestion_window_octets, host.tcp.info().congestion_window_octets);
  EXPECT_EQ(second.state.slow_start_threshold_octets, std::nullopt);
  EXPECT_EQ(second.state.smoothed_rtt, LoneConnection::kRoundTrip);
  EXPECT_EQ(second.state.phase, "SlowStart");
}

TEST_F(Tracing, AnAcknowledgmentTellsWhatItDeliveredAndHowLateItWas) {
  host.write(2 * kSmss);
  host.advance(80ms);
  host.ack(kSmss);
  ASSERT_EQ(sink.acks.size(), 1U);
  const Acknowledgment& ack = sink.acks[0];
  EXPECT_EQ(ack.at, host.now);
  EXPECT_EQ(ack.newly_delivered_octets, kSmss);
  EXPECT_EQ(ack.rtt_sample, 80ms);
  EXPECT_EQ(ack.state.una_offset, kSmss);
  EXPECT_EQ(ack.state.nxt_offset, 2 * kSmss);
  EXPECT_EQ(ack.state.in_flight_octets, kSmss);
  EXPECT_LT(ack.state.smoothed_rtt, 100ms);
}

TEST_F(Tracing, WhatIsSentAgainIsMarked) {
  host.write(kSmss);
  sink.transmissions.clear();
  host.advance(host.tcp.info().retransmission_timeout);
  ASSERT_FALSE(sink.transmissions.empty());
  const Transmission& again = sink.transmissions[0];
  EXPECT_EQ(again.offset, 0U);
  EXPECT_TRUE(again.is_retransmission);
  EXPECT_EQ(again.state.phase, "Timeout");
  EXPECT_TRUE(again.state.slow_start_threshold_octets.has_value());
}

TEST_F(Tracing, FinIsNoOctetOfTheStream) {
  host.write(100);
  host.tcp.close(host.now);
  host.pump();
  ASSERT_EQ(sink.transmissions.size(), 1U);
  host.ack(101);
  ASSERT_EQ(sink.acks.size(), 1U);
  EXPECT_EQ(sink.acks[0].state.una_offset, 100U);
  EXPECT_EQ(sink.acks[0].state.nxt_offset, 100U);
}

TEST_F(Tracing, AnAcknowledgmentWhileNothingIsOutstandingIsNoNews) {
  host.ack(0);
  EXPECT_TRUE(sink.acks.empty());
}

}  // namespace
}  // namespace runnel::tcp
