// Keeps every state change that a stack reports.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "runnel/trace.h"

namespace runnel::test {

// A legal or illegal move of the state machine, as it was seen.
using Transition = std::pair<TcpState, TcpState>;

// All moves that any StateRecorder of this program has seen, so that one test can ask whether the
// others have exercised every edge of RFC 9293's figure 5.
[[nodiscard]] inline std::set<Transition>& transitions_seen() {
  static std::set<Transition> seen;
  return seen;
}

class StateRecorder final : public TraceSink {
 public:
  void on_state_change(const StateChange& change) override {
    changes_.push_back(change);
    transitions_seen().emplace(change.from, change.to);
  }

  [[nodiscard]] const std::vector<StateChange>& changes() const noexcept { return changes_; }

 private:
  std::vector<StateChange> changes_;
};

}  // namespace runnel::test
