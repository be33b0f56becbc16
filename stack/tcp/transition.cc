#include "stack/tcp/transition.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

// Mermaid takes no hyphens in identifiers.
std::string identifier(State state) {
  std::string name{name_of(state)};
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

std::string draw_transitions() {
  std::string out = "stateDiagram-v2\n";
  for (const Transition& move : kLegalTransitions) {
    out +=
        "    " + identifier(move.from) + " --> " + identifier(move.to) + ": " + move.cause + "\n";
  }
  return out;
}

}  // namespace runnel::tcp
