#include "tests/simulation/congestion_cases.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "runnel/random.h"
#include "tests/simulation/congestion_meter.h"
#include "tests/support/simulation/simulation.h"
#include "tests/support/simulation/stack_node.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kQueueSampledEvery = 10ms;

// --- Paths ---------------------------------------------------------------------------------------

// A path as it is before anything special happens to it, and when it is looked at.
struct Path {
  const char* name;
  const char* about;
  std::uint64_t bits_per_second;
  Duration round_trip;
  double queue_bdps;  // what the queue holds, in products of rate and round trip
  Duration measured_from;
  Duration ends_at;
  void (*change)(Scenario&);  // what is special; may be null

  [[nodiscard]] std::size_t bdp_octets() const {
    return static_cast<std::size_t>(static_cast<double>(bits_per_second) / 8 *
                                    std::chrono::duration<double>(round_trip).count());
  }
};

void with_policer(Scenario& scenario) {
  scenario.to_server.policer = {20'000'000, 100'000};
}
void with_longer_way(Scenario& scenario) {
  for (LinkOptions* const link : {&scenario.to_server, &scenario.to_client}) {
    link->path_changes = {{20s, 100ms, link->bits_per_second}};
  }
}
void with_aggregated_acks(Scenario& scenario) {
  scenario.to_client.aggregation = {10ms, 64};
}
void with_outage(Scenario& scenario) {
  scenario.to_server.outages = scenario.to_client.outages = {{10s, 10s}};
}
void with_slow_application(Scenario& scenario) {
  ApplicationScript& application = scenario.connections[0].client;
  application.write_octets = 25'000;
  application.write_interval = 20ms;
}
void with_losses(Scenario& scenario) {
  scenario.to_server.loss_ppm = 10'000;
}
// More than a fifth of a BDP of 100 Mbit/s and 40 ms waits.
void with_marks(Scenario& scenario) {
  scenario.to_server.mark_above_octets = 100'000;
  for (SideOptions* const side : {&scenario.client, &scenario.server}) {
    side->config.tcp.ecn = EcnMode::Accurate;
  }
}
void with_jitter(Scenario& scenario) {
  scenario.to_server.jitter = scenario.to_client.jitter = 500us;
}

// Without any, what one flow loses and another does not is a matter of phase (Floyd and Jacobson).
void with_little_jitter(Scenario& scenario) {
  scenario.to_server.jitter = scenario.to_client.jitter = 100us;
}

constexpr Path kPaths[] = {
    {"fair", "two flows that start within a second, for 80 s", 100'000'000, 40ms, 1, 20s, 80s,
     with_little_jitter},
    {"clean", "one flow, a queue of one BDP", 100'000'000, 40ms, 1, 2s, 20s, nullptr},
    {"loss", "1 % of the packets are lost", 100'000'000, 40ms, 1, 2s, 20s, with_losses},
    {"bufferbloat", "a queue of ten BDPs", 100'000'000, 40ms, 10, 5s, 20s, nullptr},
    {"policer", "what exceeds 20 Mbit/s is dropped", 100'000'000, 40ms, 1, 2s, 20s, with_policer},
    {"rtt_jump", "the round trip jumps from 20 to 200 ms at 20 s", 50'000'000, 20ms, 4, 20s, 40s,
     with_longer_way},
    {"aggregation", "ACKs come together, every 10 ms or by 64", 100'000'000, 20ms, 1, 2s, 20s,
     with_aggregated_acks},
    {"outage", "nothing arrives from 10 to 20 s", 20'000'000, 40ms, 1, 10s, 40s, with_outage},
    {"app_limited", "the application writes 10 Mbit/s", 50'000'000, 40ms, 1, 2s, 20s,
     with_slow_application},
    {"marks", "a queue of ten BDPs that marks from a fifth of one on", 100'000'000, 40ms, 10, 2s,
     20s, with_marks},
    {"slow_start", "the first three seconds, with jitter", 100'000'000, 40ms, 1, 0s, 3s,
     with_jitter},
};

const Path& path_of(const CongestionCase& chosen) {
  return *std::find_if(std::begin(kPaths), std::end(kPaths),
                       [&](const Path& path) { return path.name == chosen.path; });
}

// --- Scenarios -----------------------------------------------------------------------------------

// DCTCP, which needs them.
bool wants_marks(const CongestionCase& chosen) {
  return std::any_of(chosen.controllers.begin(), chosen.controllers.end(),
                     [](CongestionAlgorithm one) { return name_of(one) == "dctcp"; });
}

Scenario scenario_of(const CongestionCase& chosen, const Path& path, std::uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  for (LinkOptions* const link : {&scenario.to_server, &scenario.to_client}) {
    link->delay = path.round_trip / 2;
    link->bits_per_second = path.bits_per_second;
  }
  const auto bdp = static_cast<double>(path.bdp_octets());
  scenario.to_server.queue_octets = static_cast<std::size_t>(bdp * path.queue_bdps);
  // More than a seventh of the BDP keeps a path busy (RFC 8257 section 3.1 leaves it to operators).
  if (wants_marks(chosen)) scenario.to_server.mark_above_octets = path.bdp_octets() / 5;
  SeededRandom random(seed);
  for (const CongestionAlgorithm algorithm : chosen.controllers) {
    ConnectionScript script;
    script.client.octets = std::uint64_t{1} << 40U;
    script.client.congestion_control = algorithm;
    if (chosen.controllers.size() > 1) {
      script.open_after = std::chrono::microseconds(random.below(1'000'000));
    }
    scenario.connections.push_back(script);
  }
  scenario.client.config.tcp.hystart = chosen.hystart;
  for (SideOptions* const side : {&scenario.client, &scenario.server}) {
    side->config.tcp.is_controlled_network = true;
    // Every flow of a case learns of the path by itself.
    side->config.tcp.share_measurements = false;
    // DCTCP's receiver echoes marks in a way of its own.
    if (wants_marks(chosen)) side->config.tcp.congestion_control = chosen.controllers[0];
  }
  if (path.change != nullptr) path.change(scenario);
  return scenario;
}

// --- Measuring -----------------------------------------------------------------------------------

double seconds_of(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// What the receivers of all flows have got so far.
std::vector<double> received_octets(const Simulation& simulation, std::size_t flows) {
  std::vector<double> octets;
  for (std::size_t i = 0; i < flows; ++i) {
    octets.push_back(static_cast<double>(simulation.server_application(i).received()));
  }
  return octets;
}

// Runs for so long; returns how many octets the bottleneck's queue held in the mean.
double mean_queue(Simulation& simulation, Duration duration) {
  double sum = 0;
  std::size_t samples = 0;
  for (Duration t{0}; t < duration; t += kQueueSampledEvery) {
    simulation.run_for(kQueueSampledEvery);
    sum += static_cast<double>(simulation.to_server().queued_octets(simulation.now()));
    ++samples;
  }
  return sum / static_cast<double>(samples);
}

double share_of_first(const std::vector<double>& octets) {
  const double sum = std::accumulate(octets.begin(), octets.end(), 0.0);
  return sum > 0 ? octets[0] / sum : 0;
}

// (sum of x)^2 / (n * sum of x^2): from 1/n, one has everything, to 1, all have the same.
double jain_index(const std::vector<double>& octets) {
  const double sum = std::accumulate(octets.begin(), octets.end(), 0.0);
  const double squares = std::inner_product(octets.begin(), octets.end(), octets.begin(), 0.0);
  return squares > 0 ? sum * sum / (static_cast<double>(octets.size()) * squares) : 0;
}

double retransmitted_percent(Simulation& simulation, std::size_t flows) {
  const auto& client = static_cast<const StackNode&>(simulation.client());
  double sent = 0;
  double again = 0;
  for (std::uint16_t i = 0; i < flows; ++i) {
    const auto info = client.info(i);
    if (!info) continue;
    sent += static_cast<double>(info->octets_sent);
    again += static_cast<double>(info->octets_retransmitted);
  }
  return sent > 0 ? 100 * again / sent : 0;
}

}  // namespace

std::string CongestionCase::controller_names() const {
  std::string names;
  for (const CongestionAlgorithm algorithm : controllers) {
    names += (names.empty() ? "" : "+") + std::string(name_of(algorithm));
  }
  return names + (hystart ? "" : " without hystart");
}

std::vector<CongestionCase> all_congestion_cases() {
  const auto algorithms = all_congestion_algorithms();
  const auto find = [](std::string_view name) { return find_congestion_algorithm(name); };
  std::vector<CongestionCase> cases;
  const auto add_pair = [&](std::string_view first, std::string_view second) {
    const auto a = find(first);
    const auto b = find(second);
    if (a && b) cases.push_back({"fair", {*a, *b}, true, 10});
  };
  for (const CongestionAlgorithm algorithm : algorithms) {
    add_pair(name_of(algorithm), name_of(algorithm));
  }
  add_pair("cubic", "newreno");
  add_pair("bbr", "cubic");
  for (const Path& path : kPaths) {
    const std::string name = path.name;
    if (name == "fair" || name == "slow_start") continue;
    const bool is_chance = path.change == with_losses;
    for (const CongestionAlgorithm algorithm : algorithms) {
      cases.push_back({name, {algorithm}, true, is_chance ? 5U : 1U});
    }
  }
  if (const auto cubic = find("cubic")) {
    for (const bool hystart : {true, false}) {
      cases.push_back({"slow_start", {*cubic}, hystart, 20});
    }
  }
  return cases;
}

std::string describe_paths() {
  std::string text;
  for (const Path& path : kPaths) {
    text += "  " + std::string(path.name) + std::string(14 - std::string(path.name).size(), ' ') +
            path.about + "\n";
  }
  return text;
}

CongestionFigures measure(const CongestionCase& chosen, std::uint64_t seed, TraceSink* sink) {
  const Path& path = path_of(chosen);
  Scenario scenario = scenario_of(chosen, path, seed);
  CongestionMeter meter(scenario.start + path.measured_from, sink);
  scenario.client.trace = &meter;
  Simulation simulation(scenario);
  simulation.set_checking(false);
  meter.watch(simulation.to_server());

  simulation.run_for(path.measured_from);
  std::vector<double> octets = received_octets(simulation, chosen.controllers.size());
  const double queued = mean_queue(simulation, path.ends_at - path.measured_from);
  const std::vector<double> in_the_end = received_octets(simulation, octets.size());
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = in_the_end[i] - octets[i];

  CongestionFigures figures;
  const double seconds = seconds_of(path.ends_at - path.measured_from);
  figures.goodput_mbit_s = std::accumulate(octets.begin(), octets.end(), 0.0) * 8 / seconds / 1e6;
  figures.first_share = share_of_first(octets);
  figures.jain_index = jain_index(octets);
  figures.retransmitted_percent = retransmitted_percent(simulation, octets.size());
  figures.median_rtt = meter.rtt_seconds(0.5) / seconds_of(path.round_trip);
  figures.p99_rtt = meter.rtt_seconds(0.99) / seconds_of(path.round_trip);
  figures.queue_percent = 100 * queued / static_cast<double>(scenario.to_server.queue_octets);
  const LinkCounters& counters = simulation.to_server().counters();
  figures.drops = static_cast<double>(counters.tail_drops + counters.policed);
  figures.entered_css_before_drop = meter.has_entered_css_before_drop() ? 1 : 0;
  return figures;
}

}  // namespace runnel::test
