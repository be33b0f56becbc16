// RFC 9768 section 3.1: agreeing on AccECN.
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

constexpr Ecn kAllEcn[] = {Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce};

class Rfc9768Negotiation : public EcnPath {
 protected:
  // The SYN-ACK of a listener that is asked with these bits.
  SentSegment answer_to(unsigned bits, Ecn ecn = Ecn::NotEct) {
    configure(EcnMode::WhenAsked);
    listen();
    send(ecn_syn(bits, ecn));
    const auto syn_ack = next_sent();
    EXPECT_THAT(syn_ack, IsSynAck());
    return syn_ack.value_or(SentSegment{});
  }
  void complete(unsigned ack_bits) {
    send(acknowledgment(0).ecn_bits(ack_bits));
    ASSERT_TRUE(accept());
    forget_sent();
  }
};

// --- Table 2 -------------------------------------------------------------------------------------

TEST_F(Rfc9768Negotiation, R_9768_3_1_1_SYN_AClientAsksWithAllThreeBits) {
  configure(EcnMode::Accurate);
  connect();
  const auto syn = next_sent();
  ASSERT_THAT(syn, IsSyn());
  EXPECT_TRUE(syn->flags.ae && syn->flags.cwr && syn->flags.ece);
  EXPECT_EQ(syn->octets[32] & 0x01U, 1U);     // AE: the last bit before the old flags
  EXPECT_EQ(syn->octets[33] & 0xc0U, 0xc0U);  // CWR, ECE
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_1_SYNACK_TheAnswerSaysHowTheSynArrived) {
  constexpr unsigned kExpected[] = {0b010, 0b011, 0b100, 0b110};
  for (const Ecn ecn : kAllEcn) {
    const SentSegment syn_ack = answer_to(kAccurateSyn, ecn);
    EXPECT_EQ(syn_ack.ecn_bits(), kExpected[static_cast<unsigned>(ecn)]);
    complete(0b010);
    EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
    EXPECT_TRUE(sends_ect());
  }
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_1_DSACK_DuplicatesAreReportedBeside) {
  open_accurate();
  send(text(0, kMss, Ecn::Ect0).ecn_bits(0b101));
  advance(40ms);
  forget_sent();
  send(text(0, kMss, Ecn::NotEct).ecn_bits(0b101));
  EXPECT_THAT(next_sent(), HasSack(SackEdges{{their(0), their(kMss)}}));
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_2_CLASSIC_AServerOfOldAgreesToClassicEcn) {
  connect_ecn(EcnMode::Accurate, 0b001);
  EXPECT_EQ(info().ecn, EcnFeedback::Classic);
  EXPECT_EQ(next_bits(), 0U);  // no handshake encoding
  EXPECT_TRUE(sends_ect());
  send(text(0, 100, Ecn::Ce));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0b001U);
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_2_CLASSIC_NoEcnAndAReflectionAreNoEcn) {
  for (const unsigned bits : {0b000U, 0b111U}) {
    connect_ecn(EcnMode::Accurate, bits);
    EXPECT_EQ(info().ecn, EcnFeedback::None);
    EXPECT_EQ(next_bits(), 0U);
    EXPECT_FALSE(sends_ect());
    send(text(0, 100, Ecn::Ce));
    advance(40ms);
    EXPECT_EQ(next_bits(), 0U);
  }
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_2_SERVER_OldClientsGetWhatTheyAskFor) {
  EXPECT_EQ(answer_to(kClassicSyn).ecn_bits(), kClassicSynAck);
  complete(0);
  EXPECT_EQ(info().ecn, EcnFeedback::Classic);
  EXPECT_TRUE(sends_ect());
  EXPECT_EQ(answer_to(0).ecn_bits(), 0U);
  complete(0);
  EXPECT_EQ(info().ecn, EcnFeedback::None);
  EXPECT_FALSE(sends_ect());
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_3_FWD_AServerTakesWhatHasNoMeaningYetForAccEcn) {
  for (const unsigned bits : {0b001U, 0b010U, 0b100U, 0b101U, 0b110U}) {
    EXPECT_EQ(answer_to(bits, Ecn::Ect0).ecn_bits(), 0b100U) << bits;
    complete(0b010);
    EXPECT_EQ(info().ecn, EcnFeedback::Accurate) << bits;
  }
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_3_FWD_AClientTakesTheKeptAnswerForAccEcn) {
  connect_ecn(EcnMode::Accurate, 0b101);
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_EQ(next_bits(), 0b010U);
  EXPECT_TRUE(sends_ect());
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_2_SERVER_ASimultaneousOpenIsAnsweredAsByAServer) {
  configure(EcnMode::Accurate);
  connect();
  EXPECT_EQ(next_bits(), kAccurateSyn);
  send(ecn_syn(kAccurateSyn, Ecn::Ect0));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_EQ(syn_ack->ecn_bits(), 0b100U);
  send(ecn_syn(0b010).ack(our(0)));  // its flags are no ACE field
  ASSERT_EQ(state(), TcpState::Established);
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_EQ(info().ce_marks_reported, 0U);
  EXPECT_TRUE(sends_ect());
}

// --- Retransmissions -----------------------------------------------------------------------------

TEST_F(Rfc9768Negotiation, R_9768_3_1_4_RETRY_TwoSynsAskAndTheOthersDoNot) {
  configure(EcnMode::Accurate);
  connect();
  const auto first = next_sent();
  EXPECT_EQ(first->ecn_bits(), kAccurateSyn);
  for (const auto& [pause, bits] :
       {std::pair<Duration, unsigned>{1s, kAccurateSyn}, {2s, 0U}, {4s, 0U}}) {
    advance(pause);
    const auto again = next_sent();
    ASSERT_THAT(again, IsSyn());
    EXPECT_EQ(again->ecn_bits(), bits);
    EXPECT_EQ(again->seq, first->seq);
  }
  // An answer to one of the first two is as good as ever (section 3.1.4.1).
  send(ecn_syn(0b010).ack(our(0)));
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_TRUE(sends_ect());
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_NOSWITCH_AnotherSynAckChangesNothing) {
  connect_ecn(EcnMode::Accurate, 0b010);
  forget_sent();
  send(text(0, 100, Ecn::Ce).ecn_bits(0b101));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0b110U);  // 5 + 1
  for (const unsigned bits : {0b000U, 0b001U, 0b111U}) {
    advance(1s);
    send(ecn_syn(bits).ack(our(0)));
    EXPECT_EQ(next_bits(), 0b110U);
    EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
    EXPECT_TRUE(info().sends_ecn_capable);
  }
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_NOSWITCH_AnotherSynChangesNothing) {
  (void)answer_to(kAccurateSyn);
  send(ecn_syn(0, Ecn::Ect1));
  EXPECT_EQ(next_bits(), 0b011U);  // AccECN still, and how the latest SYN arrived
  complete(0b010);
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);

  (void)answer_to(0);
  send(ecn_syn(kAccurateSyn));  // no ECN stays no ECN
  EXPECT_EQ(next_bits(), 0U);
  complete(0);
  EXPECT_EQ(info().ecn, EcnFeedback::None);
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_MIXRST_BothKindsOfSynAreReset) {
  for (const auto& [first, second] :
       {std::pair{kAccurateSyn, kClassicSyn}, std::pair{kClassicSyn, kAccurateSyn}}) {
    (void)answer_to(first);
    send(ecn_syn(second));
    const auto reset = next_sent();
    ASSERT_THAT(reset, AllOf(IsRst(), HasAck(their(0))));
    EXPECT_EQ(stack().syn_received_count(), 0U);
    EXPECT_EQ(state(), TcpState::Listen);
  }
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_MIXRST_WithFastOpenAndSimultaneousOpenToo) {
  configure(EcnMode::Accurate);
  connect();
  forget_sent();
  send(ecn_syn(kAccurateSyn));
  forget_sent();
  send(ecn_syn(kClassicSyn));
  ASSERT_THAT(next_sent(), AllOf(IsRst(), HasAck(their(0))));
  EXPECT_EQ(state(), TcpState::Closed);
  EXPECT_EQ(read_error(), Errc::connection_reset);
}

// Of its own accord the stack never shows both kinds in one handshake.
TEST_F(Rfc9768Negotiation, R_9768_3_1_5_MIXRST_NeverSendsBothKinds) {
  for (const EcnMode mode : {EcnMode::Classic, EcnMode::Accurate}) {
    configure(mode);
    connect();
    advance(60s);
    const unsigned asks = mode == EcnMode::Classic ? kClassicSyn : kAccurateSyn;
    for (const SentSegment& syn : all_sent()) {
      EXPECT_TRUE(syn.ecn_bits() == asks || syn.ecn_bits() == 0U);
    }
  }
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_SERVERECT_AServerThatSawASynWithoutSendsNoEct) {
  (void)answer_to(kAccurateSyn);
  send(ecn_syn(0));
  EXPECT_EQ(next_bits(), 0b010U);
  complete(0b010);
  EXPECT_FALSE(sends_ect());
  send(text(0, 100, Ecn::Ce).ecn_bits(0b101));  // ... and goes on to report
  advance(40ms);
  EXPECT_EQ(next_bits(), 0b110U);
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_SERVERECT_AServerThatAnsweredWithoutSendsNoEct) {
  (void)answer_to(kAccurateSyn);
  advance(1s);
  advance(2s);
  EXPECT_EQ(next_bits(), 0b010U);
  EXPECT_EQ(next_bits(), 0U);
  complete(0b010);
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_FALSE(sends_ect());
  send(text(0, 100, Ecn::Ce).ecn_bits(0b101));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0b110U);
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_NOCWR_AReductionIsNotAnnounced) {
  open_accurate_and_send(30);
  send(acknowledgment(2).ecn_bits(0b110));
  ASSERT_EQ(info().ecn_responses, 1U);
  send(acknowledgment(8).ecn_bits(0b110));
  const auto sent = all_sent();
  ASSERT_FALSE(sent.empty());
  for (const SentSegment& segment : sent) EXPECT_EQ(segment.ecn_bits(), 0b101U);
  send(text(0, 100, Ecn::Ce, 8).ecn_bits(0b110));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0b110U);
}

// --- Fast Open ---

// The SYN-ACK is the connection's own, and the option shares its space with the cookie.
TEST_F(Rfc9768Negotiation, R_9768_3_1_1_SYNACK_WithFastOpen) {
  TcpConfig tcp;
  tcp.fast_open = true;
  rebuild(tcp);
  listen();
  const auto syn_with = [&](const wire::TcpFastOpenCookie& cookie) {
    wire::TcpOptions options;
    options.maximum_segment_size = 1460;
    options.fast_open = cookie;
    return segment().syn().seq(peer_iss).options(options).ecn_bits(kAccurateSyn).ecn(Ecn::Ect0);
  };
  send(syn_with({}));
  const auto offer = next_sent();
  ASSERT_TRUE(offer && offer->options.fast_open);
  EXPECT_EQ(offer->ecn_bits(), 0b100U);
  EXPECT_TRUE(offer->options.acc_ecn);
  send(segment().seq(their(0)).rst());
  send(syn_with(*offer->options.fast_open).payload("data"));
  ASSERT_TRUE(accept());
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(4))));
  EXPECT_EQ(syn_ack->ecn_bits(), 0b100U);
  EXPECT_EQ(syn_ack->ecn, Ecn::NotEct);
  EXPECT_TRUE(syn_ack->options.acc_ecn);
  // Data in SYN-RECEIVED are ECT already; text of a SYN is in no counter.
  ASSERT_TRUE(write_octets(100));
  const auto answer = next_sent();
  ASSERT_THAT(answer, IsData());
  EXPECT_EQ(answer->ecn, Ecn::Ect0);
  EXPECT_EQ(answer->ecn_bits(), 0b101U);
  EXPECT_FALSE(answer->options.acc_ecn);
  // Retransmitted, it falls back as a listener's does.
  advance(1s);
  const auto second = next_sent();
  ASSERT_THAT(second, IsSynAck());
  EXPECT_EQ(second->ecn_bits(), 0b100U);
  EXPECT_FALSE(second->options.acc_ecn);
  send(segment().seq(their(4)).ack(our(0)).ecn_bits(0b010));
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_EQ(info().ce_marks_reported, 0U);
}

TEST_F(Rfc9768Negotiation, R_9768_3_1_5_MIXRST_AFastOpenIsResetToo) {
  TcpConfig tcp;
  tcp.fast_open = true;
  rebuild(tcp);
  listen();
  const auto syn_with = [&](const wire::TcpFastOpenCookie& cookie, unsigned bits) {
    wire::TcpOptions options;
    options.maximum_segment_size = 1460;
    options.fast_open = cookie;
    return segment().syn().seq(peer_iss).options(options).ecn_bits(bits);
  };
  send(syn_with({}, kAccurateSyn));
  const auto cookie = next_sent()->options.fast_open;
  ASSERT_TRUE(cookie);
  send(segment().seq(their(0)).rst());
  send(syn_with(*cookie, kAccurateSyn).payload("data"));
  ASSERT_TRUE(accept());
  forget_sent();
  send(syn_with(*cookie, kClassicSyn));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasAck(their(0))));
  EXPECT_EQ(state(), TcpState::Listen);
}

// --- SYN cookies ---------------------------------------------------------------------------------

// The handshake's last ACK shows by itself that AccECN was agreed upon (section 5.1).
TEST_F(Rfc9768Negotiation, R_9768_3_1_1_SYNACK_ACookieBringsAccEcnBack) {
  Config config;
  config.syn_cookies = SynCookies::Always;
  rebuild(config);
  listen();
  send(ecn_syn(kAccurateSyn, Ecn::Ect0));
  EXPECT_EQ(next_bits(), 0b100U);
  complete(0b010);
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_TRUE(sends_ect());
}

// Classic ECN it could not show: a SYN-ACK with a cookie does not agree to it.
TEST_F(Rfc9768Negotiation, R_9768_3_1_2_SERVER_ACookieDoesNotAgreeToClassicEcn) {
  Config config;
  config.syn_cookies = SynCookies::Always;
  rebuild(config);
  listen();
  send(ecn_syn(kClassicSyn));
  EXPECT_EQ(next_bits(), 0U);
  complete(0);
  EXPECT_EQ(info().ecn, EcnFeedback::None);
  EXPECT_FALSE(sends_ect());
}

}  // namespace
}  // namespace runnel::test
