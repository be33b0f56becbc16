// RFC 9293 sections 3.10.1 to 3.10.6: what the application's calls do in each state.
#include <array>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class UserCalls : public TcpTester {
 protected:
  // Whether anything is left that could answer a segment as more than CLOSED does.
  void expect_closed_rules() {
    forget_sent();
    send(segment().seq(their(0)).ack(our(77)));
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(77)), HasNoAckBit()));
  }
};

// --- 3.10.1 OPEN ---

TEST_F(UserCalls, R_9293_3_10_1_OPEN_CLOSED_PassiveOpenSendsNothingAndListens) {
  listen();
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "LISTEN");
}

TEST_F(UserCalls, R_9293_3_10_1_OPEN_CLOSED_ActiveOpenSendsASynAndEntersSynSent) {
  ignore_timestamps_default();
  connect();
  const auto syn = next_sent();
  EXPECT_THAT(syn, AllOf(IsSyn(), HasMss(1460)));
  EXPECT_EQ(syn->from, kLocal);
  EXPECT_EQ(syn->to, kPeer);
  EXPECT_TRUE(syn->payload.empty());
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(name_of(state()), "SYN-SENT");
}

TEST_F(UserCalls, R_9293_3_10_1_OPEN_CLOSED_ActiveOpenWithoutARemoteIsAnError) {
  EXPECT_EQ(try_connect({kPeer.address, 0}).error(), Errc::invalid_argument);
  EXPECT_EQ(try_connect({IpAddress(), 80}).error(), Errc::invalid_argument);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(UserCalls, R_9293_3_10_1_OPEN_LISTEN_ConnectingFromAListeningPortLeavesTheListenerAlone) {
  listen();
  connect();
  EXPECT_THAT(next_sent(), IsSyn());
  send(segment().from_port(50001).syn().seq(5).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(6U)));
}

TEST_F(UserCalls, R_9293_3_10_1_OPEN_OTHER_OpeningTheSameConnectionTwiceIsAnError) {
  ConnectOptions options;
  options.local = kLocal;
  for (const TcpState there : {TcpState::SynSent, TcpState::Established, TcpState::CloseWait}) {
    rebuild(Config{});
    bring_to(there, Opening::Active);
    EXPECT_EQ(try_connect(kPeer, options).error(), Errc::already_connected) << name_of(there);
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(name_of(state()), name_of(there));
  }
}

TEST_F(UserCalls, R_9293_3_10_1_OPEN_OTHER_AnEndpointHasOneListener) {
  listen();
  EXPECT_EQ(stack().listen(kLocal).error(), Errc::address_in_use);
}

// --- 3.10.2 SEND ---

TEST_F(UserCalls, R_9293_3_10_2_SEND_CLOSED_WithoutAConnectionIsAnError) {
  EXPECT_EQ(stack().write({}, as_bytes("x")).error(), Errc::invalid_handle);
}

TEST_F(UserCalls, R_9293_3_10_2_SEND_SYN_InSynSentIsQueuedUntilEstablished) {
  bring_to(TcpState::SynSent);
  EXPECT_EQ(write("early").value_or(0), 5U);
  EXPECT_THAT(next_sent(), IsNothing());
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  // The ACK of the SYN may ride on the data.
  auto first = next_sent();
  if (first && first->payload.empty()) first = next_sent();
  EXPECT_THAT(first, AllOf(IsData(), HasSeq(our(0)), HasAck(their(0)), HasPayload("early")));
}

TEST_F(UserCalls, R_9293_3_10_2_SEND_SYN_InSynReceivedIsQueuedUntilEstablished) {
  bring_to(TcpState::SynReceived, Opening::Active);
  EXPECT_EQ(write("early").value_or(0), 5U);
  EXPECT_THAT(next_sent(), IsNothing());
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(0)), HasPayload("early")));
}

TEST_F(UserCalls, R_9293_3_10_2_SEND_SYN_AFullQueueIsSaid) {
  TcpConfig config;
  config.send_buffer_octets = 1000;
  rebuild(config);
  bring_to(TcpState::SynSent);
  EXPECT_EQ(write_octets(3000).value_or(0), 1000U);
  EXPECT_EQ(write("x").error(), Errc::would_block);
}

TEST_F(UserCalls, R_9293_3_10_2_SEND_EST_DataCarriesTheAcknowledgment) {
  bring_to(TcpState::Established);
  EXPECT_EQ(write("hello").value_or(0), 5U);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(0)), HasAck(their(0)), HasPayload("hello")));
}

TEST_F(UserCalls, R_9293_3_10_2_SEND_EST_InCloseWaitToo) {
  bring_to(TcpState::CloseWait);
  EXPECT_EQ(write("0123456789").value_or(0), 10U);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasAck(their(1)), HasPayloadOctets(10)));
}

TEST_F(UserCalls, R_9293_3_10_2_SEND_CLOSING_IsRefused) {
  for (const TcpState there : {TcpState::FinWait1, TcpState::FinWait2, TcpState::Closing,
                               TcpState::LastAck, TcpState::TimeWait}) {
    rebuild(Config{});
    bring_to(there);
    const auto written = write("x");
    EXPECT_FALSE(written) << name_of(there);
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

// --- 3.10.3 RECEIVE ---

TEST_F(UserCalls, R_9293_3_10_3_RECV_PRE_WaitsBeforeEstablished) {
  bring_to(TcpState::SynSent);
  EXPECT_EQ(read_error(), Errc::would_block);
}

TEST_F(UserCalls, R_9293_3_10_3_RECV_PRE_WaitsInSynReceived) {
  bring_to(TcpState::SynReceived, Opening::Active);
  EXPECT_EQ(read_error(), Errc::would_block);
}

TEST_F(UserCalls, R_9293_3_10_3_RECV_EST_GivesEachOctetOnce) {
  bring_to(TcpState::Established);
  EXPECT_EQ(read_error(), Errc::would_block);
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  EXPECT_EQ(read_all(), pattern(0, 100));
  EXPECT_EQ(read_error(), Errc::would_block);
}

TEST_F(UserCalls, R_9293_3_10_3_RECV_EST_InFinWaitToo) {
  for (const TcpState there : {TcpState::FinWait1, TcpState::FinWait2}) {
    rebuild(Config{});
    bring_to(there);
    send(ack_segment(0, there == TcpState::FinWait1 ? 0 : 1).payload("text"));
    EXPECT_EQ(read_all(), "text") << name_of(there);
  }
}

TEST_F(UserCalls, R_9293_3_10_3_RECV_CW_WhatIsLeftThenTheEnd) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 50)).fin());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  EXPECT_EQ(read_all(), pattern(0, 50));
  EXPECT_TRUE(reads_end_of_stream());
  EXPECT_TRUE(reads_end_of_stream()) << "the end stays the end";
}

TEST_F(UserCalls, R_9293_3_10_3_RECV_CLOSING_SaysTheEnd) {
  for (const TcpState there : {TcpState::Closing, TcpState::LastAck}) {
    rebuild(Config{});
    bring_to(there);
    EXPECT_TRUE(reads_end_of_stream()) << name_of(there);
  }
}

// --- 3.10.4 CLOSE ---

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_LISTEN_TheNextSynIsRefused) {
  listen();
  ASSERT_TRUE(stack().close_listener(listener()));
  pump();
  EXPECT_THAT(next_sent(), IsNothing());
  send(segment().syn().seq(100).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(0U), HasAck(101U)));
  EXPECT_EQ(stack().accept(listener()).error(), Errc::invalid_handle);
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_SYNSENT_DeletesTheTcbWithoutASegment) {
  bring_to(TcpState::SynSent);
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().connection_count(), 0U);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(0)), HasNoAckBit()));
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_SYNRCVD_SendsFinAndEntersFinWait1) {
  bring_to(TcpState::SynReceived, Opening::Active);
  EXPECT_TRUE(shutdown_write());
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
  send(ack_segment(0, 0));
  auto fin = next_sent();
  EXPECT_THAT(fin, AllOf(IsFin(), HasSeq(our(0)), HasAck(their(0))));
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_SYNRCVD_WithDataToSendWaitsForEstablished) {
  bring_to(TcpState::SynReceived, Opening::Active);
  EXPECT_TRUE(write("last words"));
  EXPECT_TRUE(shutdown_write());
  EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasPayload("last words")));
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_EST_FinFollowsAtOnceWhenTheQueueIsEmpty) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(our(0)), HasAck(their(0))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_EST_FinWait1AtOnceButFinBehindTheQueuedData) {
  peer_window = 0;
  bring_to(TcpState::Established);
  EXPECT_EQ(write_octets(5000).value_or(0), 5000U);
  EXPECT_TRUE(shutdown_write());
  EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
  EXPECT_THAT(next_sent(), IsNothing());
  peer_window = 65535;
  send(ack_segment(0, 0));
  std::string text;
  bool has_fin = false;
  for (const SentSegment& sent : all_sent()) {
    EXPECT_FALSE(has_fin) << "something behind FIN";
    text += sent.payload;
    has_fin = sent.flags.fin;
  }
  EXPECT_EQ(text, pattern(0, 5000));
  EXPECT_TRUE(has_fin);
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_FW_ASecondCloseSendsNoSecondFin) {
  for (const TcpState there : {TcpState::FinWait1, TcpState::FinWait2}) {
    rebuild(Config{});
    bring_to(there);
    EXPECT_FALSE(shutdown_write()) << "the stream was ended before";
    EXPECT_TRUE(close());
    EXPECT_THAT(next_sent(), IsNothing()) << name_of(there);
    EXPECT_EQ(name_of(state()), name_of(there));
  }
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_CW_SendsFinAndEntersLastAck) {
  bring_to(TcpState::CloseWait);
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(our(0)), HasAck(their(1))));
  EXPECT_EQ(name_of(state()), "LAST-ACK");
}

TEST_F(UserCalls, R_9293_3_10_4_CLOSE_CW_FinFollowsTheQueuedData) {
  peer_window = 0;
  bring_to(TcpState::CloseWait);
  EXPECT_TRUE(write("tail"));
  EXPECT_TRUE(shutdown_write());
  EXPECT_THAT(next_sent(), IsNothing());
  peer_window = 1000;
  send(ack_segment(1, 0));
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasPayload("tail"), HasSeq(our(0))));
  EXPECT_EQ(name_of(state()), "LAST-ACK");
}

// --- 3.10.5 ABORT ---

TEST_F(UserCalls, R_9293_3_10_5_ABORT_SendsOneResetAtSndNxt) {
  for (const TcpState there :
       {TcpState::Established, TcpState::FinWait1, TcpState::FinWait2, TcpState::CloseWait}) {
    rebuild(Config{});
    bring_to(there);
    const bool has_sent_fin = there == TcpState::FinWait1 || there == TcpState::FinWait2;
    EXPECT_TRUE(abort());
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(has_sent_fin ? 1 : 0)))) << name_of(there);
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(stack().connection_count(), 0U);
    expect_closed_rules();
  }
}

TEST_F(UserCalls, R_9293_3_10_5_ABORT_InSynReceived) {
  bring_to(TcpState::SynReceived, Opening::Active);
  EXPECT_TRUE(abort());
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(0))));
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(UserCalls, R_9293_3_10_5_ABORT_FlushesWhatIsQueued) {
  peer_window = 2000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(9000));
  const std::size_t sent = all_sent().size();
  EXPECT_GT(sent, 0U);
  send(ack_segment(0, 0).payload("unread"));
  forget_sent();
  EXPECT_TRUE(abort());
  EXPECT_THAT(next_sent(), IsRst());
  EXPECT_FALSE(write("x"));
  EXPECT_TRUE(read_error());
  advance(5min);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(UserCalls, R_9293_3_10_5_ABORT_QUIET_SendsNothingWhereTheRfcSendsNothing) {
  for (const TcpState there :
       {TcpState::SynSent, TcpState::Closing, TcpState::LastAck, TcpState::TimeWait}) {
    rebuild(Config{});
    bring_to(there, Opening::Active);
    EXPECT_TRUE(abort()) << name_of(there);
    EXPECT_THAT(next_sent(), IsNothing()) << name_of(there);
    EXPECT_EQ(stack().connection_count() + stack().time_wait_count(), 0U) << name_of(there);
    expect_closed_rules();
  }
}

TEST_F(UserCalls, R_9293_3_10_5_ABORT_QUIET_ClosingAListenerSendsNothing) {
  bring_to(TcpState::Listen);
  ASSERT_TRUE(stack().close_listener(listener()));
  pump();
  EXPECT_THAT(next_sent(), IsNothing());
}

// --- 3.10.6 STATUS ---

TEST_F(UserCalls, R_9293_3_10_6_STATUS_TellsStateAndEndpoints) {
  for (const TcpState there :
       {TcpState::SynSent, TcpState::SynReceived, TcpState::Established, TcpState::FinWait1,
        TcpState::FinWait2, TcpState::CloseWait, TcpState::Closing, TcpState::LastAck}) {
    rebuild(Config{});
    bring_to(there, Opening::Active);
    const TcpInfo status = info();
    EXPECT_EQ(name_of(status.state), name_of(there));
    EXPECT_EQ(status.local, kLocal);
    EXPECT_EQ(status.remote, kPeer);
  }
}

TEST_F(UserCalls, R_9293_3_10_6_STATUS_TellsWindowsAndQueues) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(3000));
  send(ack_segment(0, 1460).payload("12345"));
  const TcpInfo status = info();
  EXPECT_EQ(status.send_mss_octets, 1460);
  EXPECT_EQ(status.send_window_octets, 65535U);
  EXPECT_EQ(status.send_queue_octets, 3000U - 1460U);
  EXPECT_EQ(status.in_flight_octets, 1460U) << "the last 80 octets are Nagle's";
  EXPECT_EQ(status.octets_acknowledged, 1460U);
  EXPECT_EQ(status.receive_queue_octets, 5U);
  EXPECT_EQ(status.octets_received, 5U);
}

}  // namespace
}  // namespace runnel::test
