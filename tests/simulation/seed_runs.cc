#include "tests/simulation/seed_runs.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>

#include "tests/support/simulation/simulation.h"

namespace runnel::test {
namespace {

// Seconds of real time after which a run hangs, even with sanitizers.
constexpr unsigned kMostSeconds = 120;

// What a worker process tells its parent through shared memory.
struct Progress {
  std::atomic<std::uint64_t> current;
  std::atomic<std::uint64_t> runs;
  std::atomic<std::uint64_t> packets;
};

Progress* shared_progress(std::size_t count) {
  void* const memory = ::mmap(nullptr, sizeof(Progress) * count, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<Progress*>(memory);
}

void write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

// Runs every `step`th seed; ends the process with 1 at the first that fails.
[[noreturn]] void work_through(std::uint64_t first, std::uint64_t end, std::uint64_t step,
                               Progress& progress) {
  for (std::uint64_t seed = first; seed < end; seed += step) {
    progress.current = seed;
    ::alarm(kMostSeconds);
    const RunReport report = run_here(scenario_of(seed, {}));
    ++progress.runs;
    progress.packets += report.packets;
    if (report.failed) ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

Scenario scenario_of(std::uint64_t seed, const std::vector<std::size_t>& ways) {
  Scenario scenario = random_scenario(seed);
  for (const std::size_t way : ways) (void)simplify(scenario, way);
  return scenario;
}

RunReport run_here(Scenario scenario, const std::string& pcap_path) {
  RunReport report;
  std::unique_ptr<PacketRecorder> recorder;
  if (!pcap_path.empty()) recorder = std::make_unique<PacketRecorder>(pcap_path);
  const Simulation* running = nullptr;
  std::unique_ptr<Simulation> simulation;
  try {
    apply_wrap(scenario);
    simulation = std::make_unique<Simulation>(scenario, recorder.get());
    running = simulation.get();
    simulation->run();
  } catch (const std::exception& failure) {
    report.failed = true;
    report.what = failure.what();
  }
  if (running != nullptr) {
    report.virtual_time = running->now() - scenario.start;
    report.packets = running->packet_count();
  }
  if (recorder != nullptr) report.last_packets = recorder->describe_last();
  return report;
}

RunReport run_apart(const Scenario& scenario, const std::string& pcap_path) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(kMostSeconds);
    const RunReport report = run_here(scenario, pcap_path);
    char time[64];
    std::snprintf(time, sizeof time, "at virtual time %.9f s: ",
                  static_cast<double>(report.virtual_time.count()) / 1e9);
    write_all(ends[1], time + report.what + "\n" + report.last_packets);
    ::_exit(report.failed ? 1 : 0);
  }
  ::close(ends[1]);
  RunReport report;
  report.what = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  report.failed = status != 0;
  if (WIFSIGNALED(status)) {
    report.what += std::string("killed: ") + ::strsignal(WTERMSIG(status)) + "\n";
  }
  return report;
}

RangeReport run_range(std::uint64_t first, std::uint64_t count, unsigned jobs,
                      std::size_t most_failures) {
  const std::uint64_t end = first + count;
  Progress* const progress = shared_progress(jobs);
  std::map<pid_t, unsigned> workers;
  const auto start = [&](unsigned job, std::uint64_t seed) {
    if (seed >= end) return;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) work_through(seed, end, jobs, progress[job]);
    workers.emplace(child, job);
  };
  for (unsigned job = 0; job < jobs; ++job) start(job, first + job);

  RangeReport report;
  while (!workers.empty()) {
    int status = 0;
    const pid_t child = ::waitpid(-1, &status, 0);
    const auto found = workers.find(child);
    if (found == workers.end()) continue;
    const unsigned job = found->second;
    workers.erase(found);
    if (status == 0) continue;
    const std::uint64_t seed = progress[job].current;
    report.failed_seeds.push_back(seed);
    if (report.failed_seeds.size() < most_failures) {
      start(job, seed + jobs);
    } else {
      for (const auto& [other, number] : workers) ::kill(other, SIGTERM);
      for (const auto& [other, number] : workers) ::waitpid(other, &status, 0);
      workers.clear();
    }
  }
  for (unsigned job = 0; job < jobs; ++job) {
    report.runs += progress[job].runs;
    report.packets += progress[job].packets;
  }
  ::munmap(progress, sizeof(Progress) * jobs);
  return report;
}

std::vector<std::size_t> shrink(const Scenario& failing) {
  Scenario simplest = failing;
  std::vector<std::size_t> ways;
  for (bool progressed = true; progressed;) {
    progressed = false;
    for (std::size_t way = 0; way < simplification_count(); ++way) {
      for (;;) {  // the same again, as long as it helps: sizes are halved
        Scenario scenario = simplest;
        if (!simplify(scenario, way) || !run_apart(scenario).failed) break;
        simplest = std::move(scenario);
        ways.push_back(way);
        progressed = true;
      }
    }
  }
  return ways;
}

}  // namespace runnel::test
