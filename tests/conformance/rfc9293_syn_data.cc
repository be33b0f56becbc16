// Data in a SYN without Fast Open: RFC 9293 section 3.10.7.2.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class SynData : public TcpTester {};

TEST_F(SynData, R_9293_3_10_7_2_SYNDATA_DataInAPlainSynAreDeliveredOnce) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).payload(pattern(0, 20)));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(0)))) << "left unacknowledged";
  send(segment().syn().seq(peer_iss).mss(1460).payload(pattern(0, 20)));  // repeated
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(0))));
  EXPECT_FALSE(accept());
  send(segment().seq(their(0)).ack(our(0)));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "") << "not before they come again";
  send(ack_segment(0, 0).payload(pattern(0, 20)));
  EXPECT_EQ(read_all(), pattern(0, 20));
  send(ack_segment(0, 0).payload(pattern(0, 20)));
  EXPECT_EQ(read_all(), "") << "never twice";
}

TEST_F(SynData, R_9293_3_10_7_2_SYNDATA_FinInAPlainSynCountsAfterTheHandshake) {
  listen();
  send(segment().syn().fin().seq(peer_iss).mss(1460).payload("all"));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(0))));
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  EXPECT_EQ(state_of(id()), TcpState::Established);
  send(ack_segment(0, 0).payload("all").fin());
  EXPECT_EQ(read_all(), "all");
  EXPECT_EQ(state_of(id()), TcpState::CloseWait);
}

}  // namespace
}  // namespace runnel::test
