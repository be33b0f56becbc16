// Goodput over good and bad paths, beside a golden table: `simulation_grid --help` says how.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/processes.h"
#include "tests/support/simulation/packet_recorder.h"
#include "tests/support/simulation/simulation.h"
#include "tests/support/simulation/stack_node.h"

namespace {

using namespace runnel;
using namespace runnel::test;
using namespace std::chrono_literals;

constexpr const char* kUsage =
    "Usage: simulation_grid --golden FILE [--update] [--seeds N] [--jobs N] [--cc NAME]\n"
    "       simulation_grid --cell RTT_US LOSS_PERCENT REORDERING_PERCENT BUFFER [--seeds N]\n"
    "                       [--pcap FILE]\n\n"
    "One bulk transfer over 100 Mbit/s for 20 seconds of virtual time, in each cell of the table\n"
    "RTT x loss x reordering x buffer. A goodput of more than 5 % below the golden one fails;\n"
    "--update writes the table anew.\n";

// Of both ends of every run.
CongestionAlgorithm congestion_control = TcpConfig{}.congestion_control;

constexpr std::uint64_t kBitsPerSecond = 100'000'000;
constexpr Duration kRunTime = 20s;
constexpr double kTolerance = 0.05;

struct Cell {
  std::uint32_t rtt_us = 0;
  double loss_percent = 0;
  double reordering_percent = 0;
  std::string buffer;  // "64k" or "auto"

  [[nodiscard]] std::string name() const {
    char text[64];
    std::snprintf(text, sizeof text, "%g,%g,%g,%s", rtt_us / 1e3, loss_percent, reordering_percent,
                  buffer.c_str());
    return text;
  }
  // Without chance every seed gives the same.
  [[nodiscard]] bool is_random() const { return loss_percent > 0 || reordering_percent > 0; }
};

constexpr const char* kHeading = "rtt_ms,loss_percent,reordering_percent,buffer,goodput_mbit_s";

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const char* const buffer : {"auto", "64k"}) {
    for (const double reordering : {0.0, 2.0}) {
      for (const std::uint32_t rtt_us : {100U, 1'000U, 20'000U, 100'000U, 300'000U}) {
        for (const double loss : {0.0, 0.1, 1.0, 3.0, 10.0}) {
          cells.push_back({rtt_us, loss, reordering, buffer});
        }
      }
    }
  }
  return cells;
}

// Data go to the server. They meet the bottleneck, its queue, the losses and the reordering: a
// packet comes up to a quarter of the round trip late. ACKs meet the delay alone.
Scenario scenario_of(const Cell& cell, std::uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  const Duration rtt = std::chrono::microseconds(cell.rtt_us);
  scenario.to_server.delay = scenario.to_client.delay = rtt / 2;
  scenario.to_server.bits_per_second = scenario.to_client.bits_per_second = kBitsPerSecond;
  const std::size_t bdp_octets = kBitsPerSecond / 8 * cell.rtt_us / 1'000'000;
  scenario.to_server.queue_packets = std::max<std::size_t>(64, bdp_octets / 1500);
  scenario.to_server.loss_ppm = static_cast<std::uint32_t>(std::lround(cell.loss_percent * 1e4));
  scenario.to_server.reordering_ppm =
      static_cast<std::uint32_t>(std::lround(cell.reordering_percent * 1e4));
  scenario.to_server.reordering_delay = rtt / 4;
  if (cell.buffer == "64k") {
    for (Config* const config : {&scenario.client.config, &scenario.server.config}) {
      config->tcp.receive_buffer_octets = config->tcp.send_buffer_octets = std::size_t{64} << 10U;
      config->tcp.receive_buffer_maximum_octets = config->tcp.send_buffer_maximum_octets = 0;
    }
  }
  for (Config* const config : {&scenario.client.config, &scenario.server.config}) {
    config->tcp.congestion_control = congestion_control;
  }
  ConnectionScript script;
  script.client.octets = std::uint64_t{1} << 40U;
  scenario.connections.push_back(script);
  return scenario;
}

void show_recoveries(SimNode& client) {
  const auto info = static_cast<StackNode&>(client).info(0);
  if (!info) return;
  std::printf(
      "  fast retransmits %u, timeouts %u, tail loss probes %u, taken back %u, sent again %llu\n",
      info->fast_retransmits, info->retransmission_timeouts, info->tail_loss_probes,
      info->spurious_recoveries, static_cast<unsigned long long>(info->segments_retransmitted));
}

double measure(const Cell& cell, std::uint64_t seed, bool shows = false,
               PacketRecorder* recorder = nullptr) {
  Simulation simulation(scenario_of(cell, seed), recorder);
  simulation.set_checking(false);
  simulation.run_for(kRunTime);
  if (shows) show_recoveries(simulation.client());
  const double seconds = std::chrono::duration<double>(kRunTime).count();
  return static_cast<double>(simulation.server_application(0).received()) * 8 / seconds / 1e6;
}

// --- All cells -----------------------------------------------------------------------------------

// Mean goodputs in Mbit/s, measured by `jobs` processes.
std::vector<double> measure_all(const std::vector<Cell>& cells, std::size_t seeds, unsigned jobs) {
  const auto goodputs =
      measure_in_processes<double>(cells.size() * seeds, jobs, [&](std::size_t i) {
        const Cell& cell = cells[i / seeds];
        const std::size_t seed = i % seeds;
        return seed == 0 || cell.is_random() ? measure(cell, seed + 1) : 0.0;
      });
  std::vector<double> means;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const double* const first = goodputs.data() + i * seeds;
    const auto count = static_cast<std::ptrdiff_t>(cells[i].is_random() ? seeds : 1);
    double sum = 0;
    for (const double* goodput = first; goodput != first + count; ++goodput) sum += *goodput;
    means.push_back(sum / static_cast<double>(count));
  }
  return means;
}

// --- The golden table ----------------------------------------------------------------------------

std::string shown(double goodput) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", goodput);
  return text;
}

int update(const std::string& path, const std::vector<Cell>& cells,
           const std::vector<double>& means) {
  std::ofstream file(path);
  file << kHeading << '\n';
  for (std::size_t i = 0; i < cells.size(); ++i) {
    file << cells[i].name() << ',' << shown(means[i]) << '\n';
  }
  return file.flush() ? 0 : 1;
}

// The golden goodput of a cell; below zero when there is none.
double golden_of(const std::vector<std::string>& lines, const Cell& cell) {
  const std::string begin = cell.name() + ",";
  for (const std::string& line : lines) {
    if (line.starts_with(begin)) return std::stod(line.substr(begin.size()));
  }
  return -1;
}

int compare(const std::string& path, const std::vector<Cell>& cells,
            const std::vector<double>& means) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  int worse = 0;
  int better = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const double golden = golden_of(lines, cells[i]);
    const char* verdict = nullptr;
    if (golden < 0) {
      verdict = "is not in the table";
    } else if (means[i] < golden * (1 - kTolerance)) {
      verdict = "has become worse";
    } else if (means[i] > golden * (1 + kTolerance)) {
      std::printf("%s: better, %s Mbit/s instead of %s\n", cells[i].name().c_str(),
                  shown(means[i]).c_str(), shown(golden).c_str());
      ++better;
    }
    if (verdict == nullptr) continue;
    ++worse;
    std::printf("%s %s: %s Mbit/s instead of %s\n", cells[i].name().c_str(), verdict,
                shown(means[i]).c_str(), shown(golden).c_str());
  }
  std::printf("%zu cells, %d worse, %d better by more than 5 %%\n", cells.size(), worse, better);
  if (better > 0) std::puts("What is better should stay so: update the table.");
  return worse > 0 ? 1 : 0;
}

struct Arguments {
  std::string golden;
  std::string pcap;
  bool updates = false;
  bool is_single = false;
  Cell cell;
  std::size_t seeds = 8;
  unsigned jobs = 1;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto next = [&]() -> std::string {
      if (++i < argc) return argv[i];
      std::fputs(kUsage, stderr);
      std::exit(2);
    };
    if (name == "--golden") {
      arguments.golden = next();
    } else if (name == "--update") {
      arguments.updates = true;
    } else if (name == "--seeds") {
      arguments.seeds = std::stoul(next());
    } else if (name == "--cc") {
      const auto algorithm = find_congestion_algorithm(next());
      if (!algorithm) return false;
      congestion_control = *algorithm;
    } else if (name == "--jobs") {
      arguments.jobs = static_cast<unsigned>(std::stoul(next()));
    } else if (name == "--pcap") {
      arguments.pcap = next();
    } else if (name == "--cell") {
      arguments.is_single = true;
      arguments.cell.rtt_us = static_cast<std::uint32_t>(std::stoul(next()));
      arguments.cell.loss_percent = std::stod(next());
      arguments.cell.reordering_percent = std::stod(next());
      arguments.cell.buffer = next();
    } else {
      return false;
    }
  }
  return (arguments.is_single || !arguments.golden.empty()) && arguments.seeds > 0 &&
         arguments.jobs > 0;
}

int show_cell(const Arguments& arguments) {
  for (std::uint64_t seed = 1; seed <= arguments.seeds; ++seed) {
    std::unique_ptr<PacketRecorder> recorder;
    if (!arguments.pcap.empty()) recorder = std::make_unique<PacketRecorder>(arguments.pcap);
    std::printf("%s seed %llu: %s Mbit/s\n", arguments.cell.name().c_str(),
                static_cast<unsigned long long>(seed),
                shown(measure(arguments.cell, seed, true, recorder.get())).c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (arguments.is_single) return show_cell(arguments);
  const std::vector<Cell> cells = all_cells();
  const std::vector<double> means = measure_all(cells, arguments.seeds, arguments.jobs);
  return arguments.updates ? update(arguments.golden, cells, means)
                           : compare(arguments.golden, cells, means);
}
