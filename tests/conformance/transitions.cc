// Every edge of the state diagram is walked, and no other.
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "stack/tcp/transition.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class Transitions : public TcpTester {
 protected:
  // Runs one life of a connection and keeps the moves that it made.
  void live(const char* name, const std::function<void()>& life) {
    SCOPED_TRACE(name);
    rebuild(Config{});
    life();
    for (const StateChange& change : state_changes()) {
      EXPECT_TRUE(tcp::is_legal(change.from, change.to))
          << name_of(change.from) << " to " << name_of(change.to);
      seen_.emplace(change.from, change.to);
    }
    // What was left is what the next move begins with.
    for (std::size_t i = 0; i < state_changes().size(); ++i) {
      for (std::size_t j = i + 1; j < state_changes().size(); ++j) {
        const StateChange& first = state_changes()[i];
        const StateChange& second = state_changes()[j];
        if (!first.connection.is_set() || first.connection != second.connection) continue;
        EXPECT_EQ(name_of(first.to), name_of(second.from)) << "a move is missing";
        break;
      }
    }
  }

  std::set<Transition> seen_;
};

TEST_F(Transitions, R_9293_3_10_6_STATUS_EveryLegalMoveIsMadeAndNoOther) {
  live("listen and close", [this] {
    bring_to(TcpState::Listen);
    ASSERT_TRUE(stack().close_listener(listener()));
    pump();
  });
  live("passive, closed by the peer first", [this] {
    bring_to(TcpState::LastAck, Opening::Passive);
    send(ack_segment(1, 1));
    EXPECT_EQ(name_of(state()), "LISTEN");
  });
  live("active, closed by this side first", [this] {
    bring_to(TcpState::TimeWait, Opening::Active);
    advance(61s);
    EXPECT_EQ(stack().time_wait_count(), 0U);
  });
  live("both at once, opening and closing", [this] {
    bring_to(TcpState::SynReceived, Opening::Active);
    send(ack_segment(0, 0));
    EXPECT_TRUE(shutdown_write());
    send(ack_segment(0, 0).fin());
    send(ack_segment(1, 1));
    EXPECT_EQ(name_of(state()), "TIME-WAIT");
  });
  live("close in SYN-SENT", [this] {
    bring_to(TcpState::SynSent);
    EXPECT_TRUE(close());
  });
  live("close in SYN-RECEIVED", [this] {
    bring_to(TcpState::SynReceived, Opening::Active);
    EXPECT_TRUE(shutdown_write());
    EXPECT_EQ(name_of(state()), "FIN-WAIT-1");
  });
  live("RST in SYN-RECEIVED, passive", [this] {
    bring_to(TcpState::SynReceived, Opening::Passive);
    send(segment().rst().seq(their(0)));
  });
  live("RST in SYN-RECEIVED, active", [this] {
    bring_to(TcpState::SynReceived, Opening::Active);
    send(segment().rst().seq(their(0)));
  });
  live("TIME-WAIT reopened", [this] {
    bring_to(TcpState::TimeWait, Opening::Passive);
    send(segment().syn().seq(their(100000)).mss(1460));
  });
  live("TIME-WAIT reopened by an old duplicate", [this] {
    bring_to(TcpState::TimeWait, Opening::Passive);
    send(segment().syn().seq(their(100000)).mss(1460));
    send(segment().rst().seq(their(100001)));
    EXPECT_EQ(name_of(state()), "TIME-WAIT");
  });
  for (const TcpState state :
       {TcpState::Established, TcpState::FinWait1, TcpState::FinWait2, TcpState::CloseWait,
        TcpState::Closing, TcpState::LastAck, TcpState::TimeWait}) {
    live("RST in a synchronized state", [this, state] {
      bring_to(state, Opening::Active);
      const bool has_peer_fin = state == TcpState::CloseWait || state == TcpState::Closing ||
                                state == TcpState::LastAck || state == TcpState::TimeWait;
      send(segment().rst().seq(their(has_peer_fin ? 1 : 0)));
      EXPECT_EQ(name_of(this->state()), "CLOSED");
    });
  }

  for (const tcp::Transition& move : tcp::kLegalTransitions) {
    EXPECT_TRUE(seen_.contains({move.from, move.to}))
        << name_of(move.from) << " to " << name_of(move.to) << " (" << move.cause << ")";
  }
}

}  // namespace
}  // namespace runnel::test
