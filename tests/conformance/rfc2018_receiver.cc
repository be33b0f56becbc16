// RFC 2018 sections 2 to 4: SACK blocks that this side sends.
#include <cstdint>
#include <string>

#include "stack/buffer/reassembly_queue.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class SackReceiver : public TcpTester {
 protected:
  static constexpr std::uint32_t kOctets = 100;

  SackReceiver() {
    ignore_timestamps_default();  // they take the room of a block
    peer_sack = true;
  }

  // The i-th segment of the peer's stream, counted from 1.
  [[nodiscard]] SegmentBuilder nth(std::uint32_t i) const {
    const std::uint32_t at = (i - 1) * kOctets;
    return ack_segment(at, 0).payload(pattern(at, kOctets));
  }
  // The blocks of whole segments: {first, last} are counted as in nth().
  [[nodiscard]] SackEdges blocks(
      std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> of) {
    SackEdges edges;
    for (const auto& [first, last] : of) {
      edges.emplace_back(their((first - 1) * kOctets), their(last * kOctets));
    }
    return edges;
  }
};

TEST_F(SackReceiver, R_2018_2_SYNONLY_SackPermittedIsOnSynsAlone) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    rebuild(Config{});
    if (opening == Opening::Active) {
      connect();
      EXPECT_THAT(next_sent(), AllOf(IsSyn(), HasSackPermitted()));
      send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460).sack_permitted());
    } else {
      listen();
      send(segment().syn().seq(peer_iss).mss(1460).sack_permitted());
      EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSackPermitted()));
      send(ack_segment(0, 0));
      ASSERT_TRUE(accept());
    }
    EXPECT_TRUE(info().has_sack);
    EXPECT_TRUE(write_octets(20'000));
    advance(2s);  // a timeout
    send(ack_segment(0, 20'000).payload("abc"));
    (void)read_all();
    EXPECT_TRUE(close());
    advance(1s);
    for (const SentSegment& sent : all_sent()) EXPECT_FALSE(sent.options.sack_permitted) << sent;
  }
}

TEST_F(SackReceiver, R_2018_3_FORMAT_FourBlocksWithoutTimestamps) {
  peer_timestamps = false;
  establish(Opening::Passive);
  for (std::uint32_t hole = 1; hole <= 6; ++hole) send(nth(2 * hole));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 6U);
  EXPECT_EQ(sent.back().options.sack.count, 4);
  EXPECT_EQ(sent.back().octets.size(), 20U + 20U + 36U) << "kind 5, length 34, two NOPs";
}

TEST_F(SackReceiver, R_2018_3_FORMAT_ThreeBlocksWithTimestamps) {
  agree_on_timestamps();
  establish(Opening::Passive);
  for (std::uint32_t hole = 1; hole <= 6; ++hole) send(nth(2 * hole));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 6U);
  EXPECT_EQ(sent.back().options.sack.count, 3);
  EXPECT_TRUE(sent.back().options.timestamps);
  EXPECT_EQ(sent.back().octets.size(), 20U + 60U);
}

TEST_F(SackReceiver, R_2018_4_NEG_NoBlocksUnlessThePeerPermits) {
  for (const Opening opening : {Opening::Passive, Opening::Active}) {
    peer_sack = false;
    rebuild(Config{});
    establish(opening);
    EXPECT_FALSE(info().has_sack);
    send(nth(2));
    send(nth(4));
    send(nth(2));
    for (const SentSegment& sent : all_sent()) EXPECT_TRUE(sent.options.sack.empty()) << sent;
  }
}

TEST_F(SackReceiver, R_2018_4_NEG_NoneWhenSwitchedOffHere) {
  TcpConfig config;
  config.sack = false;
  rebuild(config);
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).sack_permitted());
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), Not(HasSackPermitted())));
  send(ack_segment(0, 0));
  send(nth(2));
  EXPECT_THAT(next_sent(), HasSack(SackEdges{}));
  rebuild(config);
  connect();
  EXPECT_THAT(next_sent(), AllOf(IsSyn(), Not(HasSackPermitted())));
}

TEST_F(SackReceiver, R_2018_4_ALL_EveryAckReportsWhatIsHeld) {
  establish(Opening::Passive);
  send(nth(3));
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(0)), HasSack(blocks({{3, 3}}))));
  EXPECT_TRUE(write("data carries it too"));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSack(blocks({{3, 3}}))));
  send(nth(1));
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(100)), HasSack(blocks({{3, 3}}))));
  send(segment().seq(their(100)).ack(our(19)).syn());
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSack(blocks({{3, 3}})))) << "a challenge ACK";
  send(nth(2));
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(300)), HasSack(SackEdges{})));
  EXPECT_EQ(read_all(), pattern(0, 300));
}

TEST_F(SackReceiver, R_2018_4_FIRST_TheFirstBlockHoldsTheSegmentThatCame) {
  establish(Opening::Passive);
  send(nth(3));
  send(nth(7));
  send(nth(9));
  forget_sent();
  send(nth(5));
  EXPECT_THAT(next_sent(), HasSack(blocks({{5, 5}, {9, 9}, {7, 7}, {3, 3}})));
  send(nth(4));
  EXPECT_THAT(next_sent(), HasSack(blocks({{3, 5}, {9, 9}, {7, 7}}))) << "joins its neighbors";
  send(nth(10));
  EXPECT_THAT(next_sent(), HasSack(blocks({{9, 10}, {3, 5}, {7, 7}})));
}

TEST_F(SackReceiver, R_2018_4_RECENT_TheOthersAreTheMostRecentlyReported) {
  agree_on_timestamps();
  establish(Opening::Passive);
  send(nth(2));
  EXPECT_THAT(next_sent(), HasSack(blocks({{2, 2}})));
  send(nth(4));
  EXPECT_THAT(next_sent(), HasSack(blocks({{4, 4}, {2, 2}})));
  send(nth(6));
  EXPECT_THAT(next_sent(), HasSack(blocks({{6, 6}, {4, 4}, {2, 2}})));
  send(nth(8));
  EXPECT_THAT(next_sent(), HasSack(blocks({{8, 8}, {6, 6}, {4, 4}})));
  send(nth(1));
  EXPECT_THAT(next_sent(), AllOf(HasAck(their(200)), HasSack(blocks({{8, 8}, {6, 6}, {4, 4}}))));
}

// More ranges than the queue holds: the highest is given up for a lower one.
TEST_F(SackReceiver, R_2018_8_RENEGE_WhatIsGivenUpIsNotReported) {
  establish(Opening::Passive);
  constexpr std::uint32_t kRanges = buffer::ReassemblyQueue::kMaxRanges;
  const auto octet = [&](std::uint32_t at) { return ack_segment(at, 0).payload(pattern(at, 1)); };
  for (std::uint32_t i = 2; i <= kRanges + 1; ++i) send(octet(2 * i));
  const auto before = all_sent();
  ASSERT_EQ(before.size(), kRanges);
  const std::uint32_t highest = 2 * (kRanges + 1);
  EXPECT_EQ(before.back().options.sack.blocks[0].left.value(), their(highest));
  EXPECT_EQ(dropped(DropReason::TcpReassemblyFull), 0U);
  send(octet(2));
  EXPECT_EQ(dropped(DropReason::TcpReassemblyFull), 1U);
  SackEdges edges;
  for (const std::uint32_t at : {2U, highest - 2, highest - 4, highest - 6}) {
    edges.emplace_back(their(at), their(at + 1));
  }
  EXPECT_THAT(next_sent(), HasSack(edges));
}

TEST_F(SackReceiver, R_9293_MUST_16_TheOptionLeavesLessText) {
  establish(Opening::Passive);
  const std::uint32_t most = info().send_mss_octets;
  send(nth(2));
  forget_sent();
  EXPECT_TRUE(write_octets(4000));
  EXPECT_THAT(next_sent(), AllOf(HasPayloadOctets(most - 12), HasSack(blocks({{2, 2}}))));
  send(nth(4));
  forget_sent();
  send(ack_segment(0, most - 12));
  for (const SentSegment& sent : all_sent()) EXPECT_LE(sent.octets.size(), 1500U) << sent;
}

}  // namespace
}  // namespace runnel::test
