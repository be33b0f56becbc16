// TIME-WAIT assassination: RFC 1337, and what RFC 9293 says of RST in the last states.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Assassination = TcpTester;

TcpConfig with_fix() {
  TcpConfig config;
  config.time_wait_ignores_reset = true;
  return config;
}

TEST_F(Assassination, R_1337_F1_AsAnOptionTimeWaitIgnoresEveryReset) {
  rebuild(with_fix());
  bring_to(TcpState::TimeWait, Opening::Active);
  for (const std::uint32_t at : {0U, 1U, 2U, 1000U, 100'000U}) {
    send(segment().rst().seq(their(at)));
    EXPECT_THAT(next_sent(), IsNothing()) << at;
    send(segment().rst().seq(their(at)).ack(our(1)));
    EXPECT_THAT(next_sent(), IsNothing()) << at;
    EXPECT_EQ(stack().time_wait_count(), 1U) << at;
  }
  EXPECT_EQ(dropped(DropReason::TcpTimeWait), 10U);
  advance(60s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U) << "nor is the clock touched";
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(Assassination, R_1337_F1_TheScenarioOfFigure1DoesNotKillIt) {
  // An old segment draws an ACK, to which the peer, which has forgotten the connection, answers
  // with a RST at just the right place.
  rebuild(with_fix());
  bring_to(TcpState::TimeWait, Opening::Active);
  send(ack_segment(0, 0).payload("old").seq(their(0) - 3));
  const auto ack = next_sent();
  ASSERT_THAT(ack, AllOf(IsPureAck(), HasSeq(our(1)), HasAck(their(1))));
  send(segment().rst().seq(ack->ack));
  EXPECT_EQ(stack().time_wait_count(), 1U);
}

TEST_F(Assassination, R_1337_F1__R_9293_3_10_7_4_RST_CLOSING_TheDefaultDeletes) {
  for (const TcpConfig& config : {TcpConfig{}, rfc_profile()}) {
    rebuild(config);
    bring_to(TcpState::TimeWait, Opening::Active);
    send(segment().rst().seq(their(1)));
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(stack().time_wait_count(), 0U);
    send(ack_segment(1, 1));
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(1)))) << "it is CLOSED now";
  }
}

TEST_F(Assassination, R_9293_3_10_7_4_RST_CLOSING_ClosingAndLastAckEndWithOrWithoutTheOption) {
  for (const bool fixed : {false, true}) {
    for (const TcpState from : {TcpState::Closing, TcpState::LastAck}) {
      rebuild(fixed ? with_fix() : TcpConfig{});
      bring_to(from, Opening::Active);
      send(segment().rst().seq(their(1)));
      EXPECT_THAT(next_sent(), IsNothing());
      EXPECT_EQ(name_of(state()), "CLOSED");
      EXPECT_FALSE(take_event(EventKind::Error)) << "both sides have closed: no error";
    }
  }
}

// Fix F2, to ignore RST for two seconds only, is not offered: whoever wants to be safe takes F1,
// which is safe for the whole time.
TEST_F(Assassination, R_1337_F2_NoTimeOfTimeWaitIsSpecial) {
  for (const Duration age : {1s, 3s}) {
    for (const bool fixed : {false, true}) {
      rebuild(fixed ? with_fix() : TcpConfig{});
      bring_to(TcpState::TimeWait, Opening::Active);
      advance(age);
      send(segment().rst().seq(their(1)));
      EXPECT_EQ(stack().time_wait_count(), fixed ? 1U : 0U) << age.count();
    }
  }
}

TEST_F(Assassination, R_1337_F1_TheOptionIsTheConnectionsOwn) {
  Config config;  // the stack's default does without
  rebuild(config);
  ListenOptions options;
  options.tcp = with_fix();
  listen(kPort, options);
  bring_to(TcpState::TimeWait, Opening::Passive);
  send(segment().rst().seq(their(1)));
  EXPECT_EQ(stack().time_wait_count(), 1U);
}

}  // namespace
}  // namespace runnel::test
