// Random scenarios by the thousand: `simulation_seeds --help` says how.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/seed_runs.h"

namespace {

using namespace runnel::test;

constexpr std::size_t kMostFailures = 10;
constexpr std::size_t kMostFailuresShown = 3;

constexpr const char* kUsage =
    "Usage: simulation_seeds --seeds FIRST COUNT [--jobs N] [--pcap-directory DIR] [--no-shrink]\n"
    "       simulation_seeds --seed N [--simplify WAY,WAY...] [--pcap-directory DIR]\n\n"
    "Each seed is a scenario: a link each way, two hosts and what their applications do. A seed\n"
    "that fails is made as simple as it still fails, and printed with its last packets.\n";

struct Arguments {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  unsigned jobs = 1;
  bool shrinks = true;
  bool is_single = false;
  std::vector<std::size_t> ways;
  std::string pcap_directory = "/tmp";
};

std::string joined(const std::vector<std::size_t>& ways) {
  std::string text;
  for (const std::size_t way : ways) text += (text.empty() ? "" : ",") + std::to_string(way);
  return text;
}

void show_failure(std::uint64_t seed, const std::vector<std::size_t>& ways,
                  const Arguments& arguments) {
  const Scenario scenario = scenario_of(seed, ways);
  const std::string pcap =
      arguments.pcap_directory + "/simulation-seed-" + std::to_string(seed) + ".pcap";
  const RunReport report = run_apart(scenario, pcap);
  std::printf("seed %llu %s\n%s\npcap: %s\nscenario:\n%s", static_cast<unsigned long long>(seed),
              report.failed ? "failed" : "passed", report.what.c_str(), pcap.c_str(),
              describe(scenario).c_str());
  std::printf("again: simulation_seeds --seed %llu%s%s\n\n", static_cast<unsigned long long>(seed),
              ways.empty() ? "" : " --simplify ", joined(ways).c_str());
  std::fflush(stdout);
}

std::vector<std::size_t> parse_ways(const std::string& text) {
  std::vector<std::size_t> ways;
  for (std::size_t at = 0; at < text.size();) {
    ways.push_back(std::stoul(text.substr(at)));
    at = text.find(',', at);
    if (at == std::string::npos) break;
    ++at;
  }
  return ways;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto next = [&] {
      return ++i < argc ? argv[i] : (std::fputs(kUsage, stderr), std::exit(2), "");
    };
    if (name == "--seeds") {
      arguments.first = std::stoull(next());
      arguments.count = std::stoull(next());
    } else if (name == "--seed") {
      arguments.first = std::stoull(next());
      arguments.is_single = true;
    } else if (name == "--jobs") {
      arguments.jobs = static_cast<unsigned>(std::stoul(next()));
    } else if (name == "--simplify") {
      arguments.ways = parse_ways(next());
    } else if (name == "--pcap-directory") {
      arguments.pcap_directory = next();
    } else if (name == "--no-shrink") {
      arguments.shrinks = false;
    } else {
      return false;
    }
  }
  return arguments.is_single || arguments.count > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  bool is_understood = false;
  try {
    is_understood = parse(argc, argv, arguments) && arguments.jobs > 0;
  } catch (const std::exception&) {  // of std::stoul: no number, or none that fits
  }
  if (!is_understood) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (arguments.is_single) {
    show_failure(arguments.first, arguments.ways, arguments);
    return run_apart(scenario_of(arguments.first, arguments.ways)).failed ? 1 : 0;
  }
  const RangeReport report =
      run_range(arguments.first, arguments.count, arguments.jobs, kMostFailures);
  std::printf("%llu seeds, %llu packets, %zu failed\n",
              static_cast<unsigned long long>(report.runs),
              static_cast<unsigned long long>(report.packets), report.failed_seeds.size());
  for (std::size_t i = 0; i < report.failed_seeds.size(); ++i) {
    const std::uint64_t seed = report.failed_seeds[i];
    if (i >= kMostFailuresShown) {
      std::printf("seed %llu failed too\n", static_cast<unsigned long long>(seed));
      continue;
    }
    show_failure(seed,
                 arguments.shrinks ? shrink(scenario_of(seed, {})) : std::vector<std::size_t>{},
                 arguments);
  }
  return report.failed_seeds.empty() ? 0 : 1;
}
