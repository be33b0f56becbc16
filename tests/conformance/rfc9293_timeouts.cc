// Giving up: RFC 9293 sections 3.8.3 (R1, R2), 3.8.4 (keep-alive) and 3.10.8 (user timeout).
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using GivingUp = TcpTester;
using Keepalive = TcpTester;

// --- R1 and R2 ---

TEST_F(GivingUp,
       R_9293_MUST_20__R_9293_SHLD_9__R_9293_SHLD_10__R_9293_MUST_47_R1IsReportedAndR2Closes) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  (void)next_sent();
  std::size_t retransmissions = 0;
  while (retransmissions < 3) {
    EXPECT_FALSE(take_event(EventKind::SoftError)) << "before three retransmissions";
    advance(100ms);
    retransmissions += all_sent().size();
  }
  advance(2min);
  EXPECT_TRUE(take_event(EventKind::SoftError)) << "R1 was reached";
  EXPECT_FALSE(take_event(EventKind::Error));
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  advance(15min);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error) << "R2 was reached";
  EXPECT_EQ(error->error, Errc::timed_out);
  EXPECT_TRUE(take_event(EventKind::Closed));
  EXPECT_EQ(write("x").error(), Errc::timed_out);
  EXPECT_EQ(name_of(state_of(id())), "CLOSED");
}

TEST_F(GivingUp, R_9293_SHLD_11_R2IsAtLeast100Seconds) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  advance(100s);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  EXPECT_FALSE(take_event(EventKind::Error));
}

TEST_F(GivingUp, R_9293_MUST_20_AnAnswerInBetweenBeginsAnew) {
  TcpConfig config;
  config.r2 = 100s;
  rebuild(config);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  advance(80s);
  send(ack_segment(0, 1));
  EXPECT_TRUE(write("y"));
  advance(80s);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  advance(2min);
  EXPECT_TRUE(take_event(EventKind::Error));
}

// A listener's SYN,ACK is given up early by default; under the RFCs' own parameters it is not.
TEST_F(GivingUp, R_9293_MUST_23_ASynAckIsTriedForThreeMinutesUnderTheRfcsProfile) {
  for (const auto& [profile, given_up] :
       {std::pair{TcpConfig{}, Duration{63s}}, {rfc_profile(), Duration{183s}}}) {
    rebuild(profile);
    bring_to(TcpState::SynReceived);
    advance(given_up - 1ns);
    EXPECT_EQ(stack().syn_received_count(), 1U);
    advance(1ns);
    EXPECT_EQ(stack().syn_received_count(), 0U);
  }
}

TEST_F(GivingUp, R_9293_MUST_22__R_9293_MUST_23_ASynIsTriedForThreeMinutes) {
  connect();
  advance(180s);
  EXPECT_EQ(name_of(state()), "SYN-SENT");
  EXPECT_FALSE(take_event(EventKind::Error));
  std::size_t syns = 0;
  for (const SentSegment& sent : all_sent()) syns += sent.flags.syn ? 1 : 0;
  EXPECT_GE(syns, 7U);
  advance(2min);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::timed_out);
  EXPECT_TRUE(take_event(EventKind::Closed));
  forget_sent();
  advance(10min);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().timer_count(), 0U);
}

// --- User timeout ---

TEST_F(GivingUp, R_9293_3_10_8_UTO__R_9293_MUST_21_TheUserTimeoutEndsItToTheNanosecond) {
  TcpConfig config;
  config.user_timeout = 60s;
  rebuild(config);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  advance(60s - 1ns);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  advance(1ns);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::timed_out);
  EXPECT_TRUE(take_event(EventKind::Closed));
  EXPECT_TRUE(close());
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(GivingUp, R_9293_MUST_21_ItIsSetPerConnectionAndAcknowledgmentsRestartIt) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_user_timeout(id(), 30s));
  EXPECT_TRUE(write("x"));
  advance(25s);
  send(ack_segment(0, 1));
  EXPECT_TRUE(write("y"));
  advance(29s);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  advance(1s);
  EXPECT_TRUE(take_event(EventKind::Error));
}

TEST_F(GivingUp, R_9293_MUST_21_WithNothingOutstandingItDoesNotRun) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_user_timeout(id(), 30s));
  advance(1h);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
}

TEST_F(GivingUp, R_9293_3_10_8_UTO_ItEndsAnAttemptToConnectToo) {
  TcpConfig config;
  config.user_timeout = 10s;
  rebuild(config);
  connect();
  advance(10s);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::timed_out);
}

// --- Inactivity, the application's own ---

TEST_F(GivingUp, InactivityIsReportedAndNothingIsClosed) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_inactivity_timeout(id(), 10s));
  advance(10s - 1ns);
  EXPECT_FALSE(take_event(EventKind::Timeout));
  advance(1ns);
  EXPECT_TRUE(take_event(EventKind::Timeout));
  advance(10s);
  EXPECT_TRUE(take_event(EventKind::Timeout)) << "whenever nothing moved for so long";
  send(ack_segment(0, 0).payload("x"));
  advance(10s - 1ns);
  EXPECT_FALSE(take_event(EventKind::Timeout)) << "payload moved";
  EXPECT_TRUE(stack().set_inactivity_timeout(id(), 0s));
  advance(1h);
  EXPECT_FALSE(take_event(EventKind::Timeout));
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
}

// --- Keep-alive ---

TEST_F(Keepalive, R_9293_MUST_25_IsOffByDefault) {
  bring_to(TcpState::Established);
  advance(24h);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Keepalive,
       R_9293_MUST_24__R_9293_MUST_28__R_9293_SHLD_12__R_9293_MAY_5_OnRequestAProbeAfterTwoHours) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_keepalive(id(), true));
  advance(2h - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), AllOf(HasSeq(our(0) - 1), HasAck(their(0)), HasPayloadOctets(0)));
  EXPECT_THAT(next_sent(), IsNothing());
  send(ack_segment(0, 0));
  advance(2h - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), HasSeq(our(0) - 1));
}

TEST_F(Keepalive, R_9293_MUST_27_TheIntervalIsConfigurable) {
  for (const Duration idle : {10s, 20s}) {
    TcpConfig config;
    config.keepalive = true;
    config.keepalive_idle = idle;
    rebuild(config);
    bring_to(TcpState::Established);
    advance(idle - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    EXPECT_THAT(next_sent(), HasSeq(our(0) - 1));
  }
}

TEST_F(Keepalive, R_9293_MUST_26_AnythingHeardRestartsTheInterval) {
  TcpConfig config;
  config.keepalive = true;
  config.keepalive_idle = 100s;
  rebuild(config);
  bring_to(TcpState::Established);
  advance(99s);
  send(ack_segment(0, 0));
  advance(100s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  EXPECT_THAT(next_sent(), HasSeq(our(0) - 1));
}

TEST_F(Keepalive, R_9293_MUST_26_NoProbeWhileDataIsOutstanding) {
  TcpConfig config;
  config.keepalive = true;
  config.keepalive_idle = 10s;
  rebuild(config);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  advance(60s);
  for (const SentSegment& sent : all_sent()) {
    EXPECT_EQ(sent.payload, "x") << "retransmissions, and nothing else";
  }
}

TEST_F(Keepalive, R_9293_MUST_29_OneUnansweredProbeIsNotTheEndButManyAre) {
  TcpConfig config;
  config.keepalive = true;
  config.keepalive_idle = 100s;
  config.keepalive_interval = 10s;
  config.keepalive_probes = 4;
  rebuild(config);
  bring_to(TcpState::Established);
  advance(100s);
  for (int probe = 0; probe < 4; ++probe) {
    EXPECT_THAT(next_sent(), HasSeq(our(0) - 1)) << "probe " << probe;
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
    EXPECT_FALSE(take_event(EventKind::Error));
    advance(10s);
  }
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::timed_out);
}

TEST_F(Keepalive, R_9293_MUST_24_CanBeSwitchedOffAgain) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_keepalive(id(), true));
  advance(1h);
  EXPECT_TRUE(stack().set_keepalive(id(), false));
  advance(24h);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Keepalive, R_9293_SHLD_12_OursAnswersTheProbeOfAPeer) {
  bring_to(TcpState::Established);
  send(segment().seq(their(0) - 1).ack(our(0)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(0))));
  send(segment().seq(their(0) - 1).ack(our(0)).payload("?"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0)), HasAck(their(0))));
  EXPECT_EQ(read_error(), Errc::would_block) << "the garbage octet is not delivered";
}

}  // namespace
}  // namespace runnel::test
