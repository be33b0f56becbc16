// The table against a list of its own, read from RFC 9293 figure 5 and section 3.10.
#include "stack/tcp/transition.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using S = State;
using Move = std::pair<State, State>;

// Every move that RFC 9293 describes.
const std::set<Move>& moves_of_the_rfc() {
  static const std::set<Move> kMoves = {
      // Figure 5, from top to bottom.
      {S::Closed, S::Listen},
      {S::Closed, S::SynSent},
      {S::Listen, S::Closed},
      {S::SynSent, S::Closed},
      {S::Listen, S::SynReceived},
      {S::Listen, S::SynSent},
      {S::SynSent, S::SynReceived},
      {S::SynReceived, S::Listen},  // note 1
      {S::SynReceived, S::Established},
      {S::SynSent, S::Established},
      {S::SynReceived, S::FinWait1},
      {S::Established, S::FinWait1},
      {S::Established, S::CloseWait},
      {S::FinWait1, S::FinWait2},
      {S::FinWait1, S::Closing},
      {S::CloseWait, S::LastAck},
      {S::FinWait2, S::TimeWait},
      {S::Closing, S::TimeWait},
      {S::LastAck, S::Closed},
      {S::TimeWait, S::Closed},
      // RST, ABORT and the user timeout end every state (3.10.5, 3.10.7.4, 3.10.8).
      {S::SynReceived, S::Closed},
      {S::Established, S::Closed},
      {S::FinWait1, S::Closed},
      {S::FinWait2, S::Closed},
      {S::CloseWait, S::Closed},
      {S::Closing, S::Closed},
      // 3.10.7.4, eighth step: with the ACK of the SYN in the same segment, or with that of our
      // FIN.
      {S::SynReceived, S::CloseWait},
      {S::FinWait1, S::TimeWait},
      // Section 3.6.1, MAY-2: a SYN reopens a connection out of TIME-WAIT, by way of the listener,
      // and an old duplicate falls back to it.
      {S::TimeWait, S::Listen},
      {S::SynReceived, S::TimeWait},
  };
  return kMoves;
}

// What the RFC allows and the stack never does in one step: sending from LISTEN is not offered, and
// the moves of the eighth step are made in two, through ESTABLISHED and FIN-WAIT-2.
const std::set<Move>& moves_not_made() {
  static const std::set<Move> kMoves = {
      {S::Listen, S::SynSent}, {S::SynReceived, S::CloseWait}, {S::FinWait1, S::TimeWait}};
  return kMoves;
}

std::vector<State> every_state() {
  std::vector<State> states;
  for (std::size_t i = 0; i < kTcpStateCount; ++i) states.push_back(static_cast<State>(i));
  return states;
}

TEST(Transition, TheTableIsTheRfcs) {
  for (const State from : every_state()) {
    for (const State to : every_state()) {
      const bool expected =
          moves_of_the_rfc().contains({from, to}) && !moves_not_made().contains({from, to});
      EXPECT_EQ(is_legal(from, to), expected) << name_of(from) << " to " << name_of(to);
    }
  }
}

TEST(Transition, NoMoveIsListedTwiceAndEveryOneHasACause) {
  std::set<Move> seen;
  for (const Transition& move : kLegalTransitions) {
    EXPECT_TRUE(seen.emplace(move.from, move.to).second);
    EXPECT_STRNE(move.cause, "");
  }
}

TEST(Transition, EveryStateCanBeReachedFromClosedAndLeadsBackToIt) {
  const auto reachable = [](bool backwards) {
    std::set<State> reached = {State::Closed};
    for (std::size_t round = 0; round < kTcpStateCount; ++round) {
      for (const Transition& move : kLegalTransitions) {
        if (reached.contains(backwards ? move.to : move.from)) {
          reached.insert(backwards ? move.from : move.to);
        }
      }
    }
    return reached.size();
  };
  EXPECT_EQ(reachable(false), kTcpStateCount);
  EXPECT_EQ(reachable(true), kTcpStateCount);
}

TEST(Transition, SynchronizedIsEverythingFromEstablishedOn) {
  const std::set<State> not_synchronized = {State::Closed, State::Listen, State::SynSent,
                                            State::SynReceived};
  for (const State state : every_state()) {
    EXPECT_EQ(is_synchronized(state), !not_synchronized.contains(state)) << name_of(state);
  }
}

TEST(Transition, TheDrawingHasOneLineForEachMove) {
  std::istringstream drawing(draw_transitions());
  std::string line;
  ASSERT_TRUE(std::getline(drawing, line));
  EXPECT_EQ(line, "stateDiagram-v2");
  for (const Transition& move : kLegalTransitions) {
    std::string from{name_of(move.from)};
    std::string to{name_of(move.to)};
    std::replace(from.begin(), from.end(), '-', '_');
    std::replace(to.begin(), to.end(), '-', '_');
    ASSERT_TRUE(std::getline(drawing, line));
    EXPECT_EQ(line, "    " + from + " --> " + to + ": " + move.cause);
  }
  EXPECT_FALSE(std::getline(drawing, line)) << "and no more";
}

}  // namespace
}  // namespace runnel::tcp
