// Urgent data: RFC 9293 section 3.8.5, RFC 6093.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class Urgent : public TcpTester {
 protected:
  void write_urgent(std::string_view text) {
    const auto taken = stack().write_urgent(id(), as_bytes(text));
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_EQ(*taken, text.size());
    pump();
  }
  [[nodiscard]] std::size_t urgent_octets() const { return info().urgent_octets; }
  [[nodiscard]] std::string read_some(std::size_t most) {
    std::vector<std::uint8_t> out(most);
    const auto count = stack().read(id(), out);
    pump();
    return count ? std::string(as_text(Bytes(out).first(*count))) : count.error().message();
  }
  void out_of_line() {
    TcpConfig config;
    config.urgent_inline = false;
    rebuild(config);
    bring_to(TcpState::Established);
  }
};

// --- Sending -------------------------------------------------------------------------------------

TEST_F(Urgent, R_9293_MUST_30__R_9293_MUST_62__R_6093_3_1_SEM_ThePointerNamesTheOctetBehind) {
  bring_to(TcpState::Established);
  write_urgent("abc");
  const auto sent = next_sent();
  ASSERT_THAT(sent, AllOf(IsData(), HasSeq(our(0)), HasPayload("abc")));
  EXPECT_TRUE(sent->flags.urg);
  EXPECT_EQ(sent->urgent_pointer, 3);
  send(ack_segment(0, 3));
  EXPECT_TRUE(write("plain"));
  const auto plain = next_sent();
  ASSERT_THAT(plain, IsData());
  EXPECT_FALSE(plain->flags.urg);
  EXPECT_EQ(plain->urgent_pointer, 0);
}

TEST_F(Urgent, R_1011_TCP_URG__R_6093_3_1_SEM_TheOldReadingIsAChoice) {
  TcpConfig config;
  config.urgent_pointer = UrgentPointer::Rfc1011;
  rebuild(config);
  bring_to(TcpState::Established);
  write_urgent("abc");
  const auto sent = next_sent();
  ASSERT_TRUE(sent);
  EXPECT_TRUE(sent->flags.urg);
  EXPECT_EQ(sent->urgent_pointer, 2) << "the last urgent octet";
  send(ack_segment(0, 3).urg(9).payload(pattern(0, 100)));
  EXPECT_EQ(urgent_octets(), 10U);
}

TEST_F(Urgent, R_9293_MUST_30__R_9293_MUST_31_EverySegmentBeforeTheMarkCarriesIt) {
  bring_to(TcpState::Established);
  write_urgent(pattern(0, 5000));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 4U);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(sent[i].flags.urg) << i;
    EXPECT_EQ(sent[i].urgent_pointer, 5000 - 1460 * i) << i;
  }
}

TEST_F(Urgent, R_9293_MUST_30_ARetransmissionTellsItAgainAndDataBehindItDoesNot) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_nagle(id(), false));
  write_urgent("now");
  EXPECT_TRUE(write("and then"));
  auto sent = all_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[0].flags.urg);
  EXPECT_FALSE(sent[1].flags.urg);
  advance(2s);
  const auto again = next_sent();
  ASSERT_THAT(again, HasSeq(our(0)));
  EXPECT_TRUE(again->flags.urg);
  EXPECT_EQ(again->urgent_pointer, 3);
}

TEST_F(Urgent, R_9293_MUST_30_AMarkFurtherThanTheFieldIsToldAsFarAsItGoes) {
  peer_wscale = 7;
  bring_to(TcpState::Established);
  write_urgent(pattern(0, 70'000));
  const auto first = next_sent();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->flags.urg);
  EXPECT_EQ(first->urgent_pointer, 65535);
}

TEST_F(Urgent, R_9293_MUST_30_ItDoesNotWaitForNagleNorForTheWindow) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("a"));
  forget_sent();
  EXPECT_TRUE(write("b"));
  EXPECT_THAT(next_sent(), IsNothing()) << "Nagle";
  write_urgent("!");
  const auto urgent = next_sent();
  ASSERT_THAT(urgent, AllOf(IsData(), HasPayload("b!")));
  EXPECT_EQ(urgent->urgent_pointer, 2);
  send(ack_segment(0, 3).window(0));
  forget_sent();
  write_urgent("?");
  const auto news = next_sent();
  ASSERT_THAT(news, AllOf(IsPureAck(), HasSeq(our(3)))) << "no octet fits, the news does";
  EXPECT_TRUE(news->flags.urg);
  EXPECT_EQ(news->urgent_pointer, 1);
}

TEST_F(Urgent, R_9293_MUST_62_WithSegmentationOffloadThePointerStaysRight) {
  Config config;
  config.checksum_offload = true;
  config.tcp_segmentation_offload = true;
  rebuild(config);
  bring_to(TcpState::Established);
  write_urgent(pattern(0, 3000));
  EXPECT_TRUE(write_octets(6000));
  const auto sent = all_sent();
  std::uint32_t at = 0;
  for (const SentSegment& segment : sent) {
    EXPECT_EQ(segment.seq, our(at));
    EXPECT_EQ(segment.flags.urg, at < 3000);
    if (segment.flags.urg) {
      EXPECT_EQ(segment.urgent_pointer, 3000 - at);
      EXPECT_EQ(segment.gso_size_octets, 0) << "no link repeats the pointer";
    }
    at += segment.length();
  }
  EXPECT_GE(at, 8760U);
}

// --- Receiving -----------------------------------------------------------------------------------

TEST_F(Urgent, R_9293_MUST_32__R_9293_3_10_7_4_URG_OncePerMarkThatMovesForward) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).urg(10).payload("ab"));
  EXPECT_TRUE(take_event(EventKind::Urgent));
  send(ack_segment(2, 0).urg(3).payload("cd"));  // up to 5: not further than before
  EXPECT_FALSE(take_event(EventKind::Urgent));
  EXPECT_EQ(urgent_octets(), 10U) << "RCV.UP stays";
  send(ack_segment(4, 0).urg(16).payload("ef"));
  EXPECT_TRUE(take_event(EventKind::Urgent));
  EXPECT_EQ(urgent_octets(), 20U);
  send(ack_segment(6, 0).urg(14).payload("gh"));
  EXPECT_FALSE(take_event(EventKind::Urgent)) << "the same mark";
}

TEST_F(Urgent, R_9293_MUST_31__R_9293_MUST_33_UrgentModeLastsUntilTheMarkIsRead) {
  bring_to(TcpState::Established);
  EXPECT_EQ(urgent_octets(), 0U);
  for (std::uint32_t at = 0; at < 5000; at += 1250) {
    send(ack_segment(at, 0).urg(static_cast<std::uint16_t>(5000 - at)).payload(pattern(at, 1250)));
  }
  send(ack_segment(5000, 0).payload("behind"));
  EXPECT_TRUE(take_event(EventKind::Urgent));
  EXPECT_FALSE(take_event(EventKind::Urgent));
  EXPECT_EQ(urgent_octets(), 5000U);
  EXPECT_EQ(read_some(4999), pattern(0, 4999));
  EXPECT_EQ(urgent_octets(), 1U);
  EXPECT_EQ(read_some(1), pattern(4999, 1));
  EXPECT_EQ(urgent_octets(), 0U);
  EXPECT_EQ(read_all(), "behind");
}

TEST_F(Urgent, R_9293_MUST_33_OctetsThatAreNotHereYetCountToo) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).urg(100));
  EXPECT_TRUE(take_event(EventKind::Urgent));
  EXPECT_EQ(urgent_octets(), 100U);
}

TEST_F(Urgent, R_9293_3_10_3_RECV_EST__R_6093_5_INLINE_ByDefaultTheStreamIsWhole) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("normal"));
  send(ack_segment(6, 0).urg(3).payload("!!!and more"));
  EXPECT_TRUE(take_event(EventKind::Urgent)) << "the reader is told that urgent octets wait";
  EXPECT_EQ(stack().read_urgent(id()).error(), Errc::would_block);
  EXPECT_EQ(read_all(), "normal!!!and more");
}

TEST_F(Urgent, R_9293_3_10_7_4_URG_InFinWaitToo) {
  for (const TcpState where : {TcpState::FinWait1, TcpState::FinWait2}) {
    rebuild(Config{});
    bring_to(where);
    send(ack_segment(0, where == TcpState::FinWait1 ? 0 : 1).urg(2).payload("xy"));
    EXPECT_TRUE(take_event(EventKind::Urgent)) << name_of(where);
  }
}

TEST_F(Urgent, R_9293_3_10_7_4_URG_BehindThePeersFinItMeansNothing) {
  for (const TcpState where : {TcpState::CloseWait, TcpState::LastAck, TcpState::Closing}) {
    rebuild(Config{});
    bring_to(where);
    send(ack_segment(1, 0).urg(9));
    EXPECT_FALSE(take_event(EventKind::Urgent)) << name_of(where);
  }
}

TEST_F(Urgent, R_9293_MUST_66_AtWindowZeroUrgentNewsCount) {
  TcpConfig config;
  config.receive_buffer_octets = 1000;
  rebuild(config);
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload(pattern(0, 1000)));
  advance(500ms);
  ASSERT_EQ(announced_window(), 0U);
  send(ack_segment(1000, 0).urg(7).payload("refused"));
  EXPECT_TRUE(take_event(EventKind::Urgent));
  EXPECT_EQ(urgent_octets(), 1007U);
  EXPECT_EQ(read_all(), pattern(0, 1000));
  EXPECT_EQ(urgent_octets(), 7U);
  send(ack_segment(1000, 0).urg(7).payload("refused"));
  EXPECT_FALSE(take_event(EventKind::Urgent));
  EXPECT_EQ(read_all(), "refused");
}

TEST_F(Urgent, R_9293_3_10_7_4_URG_AnOldMarkIsNoNews) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("abcdef"));
  EXPECT_EQ(read_all(), "abcdef");
  send(ack_segment(0, 0).urg(6).payload("abcdefgh"));  // a retransmission with more
  EXPECT_FALSE(take_event(EventKind::Urgent)) << "everything before the mark was read";
  EXPECT_EQ(read_all(), "gh");
}

TEST_F(Urgent, R_9293_3_10_7_4_URG_ThePointerCountsFromTheHeadersSequenceNumber) {
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("abcdef"));
  send(ack_segment(0, 0).urg(8).payload("abcdefghij"));  // its front is cut off
  EXPECT_TRUE(take_event(EventKind::Urgent));
  EXPECT_EQ(urgent_octets(), 8U);
}

// --- Out of line ---------------------------------------------------------------------------------

TEST_F(Urgent, R_6093_5_INLINE_OutOfLineTheOctetBeforeTheMarkIsTakenOut) {
  out_of_line();
  send(ack_segment(0, 0).urg(4).payload("abc!def"));
  EXPECT_TRUE(take_event(EventKind::Urgent));
  EXPECT_EQ(stack().readable_octets(id()), 6U);
  EXPECT_EQ(urgent_octets(), 4U);
  const auto octet = stack().read_urgent(id());
  ASSERT_TRUE(octet);
  EXPECT_EQ(*octet, '!');
  EXPECT_EQ(stack().read_urgent(id()).error(), Errc::would_block) << "once";
  EXPECT_EQ(read_all(), "abcdef");
  EXPECT_EQ(urgent_octets(), 0U);
}

TEST_F(Urgent, R_6093_5_INLINE_OutOfLineAloneAndLateAndOutOfOrder) {
  out_of_line();
  send(ack_segment(0, 0).urg(3));  // the news, before the octets
  EXPECT_EQ(stack().read_urgent(id()).error(), Errc::would_block);
  send(ack_segment(2, 0).urg(1).payload("!"));
  const auto early = stack().read_urgent(id());
  ASSERT_TRUE(early) << "though a gap is before it";
  EXPECT_EQ(*early, '!');
  send(ack_segment(0, 0).urg(3).payload("ab"));
  EXPECT_EQ(read_all(), "ab");
  send(ack_segment(3, 0).urg(1).payload("?"));
  EXPECT_FALSE(stack().read_urgent(id()).error());
  EXPECT_EQ(stack().readable_octets(id()), 0U);
  EXPECT_EQ(read_error(), Errc::would_block);
  send(ack_segment(4, 0).payload("cd"));
  EXPECT_EQ(read_all(), "cd");
  send(ack_segment(6, 0).fin());
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(Urgent, R_6093_5_INLINE_OutOfLineViewsStopBeforeTheOctet) {
  out_of_line();
  send(ack_segment(0, 0).urg(3).payload("ab!cd"));
  EXPECT_EQ(stack().consume(id(), 5).error(), Errc::invalid_argument);
  auto view = stack().peek(id());
  ASSERT_TRUE(view);
  EXPECT_EQ(as_text(*view), "ab");
  EXPECT_TRUE(stack().consume(id(), 3));
  view = stack().peek(id());
  ASSERT_TRUE(view);
  EXPECT_EQ(as_text(*view), "d");
}

}  // namespace
}  // namespace runnel::test
