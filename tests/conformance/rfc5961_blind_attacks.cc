// Challenge ACKs are few, and never at the cost of honest peers: RFC 5961 section 7.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using BlindAttacks = TcpTester;

TEST_F(BlindAttacks, R_5961_7_THROTTLE_ChallengesAreLimitedPerConnection) {
  bring_to(TcpState::Established);
  for (int i = 0; i < 1000; ++i) send(segment().rst().seq(their(1000)));
  const std::size_t answers = all_sent().size();
  EXPECT_GE(answers, 1U);
  EXPECT_LE(answers, Config{}.challenge_acks_per_connection_per_second);
  EXPECT_GT(dropped(DropReason::TcpChallengeRateLimited), 0U);

  // Another connection has a limit of its own.
  send(segment().from_port(1).syn().seq(peer_iss).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  send(segment().from_port(1).seq(their(0)).ack(syn_ack->seq + 1));
  send(segment().from_port(1).rst().seq(their(1000)));
  EXPECT_THAT(next_sent(), IsPureAck());
}

TEST_F(BlindAttacks, R_5961_7_THROTTLE_TheLimitIsForgottenWithTime) {
  bring_to(TcpState::Established);
  for (int i = 0; i < 1000; ++i) send(segment().syn().seq(their(1000)));
  forget_sent();
  advance(1s);
  send(segment().syn().seq(their(1000)));
  EXPECT_THAT(next_sent(), IsPureAck());
}

TEST_F(BlindAttacks, R_5961_7_DATAEXEMPT_OldDataAndProbesAreAlwaysAnswered) {
  bring_to(TcpState::Established);
  for (int i = 0; i < 100; ++i) {
    send(segment().seq(their(0) - 10).ack(our(0)).payload("old data"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0)))) << i;
  }
  for (int i = 0; i < 100; ++i) {
    send(segment().seq(their(0) - 1).ack(our(0)).payload("p"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0)))) << i;
  }
}

TEST_F(BlindAttacks, R_5961_7_THROTTLE_TwoConfusedEndsDoNotAnswerEachOtherForEver) {
  bring_to(TcpState::Established);
  // The peer answers each of our ACKs with the ACK of another connection, as two ends do that have
  // lost their common ground.
  send(segment().seq(their(0) - 100'000).ack(our(0)));
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) {
    if (!next_sent()) break;
    ++answers;
    send(segment().seq(their(0) - 100'000).ack(our(0)));
  }
  EXPECT_LE(answers, 20U);
}

TEST_F(BlindAttacks, RstsWithoutAConnectionAreLimited) {
  Config config;
  config.resets_per_second = 50;
  rebuild(config);
  for (std::uint16_t port = 1; port < 1000; ++port) {
    send(segment().from_port(port).seq(1).ack(2));
  }
  EXPECT_EQ(all_sent().size(), 50U);
  EXPECT_EQ(dropped(DropReason::TcpResetRateLimited), 949U);
}

}  // namespace
}  // namespace runnel::test
