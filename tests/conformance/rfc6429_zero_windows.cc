// Peers that keep their window closed: RFC 6429. TCP asks them for ever (RFC 9293, MUST-37); the
// application and the stack's resource manager need not wait.
#include <map>
#include <vector>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class StuckPeers : public TcpTester {
 protected:
  StuckPeers() { ignore_timestamps_default(); }

  void begin(std::size_t budget_octets) {
    Config config;
    config.memory_budget_octets = budget_octets;
    rebuild(config);
    listen();
  }
  // A connection of a peer with this port.
  ConnectionId open(std::uint16_t port, std::uint16_t window = 0) {
    send(segment().from_port(port).syn().seq(peer_iss).mss(1460));
    const auto syn_ack = next_sent();
    EXPECT_THAT(syn_ack, IsSynAck());
    send(segment().from_port(port).seq(their(0)).ack(syn_ack->seq + 1).window(window));
    const auto accepted = accept();
    EXPECT_TRUE(accepted);
    ports_[*accepted] = port;
    return *accepted;
  }
  // Lets time pass in which every probe is answered, by a window that stays closed.
  void stay_closed(Duration duration) {
    const Instant end = now() + duration;
    while (now() < end) {
      advance(std::min<Duration>(1s, end - now()));
      answer_probes();
    }
  }
  void answer_probes() {
    std::vector<SegmentBuilder> answers;
    for (const SentSegment& probe : all_sent()) {
      if (probe.flags.rst) {
        resets_.push_back(probe.to.port);
      } else if (!probe.payload.empty() || probe.flags.fin) {
        answers.push_back(
            segment().from_port(probe.to.port).seq(their(0)).ack(probe.seq).window(0));
      }
    }
    send_batch(answers);
  }
  // How many of the first connections are left.
  [[nodiscard]] std::size_t count_alive(const std::vector<ConnectionId>& ids) const {
    std::size_t count = 0;
    for (const ConnectionId id : ids) count += state_of(id) == TcpState::Established ? 1U : 0U;
    return count;
  }
  Result<std::size_t> write_to(ConnectionId id, std::size_t octets) {
    const std::vector<std::uint8_t> data(octets);
    auto result = stack().write(id, data);
    pump();
    return result;
  }
  // Writes until the stack has no memory left for more.
  void fill_memory_by(ConnectionId id) {
    while (write_to(id, 4096)) {
    }
  }

  std::map<ConnectionId, std::uint16_t> ports_;
  std::vector<std::uint16_t> resets_;  // the ports of the peers that were sent a RST
};

// --- Section 4: who may end it ---

TEST_F(StuckPeers, R_6429_4_CLOSE_AnHourOfAnsweredProbesEndsNothingAndAbortDoes) {
  begin(std::size_t{1} << 20U);
  const ConnectionId id = open(1000);
  ASSERT_TRUE(write_to(id, 1000));
  stay_closed(1h);
  EXPECT_EQ(name_of(state_of(id)), "ESTABLISHED");
  EXPECT_TRUE(abort());
  EXPECT_THAT(next_sent(), IsRst());
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(StuckPeers, R_6429_4_CLOSE_CloseWithALingerTimeEndsItThen) {
  begin(std::size_t{1} << 20U);
  const ConnectionId id = open(1000);
  ASSERT_TRUE(write_to(id, 1000));
  stay_closed(1h);
  ASSERT_TRUE(stack().set_linger(id, 30s));
  EXPECT_TRUE(close());
  stay_closed(30s - 1ns);
  EXPECT_EQ(stack().connection_count(), 1U) << "what was written may still be delivered";
  EXPECT_TRUE(resets_.empty());
  stay_closed(1ns);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(resets_.size(), 1U);
}

TEST_F(StuckPeers, R_6429_4_CLOSE_AConnectionThatNobodyOwnsGivesWayWhenMemoryIsNeeded) {
  begin(std::size_t{256} << 10U);
  const ConnectionId stuck = open(1000);
  fill_memory_by(stuck);
  EXPECT_TRUE(stack().close(stuck));
  stay_closed(1h);
  EXPECT_EQ(stack().connection_count(), 1U) << "nobody needs its memory";
  EXPECT_TRUE(resets_.empty());

  const ConnectionId other = open(1001, 65535);
  EXPECT_EQ(write_to(other, 4096).error(), make_error_code(Errc::no_buffer_space));
  answer_probes();
  EXPECT_EQ(resets_, std::vector<std::uint16_t>{1000});
  EXPECT_EQ(counters().tcp_persist_aborts, 1U);
  EXPECT_TRUE(take_event(EventKind::Writable));
  EXPECT_TRUE(write_to(other, 4096));
}

// --- Section 3: many of them ---

TEST_F(StuckPeers, R_6429_3_DOS_AThousandStuckPeersDoNotHoldTheMemoryForEver) {
  constexpr std::size_t kBudget = std::size_t{8} << 20U;
  begin(kBudget);
  std::vector<ConnectionId> stuck;
  std::size_t refused = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    stuck.push_back(open(port));
    if (!write_to(stuck.back(), 16384)) ++refused;
  }
  EXPECT_GT(refused, 0U) << "the budget is spent";
  EXPECT_LE(stack().memory_octets(), kBudget);
  EXPECT_EQ(count_alive(stuck), 1000U) << "closed windows of a moment are nothing special";

  stay_closed(20s);
  EXPECT_LE(stack().memory_octets(), kBudget);
  const std::size_t alive = count_alive(stuck);
  EXPECT_LT(alive, 1000U);
  EXPECT_GT(alive, 500U) << "no more than need be";
  EXPECT_EQ(counters().tcp_persist_aborts, 1000U - alive);
  EXPECT_EQ(resets_.size(), 1000U - alive) << "each peer is told";
  const ConnectionId honest = open(2000, 65535);
  EXPECT_TRUE(write_to(honest, 16384));
}

TEST_F(StuckPeers, R_6429_3_DOS_WhoeverHoldsMostForTheLongestTimeGoesFirst) {
  constexpr std::size_t kBudget = std::size_t{1} << 20U;
  begin(kBudget);
  const ConnectionId small = open(1);
  ASSERT_TRUE(write_to(small, 2000));
  const ConnectionId large = open(2);
  ASSERT_TRUE(write_to(large, 300'000));
  stay_closed(1min);
  const ConnectionId late = open(3);
  fill_memory_by(late);
  answer_probes();
  EXPECT_EQ(resets_, std::vector<std::uint16_t>{2});
  EXPECT_EQ(name_of(state_of(small)), "ESTABLISHED");
  EXPECT_EQ(name_of(state_of(late)), "ESTABLISHED");
}

TEST_F(StuckPeers, R_6429_3_DOS_APauseOfLessThanTenSecondsIsForgiven) {
  begin(std::size_t{256} << 10U);
  const ConnectionId stuck = open(1);
  fill_memory_by(stuck);
  const Instant closed_at = now();
  stay_closed(10s - 1ns);
  EXPECT_FALSE(write_to(stuck, 4096));
  EXPECT_EQ(name_of(state_of(stuck)), "ESTABLISHED");
  stay_closed(2s);
  EXPECT_GE(now() - closed_at, 10s);
  EXPECT_EQ(name_of(state_of(stuck)), "CLOSED");
}

}  // namespace
}  // namespace runnel::test
