// The only file that includes CLI11, which takes seconds to compile.
#include "apps/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/impairment_text.h"

namespace runnel::apps {
namespace {

constexpr int kSmallestMtu = 68;  // RFC 791: every host must be able to forward that
constexpr int kLargestMtu = 65535;
constexpr int kLargestPort = 65535;
constexpr std::size_t kLargestPingPayload = 65535 - 20 - 8;
constexpr unsigned kMostQueues = 64;
// What --busy-poll alone means.
constexpr const char* kBusyPoll = "1ms";

// Flags as they were typed, before they are known to make sense.
struct LinkText {
  std::string address = "192.0.2.2/24";
  std::string peer;
  int mtu_octets = 0;
  bool no_offload = false;
  bool no_timestamps = false;
  bool no_sack = false;
  bool no_window_scaling = false;
  bool no_pacing = false;
  std::string congestion_control{name_of(TcpConfig{}.congestion_control)};
  std::string ecn = "when-asked";
  std::string impairment;
};

[[noreturn]] void refuse(const std::string& flag, const std::string& why) {
  throw CLI::ValidationError(flag, why);
}

std::vector<std::string_view> congestion_names() {
  std::vector<std::string_view> names;
  for (const CongestionAlgorithm one : all_congestion_algorithms()) names.push_back(name_of(one));
  return names;
}

// In the order of EcnMode.
constexpr std::array<std::string_view, 4> kEcnNames = {"off", "when-asked", "classic", "accurate"};

EcnMode parse_ecn(std::string_view text) {
  const auto* const found = std::find(kEcnNames.begin(), kEcnNames.end(), text);
  if (found == kEcnNames.end()) {
    refuse("--ecn", fmt::format("{} is none of {}", text, fmt::join(kEcnNames, ", ")));
  }
  return static_cast<EcnMode>(found - kEcnNames.begin());
}

void add_link_options(CLI::App& app, LinkOptions& link, LinkText& text) {
  app.add_option("--tun", link.device, "TUN device; created when it is not there")
      ->capture_default_str();
  app.add_option("--address", text.address,
                 "address of this host, with its network's prefix length")
      ->capture_default_str();
  app.add_option("--peer", text.peer,
                 "the kernel's address on a device that runnel creates (default: the first other "
                 "host of the network)");
  app.add_option("--mtu", text.mtu_octets, "octets of IP packet (default: the device's)")
      ->check(CLI::Range(kSmallestMtu, kLargestMtu));
  app.add_flag("--no-offload", text.no_offload, "no checksum and segmentation offload");
  app.add_flag("--no-timestamps", text.no_timestamps, "no TCP timestamps (RFC 7323)");
  app.add_flag("--no-sack", text.no_sack, "no selective acknowledgments (RFC 2018)");
  app.add_flag("--no-window-scaling", text.no_window_scaling, "no TCP window scaling (RFC 7323)");
  app.add_option("--cc", text.congestion_control,
                 fmt::format("congestion control: {}", fmt::join(congestion_names(), ", ")))
      ->capture_default_str();
  app.add_flag("--controlled-network", link.is_controlled_network,
               "every host and router of the path is one operator's: permits dctcp (RFC 8257)");
  app.add_flag("--no-pacing", text.no_pacing, "send what the window permits at once");
  app.add_option("--ecn", text.ecn,
                 fmt::format("explicit congestion notification: {}", fmt::join(kEcnNames, ", ")))
      ->capture_default_str();
  app.add_option("--impair", text.impairment,
                 "treat packets both ways as a bad path does, for instance delay=20ms,jitter=2ms,"
                 "loss=1%,reorder=2%,dup=1%,corrupt=0.5%,mark=1%,rate=200mbit,queue=500,seed=1");
  app.add_option("--pcap", link.capture_path, "write every packet to this file");
  app.add_flag("-v,--verbose", link.verbose,
               "print every packet, one line each, and totals at the end, to stderr");
}

void add_trace_option(CLI::App& app, LinkOptions& link) {
  app.add_option("--trace", link.trace_path,
                 "write every transmission and acknowledgment to this file, as CSV for "
                 "scripts/plot");
}

bool is_host_address(const IpPrefix& prefix, const IpAddress& address) {
  if (address.is_unspecified() || address.is_loopback() || address.is_multicast() ||
      address.is_limited_broadcast() || address.is_reserved()) {
    return false;
  }
  if (prefix.length >= 31) return true;  // RFC 3021: both addresses are hosts
  return address != prefix.network() && address != prefix.directed_broadcast();
}

void check_link(LinkOptions& link, const LinkText& text) {
  const std::optional<IpPrefix> address = IpPrefix::parse_v4(text.address);
  if (!address || address->length == 0) {
    refuse("--address", fmt::format("{} is not IPv4 CIDR, such as 192.0.2.2/24", text.address));
  }
  if (!is_host_address(*address, address->address)) {
    refuse("--address", fmt::format("{} is not the address of a host", text.address));
  }
  link.address = *address;
  link.peer = address->first_other_host();
  if (!text.peer.empty()) {
    link.peer = IpAddress::parse_v4(text.peer);
    if (!link.peer) refuse("--peer", text.peer + " is not an IPv4 address");
    if (*link.peer == address->address) refuse("--peer", text.peer + " is --address itself");
    if (!address->contains(*link.peer)) {
      refuse("--peer", fmt::format("{} is not in the network of {}", text.peer, text.address));
    }
    if (!is_host_address(*address, *link.peer)) {
      refuse("--peer", text.peer + " is not the address of a host");
    }
  }
  if (link.device.empty() || link.device.size() > 15) {  // IFNAMSIZ with its NUL
    refuse("--tun", "a device's name has 1 to 15 octets");
  }
  if (text.mtu_octets != 0) link.mtu_octets = static_cast<std::uint16_t>(text.mtu_octets);
  link.timestamps = !text.no_timestamps;
  link.sack = !text.no_sack;
  link.window_scaling = !text.no_window_scaling;
  link.pacing = !text.no_pacing;
  const auto algorithm = find_congestion_algorithm(text.congestion_control);
  if (!algorithm) {
    refuse("--cc", fmt::format("{} is none of {}", text.congestion_control,
                               fmt::join(congestion_names(), ", ")));
  }
  link.congestion_control = *algorithm;
  link.ecn = parse_ecn(text.ecn);
  if (!text.impairment.empty()) {
    const ImpairmentText read = parse_impairment(text.impairment);
    if (!read.refused.empty()) refuse("--impair", read.refused);
    link.impairment = read.impairment;
  }
  link.offload = !text.no_offload && !link.impairment;
}

IpAddress parse_host(const std::string& text) {
  const std::optional<IpAddress> host = IpAddress::parse_v4(text);
  if (!host) refuse("HOST", text + " is not a dotted quad, such as 192.0.2.1");
  return *host;
}

struct ServeParser {
  explicit ServeParser(CLI::App& parent)
      : app(*parent.add_subcommand("serve", "answer on a TUN device: echo, HTTP, chat and more")) {
    add_link_options(app, command.link, text);
    for (Service& service : services) {
      app.add_option(service.flag, service.port, service.help)
          ->check(CLI::Range(0, kLargestPort))
          ->capture_default_str();
    }
    add_trace_option(app, command.link);
    app.add_option("--queues", command.link.queues,
                   "queues of the device, each with a stack and a thread of its own")
        ->check(CLI::Range(1U, kMostQueues))
        ->capture_default_str();
    app.add_option("--busy-poll", busy_poll,
                   fmt::format("ask the device for packets for up to this time before going to "
                               "sleep, as long as they come: quicker answers, a busy processor "
                               "(without a value: {})",
                               kBusyPoll))
        ->expected(0, 1)
        ->default_str(kBusyPoll);
    app.add_option("--http-root", command.http_root, "directory of static files for HTTP");
    app.add_flag("--fast-open", command.link.fast_open,
                 "take data in the SYN (RFC 7413); a service may see them twice");
  }

  [[nodiscard]] ServeCommand checked() {
    check_link(command.link, text);
    check_queues();
    for (const Service& service : services) {
      for (const Service& other : services) {
        if (&service != &other && service.port != 0 && service.port == other.port) {
          refuse(service.flag, fmt::format("port {} is {}'s too", service.port, other.flag));
        }
      }
      *service.target = static_cast<std::uint16_t>(service.port);
    }
    return std::move(command);
  }

  void check_queues() {
    LinkOptions& link = command.link;
    if (app.count("--busy-poll") > 0) {
      link.busy_poll = parse_duration(busy_poll.empty() ? kBusyPoll : busy_poll);
      if (!link.busy_poll)
        refuse("--busy-poll", busy_poll + " is not a time, such as 200us or 1ms");
    }
    if (link.queues == 1) return;
    // These are about the packets of one stack, in one order.
    if (!link.capture_path.empty()) refuse("--queues", "--pcap takes one queue");
    if (!link.trace_path.empty()) refuse("--queues", "--trace takes one queue");
    if (link.impairment) refuse("--queues", "--impair takes one queue");
  }

  struct Service {
    const char* flag;
    const char* help;
    std::uint16_t* target;
    int port;
  };

  CLI::App& app;
  LinkText text;
  std::string busy_poll;
  ServeCommand command;
  std::array<Service, 5> services{{
      {"--echo", "port of echo (RFC 862); 0: off", &command.echo_port, command.echo_port},
      {"--discard", "port of discard (RFC 863); 0: off", &command.discard_port,
       command.discard_port},
      {"--chargen", "port of chargen (RFC 864); 0: off", &command.chargen_port,
       command.chargen_port},
      {"--http", "port of HTTP/1.1; 0: off", &command.http_port, command.http_port},
      {"--chat", "port of the chat; 0: off", &command.chat_port, command.chat_port},
  }};
};

struct ConnectParser {
  explicit ConnectParser(CLI::App& parent)
      : app(*parent.add_subcommand("connect",
                                   "join standard input and output to a TCP connection")) {
    app.add_option("HOST", host, "IPv4 address")->required();
    app.add_option("PORT", port, "TCP port")->required()->check(CLI::Range(1, kLargestPort));
    add_link_options(app, command.link, text);
    add_trace_option(app, command.link);
  }

  [[nodiscard]] ConnectCommand checked() {
    check_link(command.link, text);
    command.remote = {parse_host(host), static_cast<std::uint16_t>(port)};
    return std::move(command);
  }

  CLI::App& app;
  LinkText text;
  std::string host;
  int port = 0;
  ConnectCommand command;
};

struct PingParser {
  explicit PingParser(CLI::App& parent)
      : app(*parent.add_subcommand("ping", "send ICMP echo requests")) {
    app.add_option("HOST", host, "IPv4 address")->required();
    app.add_option("-c", count, "how many requests (default: until interrupted)")
        ->check(CLI::PositiveNumber);
    app.add_option("-i", seconds, "seconds between requests")
        ->check(CLI::Range(0.001, 3600.0))
        ->capture_default_str();
    app.add_option("-s", command.payload_octets, "octets of payload")
        ->check(CLI::Range(std::size_t{0}, kLargestPingPayload))
        ->capture_default_str();
    add_link_options(app, command.link, text);
  }

  [[nodiscard]] PingCommand checked() {
    check_link(command.link, text);
    command.host = parse_host(host);
    if (count != 0) command.count = count;
    command.interval = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    return std::move(command);
  }

  CLI::App& app;
  LinkText text;
  std::string host;
  std::uint64_t count = 0;
  double seconds = 1.0;
  PingCommand command;
};

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  CLI::App app("runnel: a TCP/IP stack in user space, on a TUN device", "runnel");
  app.require_subcommand(1);
  ServeParser serve(app);
  ConnectParser connect(app);
  PingParser ping(app);
  try {
    app.parse(argc, argv);
    if (serve.app.parsed()) return serve.checked();
    if (connect.app.parsed()) return connect.checked();
    return ping.checked();
  } catch (const CLI::ParseError& error) {
    std::ostringstream output;
    std::ostringstream reason;
    if (app.exit(error, output, reason) == 0) return ExitNow{kExitDone, output.str(), {}};
    return ExitNow{
        kExitUsage,
        {},
        fmt::format("runnel: {}\nrun `runnel --help` for what there is\n", error.what())};
  }
}

}  // namespace runnel::apps
