#include "stack/tcp/loss/spurious_recovery.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Verdict = ForwardRto::Verdict;

constexpr Instant kStart{10s};

ForwardRto::Evidence advances() {
  ForwardRto::Evidence evidence;
  evidence.advances = true;
  return evidence;
}

TEST(ForwardRto, IsSilentWithoutATimeout) {
  ForwardRto frto;
  ForwardRto::Evidence evidence = advances();
  evidence.delivers_original = true;
  EXPECT_EQ(frto.on_ack(evidence), Verdict::Open);
  EXPECT_FALSE(frto.wants_new_data());
}

TEST(ForwardRto, TwoAcksThatAdvanceMeanSpuriousIfNewDataWentBetween) {
  for (const bool has_sent : {true, false}) {
    ForwardRto frto;
    frto.on_timeout();
    EXPECT_FALSE(frto.wants_new_data());
    EXPECT_EQ(frto.on_ack(advances()), Verdict::Open);
    EXPECT_TRUE(frto.wants_new_data());
    ForwardRto::Evidence second = advances();
    second.has_sent_new_data = has_sent;
    EXPECT_EQ(frto.on_ack(second), has_sent ? Verdict::Spurious : Verdict::Genuine);
    EXPECT_FALSE(frto.wants_new_data());
  }
}

TEST(ForwardRto, ADuplicateMeansLossInEitherStep) {
  ForwardRto::Evidence duplicate;
  duplicate.is_duplicate = true;
  ForwardRto first;
  first.on_timeout();
  EXPECT_EQ(first.on_ack(duplicate), Verdict::Genuine);
  ForwardRto second;
  second.on_timeout();
  (void)second.on_ack(advances());
  EXPECT_EQ(second.on_ack(duplicate), Verdict::Genuine);
}

TEST(ForwardRto, AnAckOfEverythingDecidesNothingInItsFavor) {
  ForwardRto frto;
  frto.on_timeout();
  ForwardRto::Evidence everything = advances();
  everything.reaches_recover = true;
  EXPECT_EQ(frto.on_ack(everything), Verdict::Genuine);
}

TEST(ForwardRto, AnAckThatSaysNothingLeavesItOpen) {
  ForwardRto frto;
  frto.on_timeout();
  EXPECT_EQ(frto.on_ack({}), Verdict::Open);
  EXPECT_EQ(frto.on_ack(advances()), Verdict::Open);
  EXPECT_EQ(frto.on_ack({}), Verdict::Open);
  EXPECT_TRUE(frto.wants_new_data());
  frto.stop();
  EXPECT_FALSE(frto.wants_new_data());
}

class RetransmissionAuditTest : public ::testing::Test {
 protected:
  static constexpr SeqNum kUna{0xffffff00};
  static SeqRange octets(std::uint32_t first, std::uint32_t last) {
    return {kUna + first, kUna + last};
  }
  RetransmissionAudit audit;
};

TEST_F(RetransmissionAuditTest, AnEchoFromBeforeTheRetransmissionShowsThatTheOriginalArrived) {
  audit.begin(kUna);
  audit.on_retransmit(octets(0, 100), kStart);
  EXPECT_FALSE(audit.is_spurious_by_echo(kUna, kStart - 1s)) << "no progress";
  EXPECT_TRUE(audit.is_spurious_by_echo(kUna + 100, kStart)) << "it left before that instant";
}

TEST_F(RetransmissionAuditTest, OnlyTheFirstAckThatAdvancesIsAsked) {
  audit.begin(kUna);
  audit.on_retransmit(octets(0, 100), kStart);
  EXPECT_FALSE(audit.is_spurious_by_echo(kUna + 100, kStart + 1ns));
  EXPECT_FALSE(audit.is_spurious_by_echo(kUna + 200, kStart - 1s));
}

TEST_F(RetransmissionAuditTest, WithoutAnEchoNothingIsShown) {
  audit.begin(kUna);
  audit.on_retransmit(octets(0, 100), kStart);
  EXPECT_FALSE(audit.is_spurious_by_echo(kUna + 100, std::nullopt));
}

TEST_F(RetransmissionAuditTest, EveryOctetHasToBeReportedAsADuplicate) {
  audit.begin(kUna);
  audit.on_retransmit(octets(0, 100), kStart);
  audit.on_retransmit(octets(300, 400), kStart);
  EXPECT_FALSE(audit.is_spurious_by_dsack(octets(0, 100)));
  EXPECT_TRUE(audit.is_spurious_by_dsack(octets(300, 400)));
  EXPECT_FALSE(audit.is_spurious_by_dsack(octets(300, 400))) << "once";
}

TEST_F(RetransmissionAuditTest, DuplicatesOfEarlierRecoveriesDoNotCount) {
  audit.begin(kUna + 1000);
  audit.on_retransmit(octets(1000, 1100), kStart);
  EXPECT_FALSE(audit.is_spurious_by_dsack(octets(900, 1000)));
  EXPECT_TRUE(audit.is_spurious_by_dsack(octets(1000, 1100)));
}

TEST_F(RetransmissionAuditTest, OutsideARecoveryNothingIsRemembered) {
  audit.on_retransmit(octets(0, 100), kStart);
  EXPECT_FALSE(audit.is_spurious_by_dsack(octets(0, 100)));
  audit.begin(kUna);
  EXPECT_FALSE(audit.is_spurious_by_dsack(octets(0, 100))) << "nothing was sent again";
  audit.on_retransmit(octets(0, 100), kStart);
  audit.end();
  EXPECT_FALSE(audit.is_spurious_by_dsack(octets(0, 100)));
}

}  // namespace
}  // namespace runnel::tcp
