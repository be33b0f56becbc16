// What two SYNs agree on, and how a connection begins.
#include "stack/tcp/handshake.h"

#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

TEST(Mss, OfferedIsTheMtuWithoutBothHeaders) {
  EXPECT_EQ(offered_mss(1500), 1460);
  EXPECT_EQ(offered_mss(576), 536);
  EXPECT_EQ(offered_mss(9000), 8960);
  EXPECT_EQ(offered_mss(65535), 65495);
  EXPECT_EQ(offered_mss(68), 28);
}

TEST(Mss, SentIsTheSmallerOfWhatThePeerTakesAndTheLinkCarries) {
  EXPECT_EQ(send_mss(1460, 1500, 88), 1460);
  EXPECT_EQ(send_mss(1459, 1500, 88), 1459);
  EXPECT_EQ(send_mss(1461, 1500, 88), 1460);
  EXPECT_EQ(send_mss(65535, 1500, 88), 1460);
  EXPECT_EQ(send_mss(1460, 576, 88), 536);
}

TEST(Mss, WithoutTheOptionIs536) {
  EXPECT_EQ(send_mss(std::nullopt, 1500, 88), 536);  // RFC 9293 section 3.7.1, MUST-15
  EXPECT_EQ(send_mss(std::nullopt, 296, 88), 256) << "the link is smaller";
}

TEST(Mss, TooSmallAnOptionIsRaisedToTheMinimum) {
  for (const std::uint16_t offered : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{87}}) {
    EXPECT_EQ(send_mss(offered, 1500, 88), 88);
  }
  EXPECT_EQ(send_mss(88, 1500, 88), 88);
  EXPECT_EQ(send_mss(89, 1500, 88), 89);
  EXPECT_EQ(send_mss(1, 68, 88), 28) << "never more than the link carries";
}

TEST(WindowScale, OfferedIsTheSmallestThatHoldsTheBuffer) {
  EXPECT_EQ(offered_window_scale(0), 0);
  EXPECT_EQ(offered_window_scale(65535), 0);
  EXPECT_EQ(offered_window_scale(65536), 1);
  EXPECT_EQ(offered_window_scale(131071), 1);
  EXPECT_EQ(offered_window_scale(131072), 2);
  EXPECT_EQ(offered_window_scale(std::size_t{1} << 20U), 5);
  EXPECT_EQ(offered_window_scale((std::size_t{65536} << 13U) - 1), 13);
  EXPECT_EQ(offered_window_scale(std::size_t{65536} << 13U), 14);
}

TEST(WindowScale, OfferedIsNeverMoreThan14) {
  EXPECT_EQ(offered_window_scale(std::size_t{65536} << 14U), 14);
  EXPECT_EQ(offered_window_scale(SIZE_MAX), 14);
}

// As large as the buffer may grow, unless the unit were more than an eighth of the first buffer.
TEST(WindowScale, OfferedIsFineEnoughForTheFirstBuffer) {
  TcpConfig config;
  config.receive_buffer_maximum_octets = std::size_t{1} << 30U;  // 14 would hold it
  for (const std::size_t first : {15U, 16U, 31U, 32U, 1000U, 65535U, 65536U, 262143U, 1U << 20U}) {
    config.receive_buffer_octets = first;
    std::uint8_t scale = 0;
    while (scale < 14 && (std::size_t{16} << scale) <= first) ++scale;
    EXPECT_EQ(offered_window_scale(config), scale) << first;
  }
  config.receive_buffer_octets = config.receive_buffer_maximum_octets = 65535;
  EXPECT_EQ(offered_window_scale(config), 0);
  config.receive_buffer_maximum_octets = 65536;
  EXPECT_EQ(offered_window_scale(config), 1);
  config.receive_buffer_octets = std::size_t{1} << 20U;
  EXPECT_EQ(offered_window_scale(config), 5) << "the first is larger than it may grow";
}

TEST(WindowScale, ReceivedAbove14CountsAs14) {
  EXPECT_EQ(clamped_scale(0), 0);
  EXPECT_EQ(clamped_scale(13), 13);
  EXPECT_EQ(clamped_scale(14), 14);
  EXPECT_EQ(clamped_scale(15), 14);
  EXPECT_EQ(clamped_scale(255), 14);
}

TEST(SynWindow, IsNeverScaled) {
  EXPECT_EQ(syn_window(1000), 1000);
  EXPECT_EQ(syn_window(65535), 65535);
  EXPECT_EQ(syn_window(65536), 65535);
  EXPECT_EQ(syn_window(std::size_t{1} << 30U), 65535);
}

// --- SYN losses and the initial window (RFC 6928 section 2) --------------------------------------

// The congestion window of a connection whose SYN was repeated so many times.
std::uint64_t initial_window_after(int lost_syns) {
  LoneConnection host;
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  host.advance(std::chrono::seconds((1 << lost_syns) - 1));  // after 1, 3, 7 ... seconds
  EXPECT_EQ(host.take_sent().size(), 1U + static_cast<std::size_t>(lost_syns));
  host.arrive(host.syn_ack());
  return host.tcp.info().congestion_window_octets;
}

TEST(InitialWindow, IsKeptWhenNoSynOrOneWasLost) {
  EXPECT_EQ(initial_window_after(0), 14600U);
  EXPECT_EQ(initial_window_after(1), 14600U);
}

TEST(InitialWindow, IsOneSegmentWhenMoreSynsWereLost) {
  EXPECT_EQ(initial_window_after(2), 1460U);
  EXPECT_EQ(initial_window_after(3), 1460U);
}

TEST(InitialWindow, DoesNotGrowByTheAckOfTheSyn) {
  LoneConnection active;  // RFC 5681 section 3.1
  active.establish();
  EXPECT_EQ(active.tcp.info().congestion_window_octets, 14600U);
  LoneConnection passive;
  passive.establish_passive();
  EXPECT_EQ(passive.tcp.info().congestion_window_octets, 14600U);
}

TEST(CongestionControl, ChosenWhileTheHandshakeGoesOnIsKept) {
  LoneConnection host;
  ASSERT_NE(host.tcp.info().congestion_control, CongestionAlgorithm::Cubic);
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  ASSERT_TRUE(host.tcp.set_congestion_control(CongestionAlgorithm::Cubic, host.now));
  host.arrive(host.syn_ack());
  EXPECT_EQ(host.tcp.info().congestion_control, CongestionAlgorithm::Cubic);
  EXPECT_EQ(host.tcp.info().congestion_window_octets, 14600U);
}

// --- Simultaneous open ---------------------------------------------------------------------------

TEST(SimultaneousOpen, CrossingSynsAreAnsweredAndAnAckEstablishes) {
  LoneConnection host;
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  host.forget_sent();
  Segment syn = host.syn_ack();
  syn.flags.ack = false;
  host.arrive(syn);
  EXPECT_EQ(host.tcp.state(), State::SynReceived);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].flags.syn);
  EXPECT_TRUE(sent[0].flags.ack);
  EXPECT_EQ(sent[0].seq.value(), host.options.iss);
  EXPECT_EQ(sent[0].ack.value(), host.their(0));

  host.arrive(host.segment(0, 0));
  EXPECT_EQ(host.tcp.state(), State::Established);
  EXPECT_EQ(host.events.count(EventKind::Connected), 1U);
}

TEST(SimultaneousOpen, ThePeersSynAckEstablishesToo) {
  LoneConnection host;  // RFC 9293 figure 7, line 6
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  Segment syn = host.syn_ack();
  syn.flags.ack = false;
  host.arrive(syn);
  host.arrive(host.syn_ack());
  EXPECT_EQ(host.tcp.state(), State::Established);
}

TEST(SynSent, TextAndFinOfASynAckAreTaken) {
  LoneConnection host;
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  host.forget_sent();
  Segment seg = host.syn_ack();
  seg.text = as_bytes("hello");
  seg.flags.fin = true;
  host.arrive(seg);
  EXPECT_EQ(host.tcp.state(), State::CloseWait);
  EXPECT_EQ(host.read_all(), "hello");
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].ack.value(), host.their(6));
}

TEST(SynSent, TextBeyondTheWindowOfTheSynIsCutOff) {
  LoneConnectionOptions options;
  options.config.receive_buffer_octets = 1000;
  LoneConnection host(options);
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  Segment seg = host.syn_ack();
  const std::string text(1001, 'x');
  seg.text = as_bytes(text);
  seg.flags.fin = true;
  host.arrive(seg);
  EXPECT_EQ(host.tcp.readable_octets(), 1000U);
  EXPECT_EQ(host.tcp.state(), State::Established) << "FIN was behind the window";
}

}  // namespace
}  // namespace runnel::tcp
