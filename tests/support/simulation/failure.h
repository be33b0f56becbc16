// How a simulation says that something is wrong.
#pragma once

#include <stdexcept>
#include <string>

namespace runnel::test {

// An invariant does not hold, or a stream is not what was sent. Ends the run.
class SimulationFailure : public std::runtime_error {
 public:
  explicit SimulationFailure(const std::string& what) : std::runtime_error(what) {}
};

}  // namespace runnel::test
