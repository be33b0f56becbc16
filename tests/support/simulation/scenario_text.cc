// Scenarios in words, and simpler ones.
#include <array>
#include <cstdio>

#include "tests/support/simulation/scenario.h"

namespace runnel::test {
namespace {

// --- Simplifications -----------------------------------------------------------------------------

using Change = void (*)(Scenario&);

template <auto kMember, typename Value>
void on_links(Scenario& scenario, Value value) {
  scenario.to_server.*kMember = value;
  scenario.to_client.*kMember = value;
}

template <typename Call>
void on_scripts(Scenario& scenario, Call call) {
  for (ConnectionScript& connection : scenario.connections) {
    call(connection.client);
    call(connection.server);
  }
}

template <typename Call>
void on_tcp(Scenario& scenario, Call call) {
  call(scenario.client.config.tcp);
  call(scenario.server.config.tcp);
}

void halve_connections(Scenario& s) {
  s.connections.resize(std::max<std::size_t>(1, s.connections.size() / 2));
}
void drop_first_connection(Scenario& s) {
  if (s.connections.size() > 1) s.connections.erase(s.connections.begin());
}
void drop_last_connection(Scenario& s) {
  if (s.connections.size() > 1) s.connections.pop_back();
}
void halve_octets(ApplicationScript& a) {
  a.octets /= 2;
  if (a.turn_octets > 1) a.turn_octets /= 2;
  if (a.peer_turn_octets > 1) a.peer_turn_octets /= 2;
}
void no_losses(LinkOptions& link) {
  link.loss_ppm = link.burst_begins_ppm = 0;
}
void plain_disorder(LinkOptions& link) {
  link.reordering_ppm = link.duplicates_ppm = link.corruption_ppm = 0;
  link.jitter = Duration{0};
}

// From large bites to small ones.
constexpr auto kChanges = std::to_array<Change>({
    halve_connections,
    drop_first_connection,
    drop_last_connection,
    [](Scenario& s) { on_scripts(s, halve_octets); },
    [](Scenario& s) { no_losses(s.to_server); },
    [](Scenario& s) { no_losses(s.to_client); },
    [](Scenario& s) { plain_disorder(s.to_server); },
    [](Scenario& s) { plain_disorder(s.to_client); },
    [](Scenario& s) { on_links<&LinkOptions::burst_begins_ppm>(s, 0U); },
    [](Scenario& s) { on_links<&LinkOptions::loss_ppm>(s, 0U); },
    [](Scenario& s) { on_links<&LinkOptions::reordering_ppm>(s, 0U); },
    [](Scenario& s) { on_links<&LinkOptions::duplicates_ppm>(s, 0U); },
    [](Scenario& s) { on_links<&LinkOptions::corruption_ppm>(s, 0U); },
    [](Scenario& s) { on_links<&LinkOptions::jitter>(s, Duration{0}); },
    [](Scenario& s) { on_links<&LinkOptions::bits_per_second>(s, std::uint64_t{0}); },
    [](Scenario& s) { on_links<&LinkOptions::batching>(s, Duration{0}); },
    [](Scenario& s) { on_links<&LinkOptions::aggregation>(s, Aggregation{}); },
    [](Scenario& s) { on_links<&LinkOptions::path_changes>(s, std::vector<PathChange>()); },
    [](Scenario& s) { on_links<&LinkOptions::outages>(s, std::vector<Outage>()); },
    [](Scenario& s) { on_links<&LinkOptions::policer>(s, Policer{}); },
    [](Scenario& s) {
      on_links<&LinkOptions::mark_ppm>(s, 0U);
      on_links<&LinkOptions::mark_above_octets>(s, SIZE_MAX);
    },
    [](Scenario& s) { on_links<&LinkOptions::coalesces>(s, false); },
    [](Scenario& s) { s.to_server.mtu_changes.clear(); },
    [](Scenario& s) { s.to_client.mtu_changes.clear(); },
    [](Scenario& s) { on_links<&LinkOptions::reports_too_big>(s, true); },
    [](Scenario& s) { s.server.config.syn_cookies = SynCookies::WhenFull; },
    [](Scenario& s) { s.wrap = Wrap::Nobody; },
    [](Scenario& s) { s.client.is_model = false; },
    [](Scenario& s) { s.server.is_model = false; },
    [](Scenario& s) {
      s.client.config.checksum_offload = s.client.config.tcp_segmentation_offload = false;
      s.server.config.checksum_offload = s.server.config.tcp_segmentation_offload = false;
    },
    [](Scenario& s) {
      on_links<&LinkOptions::mtu_octets>(s, std::uint16_t{1500});
      s.client.config.mtu_octets = s.server.config.mtu_octets = 1500;
    },
    [](Scenario& s) { on_tcp(s, [](TcpConfig& tcp) { tcp.sack = false; }); },
    [](Scenario& s) { on_tcp(s, [](TcpConfig& tcp) { tcp.timestamps = false; }); },
    [](Scenario& s) { on_tcp(s, [](TcpConfig& tcp) { tcp.window_scaling = false; }); },
    [](Scenario& s) {
      on_tcp(s, [](TcpConfig& tcp) {
        const TcpConfig plain;
        tcp.receive_buffer_octets = plain.receive_buffer_octets;
        tcp.receive_buffer_maximum_octets = 0;
        tcp.send_buffer_octets = plain.send_buffer_octets;
        tcp.send_buffer_maximum_octets = 0;
      });
    },
    [](Scenario& s) {
      on_tcp(s, [](TcpConfig& tcp) {
        const TcpConfig plain;
        tcp.delayed_ack = plain.delayed_ack;
        tcp.quick_acks = plain.quick_acks;
        tcp.rto_minimum = plain.rto_minimum;
        tcp.initial_window = plain.initial_window;
        tcp.idle_restart = plain.idle_restart;
        tcp.mtu_probing = plain.mtu_probing;
        tcp.user_timeout_option = false;
      });
    },
    [](Scenario& s) {
      on_scripts(s, [](ApplicationScript& a) { a.next_congestion_control.reset(); });
    },
    [](Scenario& s) { on_scripts(s, [](ApplicationScript& a) { a.congestion_control.reset(); }); },
    [](Scenario& s) { on_tcp(s, [](TcpConfig& tcp) { tcp.ecn = TcpConfig().ecn; }); },
    [](Scenario& s) {
      on_tcp(s, [](TcpConfig& tcp) {
        tcp.pacing = tcp.hystart = true;
        tcp.pacing_minimum_rtt = TcpConfig().pacing_minimum_rtt;
      });
    },
    [](Scenario& s) { on_tcp(s, [](TcpConfig& tcp) { tcp.undo_spurious_recovery = true; }); },
    [](Scenario& s) { on_scripts(s, [](ApplicationScript& a) { a.pause = Duration{0}; }); },
    [](Scenario& s) {
      on_scripts(s, [](ApplicationScript& a) {
        a.read_octets = 0;
        a.read_interval = Duration{0};
      });
    },
    [](Scenario& s) {
      on_scripts(s, [](ApplicationScript& a) {
        a.write_octets = 65536;
        a.write_interval = Duration{0};
      });
    },
    [](Scenario& s) { on_scripts(s, [](ApplicationScript& a) { a.turn_octets = 0; }); },
    [](Scenario& s) { on_scripts(s, [](ApplicationScript& a) { a.keepalive = false; }); },
    [](Scenario& s) { on_scripts(s, [](ApplicationScript& a) { a.nagle = false; }); },
    [](Scenario& s) {
      for (auto& c : s.connections) c.client.octets /= 2;
    },
    [](Scenario& s) {
      for (auto& c : s.connections) c.server.octets /= 2;
    },
    [](Scenario& s) {
      for (auto& c : s.connections) c.client.ending = Ending::ShutdownThenClose;
    },
    [](Scenario& s) {
      for (auto& c : s.connections) c.server.ending = Ending::ShutdownThenClose;
    },
});

// --- In words ------------------------------------------------------------------------------------

double milliseconds(Duration time) {
  return static_cast<double>(time.count()) / 1e6;
}

// Appends "name=value " for what is not as usual.
class Words {
 public:
  void number(const char* name, std::uint64_t value, std::uint64_t usual) {
    if (value != usual) text += std::string(" ") + name + "=" + std::to_string(value);
  }
  void time(const char* name, Duration value, Duration usual = Duration{0}) {
    if (value == usual) return;
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, " %s=%.3fms", name, milliseconds(value));
    text += buffer;
  }
  void control(const char* name, const std::optional<CongestionAlgorithm>& algorithm) {
    if (algorithm) text += std::string(" ") + name + "=" + std::string(name_of(*algorithm));
  }
  std::string text;
};

std::string words(const LinkOptions& link) {
  Words w;
  w.time("delay", link.delay);
  w.number("mtu", link.mtu_octets, 1500);
  w.number("bit/s", link.bits_per_second, 0);
  w.number("queue_packets", link.queue_packets, SIZE_MAX);
  w.number("queue_octets", link.queue_octets, SIZE_MAX);
  w.number("mark_ppm", link.mark_ppm, 0);
  w.number("mark_above_octets", link.mark_above_octets, SIZE_MAX);
  w.number("policer_bit/s", link.policer.bits_per_second, 0);
  w.number("policer_burst", link.policer.burst_octets, 0);
  for (const PathChange& change : link.path_changes) {
    w.time("after", change.after, Duration{-1});
    w.time("delay", change.delay, Duration{-1});
    w.number("bit/s", change.bits_per_second, 0);
  }
  for (const Outage& outage : link.outages) {
    w.time("outage_after", outage.after, Duration{-1});
    w.time("for", outage.lasts, Duration{-1});
  }
  w.time("aggregation", link.aggregation.interval);
  w.number("aggregation_packets", link.aggregation.packets, SIZE_MAX);
  w.number("loss_ppm", link.loss_ppm, 0);
  if (link.burst_begins_ppm > 0) {
    w.number("burst_begins_ppm", link.burst_begins_ppm, 0);
    w.number("burst_ends_ppm", link.burst_ends_ppm, 0);
    w.number("burst_loss_ppm", link.burst_loss_ppm, 0);
  }
  if (link.reordering_ppm > 0) {
    w.number("reordering_ppm", link.reordering_ppm, 0);
    w.time("by", link.reordering_delay);
  }
  w.number("duplicates_ppm", link.duplicates_ppm, 0);
  w.number("corruption_ppm", link.corruption_ppm, 0);
  w.number("forgery_ppm", link.forgery_ppm, 0);
  w.time("jitter", link.jitter);
  w.time("batching", link.batching);
  w.number("coalesces", link.coalesces ? 1 : 0, 0);
  for (const MtuChange& change : link.mtu_changes) {
    w.time("after", change.after, Duration{-1});
    w.number("mtu", change.mtu_octets, 0);
  }
  w.number("reports_too_big", link.reports_too_big ? 1 : 0, 1);
  return w.text;
}

std::string words(const SideOptions& side) {
  if (side.is_model) {
    return " model peer, ecn " + std::to_string(static_cast<int>(side.config.tcp.ecn));
  }
  const Config plain_config;
  const TcpConfig& plain = plain_config.tcp;
  const TcpConfig& tcp = side.config.tcp;
  Words w;
  w.number("mtu", side.config.mtu_octets, 1500);
  w.number("timestamps", tcp.timestamps, 1);
  w.number("sack", tcp.sack, 1);
  w.number("window_scaling", tcp.window_scaling, 1);
  w.number("receive_buffer", tcp.receive_buffer_octets, plain.receive_buffer_octets);
  w.number("receive_maximum", tcp.receive_buffer_maximum_octets,
           plain.receive_buffer_maximum_octets);
  w.number("send_buffer", tcp.send_buffer_octets, plain.send_buffer_octets);
  w.number("send_maximum", tcp.send_buffer_maximum_octets, plain.send_buffer_maximum_octets);
  w.time("delayed_ack", tcp.delayed_ack, plain.delayed_ack);
  w.number("quick_acks", tcp.quick_acks, plain.quick_acks);
  w.time("rto_minimum", tcp.rto_minimum, plain.rto_minimum);
  w.number("undo", tcp.undo_spurious_recovery, 1);
  w.number("initial_window_rfc3390", tcp.initial_window == InitialWindow::Rfc3390, 0);
  w.number("idle_restart_rfc7661", tcp.idle_restart == IdleRestart::Rfc7661, 0);
  w.number("accept_missing_timestamps", tcp.accept_missing_timestamps, 1);
  w.number("mtu_probing", static_cast<std::uint64_t>(tcp.mtu_probing),
           static_cast<std::uint64_t>(plain.mtu_probing));
  w.number("user_timeout_option", tcp.user_timeout_option, 0);
  w.number("ecn", static_cast<std::uint64_t>(tcp.ecn), static_cast<std::uint64_t>(plain.ecn));
  w.number("pacing", tcp.pacing, 1);
  w.time("pacing_minimum_rtt", tcp.pacing_minimum_rtt, plain.pacing_minimum_rtt);
  w.number("hystart", tcp.hystart, 1);
  w.number("syn_cookies", static_cast<std::uint64_t>(side.config.syn_cookies),
           static_cast<std::uint64_t>(plain_config.syn_cookies));
  w.number("checksum_offload", side.config.checksum_offload, 0);
  w.number("segmentation_offload", side.config.tcp_segmentation_offload, 0);
  return w.text;
}

std::string words(const ApplicationScript& script) {
  static constexpr const char* kEndings[] = {"shutdown, then close", "close at the end",
                                             "close when done", "close with unread", "abort"};
  Words w;
  w.number("octets", script.octets, UINT64_MAX);
  w.number("write_octets", script.write_octets, 65536);
  w.time("write_interval", script.write_interval);
  w.number("turn", script.turn_octets, 0);
  w.number("read_octets", script.read_octets, 0);
  w.time("read_interval", script.read_interval);
  if (script.pause > Duration{0}) {
    w.number("pause_at", script.pause_at, UINT64_MAX);
    w.time("pause", script.pause);
  }
  w.number("nagle", script.nagle, 1);
  w.number("keepalive", script.keepalive, 0);
  w.control("cc", script.congestion_control);
  w.control("then", script.next_congestion_control);
  if (script.next_congestion_control) w.number("from", script.next_congestion_control_at, 0);
  w.text += std::string(", ") + kEndings[static_cast<std::size_t>(script.ending)];
  if (!is_orderly(script.ending)) {
    w.number("at", script.ending_at, UINT64_MAX);
    w.time("after", script.ending_after);
  }
  return w.text;
}

}  // namespace

std::size_t simplification_count() {
  return kChanges.size();
}

bool simplify(Scenario& scenario, std::size_t way) {
  if (way >= kChanges.size()) return false;
  const std::string before = describe(scenario);
  kChanges[way](scenario);
  return describe(scenario) != before;
}

std::string describe(const Scenario& scenario) {
  std::string text =
      "  to server:" + words(scenario.to_server) + "\n  to client:" + words(scenario.to_client) +
      "\n  client:" + words(scenario.client) + "\n  server:" + words(scenario.server) + "\n";
  if (scenario.wrap != Wrap::Nobody) {
    text += std::string("  the ISN of the ") +
            (scenario.wrap == Wrap::Client ? "client" : "server") + " is " +
            std::to_string(scenario.octets_before_wrap) + " octets before the wrap\n";
  }
  for (const ConnectionScript& connection : scenario.connections) {
    Words w;
    w.time("after", connection.open_after);
    text += "  connection" + w.text + "\n    client:" + words(connection.client) +
            "\n    server:" + words(connection.server) + "\n";
  }
  return text;
}

}  // namespace runnel::test
