// RFC 8257 sections 3.2 and 3.6: DCTCP's receiver, and what it sends as ECT.
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

class Rfc8257Receiver : public EcnPath {
 protected:
  void SetUp() override {
    EcnPath::SetUp();
    TcpConfig tcp;
    tcp.congestion_control = CongestionAlgorithm::Dctcp;
    tcp.is_controlled_network = true;
    rebuild(tcp);
  }
};

TEST_F(Rfc8257Receiver, R_8257_3_2_CE_EveryChangeIsAcknowledgedAtOnce) {
  open_classic();
  send(text(0, 100, Ecn::Ect0));
  EXPECT_THAT(next_sent(), IsNothing());
  // 0 to 1: what came before has an ACK of its own, then comes the marked segment's.
  send(text(100, 100, Ecn::Ce));
  auto acks = all_sent();
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[0].ack, their(100));
  EXPECT_EQ(acks[0].ecn_bits(), 0U);
  EXPECT_EQ(acks[1].ack, their(200));
  EXPECT_EQ(acks[1].ecn_bits(), 0b001U);
  // 1 to 1: no change.
  send(text(200, 100, Ecn::Ce));
  EXPECT_THAT(next_sent(), IsNothing());
  // 1 to 0.
  send(text(300, 100, Ecn::Ect0));
  acks = all_sent();
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[0].ack, their(300));
  EXPECT_EQ(acks[0].ecn_bits(), 0b001U);
  EXPECT_EQ(acks[1].ack, their(400));
  EXPECT_EQ(acks[1].ecn_bits(), 0U);
}

TEST_F(Rfc8257Receiver, R_8257_3_2_CE_NothingWaitsNoSecondAck) {
  open_classic();
  send(text(0, 100, Ecn::Ce));
  const auto acks = all_sent();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].ack, their(100));
  EXPECT_EQ(acks[0].ecn_bits(), 0b001U);
}

TEST_F(Rfc8257Receiver, R_8257_3_2_CE_TheStateIsOnEveryAck) {
  open_classic();
  const bool marks[] = {true, true, false, false, true};
  std::uint32_t offset = 0;
  for (const bool mark : marks) {
    forget_sent();
    send(text(offset, 100, mark ? Ecn::Ce : Ecn::Ect0).ecn_bits(0b010));  // CWR means nothing
    advance(40ms);
    offset += 100;
    const auto acks = all_sent();
    ASSERT_FALSE(acks.empty());
    EXPECT_EQ(acks.back().ecn_bits(), mark ? 1U : 0U);
    ASSERT_TRUE(write_octets(10));
    EXPECT_EQ(next_bits() & 1U, mark ? 1U : 0U);
    send(segment().seq(their(offset)).ack(our(offset / 10)));
  }
}

TEST_F(Rfc8257Receiver, R_8257_3_6_SYNECT_SynSynAckAndRstAreEct) {
  connect();
  const auto syn = next_sent();
  ASSERT_THAT(syn, IsSyn());
  EXPECT_EQ(syn->ecn_bits(), kClassicSyn);  // DCTCP asks by itself
  EXPECT_EQ(syn->ecn, Ecn::Ect0);
  send(ecn_syn(kClassicSynAck, Ecn::Ect0).ack(our(0)));
  const auto ack = next_sent();
  EXPECT_EQ(ack->ecn, Ecn::NotEct);
  ASSERT_TRUE(abort());
  const auto reset = next_sent();
  ASSERT_THAT(reset, IsRst());
  EXPECT_EQ(reset->ecn, Ecn::Ect0);
}

TEST_F(Rfc8257Receiver, R_8257_3_6_SYNECT_AMarkOnASynMeansNothing) {
  listen();
  send(ecn_syn(kClassicSyn, Ecn::Ce));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_EQ(syn_ack->ecn, Ecn::Ect0);
  EXPECT_EQ(syn_ack->ecn_bits(), kClassicSynAck);
  send(acknowledgment(0));
  ASSERT_TRUE(accept());
  send(text(0, 100, Ecn::Ect0));
  advance(40ms);
  EXPECT_EQ(next_bits(), 0U);
  EXPECT_EQ(info().ce_marks_received, 0U);
}

TEST_F(Rfc8257Receiver, R_8257_3_6_SYNECT__R_8311_4_3_RELAX_NothingElseChanges) {
  open_classic_and_send(2);
  advance(2s);
  for (const SentSegment& sent : all_sent()) EXPECT_EQ(sent.ecn, Ecn::NotEct);  // retransmissions
  send(segment().seq(their(0) + 10'000'000).rst());
  send(text(0, 100, Ecn::Ect0));
  advance(40ms);
  for (const SentSegment& sent : all_sent()) EXPECT_EQ(sent.ecn, Ecn::NotEct);
}

}  // namespace
}  // namespace runnel::test
