// RFC 9293 section 3.10.7.4, steps one to four: sequence numbers, RST and SYN. With RFC 5961.
#include <array>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

constexpr std::array kWithFinReceived = {TcpState::CloseWait, TcpState::Closing, TcpState::LastAck};
constexpr std::array kOpenForText = {TcpState::Established, TcpState::FinWait1, TcpState::FinWait2};

class SequenceChecks : public TcpTester {
 protected:
  // What the stack has sent in this state, and what it expects.
  [[nodiscard]] std::uint32_t snd_nxt(TcpState state) const {
    return our(state == TcpState::Established || state == TcpState::CloseWait ? 0 : 1);
  }
  [[nodiscard]] std::uint32_t snd_una(TcpState state) const {
    return our(state == TcpState::FinWait2 || state == TcpState::TimeWait ? 1 : 0);
  }
  // A receive buffer of 100 octets, all of it offered.
  void establish_with_small_window() {
    TcpConfig config;
    config.receive_buffer_octets = 100;
    rebuild(config);
    establish_passive();
    ASSERT_EQ(announced_window(), 100U);
  }
};

// --- First: the sequence number ---

TEST_F(SequenceChecks, R_9293_3_10_7_4_SEQ__R_9293_3_5_2_RSTSYNC_AnOldSegmentGetsOneAck) {
  for (const TcpState there : kOpenForText) {
    rebuild(Config{});
    bring_to(there);
    send(segment().seq(their(0) - 1000).ack(snd_una(there)).payload("old"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(snd_nxt(there)), HasAck(their(0))));
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(name_of(state()), name_of(there));
    EXPECT_EQ(read_error(), Errc::would_block);
  }
  for (const TcpState there : kWithFinReceived) {
    rebuild(Config{});
    bring_to(there);
    send(segment().seq(their(0) - 1000).ack(snd_una(there)).payload("old"));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(snd_nxt(there)), HasAck(their(1))));
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

TEST_F(SequenceChecks, R_9293_3_4_ACCEPT2_AnEmptySegmentIsAcceptableUpToTheRightEdge) {
  establish_with_small_window();
  EXPECT_TRUE(write("x"));
  forget_sent();
  send(segment().seq(their(100)).ack(our(1)));  // right edge
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0))));
  EXPECT_EQ(info().octets_acknowledged, 0U);
  send(segment().seq(their(99)).ack(our(1)));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(info().octets_acknowledged, 1U);
}

TEST_F(SequenceChecks, R_9293_3_4_ACCEPT1_AtWindowZeroAnEmptySegmentMustBeAtRcvNxt) {
  establish_with_small_window();
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  advance(40ms);
  ASSERT_EQ(announced_window(), 0U);
  EXPECT_TRUE(write("xy"));
  forget_sent();
  send(segment().seq(their(101)).ack(our(1)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(100))));
  EXPECT_EQ(info().octets_acknowledged, 0U);
  send(segment().seq(their(99)).ack(our(1)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(100))));
  EXPECT_EQ(info().octets_acknowledged, 0U);
  send(segment().seq(their(100)).ack(our(1)));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(info().octets_acknowledged, 1U);
}

TEST_F(SequenceChecks, R_9293_3_4_ACCEPT3_AtWindowZeroDataIsRefusedButItsAckCounts) {
  establish_with_small_window();
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  advance(40ms);
  EXPECT_TRUE(write("xy"));
  forget_sent();
  send(ack_segment(100, 2).payload("Z"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(100)), HasWindow(0)));
  EXPECT_EQ(info().octets_acknowledged, 2U);
  EXPECT_EQ(read_all(), pattern(0, 100));
}

TEST_F(SequenceChecks, R_9293_MUST_66_AtWindowZeroAResetCounts) {
  establish_with_small_window();
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  advance(40ms);
  forget_sent();
  send(segment().rst().seq(their(100)));
  EXPECT_EQ(name_of(state_of(id())), "CLOSED");
  EXPECT_TRUE(take_event(EventKind::Error));
}

TEST_F(SequenceChecks, R_9293_3_4_ACCEPT4_AnOverlapOnTheLeftIsCutOff) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 50)));
  send(ack_segment(40, 0).payload(pattern(40, 30)));
  EXPECT_EQ(read_all(), pattern(0, 70));
  advance(40ms);
  std::optional<SentSegment> last;
  while (const auto sent = next_sent()) last = sent;
  EXPECT_THAT(last, HasAck(their(70)));
}

TEST_F(SequenceChecks, R_9293_3_10_7_4_TRIM_WhatLiesRightOfTheWindowIsCutOff) {
  establish_with_small_window();
  send(ack_segment(0, 0).payload(pattern(0, 150)).fin());
  advance(40ms);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(100)), HasWindow(0)));
  EXPECT_EQ(name_of(state()), "ESTABLISHED") << "the FIN lies outside";
  EXPECT_EQ(read_all(), pattern(0, 100));
  forget_sent();
  send(ack_segment(100, 0).payload(pattern(100, 50)).fin());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  EXPECT_EQ(read_all(), pattern(100, 50));
}

TEST_F(SequenceChecks, R_9293_3_4_COVER_ASegmentThatCoversTheWholeWindowIsTrimmedAtBothEnds) {
  establish_with_small_window();
  send(segment().seq(their(0) - 100).ack(our(0)).payload(pattern(26 * 100 - 100, 300)));
  advance(40ms);
  EXPECT_EQ(read_all(), pattern(0, 100));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(100))));
}

TEST_F(SequenceChecks, R_9293_3_4_MOD32_EverythingWorksAcrossTheWrap) {
  peer_iss = 0xfffffff0;
  rebuild_for_iss(0xfffffff0);
  establish_passive();
  ASSERT_EQ(iss(), 0xfffffff0) << "the clock part of the ISN is not 4 microseconds a step";
  std::string received;
  std::string sent_text;
  for (std::uint32_t at = 0; at < 14600; at += 1460) {
    EXPECT_TRUE(write(pattern(at, 1460)));
    send(ack_segment(at, at).payload(pattern(at, 1460)));
    for (const SentSegment& sent : all_sent()) {
      if (sent.payload.empty()) continue;
      EXPECT_EQ(sent.seq, our(static_cast<std::uint32_t>(sent_text.size())));
      sent_text += sent.payload;
    }
    send(ack_segment(at + 1460, at + 1460));
    received += read_all();
  }
  EXPECT_EQ(received, pattern(0, 14600));
  EXPECT_EQ(sent_text, pattern(0, 14600));
  EXPECT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(our(14600))));
}

TEST_F(SequenceChecks, R_9293_3_4_MOD32_OutOfOrderAcrossTheWrap) {
  peer_iss = 0xffffff00;
  establish_passive();
  send(ack_segment(300, 0).payload(pattern(300, 100)));
  send(ack_segment(200, 0).payload(pattern(200, 100)));
  send(ack_segment(100, 0).payload(pattern(100, 100)));
  EXPECT_EQ(read_error(), Errc::would_block);
  send(ack_segment(0, 0).payload(pattern(0, 100)));
  EXPECT_EQ(read_all(), pattern(0, 400));
}

// --- Second: RST ---

TEST_F(SequenceChecks, R_9293_3_4_ACCEPT2_NothingHalfASequenceSpaceAwayIsAcceptable) {
  for (const TcpState there : {TcpState::SynReceived, TcpState::Established, TcpState::TimeWait}) {
    for (const std::uint32_t away : {0x80000000U, 0x80000001U, 0x80000000U + 1000}) {
      rebuild(Config{});
      bring_to(there, Opening::Passive);
      send(ack_segment(away, 0).payload("text"));
      EXPECT_THAT(next_sent(), IsPureAck());
      if (there != TcpState::TimeWait) {  // where it may be a new connection's
        send(segment().syn().seq(their(away)).payload("text"));
      }
      send(segment().fin().seq(their(away)).ack(our(0)));
      send(segment().rst().seq(their(away)));
      EXPECT_EQ(name_of(state()), name_of(there));
    }
  }
}

TEST_F(SequenceChecks, R_9293_3_10_7_4_RST__R_5961_3_2_EXACT_OnlyExactlyRcvNxtResets) {
  for (const TcpState there : kOpenForText) {
    rebuild(Config{});
    bring_to(there);
    send(segment().rst().seq(their(0) - 1));
    EXPECT_THAT(next_sent(), IsNothing()) << "outside the window, left";
    send(segment().rst().seq(announced_edge()));
    EXPECT_THAT(next_sent(), IsNothing()) << "outside the window, right";
    send(segment().rst().seq(their(0) + 1));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(snd_nxt(there)), HasAck(their(0))));
    send(segment().rst().seq(announced_edge() - 1));
    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(snd_nxt(there)), HasAck(their(0))));
    EXPECT_EQ(name_of(state()), name_of(there));
    send(segment().rst().seq(their(0)));
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(name_of(state_of(id())), "CLOSED");
  }
}

TEST_F(SequenceChecks, R_5961_3_2_CHALSEQ_TheChallengeIsMadeFromTheTcb) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("abc"));
  forget_sent();
  send(segment().rst().seq(their(1000)).ack(our(77)));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(3)), HasAck(their(0))));
}

TEST_F(SequenceChecks, R_9293_3_10_7_4_RST_EST_EveryCallSaysResetAndQueuesAreFlushed) {
  for (const TcpState there : {TcpState::Established, TcpState::CloseWait}) {
    rebuild(Config{});
    bring_to(there);
    EXPECT_TRUE(write_octets(5000));
    forget_sent();
    (void)take_events();
    send(segment().rst().seq(their(there == TcpState::CloseWait ? 1 : 0)));
    const auto error = take_event(EventKind::Error);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->error, Errc::connection_reset);
    EXPECT_TRUE(take_event(EventKind::Closed));
    EXPECT_EQ(write("x").error(), Errc::connection_reset);
    if (there == TcpState::Established) {
      EXPECT_EQ(read_error(), Errc::connection_reset);
    }
    EXPECT_TRUE(close()) << "gives the handle up";
    EXPECT_EQ(write("x").error(), Errc::invalid_handle);
    EXPECT_EQ(stack().memory_octets(), 0U);
    advance(5min);
    EXPECT_THAT(next_sent(), IsNothing());
  }
}

TEST_F(SequenceChecks, R_9293_3_10_7_4_RST_CLOSING_TheTcbIsDeleted) {
  for (const TcpState there : {TcpState::Closing, TcpState::LastAck, TcpState::TimeWait}) {
    rebuild(Config{});
    bring_to(there, Opening::Active);
    send(segment().rst().seq(their(1)));
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(name_of(state()), "CLOSED") << name_of(there);
    EXPECT_EQ(stack().time_wait_count(), 0U);
  }
}

TEST_F(SequenceChecks, R_9293_SHLD_2_AResetMayCarryText) {
  bring_to(TcpState::Established);
  send(segment().rst().seq(their(0)).payload("why it was so, 20 octets"));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(read_error(), Errc::connection_reset);
}

TEST_F(SequenceChecks, R_9293_MUST_12_TheEndAndTheResetAreToldApart) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).fin());
  EXPECT_TRUE(reads_end_of_stream());
  rebuild(Config{});
  bring_to(TcpState::Established);
  send(segment().rst().seq(their(0)));
  EXPECT_EQ(read_error(), Errc::connection_reset);
}

TEST_F(SequenceChecks, R_9293_MUST_12_AResetBehindTheFinIsNoCleanEndWhenOctetsWereLost) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("never read").fin());
  EXPECT_EQ(name_of(state()), "CLOSE-WAIT");
  send(segment().rst().seq(their(11)));
  const std::string text = read_all();  // flushed, or still there; but not the end of the stream
  EXPECT_TRUE(text.empty() || text == "never read");
  EXPECT_EQ(read_error(), Errc::connection_reset);
}

// --- Third: security and compartment ---

TEST_F(SequenceChecks, R_9293_3_10_7_4_SEC_ASecurityOptionOfIpIsIgnored) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0)
           .payload("classified")
           .ip_options({130, 11, 0xab, 0xcd, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(read_all(), "classified");
}

// --- Fourth: SYN ---

TEST_F(SequenceChecks, R_9293_3_10_7_4_SYN__R_5961_4_2_SYN_IsChallengedWhateverItsNumber) {
  for (const TcpState there : kOpenForText) {
    rebuild(Config{});
    bring_to(there);
    for (const std::uint32_t seq :
         {peer_iss, their(0), their(1), announced_edge(), their(0) - 5000, their(0x70000000)}) {
      send(segment().syn().seq(seq).mss(1460));
      EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(snd_nxt(there)), HasAck(their(0))));
      EXPECT_THAT(next_sent(), IsNothing());
    }
    EXPECT_EQ(name_of(state()), name_of(there));
  }
}

TEST_F(SequenceChecks, R_5961_4_2_SYN_APeerThatRebootedResetsAndComesBack) {
  establish_passive();
  send(segment().syn().seq(5).mss(1460));
  const auto challenge = next_sent();
  ASSERT_THAT(challenge, IsPureAck());
  // The peer is in SYN-SENT and answers the ACK, which acknowledges nothing of its own.
  send(segment().rst().seq(challenge->ack));
  EXPECT_EQ(name_of(state_of(id())), "CLOSED");
  send(segment().syn().seq(5).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(6U)));
}

}  // namespace
}  // namespace runnel::test
