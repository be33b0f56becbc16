// RFC 9768 section 3.2.3: the AccECN option.
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

using wire::TcpAccEcn;

class Rfc9768Options : public EcnPath {
 protected:
  [[nodiscard]] SegmentBuilder data(std::uint32_t offset, std::uint32_t octets, Ecn ecn) const {
    return text(offset, octets, ecn).ecn_bits(0b101);
  }
  // The option in what is sent for text of 100 octets, and the octets of all options.
  std::optional<TcpAccEcn> option_for(std::uint32_t segment, Ecn ecn) {
    forget_sent();
    send(data(segment * 100, 100, ecn));
    advance(40ms);
    const auto ack = next_sent();
    EXPECT_THAT(ack, IsPureAck());
    return ack ? ack->options.acc_ecn : std::nullopt;
  }
};

TEST_F(Rfc9768Options, R_9768_3_2_3_OPT_OrderZeroHasTwentyFourBitsEach) {
  open_accurate();
  (void)option_for(0, Ecn::Ect0);
  (void)option_for(1, Ecn::Ce);
  forget_sent();
  send(data(200, 300, Ecn::Ect1));
  advance(40ms);
  const auto ack = next_sent();
  ASSERT_TRUE(ack);
  const std::size_t header = 40;
  const std::vector<std::uint8_t> options(ack->octets.begin() + header, ack->octets.end());
  const std::vector<std::uint8_t> expected{172, 11, 0, 0, 101, 0, 0, 100, 0, 0x01, 0x2d, 0};
  ASSERT_GE(options.size(), expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), options.end() - 12));
}

TEST_F(Rfc9768Options, R_9768_3_2_3_OPT_OrderOneWhereOnlyEctOneCame) {
  open_accurate();
  EXPECT_EQ(option_for(0, Ecn::Ect1), (TcpAccEcn{true, {101, 0, 0}, 1}));
  EXPECT_EQ(option_for(1, Ecn::Ce), (TcpAccEcn{true, {101, 100, 0}, 2}));
  EXPECT_EQ(option_for(2, Ecn::Ect0)->count, 3);
}

// Whole counters count, the rest is padding.
TEST_F(Rfc9768Options, R_9768_3_2_3_OPT_OtherLengthsAreReadAsFarAsTheyGo) {
  open_accurate_and_send(60);
  send(acknowledgment(10).ecn_bits(5));
  ASSERT_GE(in_flight_segments(), 20U);
  // EE0B and ECEB, and two octets of nothing; 9 segments' worth of marks.
  const std::uint32_t ceb = 9 * kMss;
  send(acknowledgment(30).ecn_bits(6).raw_options(
      {172, 10, 0, 0, 1, static_cast<std::uint8_t>(ceb >> 16U),
       static_cast<std::uint8_t>(ceb >> 8U), static_cast<std::uint8_t>(ceb & 0xffU), 9, 9, 1, 1}));
  EXPECT_EQ(info().ce_marks_reported, 9U);
}

TEST_F(Rfc9768Options, R_9768_3_2_3_OPT_BothOrdersAreRead) {
  for (const bool is_order_1 : {false, true}) {
    configure(EcnMode::WhenAsked);
    open_accurate_and_send(60);
    send(acknowledgment(10).ecn_bits(5));
    send(acknowledgment(30).ecn_bits(6).acc_ecn({is_order_1, {1, 9 * kMss, 1}, 3}));
    EXPECT_EQ(info().ce_marks_reported, 9U);
  }
}

TEST_F(Rfc9768Options, R_9768_3_2_3_2_NOSYN_NoSynCarriesTheOption) {
  for (const EcnMode mode :
       {EcnMode::Off, EcnMode::WhenAsked, EcnMode::Classic, EcnMode::Accurate}) {
    configure(mode);
    connect();
    advance(10s);
    for (const SentSegment& syn : all_sent()) EXPECT_FALSE(syn.options.acc_ecn);
  }
}

TEST_F(Rfc9768Options, R_9768_3_2_3_2_NOSYN_OnAReceivedSynItIsIgnored) {
  listen();
  send(ecn_syn(kAccurateSyn).acc_ecn({false, {0, 7, 0}, 3}));
  EXPECT_THAT(next_sent(), IsSynAck());
  send(acknowledgment(0).ecn_bits(0b010));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_EQ(info().ce_marks_reported, 0U);
  EXPECT_TRUE(sends_ect());
}

TEST_F(Rfc9768Options, R_9768_3_2_3_2_FALLBACK_SynAcksLoseTheOptionAndThenTheBits) {
  listen();
  send(ecn_syn(kAccurateSyn, Ecn::Ect0));
  const auto first = next_sent();
  EXPECT_TRUE(first->options.acc_ecn);
  EXPECT_EQ(first->ecn_bits(), 0b100U);
  advance(1s);
  const auto second = next_sent();
  ASSERT_THAT(second, IsSynAck());
  EXPECT_FALSE(second->options.acc_ecn);
  EXPECT_EQ(second->ecn_bits(), 0b100U);
  advance(2s);
  const auto third = next_sent();
  ASSERT_THAT(third, IsSynAck());
  EXPECT_FALSE(third->options.acc_ecn);
  EXPECT_EQ(third->ecn_bits(), 0U);
  // AccECN it is all the same; but no option any more, which may be why.
  send(acknowledgment(0).ecn_bits(0b100));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().ecn, EcnFeedback::Accurate);
  EXPECT_EQ(option_for(0, Ecn::Ce), std::nullopt);
}

TEST_F(Rfc9768Options, R_9768_3_2_3_2_FALLBACK_ASecondSynIsAnsweredWithoutOption) {
  listen();
  send(ecn_syn(kAccurateSyn));
  EXPECT_TRUE(next_sent()->options.acc_ecn);
  send(ecn_syn(kAccurateSyn));
  const auto again = next_sent();
  EXPECT_FALSE(again->options.acc_ecn);
  EXPECT_EQ(again->ecn_bits(), 0b010U);
}

TEST_F(Rfc9768Options, R_9768_3_2_3_2_FALLBACK_AClientsFirstDataGoAgainWithoutIt) {
  connect_ecn(EcnMode::Accurate, 0b010);
  EXPECT_TRUE(next_sent()->options.acc_ecn);  // the ACK of the SYN-ACK
  ASSERT_TRUE(write_octets(100));
  EXPECT_TRUE(next_sent()->options.acc_ecn);
  advance(1s);
  const auto again = next_sent();
  ASSERT_THAT(again, AllOf(IsData(), HasSeq(our(0))));
  EXPECT_FALSE(again->options.acc_ecn);
  // Later data test nothing.
  send(segment().seq(their(0)).ack(our(100)).ecn_bits(5));
  forget_sent();
  ASSERT_TRUE(write_octets(100));
  EXPECT_FALSE(next_sent()->options.acc_ecn);
}

// Two SACK blocks and timestamps leave eight octets.
TEST_F(Rfc9768Options, R_9768_3_2_3_3_SACKFIRST_TwoBlocksComeFirst) {
  agree_on_timestamps();
  const auto open_with_timestamps = [&] {
    listen();
    send(ecn_syn(kAccurateSyn));
    advance(kRoundTrip);
    send(acknowledgment(0).ecn_bits(0b010));
    ASSERT_TRUE(accept());
    forget_sent();
  };
  open_with_timestamps();
  send(data(200, 100, Ecn::Ect0));
  send(data(400, 100, Ecn::Ect0));
  auto acks = all_sent();
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[1].options.sack.count, 2);
  EXPECT_EQ(acks[1].options.acc_ecn, (TcpAccEcn{false, {201, 0, 0}, 1}));
  // Two counters fit beside them, and a third block has to wait.
  send(data(600, 100, Ecn::Ce));
  const auto third = next_sent();
  EXPECT_EQ(third->options.sack.count, 2);
  EXPECT_EQ(third->options.acc_ecn, (TcpAccEcn{false, {201, 100, 0}, 2}));
  // Three do not: no counter that has moved may be left out, so the option is.
  send(data(800, 100, Ecn::Ect1));
  const auto fourth = next_sent();
  EXPECT_EQ(fourth->options.sack.count, 3);
  EXPECT_FALSE(fourth->options.acc_ecn);
  // It comes as soon as it fits.
  send(data(0, 1000, Ecn::Ect0));
  const auto whole = next_sent();
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->ack, their(1000));
  ASSERT_TRUE(whole->options.acc_ecn);
  EXPECT_EQ(whole->options.acc_ecn->count, 3);
}

TEST_F(Rfc9768Options, R_9768_3_2_3_3_WHEN_EachAckThatHasNewsCarriesWhatEverMoved) {
  open_accurate();
  EXPECT_EQ(option_for(0, Ecn::Ect0), (TcpAccEcn{false, {101, 0, 0}, 1}));  // of length 5
  EXPECT_EQ(option_for(1, Ecn::Ect0), (TcpAccEcn{false, {201, 0, 0}, 1}));
  EXPECT_EQ(option_for(2, Ecn::Ce), (TcpAccEcn{false, {201, 100, 0}, 2}));  // of length 8
  EXPECT_EQ(option_for(3, Ecn::Ect0), (TcpAccEcn{false, {301, 100, 0}, 2}));
}

TEST_F(Rfc9768Options, R_9768_3_2_3_3_WHEN_NoNewsNoOption) {
  open_accurate();
  EXPECT_EQ(option_for(0, Ecn::NotEct), std::nullopt);
  EXPECT_TRUE(option_for(1, Ecn::Ect0));
  EXPECT_EQ(option_for(2, Ecn::NotEct), std::nullopt);
  ASSERT_TRUE(write_octets(100));
  EXPECT_FALSE(next_sent()->options.acc_ecn);
}

TEST_F(Rfc9768Options, R_9768_3_2_3_3_WHEN_DataMakeRoomForIt) {
  open_accurate();
  send(data(0, 100, Ecn::Ect0));
  ASSERT_TRUE(write_octets(2 * kMss));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 2U);  // Nagle holds the eight octets that are left
  EXPECT_TRUE(sent[0].options.acc_ecn);
  EXPECT_EQ(sent[0].payload.size(), kMss - 8);
  EXPECT_FALSE(sent[1].options.acc_ecn);
  EXPECT_EQ(sent[1].payload.size(), kMss);
}

// Long streams: a counter is told long before it can have turned round.
TEST_F(Rfc9768Options, R_9768_3_2_3_3_WHEN_CountersWrapAtTwentyFourBits) {
  open_accurate();
  constexpr std::uint32_t kEach = 60'000;
  PacketMeta meta;
  meta.gso_size_octets = 1000;
  meta.checksum = ChecksumStatus::Verified;
  std::uint32_t last = 1;
  for (std::uint32_t i = 0; i < 300; ++i) {
    send_packet(data(i * kEach, kEach, Ecn::Ect0).build(), meta);
    (void)read_all();
    for (const SentSegment& ack : all_sent()) {
      if (!ack.options.acc_ecn) continue;
      const std::uint32_t moved = (ack.options.acc_ecn->counters[0] - last) & 0xffffffU;
      EXPECT_LE(moved, 1U << 22U);
      last = ack.options.acc_ecn->counters[0];
    }
  }
  EXPECT_EQ(last, (1 + 300 * kEach) & 0xffffffU);
}

// Section 3.2.3.2.4: an option that begins with zeros is not believed.
TEST_F(Rfc9768Options, R_9768_3_2_1_INIT_AClearedOptionIsIgnored) {
  open_accurate();
  ASSERT_TRUE(write_octets(60 * kMss));
  send(acknowledgment(10).ecn_bits(5).acc_ecn({false, {0, 0, 0}, 3}));
  send(acknowledgment(30).ecn_bits(6).acc_ecn({false, {0, kMss, 0}, 3}));
  EXPECT_EQ(info().ce_marks_reported, 17U);  // as if there were none
  EXPECT_TRUE(info().sends_ecn_capable);
}

// Section 3.2.3.2.5: octets were marked, yet no packet was.
TEST_F(Rfc9768Options, R_9768_3_2_3_OPT_AContradictionEndsEct) {
  open_accurate_and_send(20);
  send(acknowledgment(2).ecn_bits(5).acc_ecn({false, {1 + kMss, kMss, 1}, 2}));
  EXPECT_FALSE(info().sends_ecn_capable);
  EXPECT_EQ(counters().tcp_ecn_fallbacks, 1U);
}

}  // namespace
}  // namespace runnel::test
