// What somebody can do who does not see the packets: RFC 4953, and the numbers of RFC 6528 that
// keep it little.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class BlindAttackers : public TcpTester {
 protected:
  // Lets the segment arrive without a line of the story; returns how many are sent for it.
  std::size_t arrive(const SegmentBuilder& segment) {
    stack().receive(segment.build(), now());
    TxFrame frame;
    std::size_t answers = 0;
    while (stack().poll_transmit(frame, now())) ++answers;
    return answers;
  }
};

// 2^17 guesses, one every 2^15 octets, are two in each window of 64 KB that there is.
TEST_F(BlindAttackers, R_4953_2_3_WND_TwoGuessesInEveryWindowDoNotReset) {
  bring_to(TcpState::Established);
  ASSERT_EQ(announced_window(), 65535U);
  for (const bool is_syn : {false, true}) {
    const std::uint64_t challenged = dropped(DropReason::TcpResetChallenged);
    std::size_t answers = 0;
    for (std::uint32_t guess = 0; guess < (1U << 17U); ++guess) {
      const std::uint32_t seq = guess << 15U;
      answers += arrive(is_syn ? segment().syn().seq(seq) : segment().rst().seq(seq));
    }
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
    if (!is_syn) {
      EXPECT_GE(dropped(DropReason::TcpResetChallenged) - challenged, 1U);
      EXPECT_LE(dropped(DropReason::TcpResetChallenged) - challenged, 2U);
    }
    EXPECT_LE(answers, Config{}.challenge_acks_per_connection_per_second)
        << "and nobody is flooded with answers";
  }
  send(ack_segment(0, 0).payload("still here"));
  EXPECT_EQ(read_all(), "still here");
}

// The same guesses with text: an ACK must be right too (RFC 5961 section 5.2).
TEST_F(BlindAttackers, R_4953_2_3_WND__R_5961_5_2_ACK_TextNeedsARightAckToo) {
  peer_window = 1000;
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1000));
  send(ack_segment(0, 1000));
  for (std::uint32_t guess = 0; guess < (1U << 12U); ++guess) {
    (void)arrive(segment().seq(their(0)).ack(our(2000) + (guess << 20U)).payload("forged"));
  }
  EXPECT_EQ(read_error(), Errc::would_block);
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
}

// The key of the initial sequence numbers is drawn with the stack and lasts as long: a change
// would let a number fall behind those of the same pair's last connection.
TEST_F(BlindAttackers, R_6528_3_REKEY_TheKeyLastsAsLongAsTheStack) {
  listen();
  const auto isn = [this] {
    send(segment().syn().seq(1).mss(1460));
    const auto syn_ack = next_sent();
    send(segment().rst().seq(2));
    return syn_ack ? syn_ack->seq : 0;
  };
  const std::uint32_t first = isn();
  for (const Duration later : {Duration{1s}, Duration{1h}, Duration{24h * 30}}) {
    const std::uint32_t before = isn();
    advance(later);
    EXPECT_EQ(isn() - before, static_cast<std::uint32_t>(later / 4us));
  }
  // A stack that begins anew at the same time has another.
  SeededRandom random(4711);
  Stack another(Config{}, random);
  ASSERT_TRUE(another.add_address({kLocal.address, 24}));
  ASSERT_TRUE(another.listen(kLocal, {}));
  another.receive(segment().syn().seq(1).mss(1460).build(), Instant{1s});
  TxFrame frame;
  ASSERT_TRUE(another.poll_transmit(frame, Instant{1s}));
  std::vector<std::uint8_t> octets(frame.size());
  frame.copy_to(octets);
  EXPECT_NE(SentSegment::parse(octets, {}, Instant{1s})->seq, first);
}

TEST_F(BlindAttackers, R_6528_3_REKEY__R_9293_MAY_2_APairInTimeWaitGoesOnBehindItsOldNumbers) {
  // 100,000 octets at once: more than the 250,000 numbers a second of the clock.
  establish_passive();
  EXPECT_TRUE(write_octets(100'000));
  for (int i = 0; i < 100; ++i) {
    std::uint32_t end = 0;
    for (const SentSegment& sent : all_sent())
      end = std::max(end, sent.seq + sent.length() - our(0));
    if (end == 0) break;
    send(ack_segment(0, end));
  }
  EXPECT_EQ(info().octets_acknowledged, 100'000U);
  EXPECT_TRUE(shutdown_write());
  send(ack_segment(0, 100'001).fin());
  ASSERT_EQ(stack().time_wait_count(), 1U);
  const std::uint32_t old_snd_nxt = our(100'001);
  forget_sent();
  advance(1ms);
  send(segment().syn().seq(their(5000)).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_GT(static_cast<std::int32_t>(syn_ack->seq - old_snd_nxt), 0);
}

}  // namespace
}  // namespace runnel::test
