// Everything that one simulated run consists of, made from a seed, and made simpler when it fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "runnel/config.h"
#include "runnel/time.h"
#include "runnel/trace.h"
#include "tests/support/simulation/application.h"
#include "tests/support/simulation/link.h"

namespace runnel::test {

struct SideOptions {
  Config config;
  bool is_model = false;       // the model peer instead of the stack
  TraceSink* trace = nullptr;  // of the stack
};

struct ConnectionScript {
  Duration open_after{0};
  ApplicationScript client;
  ApplicationScript server;
};

// Whose initial sequence number is to be a little below 2^32, so that the stream wraps.
enum class Wrap : std::uint8_t { Nobody, Client, Server };

struct Scenario {
  std::uint64_t seed = 0;
  LinkOptions to_server;
  LinkOptions to_client;
  SideOptions client;
  SideOptions server;
  std::vector<ConnectionScript> connections;
  Wrap wrap = Wrap::Nobody;
  std::uint32_t octets_before_wrap = 0;
  Instant start{std::chrono::seconds(1)};
  Duration limit = std::chrono::hours(48);  // a run that takes longer has stalled

  // All applications end such that everything must arrive.
  [[nodiscard]] bool is_orderly() const;
  [[nodiscard]] bool loses_packets() const;
};

[[nodiscard]] Scenario random_scenario(std::uint64_t seed);

// The ways to make a scenario simpler. simplify() returns false when way number `way` changes
// nothing, or there is no such way; ways are numbered from 0 to simplification_count() - 1.
[[nodiscard]] std::size_t simplification_count();
[[nodiscard]] bool simplify(Scenario& scenario, std::size_t way);

// What differs from the plainest of scenarios, a line each.
[[nodiscard]] std::string describe(const Scenario& scenario);

// Chooses `start` such that the initial sequence numbers wrap as the scenario asks for.
void apply_wrap(Scenario& scenario);

}  // namespace runnel::test
