// TIME-WAIT: RFC 9293 sections 3.6.1 and 3.10.8, RFC 6191 without timestamps.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using TimeWait = TcpTester;

TEST_F(TimeWait, R_9293_MUST_13__R_9293_3_10_8_2MSL_LastsFourMinutesWhenConfiguredAsTheRfcSays) {
  rebuild(rfc_profile());
  bring_to(TcpState::TimeWait, Opening::Active);
  advance(240s - 1ns);
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
  advance(1ns);
  EXPECT_EQ(name_of(state()), "CLOSED");
  EXPECT_EQ(stack().timer_count(), 0U);
  EXPECT_EQ(stack().memory_octets(), 0U);
  send(ack_segment(1, 1));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(1))));
}

TEST_F(TimeWait, R_9293_MUST_13_TheDefaultIsOneMinute) {
  bring_to(TcpState::TimeWait, Opening::Active);
  advance(60s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(
    TimeWait,
    R_9293_3_10_7_4_ACK_TIMEWAIT__R_9293_3_10_7_4_FIN_DUP_AFinAgainIsAcknowledgedAndRestartsTheClock) {
  bring_to(TcpState::TimeWait, Opening::Active);
  advance(50s);
  send(ack_segment(0, 1).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(1)), HasAck(their(1))));
  advance(60s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(TimeWait, R_9293_3_10_7_4_ACK_TIMEWAIT_UnderTheRfcProfileItMovesToFourMinutesFromThen) {
  rebuild(rfc_profile());
  bring_to(TcpState::TimeWait, Opening::Active);
  advance(200s);
  send(ack_segment(0, 1).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(1)), HasAck(their(1))));
  advance(240s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(TimeWait, R_9293_MUST_13__R_9293_3_10_7_4_ACK_TIMEWAIT_ItsLengthIsTheConnectionsOwn) {
  ListenOptions options;
  options.tcp = rfc_profile();  // the stack's default is one minute
  listen(kPort, options);
  bring_to(TcpState::TimeWait, Opening::Passive);
  advance(200s);
  send(ack_segment(0, 1).fin());
  EXPECT_THAT(next_sent(), IsPureAck());
  advance(240s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(TimeWait, R_9293_3_10_7_4_ACK_TIMEWAIT_APlainAckDoesNotRestartTheClockNorIsItAnswered) {
  bring_to(TcpState::TimeWait, Opening::Active);
  advance(50s);
  send(ack_segment(1, 1));
  EXPECT_THAT(next_sent(), IsNothing());
  advance(10s);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(TimeWait, R_9293_MAY_2_ANewerSynOpensANewConnection) {
  bring_to(TcpState::TimeWait, Opening::Passive);
  const std::uint32_t old_snd_nxt = our(1);
  send(segment().syn().seq(their(5000)).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(5001))));
  EXPECT_GT(static_cast<std::int32_t>(syn_ack->seq - old_snd_nxt), 0);
  EXPECT_EQ(stack().time_wait_count(), 0U);
  send(segment().seq(their(5001)).ack(our(0)));
  EXPECT_TRUE(accept());
}

TEST_F(TimeWait, R_9293_MAY_2_AnOlderSynIsDropped) {
  bring_to(TcpState::TimeWait, Opening::Passive);
  send(segment().syn().seq(their(0) - 5000).mss(1460));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().time_wait_count(), 1U);
}

TEST_F(TimeWait, R_9293_MAY_2_AnOldDuplicateFallsBackToTimeWait) {
  bring_to(TcpState::TimeWait, Opening::Passive);
  const std::uint32_t old_snd_nxt = our(1);
  const std::uint32_t old_rcv_nxt = their(1);
  advance(10s);
  send(segment().syn().seq(their(5000)).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(5001))));
  EXPECT_GT(static_cast<std::int32_t>(syn_ack->seq - old_snd_nxt), 0);
  EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
  advance(10s);
  forget_sent();
  send(segment().rst().seq(their(5001)));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "TIME-WAIT");
  send(segment().seq(old_rcv_nxt - 1).ack(old_snd_nxt).fin());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(old_snd_nxt), HasAck(old_rcv_nxt)))
      << "the old connection's FIN is known still";
}

TEST_F(TimeWait, R_9293_MAY_2_TheInterruptionDoesNotLengthenIt) {
  bring_to(TcpState::TimeWait, Opening::Passive);
  advance(10s);
  send(segment().syn().seq(their(5000)).mss(1460));
  send(segment().rst().seq(their(5001)));
  advance(50s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);

  // A handshake that outlasts it has nothing to fall back to.
  bring_to(TcpState::TimeWait, Opening::Passive);
  advance(59s);
  send(segment().syn().seq(their(5000)).mss(1460));
  advance(1s);
  send(segment().rst().seq(their(5001)));
  EXPECT_EQ(stack().time_wait_count(), 0U);
  EXPECT_EQ(name_of(state()), "LISTEN");
}

TEST_F(TimeWait, R_9293_MAY_2_ASecondSynAgainOpensANewConnection) {
  bring_to(TcpState::TimeWait, Opening::Passive);
  send(segment().syn().seq(their(5000)).mss(1460));
  send(segment().rst().seq(their(5001)));
  forget_sent();
  send(segment().syn().seq(their(9000)).mss(1460));
  ASSERT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(9001))));
  send(segment().seq(their(9001)).ack(our(0)));
  EXPECT_TRUE(accept());
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(TimeWait, R_9293_MAY_2_WithoutRoomForARecordItGoesOn) {
  for (const SynCookies mode : {SynCookies::WhenFull, SynCookies::Never}) {
    Config config;
    config.syn_cookies = mode;
    rebuild(config);
    ListenOptions options;
    options.backlog = 1;
    listen(kPort, options);
    bring_to(TcpState::TimeWait, Opening::Passive);
    send(segment().from_port(9).syn().seq(1).mss(1460));
    forget_sent();
    send(segment().syn().seq(their(5000)).mss(1460));
    if (mode == SynCookies::Never) {
      EXPECT_THAT(next_sent(), IsSynAck()) << "the other half-open connection gave way";
    } else {
      EXPECT_THAT(next_sent(), IsNothing()) << "no cookie: it could not begin behind the old one";
      EXPECT_EQ(stack().time_wait_count(), 1U);
      EXPECT_EQ(dropped(DropReason::TcpBacklogFull), 1U);
    }
  }
}

TEST_F(TimeWait, R_9293_MAY_2_WithoutAListenerANewerSynIsNoConnection) {
  bring_to(TcpState::TimeWait, Opening::Active);
  send(segment().syn().seq(their(5000)).mss(1460));
  for (const SentSegment& sent : all_sent()) EXPECT_FALSE(sent.flags.syn) << sent;
  EXPECT_EQ(stack().syn_received_count(), 0U);
}

TEST_F(TimeWait, R_6056_3_1_UNIQ_ItsPairOfEndpointsIsTaken) {
  bring_to(TcpState::TimeWait, Opening::Active);
  ConnectOptions options;
  options.local = kLocal;
  EXPECT_EQ(try_connect(kPeer, options).error(), Errc::already_connected);
  EXPECT_TRUE(try_connect({kPeer.address, 4444}, options)) << "another peer is another matter";
  advance(61s);
  EXPECT_TRUE(try_connect(kPeer, options));
}

TEST_F(TimeWait, TheTableIsBounded) {
  Config config;
  config.maximum_time_wait = 3;
  rebuild(config);
  listen();
  for (std::uint16_t port = 100; port < 110; ++port) {
    const auto peer = [&] { return segment().from_port(port); };
    send(peer().syn().seq(peer_iss).mss(1460));
    const std::uint32_t one = next_sent()->seq + 1;
    send(peer().seq(their(0)).ack(one));
    ASSERT_TRUE(accept());
    EXPECT_TRUE(close());
    send(peer().seq(their(0)).ack(one + 1).fin());
    forget_sent();
  }
  EXPECT_EQ(stack().time_wait_count(), 3U);
  advance(60s);
  EXPECT_EQ(stack().time_wait_count(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
}

}  // namespace
}  // namespace runnel::test
