// Running scenarios in processes of their own, so that a crash is a failure like any other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/simulation/scenario.h"

namespace runnel::test {

// Scenario `seed`, after these simplifications.
[[nodiscard]] Scenario scenario_of(std::uint64_t seed, const std::vector<std::size_t>& ways);

struct RunReport {
  bool failed = false;
  std::string what;          // what was wrong
  std::string last_packets;  // with a recorder only
  Duration virtual_time{0};
  std::uint64_t packets = 0;
};

// Runs in this process. With a path, records every packet there.
[[nodiscard]] RunReport run_here(Scenario scenario, const std::string& pcap_path = {});
// Runs in a child process; a signal that kills it is a failure.
[[nodiscard]] RunReport run_apart(const Scenario& scenario, const std::string& pcap_path = {});

struct RangeReport {
  std::vector<std::uint64_t> failed_seeds;
  std::uint64_t runs = 0;
  std::uint64_t packets = 0;
};

// Runs `count` seeds from `first` on in `jobs` processes; stops after `most_failures`.
[[nodiscard]] RangeReport run_range(std::uint64_t first, std::uint64_t count, unsigned jobs,
                                    std::size_t most_failures);

// Looks for simplifications with which the scenario still fails.
[[nodiscard]] std::vector<std::size_t> shrink(const Scenario& failing);

}  // namespace runnel::test
