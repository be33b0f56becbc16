// RFC 2883: duplicates that this side reports.
#include <cstdint>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class DsackReceiver : public TcpTester {
 protected:
  DsackReceiver() {
    ignore_timestamps_default();  // they take the room of a block
    peer_sack = true;
  }

  // The octets `begin` to `end` - 1 of the peer's stream.
  void arrive(std::uint32_t begin, std::uint32_t end) {
    send(ack_segment(begin, 0).payload(pattern(begin, end - begin)));
  }
  void arrive_quietly(std::uint32_t begin, std::uint32_t end) {
    arrive(begin, end);
    advance(100ms);
    forget_sent();
  }
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> edges(std::uint32_t begin,
                                                              std::uint32_t end) const {
    return {their(begin), their(end)};
  }
};

TEST_F(DsackReceiver, R_2883_4_DSACK_ADuplicateBelowTheAckIsReportedOnce) {
  establish(Opening::Passive);
  arrive_quietly(0, 500);
  arrive(100, 200);
  EXPECT_THAT(next_sent(),
              AllOf(IsPureAck(), HasAck(their(500)), HasSack(SackEdges{edges(100, 200)})));
  EXPECT_EQ(counters().tcp_dsacks_sent, 1U);
  arrive(500, 600);
  advance(100ms);
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(600)), HasSack(SackEdges{})));
  arrive(100, 200);
  EXPECT_THAT(next_sent(), HasSack(SackEdges{edges(100, 200)})) << "another duplicate";
  EXPECT_EQ(counters().tcp_dsacks_sent, 2U);
  EXPECT_EQ(read_all(), pattern(0, 600));
}

TEST_F(DsackReceiver, R_2883_4_DSACK_OfAPartlyNewSegmentTheOldPartIsReported) {
  establish(Opening::Passive);
  arrive_quietly(0, 500);
  arrive(400, 600);
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(600)), HasSack(SackEdges{edges(400, 500)})));
}

TEST_F(DsackReceiver, R_2883_4_DSACK_BeforeWhatIsHeld) {
  establish(Opening::Passive);
  arrive_quietly(0, 500);
  arrive_quietly(1000, 1500);
  arrive(0, 500);
  EXPECT_THAT(next_sent(),
              AllOf(HasAck(their(500)), HasSack(SackEdges{edges(0, 500), edges(1000, 1500)})));
  arrive(500, 600);
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(600)), HasSack(SackEdges{edges(1000, 1500)})));
}

TEST_F(DsackReceiver, R_2883_4_DSACK_ARetransmittedFinIsADuplicate) {
  establish(Opening::Passive);
  send(ack_segment(0, 0).payload("abc").fin());
  forget_sent();
  send(ack_segment(0, 0).payload("abc").fin());
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(4)), HasSack(SackEdges{edges(0, 4)})));
}

TEST_F(DsackReceiver, R_2883_4_DSACK_NothingElseOutsideTheWindowIsADuplicate) {
  establish(Opening::Passive);
  arrive_quietly(0, 500);
  send(segment().seq(their(0) - 5000).ack(our(0)).payload("before the stream"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSack(SackEdges{})));
  send(ack_segment(200'000'000, 0).payload("right of the window"));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSack(SackEdges{})));
  EXPECT_EQ(counters().tcp_dsacks_sent, 0U);
}

TEST_F(DsackReceiver, R_2883_4_2_PARTIAL_InsideAHeldBlockTheBlockComesSecond) {
  establish(Opening::Passive);
  arrive_quietly(3000, 3500);
  arrive_quietly(1000, 2000);
  arrive_quietly(5000, 5500);
  arrive(1200, 1300);
  EXPECT_THAT(next_sent(),
              AllOf(HasAck(their(0)), HasSack(SackEdges{edges(1200, 1300), edges(1000, 2000),
                                                        edges(5000, 5500), edges(3000, 3500)})));
}

TEST_F(DsackReceiver, R_2883_4_2_PARTIAL_AWholeBlockAgain) {
  establish(Opening::Passive);
  arrive_quietly(1000, 1500);
  arrive(1000, 1500);
  EXPECT_THAT(next_sent(), HasSack(SackEdges{edges(1000, 1500), edges(1000, 1500)}));
}

TEST_F(DsackReceiver, R_2883_4_2_PARTIAL_OverlapWithABlockThatItExtends) {
  establish(Opening::Passive);
  arrive_quietly(1000, 1500);
  arrive(1400, 1800);
  EXPECT_THAT(next_sent(), HasSack(SackEdges{edges(1400, 1500), edges(1000, 1800)}));
  arrive(900, 1100);
  EXPECT_THAT(next_sent(), HasSack(SackEdges{edges(1000, 1100), edges(900, 1800)}));
}

TEST_F(DsackReceiver, R_2883_4_2_PARTIAL_WhatFillsTheGapAndReachesIntoABlock) {
  establish(Opening::Passive);
  arrive_quietly(1000, 1500);
  arrive(0, 1100);
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(1500)), HasSack(SackEdges{edges(1000, 1100)})));
  EXPECT_EQ(read_all(), pattern(0, 1500));
}

TEST_F(DsackReceiver, R_2883_NEG_NeedsNoMoreThanSack) {
  for (const bool sack : {true, false}) {
    peer_sack = sack;
    rebuild(Config{});
    establish(Opening::Active);
    arrive_quietly(0, 500);
    arrive(0, 500);
    EXPECT_THAT(next_sent(), HasSack(sack ? SackEdges{edges(0, 500)} : SackEdges{}));
    EXPECT_EQ(counters().tcp_dsacks_sent, sack ? 1U : 0U);
  }
}

}  // namespace
}  // namespace runnel::test
