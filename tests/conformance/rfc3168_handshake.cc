// RFC 3168 section 6.1.1: agreeing on ECN. Also RFC 8311, which relaxes it, and RFC 3540, which is
// Historic.
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

class Rfc3168Handshake : public EcnPath {};

TEST_F(Rfc3168Handshake, R_3168_6_1_1_SYN__R_9293_SHLD_8_ASynAsksWithEceAndCwr) {
  configure(EcnMode::Classic);
  connect();
  const auto syn = next_sent();
  ASSERT_THAT(syn, IsSyn());
  EXPECT_EQ(syn->ecn_bits(), kClassicSyn);
  send(ecn_syn(kClassicSynAck).ack(our(0)));
  EXPECT_EQ(next_bits(), 0U);
  EXPECT_EQ(info().ecn, EcnFeedback::Classic);
  EXPECT_TRUE(sends_ect());
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_SYN__R_9293_SHLD_8_ASynAckAgreesWithEceAlone) {
  for (const EcnMode mode : {EcnMode::WhenAsked, EcnMode::Classic, EcnMode::Accurate}) {
    configure(mode);
    listen();
    send(ecn_syn(kClassicSyn));
    const auto syn_ack = next_sent();
    ASSERT_THAT(syn_ack, IsSynAck());
    EXPECT_EQ(syn_ack->ecn_bits(), kClassicSynAck);
    send(acknowledgment(0));
    ASSERT_TRUE(accept());
    EXPECT_EQ(info().ecn, EcnFeedback::Classic);
    EXPECT_TRUE(sends_ect());
  }
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_SYN_ByDefaultAndWhenOffNobodyIsAsked) {
  for (const EcnMode mode : {EcnMode::WhenAsked, EcnMode::Off}) {
    configure(mode);
    connect();
    EXPECT_EQ(next_bits(), 0U);
    send(ecn_syn(kClassicSynAck).ack(our(0)));  // an answer to what was not asked
    EXPECT_EQ(info().ecn, EcnFeedback::None);
    EXPECT_FALSE(sends_ect());
  }
  EXPECT_EQ(TcpConfig{}.ecn, EcnMode::WhenAsked);
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_SYN_OffAgreesToNothing) {
  configure(EcnMode::Off);
  listen();
  send(ecn_syn(kClassicSyn));
  EXPECT_EQ(next_bits(), 0U);
  send(acknowledgment(0));
  ASSERT_TRUE(accept());
  EXPECT_FALSE(sends_ect());
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_NEG_ABrokenReflectionIsNoAgreement) {
  for (const unsigned bits : {0b011U, 0b111U, 0b010U, 0b000U}) {
    connect_ecn(EcnMode::Classic, bits);
    EXPECT_EQ(info().ecn, EcnFeedback::None) << bits;
    EXPECT_FALSE(sends_ect()) << bits;
  }
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_NEG_NoEctForAPeerThatDoesNotAsk) {
  open_ecn(0);
  EXPECT_EQ(info().ecn, EcnFeedback::None);
  EXPECT_FALSE(sends_ect());
  // ... and no report, whatever arrives.
  send(text(0, 1460, Ecn::Ce));
  advance(40ms);
  for (const SentSegment& sent : all_sent()) EXPECT_EQ(sent.ecn_bits(), 0U);
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_NOECTSYN_SynAndSynAckAreNotEct) {
  for (const EcnMode mode : {EcnMode::Classic, EcnMode::Accurate}) {
    configure(mode);
    connect();
    EXPECT_EQ(next_sent()->ecn, Ecn::NotEct);
    advance(1s);
    EXPECT_EQ(next_sent()->ecn, Ecn::NotEct);
    configure(mode);
    listen();
    send(ecn_syn(kClassicSyn));
    EXPECT_EQ(next_sent()->ecn, Ecn::NotEct);
    advance(1s);
    EXPECT_EQ(next_sent()->ecn, Ecn::NotEct);
  }
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_FALLBACK_TheThirdSynDoesNotAsk) {
  configure(EcnMode::Classic);
  connect();
  const auto first = next_sent();
  EXPECT_EQ(first->ecn_bits(), kClassicSyn);
  for (const auto& [pause, bits] :
       {std::pair<Duration, unsigned>{1s, kClassicSyn}, {2s, 0U}, {4s, 0U}}) {
    advance(pause - 1ns);
    EXPECT_THAT(next_sent(), IsNothing());
    advance(1ns);
    const auto again = next_sent();
    ASSERT_THAT(again, IsSyn());
    EXPECT_EQ(again->ecn_bits(), bits);
    EXPECT_EQ(again->seq, first->seq);
  }
  EXPECT_EQ(counters().tcp_ecn_fallbacks, 1U);
  // An answer to one of the first two: reports are given, but nothing leaves as ECT.
  send(ecn_syn(kClassicSynAck).ack(our(0)));
  EXPECT_EQ(info().ecn, EcnFeedback::Classic);
  EXPECT_FALSE(sends_ect());
}

TEST_F(Rfc3168Handshake, R_3168_6_1_1_FALLBACK_HowOftenToAskIsAParameter) {
  TcpConfig tcp;
  tcp.ecn = EcnMode::Classic;
  tcp.ecn_syn_attempts = 1;
  rebuild(tcp);
  connect();
  EXPECT_EQ(next_bits(), kClassicSyn);
  advance(1s);
  EXPECT_EQ(next_bits(), 0U);
}

// A peer that falls back itself is answered in kind, and not sent ECT.
TEST_F(Rfc3168Handshake, R_3168_6_1_1_FALLBACK_ASecondSynThatDoesNotAsk) {
  listen();
  send(ecn_syn(kClassicSyn));
  EXPECT_EQ(next_bits(), kClassicSynAck);
  send(ecn_syn(0));
  EXPECT_EQ(next_bits(), 0U);
  send(acknowledgment(0));
  ASSERT_TRUE(accept());
  EXPECT_FALSE(sends_ect());
}

TEST_F(Rfc3168Handshake, R_3540_HIST__R_8311_3_NS_TheNonceIsIgnored) {
  // In answer to a classic SYN AE has no meaning, and a server that sets it agrees all the same.
  connect_ecn(EcnMode::Classic, 0b101);
  EXPECT_EQ(info().ecn, EcnFeedback::Classic);
  forget_sent();
  // Nor has it on a segment of a classic connection, or of one without ECN.
  send(text(0, 100, Ecn::Ect0).ecn_bits(0b100));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0U);
  EXPECT_EQ(read_all(), pattern(0, 100));

  configure(EcnMode::WhenAsked);
  open_ecn(0);
  send(text(0, 100, Ecn::Ect0).ecn_bits(0b100));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0U);
}

TEST_F(Rfc3168Handshake, R_3540_HIST__R_8311_3_NS_BitSevenAloneIsAWishForAccEcnOrNothing) {
  listen();
  send(ecn_syn(0b100));
  EXPECT_EQ(next_bits(), 0b010U);  // RFC 9768 section 3.1.3
  configure(EcnMode::Off);
  listen();
  send(ecn_syn(0b100));
  EXPECT_EQ(next_bits(), 0U);
}

// With ECN to the full, and none of the experiments: only new data leave as ECT(0).
TEST_F(Rfc3168Handshake, R_8311_4_3_RELAX__R_8311_4_2_ECT1_OnlyNewDataAreEct) {
  for (const unsigned syn : {kClassicSyn, kAccurateSyn}) {
    configure(EcnMode::WhenAsked);
    listen();
    send(ecn_syn(syn));
    EXPECT_EQ(next_sent()->ecn, Ecn::NotEct);  // SYN-ACK
    send(acknowledgment(0).ecn_bits(syn == kAccurateSyn ? 0b010 : 0));
    ASSERT_TRUE(accept());
    send(text(0, 100, Ecn::Ect0).ecn_bits(syn == kAccurateSyn ? 0b101 : 0));
    advance(40ms);
    const auto ack = next_sent();
    ASSERT_THAT(ack, IsPureAck());
    EXPECT_EQ(ack->ecn, Ecn::NotEct);
    ASSERT_TRUE(write_octets(kMss));
    EXPECT_EQ(next_sent()->ecn, Ecn::Ect0);
    advance(300ms);
    const auto again = next_sent();
    ASSERT_THAT(again, IsData());
    EXPECT_EQ(again->ecn, Ecn::NotEct);
    ASSERT_TRUE(abort());
    const auto reset = next_sent();
    ASSERT_THAT(reset, IsRst());
    EXPECT_EQ(reset->ecn, Ecn::NotEct);
  }
}

}  // namespace
}  // namespace runnel::test
