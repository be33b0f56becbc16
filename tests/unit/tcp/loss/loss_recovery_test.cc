#include "stack/tcp/loss/loss_recovery.h"

#include <chrono>
#include <utility>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSegment = 1000;
constexpr Duration kRoundTrip = 100ms;

// Counts in segments; sequence space wraps behind the fifth one.
class LossRecoveryTest : public ::testing::Test {
 protected:
  using Segments = std::pair<std::uint32_t, std::uint32_t>;

  LossRecoveryTest() { recovery.use_sack(true); }

  static SeqNum at(std::uint32_t segment) {
    return SeqNum{0U - 5U * kSegment} + segment * kSegment;
  }
  void transmit(std::uint32_t segments) {
    for (std::uint32_t i = 0; i < segments; ++i, ++nxt) {
      ASSERT_TRUE(recovery.on_transmit({at(nxt), at(nxt + 1)}, kSegment, now));
    }
  }
  AckFindings acknowledge(std::uint32_t to, std::initializer_list<Segments> sacked = {}) {
    wire::SackBlocks blocks;
    for (const auto& [first, last] : sacked) {
      blocks.blocks.at(blocks.count++) = {at(first), at(last)};
    }
    LossRecovery::Ack ack;
    ack.now = now;
    ack.una = at(una);
    ack.ack = at(to);
    ack.nxt = at(nxt);
    ack.sack = &blocks;
    ack.is_duplicate = to == una && sacked.size() == 0 && una < nxt;
    ack.says_nothing = to == una && sacked.size() == 0;
    ack.srtt = kRoundTrip;
    ack.smss_octets = kSegment;
    una = std::max(una, to);
    const AckFindings findings = recovery.on_ack(ack);
    recovery.regulate(findings, 5 * kSegment, kSegment);
    return findings;
  }
  // Sends again what is to be.
  std::uint32_t send_lost() {
    std::uint32_t octets = 0;
    while (const auto lost = recovery.lost()) {
      recovery.on_retransmit(*lost, kSegment, now);
      octets += lost->octets();
    }
    return octets;
  }

  LossRecovery recovery{at(0) - 1};
  Instant now{10s};
  std::uint32_t una = 0;
  std::uint32_t nxt = 0;
};

TEST_F(LossRecoveryTest, ARecoveryEndsWhenWhatWasOutThenIsAcknowledged) {
  transmit(10);
  now += kRoundTrip;
  EXPECT_TRUE(acknowledge(0, {{1, 4}}).loss_began);
  EXPECT_EQ(send_lost(), kSegment);
  transmit(2);
  now += kRoundTrip;
  EXPECT_FALSE(acknowledge(9).has_recovered);
  EXPECT_EQ(recovery.phase(), RecoveryPhase::Recovery);
  EXPECT_TRUE(acknowledge(10).has_recovered);
  EXPECT_EQ(recovery.phase(), RecoveryPhase::Open);
}

// The segment that was late had been sent again when it came, and so was not seen to be overtaken.
TEST_F(LossRecoveryTest, ASpuriousRecoveryTellsRackOfReordering) {
  transmit(10);
  now += kRoundTrip;
  EXPECT_TRUE(acknowledge(0, {{1, 4}}).loss_began);
  EXPECT_EQ(send_lost(), kSegment);
  EXPECT_FALSE(recovery.rack().has_seen_reordering());
  now += 1ms;
  EXPECT_FALSE(acknowledge(4).is_spurious);
  EXPECT_FALSE(recovery.rack().has_seen_reordering());
  now += kRoundTrip;
  EXPECT_TRUE(acknowledge(4, {{0, 1}}).is_spurious) << "the retransmission was a duplicate";
  EXPECT_TRUE(recovery.rack().has_seen_reordering());
}

TEST_F(LossRecoveryTest, FlightSizeLeavesOutWhatLimitedTransmitHasSent) {
  transmit(10);
  now += 10ms;
  (void)acknowledge(0, {{1, 2}});
  transmit(1);
  (void)acknowledge(0, {{1, 3}});
  transmit(1);
  now += kRoundTrip;
  const AckFindings findings = acknowledge(0, {{1, 4}});
  EXPECT_TRUE(findings.loss_began);
  EXPECT_EQ(findings.flight_octets, 10U * kSegment);
}

TEST_F(LossRecoveryTest, ALongBlockThatGrowsIsCountedOnce) {
  // The octets in the middle of a block that was reported before are passed over.
  transmit(400);
  std::uint64_t sacked = 0;
  for (std::uint32_t last = 2; last <= 400; last += 7) {
    sacked += acknowledge(0, {{1, last}}).newly_sacked_octets;
    ASSERT_EQ(sacked, (last - 1) * std::uint64_t{kSegment});
    ASSERT_EQ(recovery.board().sacked_octets(), sacked);
  }
}

TEST_F(LossRecoveryTest, ABlockThatShrinksTakesNothingBack) {
  transmit(10);
  (void)acknowledge(0, {{2, 8}});
  EXPECT_EQ(acknowledge(0, {{3, 5}}).newly_sacked_octets, 0U);
  EXPECT_EQ(recovery.board().sacked_octets(), 6U * kSegment);
}

TEST_F(LossRecoveryTest, RenegingIsSeenAtTheTimeoutAndOnlyAtTheEdge) {
  transmit(10);
  now += kRoundTrip;
  (void)acknowledge(0, {{5, 10}});
  (void)recovery.on_timeout(at(0), at(nxt), now);
  EXPECT_EQ(recovery.reneges(), 0U);
  EXPECT_EQ(recovery.board().sacked_octets(), 5U * kSegment);
  (void)acknowledge(5);
  (void)recovery.on_timeout(at(5), at(nxt), now + 1s);
  EXPECT_EQ(recovery.reneges(), 1U);
  EXPECT_EQ(recovery.board().sacked_octets(), 0U);
}

TEST_F(LossRecoveryTest, LossesAreTakenBackWhenTheTimeoutWasAMistake) {
  recovery.on_handshake(kRoundTrip, now);
  transmit(10);
  now += 1s;
  (void)recovery.on_timeout(at(0), at(nxt), now);
  EXPECT_GT(recovery.lost_octets(), 0U);
  recovery.on_retransmit({at(0), at(1)}, kSegment, now);
  const AckFindings findings = acknowledge(2);
  EXPECT_TRUE(findings.is_spurious);
  EXPECT_EQ(recovery.lost_octets(), 0U);
  EXPECT_EQ(recovery.in_flight(at(2), at(nxt)), 8U * kSegment);
  EXPECT_EQ(recovery.phase(), RecoveryPhase::Open);
}

TEST_F(LossRecoveryTest, NothingIsTakenBackWhenThatIsNotAllowed) {
  recovery.allow_undo(false);
  transmit(10);
  now += 1s;
  (void)recovery.on_timeout(at(0), at(nxt), now);
  recovery.on_retransmit({at(0), at(1)}, kSegment, now);
  EXPECT_FALSE(acknowledge(2).is_spurious);
  EXPECT_EQ(recovery.phase(), RecoveryPhase::Timeout);
}

TEST_F(LossRecoveryTest, LostOctetsAreTheSumOfAllHoles) {
  transmit(10);
  now += kRoundTrip;
  (void)acknowledge(0, {{9, 10}, {5, 8}, {2, 4}});
  EXPECT_EQ(recovery.lost_octets(), 4U * kSegment) << "0, 1, 4 and 8";
  ASSERT_TRUE(recovery.lost());
  EXPECT_EQ(recovery.lost()->octets(), 2U * kSegment) << "that lie together";
}

TEST_F(LossRecoveryTest, AProbeIsWantedOnlyWhileNothingIsKnown) {
  EXPECT_FALSE(recovery.wants_tail_loss_probe()) << "nothing is in flight";
  transmit(4);
  EXPECT_TRUE(recovery.wants_tail_loss_probe());
  EXPECT_EQ(recovery.tail_loss_timeout(kRoundTrip), 200ms);
  now += 10ms;
  (void)acknowledge(0, {{1, 2}});
  EXPECT_FALSE(recovery.wants_tail_loss_probe()) << "something is SACKed";
  (void)acknowledge(3);
  EXPECT_TRUE(recovery.wants_tail_loss_probe());
  EXPECT_EQ(recovery.tail_loss_timeout(kRoundTrip), 400ms) << "one segment";
  (void)recovery.on_timeout(at(3), at(nxt), now);
  EXPECT_FALSE(recovery.wants_tail_loss_probe());
}

TEST_F(LossRecoveryTest, WithoutSackAProbeIsNeverWanted) {
  recovery.use_sack(false);
  transmit(4);
  EXPECT_FALSE(recovery.wants_tail_loss_probe());
}

TEST_F(LossRecoveryTest, WithoutSackTheTimerGoesOnAfterTheFirstPartialAck) {
  recovery.use_sack(false);
  transmit(10);
  EXPECT_TRUE(recovery.restarts_timer());
  for (int i = 0; i < 3; ++i) (void)acknowledge(0);
  EXPECT_EQ(recovery.phase(), RecoveryPhase::Recovery);
  EXPECT_TRUE(recovery.restarts_timer()) << "the fast retransmission";
  EXPECT_FALSE(acknowledge(1).keeps_timer);
  EXPECT_FALSE(recovery.restarts_timer());
  EXPECT_TRUE(acknowledge(2).keeps_timer);
  (void)acknowledge(10);
  EXPECT_TRUE(recovery.restarts_timer());
}

// Sequence numbers more than 2 GiB apart look like the future: nothing that is remembered of the
// past may be compared with them.
TEST_F(LossRecoveryTest, NothingIsMistakenAfterTwoGibibytes) {
  constexpr std::uint32_t kLong = 64 * kSegment;
  SeqNum seq = at(0);
  const auto exchange = [&] {
    ASSERT_TRUE(recovery.on_transmit({seq, seq + kLong}, kSegment, now));
    now += kRoundTrip;
    LossRecovery::Ack ack;
    ack.now = now;
    ack.una = seq;
    ack.ack = ack.nxt = seq + kLong;
    ack.srtt = kRoundTrip;
    ack.smss_octets = kSegment;
    const AckFindings findings = recovery.on_ack(ack);
    ASSERT_FALSE(findings.loss_began);
    ASSERT_EQ(findings.look_again, kNever);
    seq = seq + kLong;
  };
  for (std::uint64_t octets = 0; octets < (std::uint64_t{5} << 30U); octets += kLong) exchange();
  EXPECT_FALSE(recovery.rack().has_seen_reordering());
  EXPECT_EQ(recovery.phase(), RecoveryPhase::Open);
}

}  // namespace
}  // namespace runnel::tcp
