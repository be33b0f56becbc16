// What a packet costs with ten connections, with ten active ones among many, and with packets
// spread over all of the many.
//
// One stack answers a scripted peer in memory. A transaction is a request of 64 octets that the
// application reads, its answer of 64 octets, and the peer's ACK of that; with --sink there is no
// answer, and the stack acknowledges by itself. A turn is a batch of requests from as many
// connections, after the ACKs of the turn before. Rounds of the three kinds alternate, only the
// stack's and the application's share is timed, not the peer's, and the median turn counts.
// --single hands packets to the stack one by one. --only and Callgrind count instructions:
//
//   valgrind --tool=callgrind --toggle-collect='*measured_turn*' bench_packet_cost --only alone
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "runnel/random.h"
#include "runnel/stack.h"
#include "stack/base/byte_order.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using WallClock = std::chrono::steady_clock;

constexpr std::size_t kHeaderOctets = 40;
constexpr std::size_t kRequestOctets = 64;
constexpr std::uint32_t kPeerIss = 1000;
constexpr std::uint32_t kPortsPerAddress = 50'000;
constexpr Endpoint kServer{IpAddress{192, 0, 2, 2}, 7};

struct Options {
  std::size_t connections = 1'000'000;
  std::size_t batch = 10;
  std::size_t turns = 2000;
  std::size_t rounds = 9;
  bool keepalive = false;
  bool single = false;
  bool sink = false;
  bool close = false;
  std::string only;
};

// The connections' other ends, of which the numbers alone are kept.
struct PeerConnection {
  std::uint32_t server_iss = 0;
  std::uint32_t transactions = 0;  // requests that were sent
};

class Bench {
 public:
  Bench(const Options& options, std::size_t connections)
      : options_(options), stack_(config_of(options), random_), peers_(connections) {
    check(stack_.add_address(*IpPrefix::parse_v4("192.0.2.2/24")).has_value(), "address");
    ListenOptions listen;
    listen.backlog = 4096;
    const auto listener = stack_.listen(kServer, listen);
    check(listener.has_value(), "listen");
    for (std::size_t begin = 0; begin < connections; begin += options.batch) {
      open(*listener, begin, std::min(begin + options.batch, connections));
    }
    check(stack_.connection_count() == connections, "not all connections are open");
  }

  // Takes `turns` turns of the connections that `next()` names; adds the nanoseconds of each one's
  // transactions to `times`. The last answers are acknowledged by whoever is active next.
  template <typename Next>
  void round(std::size_t turns, std::vector<double>& times, Next&& next) {
    for (std::size_t turn = 0; turn < turns; ++turn) {
      if (!options_.sink) {
        for (const std::size_t i : active_) add_packet(i, wire::TcpFlags{.ack = true}, 0);
      }
      active_.clear();
      for (std::size_t n = 0; n < options_.batch; ++n) active_.push_back(next());
      for (const std::size_t i : active_) {
        add_packet(i, wire::TcpFlags{.psh = true, .ack = true}, kRequestOctets);
        ++peers_[i].transactions;
      }
      now_ += 10us;
      const auto begin = WallClock::now();
      measured_turn();
      const std::chrono::duration<double, std::nano> taken = WallClock::now() - begin;
      times.push_back(taken.count() / static_cast<double>(options_.batch));
    }
  }

  // One batch in, everything that it brings about, everything out: what a driver's loop does.
  [[gnu::noinline]] void measured_turn() {
    if (options_.single) {
      for (RxBuffer& packet : batch_) stack_.receive(std::move(packet), now_);
    } else {
      stack_.receive(std::span<RxBuffer>(batch_), now_);
    }
    batch_.clear();
    stack_.advance(now_);
    while (const auto event = stack_.poll_event()) {
      if (event->kind == EventKind::Readable) answer(event->connection);
      if (event->kind == EventKind::Error) (void)stack_.close(event->connection);
    }
    while (stack_.poll_transmit(frame_, now_)) ++frames_;
    deadline_ = stack_.next_deadline();
  }

  void close_all() {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      add_packet(i, wire::TcpFlags{.rst = true}, 0);
      if (batch_.size() < options_.batch && i + 1 < peers_.size()) continue;
      measured_turn();
    }
    check(stack_.connection_count() == 0, "not all connections are closed");
  }

  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
  [[nodiscard]] Stack& stack() noexcept { return stack_; }
  [[nodiscard]] std::size_t size() const noexcept { return peers_.size(); }

 private:
  static Config config_of(const Options& options) {
    Config config;
    config.checksum_offload = config.tcp_segmentation_offload = true;
    config.maximum_connections = std::max<std::size_t>(options.connections, 1024);
    config.memory_budget_octets = std::size_t{16} << 30U;
    config.tcp.keepalive = options.keepalive;
    return config;
  }

  static void check(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "packet_cost: %s\n", what);
    std::exit(1);
  }

  static Endpoint remote_of(std::size_t i) {
    const auto number = static_cast<std::uint32_t>(i);
    return {IpAddress::from_v4(0xc6336401U + number / kPortsPerAddress),
            static_cast<std::uint16_t>(10'000U + number % kPortsPerAddress)};
  }

  // Puts a packet of connection `i` into the batch, with the numbers that are due.
  void add_packet(std::size_t i, wire::TcpFlags flags, std::size_t text_octets) {
    RxBuffer packet = stack_.acquire_rx_buffer();
    check(static_cast<bool>(packet), "no memory");
    const MutableBytes out = packet.space();
    const PeerConnection& peer = peers_[i];
    const std::uint32_t answered =
        options_.sink ? 0 : peer.transactions * static_cast<std::uint32_t>(kRequestOctets);
    const Endpoint remote = remote_of(i);
    wire::Ipv4Header ip;
    ip.dont_fragment = true;
    ip.protocol = wire::kProtocolTcp;
    ip.source = remote.address;
    ip.destination = kServer.address;
    ip.write(out, kHeaderOctets - wire::kIpv4MinHeaderOctets + text_octets);
    wire::TcpHeader tcp;
    tcp.source_port = remote.port;
    tcp.destination_port = kServer.port;
    tcp.flags = flags;
    tcp.seq = wire::SeqNum{kPeerIss + (flags.syn ? 0 : 1) +
                           peer.transactions * static_cast<std::uint32_t>(kRequestOctets)};
    if (flags.ack) tcp.ack = wire::SeqNum{peer.server_iss + 1 + answered};
    tcp.window = 60'000;
    (void)tcp.write(out.subspan(wire::kIpv4MinHeaderOctets));
    packet.set_packet(0, kHeaderOctets + text_octets);
    packet.meta.checksum = ChecksumStatus::Verified;
    batch_.push_back(std::move(packet));
  }

  void open(ListenerId listener, std::size_t begin, std::size_t end) {
    now_ += 10us;
    for (std::size_t i = begin; i < end; ++i) add_packet(i, wire::TcpFlags{.syn = true}, 0);
    stack_.receive(std::span<RxBuffer>(batch_), now_);
    batch_.clear();
    stack_.advance(now_);
    std::size_t i = begin;
    while (stack_.poll_transmit(frame_, now_)) {
      std::array<std::uint8_t, 2 * wire::kIpv4MaxHeaderOctets> octets;
      frame_.copy_to(octets);
      peers_[i++].server_iss = base::load_be<std::uint32_t>(octets, 24);
    }
    check(i == end, "SYN-ACKs are missing");
    now_ += 10us;
    for (i = begin; i < end; ++i) add_packet(i, wire::TcpFlags{.ack = true}, 0);
    stack_.receive(std::span<RxBuffer>(batch_), now_);
    batch_.clear();
    while (const auto event = stack_.poll_event()) {
    }
    while (stack_.accept(listener)) {
    }
    while (stack_.poll_transmit(frame_, now_)) {
    }
  }

  void answer(ConnectionId id) {
    std::array<std::uint8_t, 2 * kRequestOctets> text;
    const auto octets = stack_.read(id, text);
    check(octets.has_value(), "nothing to read");
    if (!options_.sink) (void)stack_.write(id, Bytes(text).first(*octets));
  }

  Options options_;
  SeededRandom random_{1};
  Stack stack_;
  Instant now_{};
  Instant deadline_{};
  TxFrame frame_;
  std::uint64_t frames_ = 0;
  std::vector<PeerConnection> peers_;
  std::vector<std::size_t> active_;
  std::vector<RxBuffer> batch_;
};

std::size_t resident_octets() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * 4096;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A walk over all of `count` numbers that goes far with each step.
class Walk {
 public:
  explicit Walk(std::size_t count) : count_(count), step_(count * 618 / 1000 + 1) {
    while (std::gcd(step_, count_) != 1) ++step_;
  }
  std::size_t operator()() { return at_ = (at_ + step_) % count_; }

 private:
  std::size_t count_;
  std::size_t step_;
  std::size_t at_ = 0;
};

class Kind {
 public:
  Kind(std::string name, Bench& bench, std::size_t active)
      : name_(std::move(name)), bench_(&bench), walk_(bench.size()) {
    for (std::size_t i = 0; i < active; ++i) set_.push_back(walk_());
  }

  void run(std::size_t turns) {
    bench_->round(turns, times_, [this] {
      if (set_.empty()) return walk_();
      return set_[at_++ % set_.size()];
    });
  }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] double nanoseconds() const { return median(times_); }

 private:
  std::string name_;
  Bench* bench_;
  Walk walk_;
  std::vector<std::size_t> set_;
  std::size_t at_ = 0;
  std::vector<double> times_;
};

int run(const Options& options) {
  Bench alone(options, options.batch);
  std::unique_ptr<Bench> many;
  if (options.only != "alone") {
    const std::size_t before = resident_octets();
    const auto begin = WallClock::now();
    many = std::make_unique<Bench>(options, options.connections);
    const std::chrono::duration<double> taken = WallClock::now() - begin;
    const auto count = static_cast<double>(options.connections);
    std::printf("%zu connections: %.2f s, %.0f octets each\n", options.connections, taken.count(),
                static_cast<double>(resident_octets() - before) / count);
  }
  std::vector<Kind> kinds;
  const auto add = [&](const char* name, Bench* bench, std::size_t active) {
    if (bench != nullptr && (options.only.empty() || options.only == name)) {
      kinds.emplace_back(name, *bench, active);
    }
  };
  add("alone", &alone, options.batch);
  add("among", many.get(), options.batch);
  add("spread", many.get(), 0);
  for (std::size_t i = 0; i < options.rounds; ++i) {
    for (Kind& kind : kinds) kind.run(options.turns);
  }
  for (const Kind& kind : kinds) {
    std::printf("%-7s %7.1f ns a transaction, %.2f times the first\n", kind.name().c_str(),
                kind.nanoseconds(), kind.nanoseconds() / kinds.front().nanoseconds());
  }
  if (many != nullptr && options.close) {
    const std::size_t before = resident_octets();
    many->close_all();
    std::printf("resident: %zu KiB with all, %zu KiB without\n", before >> 10U,
                resident_octets() >> 10U);
  }
  return 0;
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) {
  runnel::Options options;
  CLI::App app("What a packet costs among many connections.");
  app.add_option("--connections", options.connections, "how many, for `among` and `spread`");
  app.add_option("--batch", options.batch, "active connections, and requests a turn");
  app.add_option("--turns", options.turns, "turns of each kind in a round");
  app.add_option("--rounds", options.rounds, "of all kinds in turns");
  app.add_option("--only", options.only, "alone, among or spread");
  app.add_flag("--keepalive", options.keepalive, "every connection has a timer armed");
  app.add_flag("--single", options.single, "packets come one by one");
  app.add_flag("--sink", options.sink, "requests are not answered");
  app.add_flag("--close", options.close, "closes all in the end: is memory given back?");
  CLI11_PARSE(app, argc, argv);
  return runnel::run(options);
}
