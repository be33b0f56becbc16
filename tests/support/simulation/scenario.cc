#include "tests/support/simulation/scenario.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runnel/random.h"
#include "tests/support/simulation/failure.h"
#include "tests/support/simulation/simulation.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

// Random numbers as scenarios need them.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15U + 1) {}
  [[nodiscard]] bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + random_.below(high - low + 1);
  }
  // Every order of magnitude is as likely as any other.
  [[nodiscard]] std::uint64_t log_between(std::uint64_t low, std::uint64_t high) {
    const double unit = static_cast<double>(random_.below(1U << 30U)) / (1U << 30U);
    const double ratio = static_cast<double>(high) / static_cast<double>(low);
    return std::min(high,
                    static_cast<std::uint64_t>(static_cast<double>(low) * std::pow(ratio, unit)));
  }
  [[nodiscard]] Duration time(Duration low, Duration high) {
    return Duration(static_cast<Duration::rep>(log_between(
        static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
  }
  [[nodiscard]] std::uint32_t ppm(std::uint32_t low, std::uint32_t high) {
    return static_cast<std::uint32_t>(log_between(low, high));
  }

 private:
  SeededRandom random_;
};

// --- Links ---------------------------------------------------------------------------------------

void roll_losses(Dice& dice, LinkOptions& link) {
  if (dice.one_in(2)) link.loss_ppm = dice.ppm(500, dice.one_in(8) ? 300'000 : 50'000);
  if (dice.one_in(6)) {
    link.burst_begins_ppm = dice.ppm(1'000, 30'000);
    link.burst_ends_ppm = dice.ppm(50'000, 500'000);
    link.burst_loss_ppm = static_cast<std::uint32_t>(dice.between(300'000, 1'000'000));
  }
  if (dice.one_in(4)) {
    link.reordering_ppm = dice.ppm(1'000, 300'000);
    link.reordering_delay = dice.time(10us, 100ms);
  }
  if (dice.one_in(4)) link.duplicates_ppm = dice.ppm(1'000, 200'000);
  if (dice.one_in(6)) link.corruption_ppm = dice.ppm(1'000, 50'000);
  if (dice.one_in(4)) link.jitter = dice.time(1us, 20ms);
}

void roll_bottleneck(Dice& dice, LinkOptions& link) {
  if (dice.one_in(3)) return;
  link.bits_per_second = dice.log_between(200'000, 10'000'000'000);
  if (dice.one_in(2)) {
    link.queue_packets = dice.log_between(2, 200);
  } else {
    link.queue_octets = dice.log_between(std::size_t{2} * link.mtu_octets, 1'000'000);
  }
}

std::uint16_t roll_mtu(Dice& dice) {
  if (dice.one_in(2)) return 1500;
  if (dice.one_in(3)) return static_cast<std::uint16_t>(dice.between(576, 9000));
  static constexpr std::uint16_t kCommon[] = {576, 1280, 1420, 1492, 4352, 9000};
  return kCommon[dice.between(0, 5)];
}

void roll_path(Dice& dice, Scenario& scenario) {
  const Duration delay = dice.time(25us, 200ms);
  const std::uint16_t mtu = roll_mtu(dice);
  for (LinkOptions* const link : {&scenario.to_server, &scenario.to_client}) {
    link->delay = dice.one_in(5) ? dice.time(25us, 200ms) : delay;
    link->mtu_octets = mtu;
    roll_bottleneck(dice, *link);
  }
  const bool bad_up = dice.one_in(2);
  const bool bad_down = dice.one_in(2);
  if (bad_up) roll_losses(dice, scenario.to_server);
  if (bad_down) roll_losses(dice, scenario.to_client);
  if (dice.one_in(10)) {  // the path's MTU goes down, and perhaps up again; routers say so or not
    LinkOptions& link = dice.one_in(2) ? scenario.to_server : scenario.to_client;
    const auto smaller = static_cast<std::uint16_t>(dice.between(576, mtu));
    link.reports_too_big = !dice.one_in(3);
    link.mtu_changes.push_back({dice.time(1ms, 2s), smaller});
    if (dice.one_in(2)) {
      link.mtu_changes.push_back({link.mtu_changes.back().after + dice.time(1ms, 20s), mtu});
    }
  }
  if (dice.one_in(5)) {
    scenario.to_server.batching = scenario.to_client.batching = dice.time(5us, 500us);
  }
  scenario.client.config.mtu_octets = scenario.server.config.mtu_octets = mtu;
}

// What newer parts of a network do: dice of their own, so that a seed keeps its older properties.
void roll_modern_link(Dice& dice, LinkOptions& link) {
  if (dice.one_in(6)) link.mark_ppm = dice.ppm(1'000, 300'000);
  if (link.bits_per_second > 0 && dice.one_in(4)) {
    link.mark_above_octets = dice.log_between(link.mtu_octets, 200'000);
  }
  if (dice.one_in(12)) {
    link.policer.bits_per_second = dice.log_between(300'000, 1'000'000'000);
    link.policer.burst_octets = dice.log_between(std::size_t{2} * link.mtu_octets, 300'000);
  }
  if (dice.one_in(10)) {
    Duration after{0};
    for (std::uint64_t left = dice.between(1, 3); left > 0; --left) {
      after += dice.time(1ms, 5s);
      const bool has_rate = link.bits_per_second > 0;
      link.path_changes.push_back({after, dice.time(25us, 200ms),
                                   has_rate ? dice.log_between(200'000, 10'000'000'000) : 0});
    }
  }
  if (dice.one_in(16)) link.outages.push_back({dice.time(1ms, 5s), dice.time(10ms, 20s)});
  if (dice.one_in(8)) {
    link.aggregation.interval = dice.time(200us, 20ms);
    link.aggregation.packets = dice.log_between(2, 64);
  }
}

// --- Stacks --------------------------------------------------------------------------------------

std::size_t roll_buffer(Dice& dice) {
  return dice.log_between(600, 2'000'000);
}

void roll_stack(Dice& dice, Config& config) {
  TcpConfig& tcp = config.tcp;
  tcp.timestamps = !dice.one_in(4);
  tcp.sack = !dice.one_in(4);
  tcp.window_scaling = !dice.one_in(5);
  if (!dice.one_in(3)) {  // else the defaults, which grow
    tcp.receive_buffer_octets = roll_buffer(dice);
    tcp.send_buffer_octets = roll_buffer(dice);
    const bool fixed = dice.one_in(2);
    tcp.receive_buffer_maximum_octets = fixed ? 0 : tcp.receive_buffer_octets * 8;
    tcp.send_buffer_maximum_octets = fixed ? 0 : tcp.send_buffer_octets * 8;
  }
  if (dice.one_in(4)) tcp.delayed_ack = dice.time(1ms, 500ms);
  if (dice.one_in(4)) tcp.quick_acks = static_cast<std::uint8_t>(dice.between(0, 32));
  if (dice.one_in(6)) tcp.undo_spurious_recovery = false;
  if (dice.one_in(6)) tcp.rto_minimum = dice.time(5ms, 1s);
  if (dice.one_in(8)) tcp.initial_window = InitialWindow::Rfc3390;
  if (dice.one_in(8)) tcp.idle_restart = IdleRestart::Rfc7661;
  if (dice.one_in(8)) tcp.accept_missing_timestamps = false;
  if (dice.one_in(8)) tcp.keepalive_with_octet = true;
  if (dice.one_in(8)) tcp.mtu_probing = dice.one_in(4) ? MtuProbing::Off : MtuProbing::Always;
  if (dice.one_in(8)) tcp.user_timeout_option = true;
  tcp.keepalive_idle = dice.time(5s, 100s);
  if (dice.one_in(4)) config.checksum_offload = true;
  if (config.checksum_offload && !dice.one_in(4)) config.tcp_segmentation_offload = true;
  // Nobody gives up: whatever the losses, everything has to arrive.
  tcp.user_timeout_lower_limit = tcp.user_timeout_upper_limit = 48h;
  tcp.r2 = tcp.r2_syn = kForever;
  tcp.syn_ack_retransmissions = 60;
  tcp.keepalive_probes = 250;
  // A closed connection waits in FIN-WAIT-2 for longer than any application pauses: it would reset
  // a peer that has not read everything yet.
  tcp.fin_wait_2 = 1h;
}

void roll_modern_stack(Dice& dice, Config& config) {
  TcpConfig& tcp = config.tcp;
  tcp.ecn = static_cast<EcnMode>(dice.between(0, 3));
  if (dice.one_in(6)) tcp.pacing = false;
  if (dice.one_in(4)) tcp.pacing_minimum_rtt = Duration{0};
  if (dice.one_in(4)) tcp.hystart = false;
  tcp.is_controlled_network = true;  // or nobody may choose DCTCP
}

// Who hears nothing from the routers has to find out by itself what the path carries.
void never_without_probes(Config& config) {
  if (config.tcp.mtu_probing == MtuProbing::Off) config.tcp.mtu_probing = MtuProbing::BlackHole;
}

// The model peer has no card that helps it.
void make_model(SideOptions& side) {
  side.is_model = true;
  side.config.checksum_offload = side.config.tcp_segmentation_offload = false;
}

// --- Applications --------------------------------------------------------------------------------

Ending roll_ending(Dice& dice) {
  static constexpr Ending kOrderly[] = {Ending::ShutdownThenClose, Ending::ShutdownThenClose,
                                        Ending::CloseAtEnd, Ending::CloseWhenDone};
  return kOrderly[dice.between(0, 3)];
}

void roll_pace(Dice& dice, ApplicationScript& script, std::uint64_t incoming_octets) {
  if (dice.one_in(4)) script.write_octets = static_cast<std::uint32_t>(dice.log_between(1, 20'000));
  if (script.octets > 0 && dice.one_in(8)) {
    script.write_octets = std::max(
        script.write_octets,
        static_cast<std::uint32_t>(std::min<std::uint64_t>(script.octets / 100 + 1, 65536)));
    script.write_octets = std::min(script.write_octets, 65536U);
    script.write_interval = dice.time(10us, 50ms);
  }
  if (dice.one_in(6)) {  // a slow reader
    script.read_octets =
        static_cast<std::uint32_t>(incoming_octets / dice.between(3, 60) + dice.between(1, 500));
    script.read_interval = dice.time(100us, 500ms);
  }
  if (dice.one_in(8)) {  // a window that closes
    script.pause_at = dice.between(0, incoming_octets);
    script.pause = dice.time(10ms, 100s);
  }
  script.nagle = !dice.one_in(4);
  script.keepalive = dice.one_in(6);
}

void roll_disorder(Dice& dice, ApplicationScript& script, std::uint64_t incoming_octets) {
  script.ending = dice.one_in(2) ? Ending::Abort : Ending::CloseWithUnread;
  script.ending_at = dice.between(0, incoming_octets);
  script.ending_after = dice.time(100us, 10s);
}

// The model is no host of a data center: to it, DCTCP's SYNs are wrong (RFC 8257 section 3.6).
void roll_control(Dice& dice, ApplicationScript& script, bool peer_is_model) {
  const auto algorithms = all_congestion_algorithms();
  const auto any = [&] {
    const CongestionAlgorithm chosen = algorithms[dice.between(0, algorithms.size() - 1)];
    return peer_is_model && name_of(chosen) == "dctcp" ? CongestionAlgorithm::NewReno : chosen;
  };
  script.congestion_control = any();
  if (!dice.one_in(10)) return;
  script.next_congestion_control = any();
  script.next_congestion_control_at = dice.between(0, script.octets);
}

ConnectionScript roll_connection(Dice& dice, std::uint64_t most_octets) {
  ConnectionScript script;
  const std::uint64_t kind = dice.between(0, 9);
  if (kind < 4) {  // bulk, one way
    (dice.one_in(2) ? script.client : script.server).octets = dice.log_between(200, most_octets);
  } else if (kind < 6) {  // bulk, both ways
    script.client.octets = dice.log_between(200, most_octets);
    script.server.octets = dice.log_between(200, most_octets);
  } else if (kind < 9) {  // request and response
    const std::uint64_t rounds = dice.between(1, 12);
    script.client.turn_octets = script.server.peer_turn_octets = dice.log_between(1, 3'000);
    script.server.turn_octets = script.client.peer_turn_octets =
        dice.log_between(1, std::max<std::uint64_t>(2, most_octets / rounds));
    script.client.octets = rounds * script.client.turn_octets;
    script.server.octets = rounds * script.server.turn_octets;
    script.server.speaks_first = false;
  } else {  // octet by octet
    script.client.octets = dice.between(1, 200);
    script.client.write_octets = 1;
    if (dice.one_in(2)) script.client.write_interval = dice.time(10us, 20ms);
  }
  roll_pace(dice, script.client, script.server.octets);
  roll_pace(dice, script.server, script.client.octets);
  script.client.ending = roll_ending(dice);
  script.server.ending = roll_ending(dice);
  // Somebody has to begin.
  if (script.client.ending == Ending::CloseAtEnd && script.server.ending == Ending::CloseAtEnd) {
    script.client.ending = Ending::ShutdownThenClose;
  }
  if (dice.one_in(6)) {
    const bool client = dice.one_in(2);
    roll_disorder(dice, client ? script.client : script.server,
                  client ? script.server.octets : script.client.octets);
  }
  return script;
}

}  // namespace

bool Scenario::is_orderly() const {
  return std::all_of(connections.begin(), connections.end(), [](const ConnectionScript& script) {
    return test::is_orderly(script.client.ending) && test::is_orderly(script.server.ending);
  });
}

bool Scenario::loses_packets() const {
  const auto loses = [](const LinkOptions& link) {
    return link.loss_ppm > 0 || link.burst_begins_ppm > 0 || link.corruption_ppm > 0 ||
           link.reordering_ppm > 0 || !link.mtu_changes.empty() || link.bits_per_second > 0 ||
           !link.path_changes.empty() || !link.outages.empty() || link.policer.bits_per_second > 0;
  };
  return loses(to_server) || loses(to_client);
}

Scenario random_scenario(std::uint64_t seed) {
  Dice dice(seed);
  Dice modern_dice(~seed);
  Scenario scenario;
  scenario.seed = seed;
  roll_path(dice, scenario);
  roll_modern_link(modern_dice, scenario.to_server);
  roll_modern_link(modern_dice, scenario.to_client);
  roll_stack(dice, scenario.client.config);
  roll_stack(dice, scenario.server.config);
  if (!scenario.to_server.reports_too_big) never_without_probes(scenario.client.config);
  if (!scenario.to_client.reports_too_big) never_without_probes(scenario.server.config);
  if (dice.one_in(3)) {
    make_model(dice.one_in(2) ? scenario.client : scenario.server);
    scenario.to_server.reports_too_big = scenario.to_client.reports_too_big = true;
  }
  scenario.to_client.coalesces = scenario.client.config.tcp_segmentation_offload && dice.one_in(2);
  scenario.to_server.coalesces = scenario.server.config.tcp_segmentation_offload && dice.one_in(2);

  const std::uint64_t most_octets = dice.one_in(10) ? 4'000'000 : 400'000;
  const std::uint64_t connections = dice.one_in(8) ? dice.between(2, 12) : 1;
  for (std::uint64_t i = 0; i < connections; ++i) {
    scenario.connections.push_back(
        roll_connection(dice, connections > 1 ? most_octets / 4 : most_octets));
    if (i > 0) scenario.connections.back().open_after = dice.time(1us, 2s);
  }
  roll_modern_stack(modern_dice, scenario.client.config);
  roll_modern_stack(modern_dice, scenario.server.config);
  for (ConnectionScript& script : scenario.connections) {
    roll_control(modern_dice, script.client, scenario.server.is_model);
    roll_control(modern_dice, script.server, scenario.client.is_model);
  }
  // Cookies do not survive everything: only the segment right behind the SYN brings the cookie
  // back, and when it is lost nobody knows of the connection.
  const bool clients_speak =
      std::all_of(scenario.connections.begin(), scenario.connections.end(),
                  [](const ConnectionScript& script) { return script.client.octets > 0; });
  if (clients_speak && !scenario.loses_packets() && dice.one_in(8))
    scenario.server.config.syn_cookies = SynCookies::Always;
  if (dice.one_in(8)) {
    scenario.wrap = dice.one_in(2) ? Wrap::Client : Wrap::Server;
    scenario.octets_before_wrap = static_cast<std::uint32_t>(dice.log_between(1, 60'000)) - 1;
  }
  return scenario;
}

// The ISN grows by one every four microseconds (RFC 9293 section 3.4.1), so the handshake of a dry
// run tells when it will be where it is wanted.
void apply_wrap(Scenario& scenario) {
  if (scenario.wrap == Wrap::Nobody) return;
  Scenario dry = scenario;
  dry.wrap = Wrap::Nobody;
  for (LinkOptions* const link : {&dry.to_server, &dry.to_client}) {
    const LinkOptions& from = link == &dry.to_server ? scenario.to_server : scenario.to_client;
    *link = LinkOptions{};
    link->delay = from.delay;
    link->mtu_octets = from.mtu_octets;
  }
  Simulation simulation(dry);
  simulation.run_for(dry.to_server.delay + dry.to_client.delay + 1ms);
  const std::uint32_t isn = simulation.first_isn(scenario.wrap == Wrap::Client);
  const std::uint32_t wanted = 0U - 1U - scenario.octets_before_wrap;
  scenario.start += Duration(std::int64_t{wanted - isn} * 4000);
}

}  // namespace runnel::test
