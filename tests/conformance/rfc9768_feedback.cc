// RFC 9768 section 3.2: counting marks, and the ACE field.
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

constexpr Ecn kAllEcn[] = {Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce};

class Rfc9768Feedback : public EcnPath {
 protected:
  static constexpr unsigned kFive = 0b101;  // what the peer's ACE begins with

  // A control packet of the peer's.
  [[nodiscard]] SegmentBuilder control(std::uint32_t offset, Ecn ecn) const {
    return segment().seq(their(offset)).ack(our(0)).ecn_bits(kFive).ecn(ecn);
  }
  [[nodiscard]] SegmentBuilder data(std::uint32_t offset, std::uint32_t octets, Ecn ecn,
                                    std::uint32_t una = 0) const {
    return text(offset, octets, ecn, una).ecn_bits(kFive);
  }
  // An ACK of the first `una` segments.
  void ack(std::uint32_t una, unsigned ace) { send(acknowledgment(una).ecn_bits(ace)); }
};

// --- The receiver --------------------------------------------------------------------------------

TEST_F(Rfc9768Feedback, R_9768_3_2_CEP_CountsAllMarkedPacketsButSyns) {
  listen();
  send(ecn_syn(kAccurateSyn, Ecn::Ce));
  forget_sent();
  send(acknowledgment(0).ecn_bits(0b010));
  ASSERT_TRUE(accept());
  forget_sent();
  for (std::uint32_t i = 0; i < 3; ++i) send(data(i * 1000, 1000, Ecn::Ce));
  send(control(3000, Ecn::Ce));
  forget_sent();
  send(data(3000, 1000, Ecn::Ect0));
  advance(40ms);
  const auto ack = next_sent();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->ecn_bits(), (5U + 4U) % 8U);
  ASSERT_TRUE(ack->options.acc_ecn);
  EXPECT_EQ(ack->options.acc_ecn->counters[1], 3000U);  // r.ceb
  EXPECT_EQ(info().ce_marks_received, 4U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_CEP_RetransmissionsCountButWhatIsUnacceptableDoesNot) {
  open_accurate();
  send(data(0, 1000, Ecn::Ect0));
  send(data(0, 1000, Ecn::Ce));          // came before
  send(data(4'000'000, 1000, Ecn::Ce));  // beyond the window
  EXPECT_EQ(info().ce_marks_received, 0U);
  send(data(2000, 1000, Ecn::Ce));  // behind a gap
  send(data(500, 1000, Ecn::Ce));   // half of it is new
  EXPECT_EQ(info().ce_marks_received, 2U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_CEP_ASuperPacketStandsForItsSegments) {
  open_accurate();
  PacketMeta meta;
  meta.gso_size_octets = 1000;
  meta.checksum = ChecksumStatus::Verified;
  send_packet(data(0, 3500, Ecn::Ce).build(), meta);
  const auto ack = next_sent();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->ecn_bits(), (5U + 4U) % 8U);
  EXPECT_EQ(ack->options.acc_ecn->counters[1], 3500U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_1_INIT_CountersBeginAboveZero) {
  open_accurate();
  ASSERT_TRUE(write_octets(100));
  EXPECT_EQ(next_bits(), kFive);
  send(data(0, 100, Ecn::NotEct));
  advance(40ms);
  EXPECT_EQ(next_bits(), kFive);
  // The option of the SYN-ACK, and of a client's first data.
  configure(EcnMode::Accurate);
  listen();
  send(ecn_syn(kAccurateSyn));
  EXPECT_EQ(next_sent()->options.acc_ecn, (wire::TcpAccEcn{false, {1, 0, 1}, 3}));
  connect_ecn(EcnMode::Accurate, 0b010);
  forget_sent();
  ASSERT_TRUE(write_octets(100));
  const auto first = next_sent();
  EXPECT_EQ(first->options.acc_ecn, (wire::TcpAccEcn{false, {1, 0, 1}, 3}));
  EXPECT_EQ(first->ecn_bits(), kFive);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_ACE_IsTheCounterModuloEight) {
  open_accurate();
  for (std::uint32_t i = 0; i < 4; ++i) send(data(i * 100, 100, Ecn::Ce));
  advance(40ms);
  const auto acks = all_sent();
  ASSERT_FALSE(acks.empty());
  EXPECT_EQ(acks.back().ecn_bits(), 0b001U);
  ASSERT_TRUE(write_octets(100));
  EXPECT_EQ(next_bits(), 0b001U);
}

// The flags of a segment with SYN are never ACE, on either way.
TEST_F(Rfc9768Feedback, R_9768_3_2_2_ACE_NotOnASegmentWithSyn) {
  connect_ecn(EcnMode::Accurate, 0b010);
  forget_sent();
  ASSERT_TRUE(write_octets(4 * kMss));
  send(ecn_syn(0b110).ack(at(2)));
  EXPECT_EQ(info().ce_marks_reported, 0U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_1_HSACK_TheAckOfASynAckSaysHowItArrived) {
  constexpr unsigned kExpected[] = {0b010, 0b011, 0b100, 0b110};
  for (const Ecn ecn : kAllEcn) {
    connect_ecn(EcnMode::Accurate, 0b010, ecn);
    const auto ack = next_sent();
    ASSERT_THAT(ack, IsPureAck());
    EXPECT_EQ(ack->ecn_bits(), kExpected[static_cast<unsigned>(ecn)]);
    EXPECT_TRUE(ack->options.sack.empty());
    // From then on it is the counter: 6 when the SYN-ACK was marked.
    ASSERT_TRUE(write_octets(100));
    EXPECT_EQ(next_bits(), ecn == Ecn::Ce ? 6U : 5U);
  }
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_1_HSACK_APureAckComesBeforeWaitingData) {
  configure(EcnMode::Accurate);
  connect();
  ASSERT_TRUE(write_octets(100));
  forget_sent();
  send(ecn_syn(0b010, Ecn::Ce).ack(our(0)));
  const auto ack = next_sent();
  ASSERT_THAT(ack, IsPureAck());
  EXPECT_EQ(ack->ecn_bits(), 0b110U);
  const auto sent = next_sent();
  ASSERT_THAT(sent, IsData());
  EXPECT_EQ(sent->ecn_bits(), 6U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_1_HSACK_ARepeatedSynAckIsAnsweredSoToo) {
  connect_ecn(EcnMode::Accurate, 0b010, Ecn::NotEct);
  EXPECT_EQ(next_bits(), 0b010U);
  for (int i = 0; i < 3; ++i) {  // marked ones count once
    advance(1s);
    send(ecn_syn(0b010, Ecn::Ce).ack(our(0)));
    EXPECT_EQ(next_bits(), 0b110U);
  }
  ASSERT_TRUE(write_octets(100));
  EXPECT_EQ(next_bits(), 6U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_5_CHANGE_TheFirstMarkOfARowIsAcknowledgedAtOnce) {
  open_accurate();
  send(data(0, 100, Ecn::Ect0));
  EXPECT_THAT(next_sent(), IsNothing());
  send(data(100, 100, Ecn::Ce));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(200))));
  send(data(200, 100, Ecn::Ce));
  EXPECT_THAT(next_sent(), IsNothing());
  send(data(300, 100, Ecn::Ect0));  // the end of a row is no such event
  EXPECT_THAT(next_sent(), IsNothing());
  // The packet before may be a control packet.
  send(data(400, 100, Ecn::Ce));
  EXPECT_THAT(next_sent(), IsPureAck());
  send(control(500, Ecn::NotEct));
  send(data(500, 100, Ecn::Ce));
  EXPECT_THAT(next_sent(), IsPureAck());
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_5_INCR_EverySecondMarkedDataPacketIsAcknowledged) {
  open_accurate();
  std::vector<bool> acked;
  for (std::uint32_t i = 0; i < 6; ++i) {
    send(data(i * 100, 100, Ecn::Ce));
    acked.push_back(next_sent().has_value());
  }
  EXPECT_EQ(acked, (std::vector<bool>{true, false, true, false, true, false}));
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_5_INCR_EveryThirdMarkedAckWhileIdle) {
  open_accurate();
  std::vector<bool> acked;
  for (std::uint32_t i = 0; i < 6; ++i) {
    send(control(0, Ecn::Ce));
    const auto ack = next_sent();
    acked.push_back(ack.has_value());
    if (ack) {
      EXPECT_TRUE(ack->options.sack.empty());
      EXPECT_THAT(ack, IsPureAck());
    }
  }
  EXPECT_EQ(acked, (std::vector<bool>{false, false, true, false, false, true}));
}

// The record that takes over in TIME-WAIT says what the connection has counted.
TEST_F(Rfc9768Feedback, R_9768_3_2_2_ACE_InTimeWaitToo) {
  open_accurate();
  send(data(0, 100, Ecn::Ce));
  ASSERT_TRUE(shutdown_write());
  send(control(100, Ecn::NotEct).ack(our(1)));
  send(control(100, Ecn::NotEct).ack(our(1)).fin());
  ASSERT_EQ(state(), TcpState::TimeWait);
  forget_sent();
  send(control(100, Ecn::NotEct).ack(our(1)).fin());
  const auto ack = next_sent();
  ASSERT_THAT(ack, IsPureAck());
  EXPECT_EQ(ack->ecn_bits(), 6U);
  EXPECT_EQ(ack->ecn, Ecn::NotEct);
}

// So does a half-open connection.
TEST_F(Rfc9768Feedback, R_9768_3_2_2_ACE_InSynReceivedToo) {
  listen();
  send(ecn_syn(kAccurateSyn));
  forget_sent();
  send(control(1'000'000, Ecn::NotEct).payload("far away"));
  const auto ack = next_sent();
  ASSERT_THAT(ack, IsPureAck());
  EXPECT_EQ(ack->ecn_bits(), kFive);
}

// --- The sender ----------------------------------------------------------------------------------

TEST_F(Rfc9768Feedback, R_9768_3_2_2_1_ZERO_AceZeroEndsEctAndTheAnswersToMarks) {
  open_ecn(kAccurateSyn, 0b000);
  EXPECT_FALSE(sends_ect());
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  send(segment().seq(their(0)).ack(our(100)).ecn_bits(0b111));
  EXPECT_EQ(info().ecn_responses, 0U);
  send(segment()
           .seq(their(0))
           .ack(our(100))
           .payload(std::string(100, 'x'))
           .ecn(Ecn::Ce)
           .ecn_bits(7));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0b110U);  // reports go on
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_1_ZERO_AMarkedSynAckCountsOnce) {
  open_ecn(kAccurateSyn, 0b111);  // without a meaning yet
  EXPECT_TRUE(sends_ect());
  EXPECT_EQ(info().ce_marks_reported, 0U);
  // 110 says that the SYN-ACK, which was Not-ECT, came as CE: no router may do that.
  configure(EcnMode::WhenAsked);
  open_ecn(kAccurateSyn, 0b110);
  EXPECT_EQ(info().ce_marks_reported, 1U);
  EXPECT_FALSE(sends_ect());
  // s.cep is 6: the counter that follows is no new mark.
  send(segment().seq(their(0)).ack(our(100)).ecn_bits(0b110));
  EXPECT_EQ(info().ce_marks_reported, 1U);
}

// Section 3.2.2.3: a SYN that left as Not-ECT arrived as something else.
TEST_F(Rfc9768Feedback, R_9768_3_1_1_SYNACK_ARewrittenSynEndsEct) {
  for (const unsigned bits : {0b011U, 0b100U, 0b110U}) {
    connect_ecn(EcnMode::Accurate, bits);
    EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
    EXPECT_FALSE(sends_ect()) << bits;
    EXPECT_EQ(counters().tcp_ecn_fallbacks, 1U);
    ASSERT_EQ(next_bits(), 8U);
    send(text(0, 100, Ecn::Ce).ecn_bits(kFive));
    advance(40ms);
    EXPECT_EQ(next_bits(), 0b110U);
  }
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_4_NOTEST_AnyFirstValueButZeroWillDo) {
  open_accurate_and_send(10);
  ack(7, 3);
  EXPECT_EQ(info().ce_marks_reported, 6U);  // (3 - 5) mod 8
  EXPECT_TRUE(info().sends_ecn_capable);
  ack(8, 4);
  EXPECT_EQ(info().ce_marks_reported, 7U);
}

// Section 3.2.2.4: zero in the first feedback, which so few packets cannot have led to.
TEST_F(Rfc9768Feedback, R_9768_3_2_1_INIT_AClearedFieldEndsEct) {
  open_accurate_and_send(10);
  ack(2, 0);
  EXPECT_FALSE(info().sends_ecn_capable);
  EXPECT_EQ(info().ecn_responses, 0U);
  configure(EcnMode::WhenAsked);
  open_accurate_and_send(10);
  ack(3, 0);  // three marks
  EXPECT_TRUE(info().sends_ecn_capable);
  EXPECT_EQ(info().ce_marks_reported, 3U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_5_WRAP_TheMostThatIsLikelyIsAssumed) {
  open_accurate_and_send(60);
  ack(10, 5);
  EXPECT_EQ(info().ce_marks_reported, 0U);
  ASSERT_GE(in_flight_segments(), 20U);
  ack(30, 6);  // 20 packets at once: 1 mark, or 9, or 17
  EXPECT_EQ(info().ce_marks_reported, 17U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_5_WRAP_TheOptionKnowsBetter) {
  open_accurate_and_send(60);
  ack(10, 5);
  send(acknowledgment(30).ecn_bits(6).acc_ecn({false, {1 + 29 * kMss, kMss, 1}, 2}));
  EXPECT_EQ(info().ce_marks_reported, 1U);
  // Nine segments' worth of octets are nine packets at least.
  configure(EcnMode::WhenAsked);
  open_accurate_and_send(60);
  ack(10, 5);
  send(acknowledgment(30).ecn_bits(6).acc_ecn({false, {1 + 21 * kMss, 9 * kMss, 1}, 2}));
  EXPECT_EQ(info().ce_marks_reported, 9U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_5_WRAP_FewPacketsCannotHaveTurnedTheField) {
  open_accurate_and_send(20);
  ack(7, 6);
  EXPECT_EQ(info().ce_marks_reported, 1U);
  // More marks than packets: control packets may be among them.
  ack(8, 0);
  EXPECT_EQ(info().ce_marks_reported, 3U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_ACE_AnOvertakenAckSaysNothing) {
  open_accurate_and_send(20);
  ack(4, 7);
  ASSERT_EQ(info().ce_marks_reported, 2U);
  ack(2, 5);
  ack(4, 5);  // as new as the one before, for all that can be told
  EXPECT_EQ(info().ce_marks_reported, 2U);
  ack(6, 7);
  EXPECT_EQ(info().ce_marks_reported, 2U);
}

TEST_F(Rfc9768Feedback, R_9768_3_2_2_ACE_MarksAreAnsweredOnceARoundTrip) {
  open_accurate_and_send(30);
  ack(2, 6);
  EXPECT_EQ(info().ecn_responses, 1U);
  EXPECT_EQ(cwnd_segments(), 5U);
  ack(4, 7);
  ack(9, 7);
  ack(11, 0);  // of what left before the reduction, perhaps
  EXPECT_EQ(info().ecn_responses, 1U);
  EXPECT_EQ(info().ce_marks_reported, 3U);
  ack(12, 1);
  EXPECT_EQ(info().ecn_responses, 2U);
}

}  // namespace
}  // namespace runnel::test
