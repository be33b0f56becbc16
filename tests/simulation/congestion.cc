// How congestion controllers share, fill and spare paths: `simulation_congestion --help` says how.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runnel/trace_file.h"
#include "tests/simulation/congestion_cases.h"
#include "tests/simulation/processes.h"

namespace {

using namespace runnel;
using namespace runnel::test;

constexpr const char* kUsage =
    "Usage: simulation_congestion [--case PATH] [--controllers A[+B]] [--seeds N | --seed N]\n"
    "                             [--jobs N] [--golden FILE [--update]] [--trace FILE]\n\n"
    "Runs every case, or those of one path or of these controllers, in virtual time and prints a\n"
    "line of figures each: medians over the seeds. Hard limits always fail. With --golden, "
    "figures\n"
    "that are 5 % worse than the table's fail, or 10 % where chance rules; --update writes it\n"
    "anew. --trace writes how the sender of one case sent, for scripts/plot.\n\n"
    "Paths:\n";

// --- Figures as columns --------------------------------------------------------------------------

enum class Better : std::uint8_t { Larger, Smaller, Neither };

struct Column {
  const char* name;
  double CongestionFigures::*value;
  Better better;
  double slack;  // differences below this are none
};

using F = CongestionFigures;
constexpr std::array kColumns{
    Column{"goodput_mbit_s", &F::goodput_mbit_s, Better::Larger, 0},
    Column{"first_share", &F::first_share, Better::Neither, 0},
    Column{"jain_index", &F::jain_index, Better::Larger, 0},
    Column{"retransmitted_percent", &F::retransmitted_percent, Better::Smaller, 0.05},
    Column{"median_rtt", &F::median_rtt, Better::Smaller, 0.02},
    Column{"p99_rtt", &F::p99_rtt, Better::Smaller, 0.05},
    Column{"queue_percent", &F::queue_percent, Better::Neither, 0},
    Column{"drops", &F::drops, Better::Neither, 0},
    Column{"css_before_drop", &F::entered_css_before_drop, Better::Larger, 0},
};

std::string heading() {
  std::string text = "path,controllers";
  for (const Column& column : kColumns) text += std::string(",") + column.name;
  return text;
}

std::string line_of(const CongestionCase& one, const CongestionFigures& figures) {
  std::string text = one.name();
  for (const Column& column : kColumns) {
    char value[32];
    std::snprintf(value, sizeof value, ",%.3f", figures.*column.value);
    text += value;
  }
  return text;
}

double median(std::vector<double> values) {
  const std::size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// The median of each column, but of what is 0 or 1 the mean.
CongestionFigures summarize(const std::vector<CongestionFigures>& runs) {
  CongestionFigures summary;
  for (const Column& column : kColumns) {
    std::vector<double> values;
    for (const CongestionFigures& run : runs) values.push_back(run.*column.value);
    summary.*column.value = median(values);
  }
  double css = 0;
  for (const CongestionFigures& run : runs) css += run.entered_css_before_drop;
  summary.entered_css_before_drop = css / static_cast<double>(runs.size());
  return summary;
}

// --- Hard limits ---------------------------------------------------------------------------------

struct Limit {
  const char* name;  // of the case
  double CongestionFigures::*value;
  double least;
  double most;
};

constexpr double kAny = 1e300;
constexpr std::array kLimits{
    Limit{"fair,newreno+newreno", &F::jain_index, 0.95, 1},
    Limit{"fair,cubic+cubic", &F::jain_index, 0.95, 1},
    Limit{"fair,bbr+bbr", &F::jain_index, 0.95, 1},
    Limit{"fair,dctcp+dctcp", &F::jain_index, 0.95, 1},
    Limit{"fair,cubic+newreno", &F::first_share, 0.2, 0.8},
    Limit{"fair,bbr+cubic", &F::first_share, 0.2, 0.8},
    Limit{"slow_start,cubic", &F::entered_css_before_drop, 0.9, 1},
    Limit{"bufferbloat,bbr", &F::median_rtt, 0, 1.25},
    Limit{"bufferbloat,bbr", &F::p99_rtt, 0, 2},
    Limit{"bufferbloat,cubic", &F::median_rtt, 3, kAny},  // it fills the queue
};
// HyStart++ loses at most this part of what plain slow start does.
constexpr double kHystartLosses = 0.5;

using Figures = std::map<std::string, CongestionFigures>;

int check_limits(const Figures& figures) {
  int broken = 0;
  for (const Limit& limit : kLimits) {
    const auto found = figures.find(limit.name);
    if (found == figures.end()) continue;
    const double value = found->second.*limit.value;
    // 1 as a sum of shares may be a little more.
    if (value >= limit.least && value <= limit.most + 1e-9) continue;
    const auto column = std::find_if(kColumns.begin(), kColumns.end(),
                                     [&](const Column& one) { return one.value == limit.value; });
    std::printf("%s: %s is %.3f, not within %.2f and %.4g\n", limit.name, column->name, value,
                limit.least, limit.most);
    ++broken;
  }
  const auto with = figures.find("slow_start,cubic");
  const auto without = figures.find("slow_start,cubic without hystart");
  if (with != figures.end() && without != figures.end() &&
      with->second.drops > kHystartLosses * without->second.drops) {
    std::printf("slow_start: HyStart++ loses %.0f packets, plain slow start %.0f\n",
                with->second.drops, without->second.drops);
    ++broken;
  }
  return broken;
}

// --- The golden table ----------------------------------------------------------------------------

using Table = std::map<std::string, std::vector<double>>;  // the columns' values by the case's name

Table read_table(const std::string& path) {
  Table table;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  if (line != heading()) return table;
  while (std::getline(file, line)) {
    std::size_t at = line.find(',');
    at = line.find(',', at + 1);
    if (at == std::string::npos) continue;
    std::vector<double>& values = table[line.substr(0, at)];
    while (at != std::string::npos) {
      values.push_back(std::strtod(line.c_str() + at + 1, nullptr));
      at = line.find(',', at + 1);
    }
  }
  return table;
}

// How many figures of the case are worse than the table's.
int compare(const CongestionCase& one, const CongestionFigures& figures, const Table& table) {
  const auto found = table.find(one.name());
  if (found == table.end() || found->second.size() != kColumns.size()) {
    std::printf("%s is not in the table\n", one.name().c_str());
    return 1;
  }
  const double tolerance = one.seeds > 1 ? 0.10 : 0.05;
  int worse = 0;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const Column& column = kColumns[i];
    if (column.better == Better::Neither) continue;
    const double golden = found->second[i];
    const double value = figures.*column.value;
    const double gain = column.better == Better::Larger ? value - golden : golden - value;
    const double allowed = tolerance * golden + column.slack;
    if (gain >= -allowed && gain <= allowed) continue;
    std::printf("%s: %s has become %s: %.3f instead of %.3f\n", one.name().c_str(), column.name,
                gain < 0 ? "worse" : "better", value, golden);
    if (gain < 0) ++worse;
  }
  return worse;
}

int update(const std::string& path, const std::vector<CongestionCase>& cases,
           const Figures& figures) {
  std::ofstream file(path);
  file << heading() << '\n';
  for (const CongestionCase& one : cases) file << line_of(one, figures.at(one.name())) << '\n';
  return file.flush() ? 0 : 1;
}

// --- The command line ----------------------------------------------------------------------------

struct Arguments {
  std::string path;
  std::string controllers;
  std::string golden;
  std::string trace;
  bool updates = false;
  std::size_t seeds = SIZE_MAX;  // at most
  std::uint64_t first_seed = 1;
  unsigned jobs = 2;
};

[[noreturn]] void say_usage(std::FILE* file, int status) {
  std::fprintf(file, "%s%s", kUsage, describe_paths().c_str());
  std::exit(status);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto next = [&]() -> std::string {
      if (++i < argc) return argv[i];
      say_usage(stderr, 2);
    };
    if (name == "--case") {
      arguments.path = next();
    } else if (name == "--controllers") {
      arguments.controllers = next();
    } else if (name == "--golden") {
      arguments.golden = next();
    } else if (name == "--trace") {
      arguments.trace = next();
    } else if (name == "--update") {
      arguments.updates = true;
    } else if (name == "--seeds") {
      arguments.seeds = std::stoul(next());
    } else if (name == "--seed") {
      arguments.first_seed = std::stoull(next());
      arguments.seeds = 1;
    } else if (name == "--jobs") {
      arguments.jobs = static_cast<unsigned>(std::stoul(next()));
    } else if (name == "--help") {
      say_usage(stdout, 0);
    } else {
      say_usage(stderr, 2);
    }
  }
  if (arguments.seeds == 0 || arguments.jobs == 0) say_usage(stderr, 2);
  return arguments;
}

std::vector<CongestionCase> chosen_cases(const Arguments& arguments) {
  std::vector<CongestionCase> cases;
  for (CongestionCase& one : all_congestion_cases()) {
    if (!arguments.path.empty() && one.path != arguments.path) continue;
    if (!arguments.controllers.empty() && one.controller_names() != arguments.controllers) continue;
    one.seeds = std::min(one.seeds, arguments.seeds);
    cases.push_back(std::move(one));
  }
  return cases;
}

Figures measure_all(const std::vector<CongestionCase>& cases, std::uint64_t first_seed,
                    unsigned jobs) {
  std::vector<std::pair<const CongestionCase*, std::uint64_t>> runs;
  for (const CongestionCase& one : cases) {
    for (std::uint64_t i = 0; i < one.seeds; ++i) runs.emplace_back(&one, first_seed + i);
  }
  const auto measured = measure_in_processes<CongestionFigures>(
      runs.size(), jobs, [&](std::size_t i) { return measure(*runs[i].first, runs[i].second); });
  std::map<std::string, std::vector<CongestionFigures>> by_case;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    by_case[runs[i].first->name()].push_back(measured[i]);
  }
  Figures figures;
  for (const auto& [name, values] : by_case) figures[name] = summarize(values);
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const std::vector<CongestionCase> cases = chosen_cases(arguments);
  if (cases.empty() || (!arguments.trace.empty() && cases.size() != 1)) {
    std::fprintf(stderr, "simulation_congestion: %zu cases are chosen\n", cases.size());
    return 2;
  }
  if (!arguments.trace.empty()) {
    tun::TraceFile file(arguments.trace);
    const CongestionFigures figures = measure(cases[0], arguments.first_seed, &file);
    file.flush();
    std::printf("%s\n%s\n", heading().c_str(), line_of(cases[0], figures).c_str());
    return 0;
  }
  const Figures figures = measure_all(cases, arguments.first_seed, arguments.jobs);
  std::printf("%s\n", heading().c_str());
  for (const CongestionCase& one : cases) {
    std::printf("%s\n", line_of(one, figures.at(one.name())).c_str());
  }
  int bad = check_limits(figures);
  if (arguments.golden.empty()) return bad > 0 ? 1 : 0;
  if (arguments.updates) {
    bad += update(arguments.golden, cases, figures);
  } else {
    const Table table = read_table(arguments.golden);
    for (const CongestionCase& one : cases) bad += compare(one, figures.at(one.name()), table);
  }
  std::printf("%zu cases, %d of their figures are too bad\n", cases.size(), bad);
  return bad > 0 ? 1 : 0;
}
