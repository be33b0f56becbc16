// Paths that show how congestion controllers behave, and what is measured on them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runnel/congestion_algorithm.h"
#include "runnel/time.h"
#include "runnel/trace.h"
#include "tests/support/simulation/scenario.h"

namespace runnel::test {

// One flow or two over one path.
struct CongestionCase {
  std::string path;                              // such as "policer"
  std::vector<CongestionAlgorithm> controllers;  // of each flow
  bool hystart = true;
  std::size_t seeds = 1;  // more than one: chance rules, and medians are compared

  [[nodiscard]] std::string controller_names() const;
  // "path,controllers", as the table has it.
  [[nodiscard]] std::string name() const { return path + "," + controller_names(); }
};

// What one run has shown. Of times before `measured_from` of the path nothing is counted, but for
// drops and octets that were sent again.
struct CongestionFigures {
  double goodput_mbit_s = 0;         // of all flows
  double first_share = 1;            // of the first flow
  double jain_index = 1;             // 1: all flows got the same
  double retransmitted_percent = 0;  // of the octets sent
  double median_rtt = 0;             // samples, in round trips of the empty path
  double p99_rtt = 0;
  double queue_percent = 0;  // mean of the queue, of what it holds
  double drops = 0;
  double entered_css_before_drop = 0;  // conservative slow start (RFC 9406): 1 or 0
};

// All there are, the longest runs first.
[[nodiscard]] std::vector<CongestionCase> all_congestion_cases();

// The paths' names with a line about each.
[[nodiscard]] std::string describe_paths();

// Runs it. `sink`, unless null, is shown what the sending host traces.
[[nodiscard]] CongestionFigures measure(const CongestionCase& chosen, std::uint64_t seed,
                                        TraceSink* sink = nullptr);

}  // namespace runnel::test
