// A SYN for a pair of endpoints in TIME-WAIT, decided by timestamps: RFC 6191 section 2.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class TimeWaitReuse : public TcpTester {
 protected:
  TimeWaitReuse() { ignore_timestamps_default(); }

  static constexpr std::uint32_t kLastValue = 0xffffff00;  // the peer's last TSval

  // Leads a connection through its life with timestamps, or without, into TIME-WAIT.
  void live(bool with_timestamps) {
    rebuild(Config{});
    listen();
    const auto with = [&](SegmentBuilder segment) {
      wire::TcpOptions options;
      if (with_timestamps) options.timestamps = {kLastValue - 10, 0};
      return segment.options(options);
    };
    send(with(segment().syn().seq(peer_iss)));
    EXPECT_EQ(next_sent()->options.timestamps.has_value(), with_timestamps);
    send(with(ack_segment(0, 0)));
    ASSERT_TRUE(accept());
    EXPECT_EQ(info().has_timestamps, with_timestamps);
    EXPECT_TRUE(shutdown_write());
    send(with(ack_segment(0, 1)));
    wire::TcpOptions last;
    if (with_timestamps) last.timestamps = {kLastValue, 0};
    send(ack_segment(0, 1).options(last).fin());
    ASSERT_EQ(stack().time_wait_count(), 1U);
    old_snd_nxt_ = our(1);
    forget_sent();
    advance(1s);
  }
  // A SYN whose number is `ahead` of the peer's FIN, with this TSval or without.
  void syn(std::int32_t ahead, std::optional<std::uint32_t> value) {
    wire::TcpOptions options;
    options.maximum_segment_size = 1460;
    if (value) options.timestamps = {*value, 0};
    send(segment().syn().seq(their(0) + static_cast<std::uint32_t>(ahead)).options(options));
  }
  void expect_reopened(std::int32_t ahead) {
    const auto syn_ack = next_sent();
    ASSERT_THAT(syn_ack,
                AllOf(IsSynAck(), HasAck(their(0) + static_cast<std::uint32_t>(ahead) + 1)));
    EXPECT_GT(static_cast<std::int32_t>(syn_ack->seq - old_snd_nxt_), 0);
    EXPECT_EQ(name_of(state()), "SYN-RECEIVED");
    EXPECT_THAT(next_sent(), IsNothing());
  }
  void expect_dropped() {
    EXPECT_THAT(next_sent(), IsNothing()) << "no challenge ACK either";
    EXPECT_EQ(name_of(state()), "TIME-WAIT");
    EXPECT_EQ(dropped(DropReason::TcpTimeWait), 1U);
    EXPECT_EQ(counters().tcp_challenge_acks, 0U);
  }

 private:
  std::uint32_t old_snd_nxt_ = 0;
};

TEST_F(TimeWaitReuse, R_6191_2_TSGT__R_9293_SHLD_4_ALaterTimestampOpensWhateverTheNumber) {
  for (const std::uint32_t later : {1U, 256U, 1000U, 0x7fffffffU}) {  // some behind the wrap
    for (const std::int32_t ahead : {-1'000'000, -1, 0, 1, 1'000'000}) {
      live(true);
      syn(ahead, kLastValue + later);
      expect_reopened(ahead);
    }
  }
}

TEST_F(TimeWaitReuse, R_6191_2_TSEQ_AnEqualTimestampOpensWithALargerNumberThanThatOfFin) {
  for (const std::int32_t ahead : {1, 2, 1'000'000}) {
    live(true);
    syn(ahead, kLastValue);
    expect_reopened(ahead);
  }
  for (const std::int32_t ahead : {0, -1, -1'000'000}) {
    live(true);
    syn(ahead, kLastValue);
    expect_dropped();
  }
}

TEST_F(TimeWaitReuse, R_6191_2_DROP__R_9293_SHLD_4_AnEarlierTimestampIsDroppedWhateverTheNumber) {
  for (const std::uint32_t earlier : {1U, 1000U, 0x7fffffffU}) {
    for (const std::int32_t ahead : {-1'000'000, 0, 1, 1'000'000}) {
      live(true);
      syn(ahead, kLastValue - earlier);
      expect_dropped();
      advance(59s - 1ns);
      EXPECT_EQ(stack().time_wait_count(), 1U) << "and the clock runs on";
      advance(1ns);
      EXPECT_EQ(stack().time_wait_count(), 0U);
    }
  }
}

TEST_F(TimeWaitReuse, R_6191_2_NOTS_WithoutTheTimestampOfBeforeTheNumberDecides) {
  for (const std::int32_t ahead : {1, 1'000'000}) {
    live(true);
    syn(ahead, std::nullopt);
    expect_reopened(ahead);
  }
  for (const std::int32_t ahead : {0, -1, -1'000'000}) {
    live(true);
    syn(ahead, std::nullopt);
    expect_dropped();
  }
}

TEST_F(TimeWaitReuse, R_6191_2_OLDNOTS_ATimestampThatWasNotThereBeforeOpens) {
  for (const std::int32_t ahead : {-1'000'000, -1, 0, 1, 1'000'000}) {
    live(false);
    syn(ahead, 1);
    expect_reopened(ahead);
  }
}

TEST_F(TimeWaitReuse, R_6191_2_OLDNOTS_WithoutAnyTimestampTheNumberDecides) {
  for (const std::int32_t ahead : {1, 1'000'000}) {
    live(false);
    syn(ahead, std::nullopt);
    expect_reopened(ahead);
  }
  for (const std::int32_t ahead : {0, -1, -1'000'000}) {
    live(false);
    syn(ahead, std::nullopt);
    expect_dropped();
  }
}

TEST_F(TimeWaitReuse, R_6191_2_TSGT_TheLastTimestampIsThatOfTheFinsLastTransmission) {
  live(true);
  wire::TcpOptions options;
  options.timestamps = {kLastValue + 500, 0};
  send(ack_segment(0, 1).options(options).fin());
  const auto ack = next_sent();
  ASSERT_THAT(ack, IsPureAck());
  EXPECT_EQ(ack->options.timestamps->echo_reply, kLastValue + 500);
  syn(0, kLastValue + 499);
  EXPECT_THAT(next_sent(), IsNothing());
  syn(0, kLastValue + 501);
  expect_reopened(0);
}

TEST_F(TimeWaitReuse, AnOldDuplicateOfTheFinIsAcknowledgedAndRestartsNothing) {
  live(true);
  wire::TcpOptions options;
  options.timestamps = {kLastValue - 1, 0};
  send(ack_segment(0, 1).options(options).fin());
  EXPECT_THAT(next_sent(), IsPureAck()) << "RFC 7323 section 5.3, R1";
  EXPECT_EQ(dropped(DropReason::TcpPaws), 1U);
  advance(59s - 1ns);
  EXPECT_EQ(stack().time_wait_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().time_wait_count(), 0U);
}

TEST_F(TimeWaitReuse, TheNewConnectionsTimestampsGoOnFromTheOldOnes) {
  live(true);
  wire::TcpOptions options;
  options.timestamps = {kLastValue + 1, 0};
  send(ack_segment(0, 1).options(options).fin());
  const std::uint32_t before = next_sent()->options.timestamps->value;
  advance(10ms);
  syn(0, kLastValue + 2);
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_EQ(syn_ack->options.timestamps->value - before, 10U);
}

}  // namespace
}  // namespace runnel::test
