// DCTCP's sender, RFC 8257 sections 3.3 to 3.5 and 4.2. The receiver's part is with ECN.
#include "stack/tcp/congestion/dctcp.h"

#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

using tcp::AckEvent;
using tcp::Dctcp;
using tcp::LossEvent;

constexpr std::uint32_t kSmss = 1000;

class DctcpVectors : public ::testing::Test {
 protected:
  // Windows of forty segments; of each ten segments the last `marked` ones are.
  void windows(int count, std::uint64_t marked) {
    for (int i = 0; i < 40 * count; ++i) {
      una_ += kSmss;
      AckEvent event;
      event.newly_acked_octets = event.newly_delivered_octets = kSmss;
      event.ce_marked_octets = static_cast<std::uint64_t>(i) % 10 < 10 - marked ? 0 : kSmss;
      event.una = wire::SeqNum{una_};
      event.nxt = wire::SeqNum{una_ + 39 * kSmss};
      event.app_limited = true;  // the window stays what it is
      dctcp.on_ack(event);
    }
  }
  void mark(bool calls_for_response = true) {
    LossEvent event;
    event.cause = LossEvent::Cause::EcnMark;
    event.calls_for_response = calls_for_response;
    event.in_flight_before_octets = dctcp.cwnd_octets();
    dctcp.on_loss(event);
  }
  [[nodiscard]] double alpha() const { return static_cast<double>(dctcp.alpha()) / Dctcp::kWhole; }

  Dctcp dctcp{kSmss, 40 * kSmss};

 private:
  std::uint32_t una_ = 0xffffff00;
};

TEST_F(DctcpVectors, R_8257_3_3_ALPHA_BeginsAtOneAndFollowsTheShareOfMarks) {
  EXPECT_EQ(alpha(), 1.0);
  windows(100, 5);
  EXPECT_NEAR(alpha(), 0.5, 0.02);
  windows(100, 1);
  EXPECT_NEAR(alpha(), 0.1, 0.02);
}

TEST_F(DctcpVectors, R_8257_3_3_ALPHA_ASixteenthOfTheWayInAWindow) {
  windows(1, 0);  // the first ACK ends the window that was empty
  EXPECT_NEAR(alpha(), 15.0 / 16, 1e-5);
  windows(1, 0);
  EXPECT_NEAR(alpha(), 15.0 / 16 * 15 / 16, 1e-5);
  // The last ACK of these ends a window: one segment of forty.
  windows(1, 10);
  const double before = 15.0 / 16 * 15 / 16 * 15 / 16 + 1.0 / 16 / 40;
  EXPECT_NEAR(alpha(), before, 1e-5);
  windows(1, 10);
  EXPECT_NEAR(alpha(), before * 15 / 16 + 1.0 / 16, 1e-5);
}

TEST_F(DctcpVectors, R_8257_3_3_CWND_HalfOfAlphaOnceInAWindow) {
  windows(300, 5);
  mark();
  EXPECT_NEAR(static_cast<double>(dctcp.cwnd_octets()) / kSmss, 30, 0.5);
  const std::uint64_t reduced = dctcp.cwnd_octets();
  mark(false);
  mark(false);
  EXPECT_EQ(dctcp.cwnd_octets(), reduced);
}

TEST_F(DctcpVectors, R_8257_3_5_LOSS_HalfOfTheFlightWhateverAlpha) {
  for (const int unmarked_windows : {0, 20, 500}) {
    dctcp = Dctcp(kSmss, 40 * kSmss);
    windows(unmarked_windows, 0);
    LossEvent event;
    event.in_flight_before_octets = 40 * kSmss;
    dctcp.on_loss(event);
    EXPECT_EQ(dctcp.cwnd_octets(), 20U * kSmss);
    EXPECT_EQ(dctcp.ssthresh_octets(), 20U * kSmss);
  }
}

TEST_F(DctcpVectors, R_8257_4_2_ZERO_AlphaReachesZero) {
  windows(500, 0);
  EXPECT_EQ(dctcp.alpha(), 0U);
  mark();
  EXPECT_EQ(dctcp.cwnd_octets(), 40U * kSmss);
}

// --- On the wire ---

class DctcpOnTheWire : public EcnPath {
 protected:
  void configure(bool is_controlled_network) {
    TcpConfig tcp;
    tcp.congestion_control = CongestionAlgorithm::Dctcp;
    tcp.is_controlled_network = is_controlled_network;
    tcp.initial_window_segments = 20;
    tcp.ecn = EcnMode::Classic;
    rebuild(tcp);
  }
};

TEST_F(DctcpOnTheWire, R_8257_1_SCOPE_ByDefaultItCannotBeChosen) {
  EXPECT_FALSE(TcpConfig{}.is_controlled_network);
  EXPECT_NE(TcpConfig{}.congestion_control, CongestionAlgorithm::Dctcp);
  TcpConfig tcp;
  tcp.congestion_control = CongestionAlgorithm::Dctcp;
  const auto connection = try_connect(kPeer, {.local = {}, .tcp = tcp});
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error(), make_error_code(Errc::invalid_argument));
  const auto listener = stack().listen({kLocal.address, 4321}, {.tcp = tcp});
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error(), make_error_code(Errc::invalid_argument));

  open();
  const CongestionAlgorithm before = info().congestion_control;
  const auto later = stack().set_congestion_control(id(), CongestionAlgorithm::Dctcp);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error(), make_error_code(Errc::invalid_argument));
  EXPECT_EQ(info().congestion_control, before);

  configure(false);  // nor for the whole stack
  EXPECT_FALSE(stack().listen({kLocal.address, 4321}));
  EXPECT_FALSE(try_connect(kPeer));
}

TEST_F(DctcpOnTheWire, R_8257_1_SCOPE_InAControlledNetworkItCan) {
  configure(true);
  open();
  EXPECT_EQ(info().congestion_control, CongestionAlgorithm::Dctcp);

  TcpConfig tcp;
  tcp.is_controlled_network = true;
  rebuild(tcp);
  open();
  EXPECT_NE(info().congestion_control, CongestionAlgorithm::Dctcp);
  EXPECT_TRUE(stack().set_congestion_control(id(), CongestionAlgorithm::Dctcp));
  EXPECT_EQ(info().congestion_control, CongestionAlgorithm::Dctcp);
}

// Alpha is 1 at the beginning, and a sixteenth less after each of the first two ACKs, that of the
// handshake and that of the first segment: nothing was sent before them.
TEST_F(DctcpOnTheWire, R_8257_3_3_CWND_OneAnswerInAWindowOfData) {
  configure(true);
  open_classic_and_send(100);
  ASSERT_EQ(in_flight_segments(), 20U);
  advance(kRoundTrip);
  acknowledge(1);
  const std::uint64_t before = info().congestion_window_octets;
  ASSERT_EQ(before, 21U * kMss);
  std::uint32_t una = 2;
  send(acknowledgment(una).ecn_bits(0b001));
  const std::uint64_t reduced = info().congestion_window_octets;
  EXPECT_NEAR(static_cast<double>(reduced), static_cast<double>(before) * (1 - 225.0 / 512), 1);
  while (una < 22) {
    send(acknowledgment(++una).ecn_bits(0b001));
    EXPECT_EQ(info().congestion_window_octets, reduced) << una;
  }
  // The next window has its own.
  send(acknowledgment(++una).ecn_bits(0b001));
  send(acknowledgment(++una).ecn_bits(0b001));
  EXPECT_LT(info().congestion_window_octets, reduced * 6 / 10);
  EXPECT_GT(info().congestion_window_octets, reduced * 4 / 10);
}

TEST_F(DctcpOnTheWire, R_8257_3_5_LOSS_ThirdDuplicateAckAndTimeout) {
  configure(true);
  open_and_send(40);
  advance(kRoundTrip);
  acknowledge(0, {{1, 2}});
  acknowledge(0, {{1, 3}});
  EXPECT_EQ(cwnd_segments(), 20U);
  acknowledge(0, {{1, 4}});
  EXPECT_EQ(ssthresh_segments(), 10U);
  while (info().retransmission_timeouts == 0) advance(100ms);
  EXPECT_EQ(cwnd_segments(), 1U);
}

}  // namespace
}  // namespace runnel::test
