// What the stack itself costs: two of them on one core, joined by a copy in memory.
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/memory_link.h"

namespace runnel::bench {
namespace {

constexpr std::uint16_t kFirstPort = 7;

struct Options {
  double seconds = 2;
  std::vector<std::string> loads = {"bulk", "rr", "connect", "bulk2", "rr2"};
  std::string congestion_control = "bbr";
  std::size_t connections = 64;
  std::size_t message_octets = 64;
  std::size_t write_octets = std::size_t{256} << 10U;
  bool write_copies = false;
  std::size_t send_buffer_octets = std::size_t{1} << 20U;
  std::string json;
};

struct Figure {
  std::string load;
  double per_second = 0;      // in `unit`
  double per_cpu_second = 0;  // the same, of a second that this thread has had the processor
  std::string unit;
  double packets_per_second = 0;
  double target = 0;
  double times_one = 0;  // on two cores: so many times what one of them does by itself
};

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "in_memory: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

// How long this thread has had a processor. Beside the clock it shows what else the machine did.
double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// Runs `turn(now)`, which returns how much it has done, for `seconds` behind a warm-up of a tenth
// of that. Figures are in multiples of `unit`.
template <typename Turn>
Figure measure(const Options& options, MemoryLink& link, double unit, Turn&& turn) {
  using Seconds = std::chrono::duration<double>;
  double done = 0;
  const auto run = [&](double seconds) {
    const Instant begin = clock_now();
    done = 0;
    for (;;) {
      const Instant now = clock_now();
      const double elapsed = Seconds(now - begin).count();
      if (elapsed >= seconds) return elapsed;
      done += turn(now);
    }
  };
  run(options.seconds / 10);
  const std::uint64_t packets_before = link.packets();
  const double used_before = processor_seconds();
  const double elapsed = run(options.seconds);
  const double used = processor_seconds() - used_before;
  if (done == 0) fail("nothing has moved");
  Figure figure;
  figure.per_second = done / elapsed / unit;
  figure.per_cpu_second = done / used / unit;
  figure.packets_per_second = static_cast<double>(link.packets() - packets_before) / elapsed;
  return figure;
}

Config make_config(const Options& options) {
  Config config;
  const auto algorithm = find_congestion_algorithm(options.congestion_control);
  if (!algorithm) fail("no such congestion controller: " + options.congestion_control);
  config.tcp.congestion_control = *algorithm;
  return config;
}

// Opens `count` connections from client to server, and returns both ends of each.
std::vector<std::pair<ConnectionId, ConnectionId>> open(MemoryLink& link, std::size_t count) {
  const Endpoint remote{link.server.address, kFirstPort};
  const auto listener = link.server.stack.listen(remote).value();
  std::vector<std::pair<ConnectionId, ConnectionId>> ends;
  for (std::size_t i = 0; i < count; ++i) {
    const ConnectionId client = link.client.stack.connect(remote).value();
    for (;;) {
      const Instant now = clock_now();
      link.carry(link.client, link.server, now);
      link.carry(link.server, link.client, now);
      const auto accepted = link.server.stack.accept(listener);
      if (accepted) {
        ends.emplace_back(client, *accepted);
        break;
      }
    }
  }
  const auto forget_events = [](Stack& stack) {
    while (stack.poll_event()) {
    }
  };
  link.carry(link.client, link.server, clock_now());
  forget_events(link.client.stack);
  forget_events(link.server.stack);
  return ends;
}

// --- One connection, as fast as it goes ----------------------------------------------------------

Figure bulk(const Options& options) {
  Config config = make_config(options);
  config.tcp.send_buffer_octets = config.tcp.send_buffer_maximum_octets =
      options.send_buffer_octets;
  MemoryLink link(config);
  const auto [client, server] = open(link, 1).front();
  static const std::vector<std::uint8_t> pattern(options.write_octets, 0x5a);
  Stack& sender = link.client.stack;
  Stack& receiver = link.server.stack;
  Figure figure =
      measure(options, link, 1e9 / 8, [&, client = client, server = server](Instant now) {
        sender.advance(now);
        receiver.advance(now);
        if (options.write_copies) {
          (void)sender.write(client, pattern);
        } else {
          (void)sender.write(client, Buffer::of_static(pattern));
        }
        link.carry(link.client, link.server, now);
        double octets = 0;
        for (;;) {
          const auto text = receiver.peek(server);
          if (!text) break;
          octets += static_cast<double>(text->size());
          (void)receiver.consume(server, text->size());
        }
        while (receiver.poll_event()) {
        }
        link.carry(link.server, link.client, now);
        while (sender.poll_event()) {
        }
        return octets;
      });
  figure.load = "bulk";
  figure.unit = "Gbit/s";
  figure.target = 100;
  return figure;
}

// --- Many connections, a message there and back --------------------------------------------------

Figure request_response(const Options& options) {
  MemoryLink link(make_config(options));
  const auto ends = open(link, options.connections);
  const std::vector<std::uint8_t> message(options.message_octets, 0x5a);
  std::vector<std::uint8_t> room(options.message_octets);
  for (const auto& end : ends) (void)link.client.stack.write(end.first, message);
  // Reads what is there and answers with as much; returns how many messages came.
  const auto answer = [&](Stack& stack) {
    double messages = 0;
    while (const auto event = stack.poll_event()) {
      if (event->kind != EventKind::Readable) continue;
      const auto octets = stack.read(event->connection, room);
      if (!octets || *octets != message.size()) fail("a message came in pieces");
      (void)stack.write(event->connection, Bytes{room}.first(*octets));
      ++messages;
    }
    return messages;
  };
  Figure figure = measure(options, link, 1e6, [&](Instant now) {
    link.client.stack.advance(now);
    link.server.stack.advance(now);
    link.carry(link.client, link.server, now);
    answer(link.server.stack);
    link.carry(link.server, link.client, now);
    return answer(link.client.stack);
  });
  figure.load = "rr";
  figure.unit = "million transactions/s";
  figure.target = 2.5;
  return figure;
}

// --- Connections that are opened and closed ------------------------------------------------------

// SYN, SYN-ACK, ACK; FIN, FIN-ACK, ACK. The server ends first, so TIME-WAIT is its own. 60 s of
// that at this rate would be 30 million records, hence 50 ms; several ports keep the pairs of
// endpoints apart meanwhile.
Figure connect(const Options& options) {
  constexpr std::uint16_t kPorts = 16;
  Config config = make_config(options);
  config.tcp.time_wait = std::chrono::milliseconds(50);
  MemoryLink link(config);
  Stack& client = link.client.stack;
  Stack& server = link.server.stack;
  std::vector<ListenerId> listeners;
  for (std::uint16_t i = 0; i < kPorts; ++i) {
    listeners.push_back(
        server.listen({link.server.address, static_cast<std::uint16_t>(kFirstPort + i)}).value());
  }
  std::uint16_t next_port = 0;
  const auto open_one = [&] {
    const auto port = static_cast<std::uint16_t>(kFirstPort + next_port);
    next_port = static_cast<std::uint16_t>((next_port + 1) % kPorts);
    if (!client.connect({link.server.address, port})) fail("no port is free");
  };
  for (std::size_t i = 0; i < options.connections; ++i) open_one();
  const auto serve = [&] {
    while (const auto event = server.poll_event()) {
      if (event->kind == EventKind::Incoming) {
        while (const auto accepted = server.accept(event->listener)) (void)server.close(*accepted);
      }
    }
  };
  Figure figure = measure(options, link, 1e3, [&](Instant now) {
    client.advance(now);
    server.advance(now);
    link.carry(link.client, link.server, now);
    serve();
    link.carry(link.server, link.client, now);
    double closed = 0;
    while (const auto event = client.poll_event()) {
      if (event->kind == EventKind::Ended) (void)client.close(event->connection);
      if (event->kind == EventKind::Error) fail("a connection failed: " + event->error.message());
      if (event->kind != EventKind::Closed) continue;
      ++closed;
      open_one();
    }
    return closed;
  });
  figure.load = "connect";
  figure.unit = "thousand connections/s";
  figure.target = 500;
  return figure;
}

// --- Two cores, which share nothing --------------------------------------------------------------

constexpr int kCores = 2;
constexpr double kTimesOne = 1.85;

bool has_two_cores() noexcept {
  cpu_set_t cores;
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_ISSET(0, &cores) &&
         CPU_ISSET(1, &cores);
}

bool pin_to(int core) noexcept {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  return ::pthread_setaffinity_np(::pthread_self(), sizeof cores, &cores) == 0;
}

// `load` with a pair of stacks on each core by itself, then on both at once, as `serve --queues 2`
// has them. Repeated, and the median of the ratios taken: a shared machine is never quiet for long.
Figure on_two_cores(const Options& options, Figure (*load)(const Options&)) {
  constexpr std::size_t kRounds = 5;
  Options part = options;
  part.seconds = options.seconds / kRounds;
  const auto run = [&](std::vector<int> cores) {
    std::barrier together(static_cast<std::ptrdiff_t>(cores.size()));
    std::array<Figure, kCores> figures;
    std::vector<std::thread> threads;
    for (const int core : cores) {
      threads.emplace_back([&, core] {
        if (!pin_to(core)) fail("a thread cannot be pinned");
        together.arrive_and_wait();
        figures[static_cast<std::size_t>(core)] = load(part);
      });
    }
    for (std::thread& thread : threads) thread.join();
    Figure sum = figures[static_cast<std::size_t>(cores.front())];
    for (std::size_t i = 1; i < cores.size(); ++i) {
      const Figure& other = figures[static_cast<std::size_t>(cores[i])];
      sum.per_second += other.per_second;
      sum.per_cpu_second += other.per_cpu_second;
      sum.packets_per_second += other.packets_per_second;
    }
    return sum;
  };
  std::vector<Figure> rounds;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const double alone = (run({0}).per_cpu_second + run({1}).per_cpu_second) / kCores;
    rounds.push_back(run({0, 1}));
    // By processor time: what other programs take of one core is not the other core's doing.
    rounds.back().times_one = rounds.back().per_cpu_second / alone;
  }
  std::sort(rounds.begin(), rounds.end(),
            [](const Figure& a, const Figure& b) { return a.times_one < b.times_one; });
  Figure figure = rounds[kRounds / 2];
  figure.load += "2";
  figure.target = 0;
  return figure;
}

// --- What comes of it ----------------------------------------------------------------------------

void print(const std::vector<Figure>& figures) {
  std::printf("%-10s%10s%14s  %-24s%8s%14s\n", "load", "figure", "by CPU time", "unit", "target",
              "packets/s");
  for (const Figure& figure : figures) {
    std::printf("%-10s%10.2f%14.2f  %-24s%8.1f%14.0f\n", figure.load.c_str(), figure.per_second,
                figure.per_cpu_second, figure.unit.c_str(), figure.target,
                figure.packets_per_second);
  }
  for (const Figure& figure : figures) {
    if (figure.times_one == 0) continue;
    std::printf("%s: two cores do %.2f times what one does, by CPU time (target %.2f)\n",
                figure.load.c_str(), figure.times_one, kTimesOne);
  }
}

void write_json(const std::string& path, const std::vector<Figure>& figures) {
  std::ofstream file(path);
  file << "{";
  const char* separator = "\n";
  for (const Figure& figure : figures) {
    file << separator << "  \"" << figure.load << "\": {\"figure\": " << figure.per_second
         << ", \"by_cpu_time\": " << figure.per_cpu_second << ", \"unit\": \"" << figure.unit
         << "\", \"target\": " << figure.target << ", \"times_one\": " << figure.times_one
         << ", \"packets_per_second\": " << figure.packets_per_second << "}";
    separator = ",\n";
  }
  file << "\n}\n";
  if (!file.flush()) fail("cannot write " + path);
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Two stacks on one core hand packets to each other in memory: bulk with super-packets,\n"
      "requests and responses over many connections, connections opened and closed; bulk2 and rr2\n"
      "have a pair of stacks on each of two cores. Runs in real time. Every packet is copied once: "
      "on the link."};
  const std::vector<std::string> names = options.loads;
  app.add_option("--seconds", options.seconds, "for each load")->capture_default_str();
  app.add_option("--loads", options.loads, "which of bulk, rr, connect, bulk2, rr2")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--cc", options.congestion_control, "congestion controller")
      ->capture_default_str();
  app.add_option("--connections", options.connections, "of rr and connect")->capture_default_str();
  app.add_option("--message", options.message_octets, "octets of a request and of a response in rr")
      ->check(CLI::Range(1, 1448))
      ->capture_default_str();
  app.add_option("--write", options.write_octets, "octets of one write in bulk")
      ->capture_default_str();
  app.add_flag("--write-copies", options.write_copies,
               "in bulk the application hands over no buffer, but copies octets into the stack");
  app.add_option("--send-buffer", options.send_buffer_octets, "of bulk, in octets")
      ->capture_default_str();
  app.add_option("--json", options.json, "file for the figures");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::vector<Figure> figures;
  for (const std::string& load : options.loads) {
    if (load == "bulk") figures.push_back(bulk(options));
    if (load == "rr") figures.push_back(request_response(options));
    if (load == "connect") figures.push_back(connect(options));
    if (load.back() == '2' && !has_two_cores()) {
      std::printf("%s: needs processors 0 and 1\n", load.c_str());
      continue;
    }
    if (load == "bulk2") figures.push_back(on_two_cores(options, bulk));
    if (load == "rr2") figures.push_back(on_two_cores(options, request_response));
  }
  print(figures);
  if (!options.json.empty()) write_json(options.json, figures);
  return 0;
}

}  // namespace
}  // namespace runnel::bench

int main(int argc, char** argv) {
  return runnel::bench::run(argc, argv);
}
