#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>

#include "stack/tcp/ecn/accurate_receiver.h"
#include "stack/tcp/ecn/accurate_sender.h"

namespace runnel::tcp {
namespace {

using wire::TcpAccEcn;

constexpr std::size_t kPlenty = 40;

// --- Receiver ------------------------------------------------------------------------------------

TEST(AccurateEcnReceiver, BeginsAboveZero) {
  const AccurateEcnReceiver receiver;
  EXPECT_EQ(receiver.ace(), 5);
  EXPECT_EQ(receiver.marks(), 0U);
  EXPECT_EQ(receiver.option(kPlenty, false), std::nullopt);
  EXPECT_EQ(receiver.option(kPlenty, true), (TcpAccEcn{false, {1, 0, 1}, 3}));
  EXPECT_EQ(receiver.option(8, true)->count, 2);
  EXPECT_EQ(receiver.option(4, true)->count, 0);
  EXPECT_EQ(receiver.option(3, true), std::nullopt);
}

TEST(AccurateEcnReceiver, TellsWhatEverMoved) {
  AccurateEcnReceiver receiver;
  (void)receiver.arrived({Ecn::Ce, 10});
  EXPECT_EQ(receiver.option(kPlenty, false), (TcpAccEcn{false, {1, 10, 1}, 2}));
  (void)receiver.arrived({Ecn::Ect1, 20});
  EXPECT_EQ(receiver.option(kPlenty, false), (TcpAccEcn{true, {21, 10, 1}, 2}));
  (void)receiver.arrived({Ecn::Ect0, 30});
  EXPECT_EQ(receiver.option(kPlenty, false), (TcpAccEcn{false, {31, 10, 21}, 3}));
  EXPECT_EQ(receiver.option(8, false), std::nullopt) << "no counter that moved is left out";
  receiver.ack_sent(true);
  EXPECT_EQ(receiver.option(kPlenty, false), std::nullopt);
  (void)receiver.arrived({Ecn::Ce, 0});  // a control packet moves no octets
  EXPECT_EQ(receiver.option(kPlenty, false), std::nullopt);
  EXPECT_EQ(receiver.ace(), 7);
}

TEST(AccurateEcnReceiver, WaitsForASegmentThatHasRoom) {
  AccurateEcnReceiver receiver;
  (void)receiver.arrived({Ecn::Ect0, 10});
  receiver.ack_sent(false);
  EXPECT_TRUE(receiver.option(kPlenty, false));
  receiver.stop_options();
  EXPECT_FALSE(receiver.option(kPlenty, false));
  EXPECT_FALSE(receiver.option(kPlenty, true));
}

TEST(AccurateEcnReceiver, AcknowledgesBeforeTheFieldTurnsRound) {
  AccurateEcnReceiver receiver;
  EXPECT_FALSE(receiver.arrived({Ecn::Ect0, 10}));
  EXPECT_TRUE(receiver.arrived({Ecn::Ce, 10}));
  receiver.ack_sent(false);
  EXPECT_FALSE(receiver.arrived({Ecn::Ce, 10}));
  EXPECT_TRUE(receiver.arrived({Ecn::Ce, 10}));
  receiver.ack_sent(false);
  EXPECT_TRUE(receiver.arrived({Ecn::Ce, 3000, 3})) << "a super-packet of three";
  receiver.ack_sent(false);
  EXPECT_FALSE(receiver.arrived({Ecn::Ce, 0}));
  EXPECT_FALSE(receiver.arrived({Ecn::Ce, 0}));
  EXPECT_TRUE(receiver.arrived({Ecn::Ce, 0}));
  receiver.ack_sent(false);
  EXPECT_FALSE(receiver.arrived({Ecn::Ce, 0, 1, true}));
  EXPECT_TRUE(receiver.arrived({Ecn::Ce, 0, 1, true})) << "text waits for an ACK";
}

TEST(AccurateEcnReceiver, CountsAMarkedSynAckOnce) {
  AccurateEcnReceiver receiver;
  receiver.syn_ack_was_marked();
  receiver.syn_ack_was_marked();
  EXPECT_EQ(receiver.ace(), 6);
}

TEST(AccEcnOption, MakesRoomInASynAck) {
  wire::TcpOptions options;
  options.maximum_segment_size = 1460;
  options.window_scale = 7;
  options.sack_permitted = true;
  options.timestamps = {1, 2};
  options.acc_ecn = initial_acc_ecn();
  trim_acc_ecn(options);
  EXPECT_EQ(options.acc_ecn->count, 3);
  options.fast_open = wire::TcpFastOpenCookie{{}, 8};
  trim_acc_ecn(options);
  EXPECT_TRUE(options.fits());
  EXPECT_EQ(options.acc_ecn->count, 2);
  options.fast_open->length = 16;
  trim_acc_ecn(options);
  EXPECT_TRUE(options.fits());
  options.user_timeout = wire::TcpUserTimeout{};
  trim_acc_ecn(options);
  EXPECT_FALSE(options.acc_ecn);
}

// --- Sender --------------------------------------------------------------------------------------

struct Told {
  EcnBits ace;
  std::uint64_t packets;  // delivered
  std::optional<TcpAccEcn> option;
};

constexpr std::uint32_t kSmss = 1000;

AccurateEcnSender::Marks read(AccurateEcnSender& sender, const Told& told) {
  return sender.on_ack({told.ace, &told.option, told.packets * kSmss, kSmss});
}

TEST(AccurateEcnSender, CountsModuloEight) {
  AccurateEcnSender sender;
  EXPECT_EQ(read(sender, {5, 2, {}}).packets, 0U);
  EXPECT_EQ(read(sender, {6, 2, {}}).packets, 1U);
  EXPECT_EQ(read(sender, {1, 3, {}}).packets, 3U);
  EXPECT_EQ(read(sender, {0, 7, {}}).packets, 7U);
  EXPECT_EQ(sender.cep(), 16U);
}

TEST(AccurateEcnSender, AssumesTheMostThatSoManyPacketsAllow) {
  for (std::uint64_t packets = 8; packets < 60; ++packets) {
    for (unsigned marks = 1; marks < 8; ++marks) {
      AccurateEcnSender sender;
      const auto ace = static_cast<EcnBits>((5 + marks) % 8);
      const std::uint64_t counted = read(sender, {ace, packets, {}}).packets;
      EXPECT_LE(counted, packets);
      EXPECT_GT(counted + 8, packets);
      EXPECT_EQ(counted % 8, marks);
    }
  }
}

// Most likely nothing was marked, unless something just was.
TEST(AccurateEcnSender, DoesNotInventMarksOnACalmPath) {
  AccurateEcnSender sender;
  EXPECT_EQ(read(sender, {5, 44, {}}).packets, 0U);
  EXPECT_EQ(read(sender, {6, 1, {}}).packets, 1U);
  EXPECT_EQ(read(sender, {6, 44, {}}).packets, 40U);
}

TEST(AccurateEcnSender, BelievesTheOption) {
  AccurateEcnSender sender;
  const auto marks = read(sender, {6, 20, TcpAccEcn{false, {1 + 19 * kSmss, kSmss, 1}, 2}});
  EXPECT_EQ(marks.packets, 1U);
  EXPECT_EQ(marks.octets, kSmss);
  const auto nine =
      read(sender, {7, 20, TcpAccEcn{false, {1 + 30 * kSmss, 9 * kSmss + 100, 1}, 2}});
  EXPECT_EQ(nine.packets, 9U);
  EXPECT_EQ(nine.octets, 8 * kSmss + 100U);
}

TEST(AccurateEcnSender, AnEstimateIsNotCountedAgain) {
  AccurateEcnSender sender;
  EXPECT_EQ(read(sender, {6, 2, {}}).octets, kSmss);
  const auto marks = read(sender, {7, 2, TcpAccEcn{false, {1, 2 * kSmss, 1}, 2}});
  EXPECT_EQ(marks.packets, 1U);
  EXPECT_EQ(marks.octets, kSmss);
}

TEST(AccurateEcnSender, OctetsOfOvertakenAcksCountWithTheNext) {
  AccurateEcnSender sender;
  sender.on_overtaken(10 * kSmss);
  EXPECT_EQ(read(sender, {6, 10, {}}).packets, 17U);
}

TEST(AccurateEcnSender, DistrustsAnOptionThatBeginsWithZero) {
  for (const TcpAccEcn& zero : {TcpAccEcn{false, {0, 0, 1}, 3}, TcpAccEcn{false, {1, 0, 0}, 3},
                                TcpAccEcn{true, {0, 0, 0}, 1}}) {
    AccurateEcnSender sender;
    sender.on_first_option(zero);
    EXPECT_EQ(read(sender, {6, 20, TcpAccEcn{false, {1, kSmss, 1}, 2}}).packets, 17U);
  }
  AccurateEcnSender sender;  // r.ceb is zero by right
  sender.on_first_option({false, {1, 0, 1}, 3});
  EXPECT_EQ(read(sender, {6, 20, TcpAccEcn{false, {1, kSmss, 1}, 2}}).packets, 1U);
}

TEST(AccurateEcnSender, SeesThatFeedbackIsCleared) {
  AccurateEcnSender sender;
  (void)read(sender, {0, 2, {}});
  EXPECT_FALSE(sender.is_usable());
  AccurateEcnSender marked;  // three marks lead to zero by right
  EXPECT_EQ(read(marked, {0, 3, {}}).packets, 3U);
  EXPECT_TRUE(marked.is_usable());
}

TEST(AccurateEcnSender, SeesAContradiction) {
  AccurateEcnSender sender;
  (void)read(sender, {5, 2, TcpAccEcn{false, {1, kSmss, 1}, 2}});
  EXPECT_TRUE(sender.is_contradictory());
}

// What goes in on the one side comes out on the other, as long as an ACK stands for few packets.
TEST(AccurateEcn, SenderCountsWhatReceiverCounts) {
  std::mt19937 random(7);
  AccurateEcnReceiver receiver;
  AccurateEcnSender sender;
  std::uint64_t told = 0;
  std::uint64_t octets = 0;
  std::uint64_t marked_octets = 0;
  for (int ack = 0; ack < 20'000; ++ack) {
    const std::uint64_t packets = 1 + random() % 7;
    for (std::uint64_t i = 0; i < packets; ++i) {
      const bool is_marked = random() % 3 == 0;
      if (is_marked) marked_octets += kSmss;
      (void)receiver.arrived({is_marked ? Ecn::Ce : Ecn::Ect0, kSmss});
    }
    const auto option = random() % 4 == 0 ? std::nullopt : receiver.option(kPlenty, false);
    receiver.ack_sent(option.has_value());
    const auto marks = sender.on_ack({receiver.ace(), &option, packets * kSmss, kSmss});
    told += marks.packets;
    octets += marks.octets;
    ASSERT_EQ(told, receiver.marks());
    ASSERT_LE(octets, marked_octets + 7 * kSmss);
  }
  EXPECT_EQ(sender.cep(), receiver.marks() + 5);
  EXPECT_NEAR(static_cast<double>(octets), static_cast<double>(marked_octets), 10 * kSmss);
}

}  // namespace
}  // namespace runnel::tcp
