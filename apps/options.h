// The command line as values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "runnel/config.h"
#include "runnel/endpoint.h"
#include "runnel/impairment.h"
#include "runnel/ip_address.h"
#include "runnel/time.h"

namespace runnel::apps {

// The TUN device and the host behind it: the same flags for every subcommand.
struct LinkOptions {
  std::string device = "tun0";
  IpPrefix address{IpAddress(192, 0, 2, 2), 24};
  std::optional<IpAddress> peer;  // none only for a /32
  std::optional<std::uint16_t> mtu_octets;
  bool offload = true;  // never with an impairment, which treats each segment by itself
  // TCP options that are offered, and agreed to.
  bool timestamps = true;
  bool sack = true;
  bool window_scaling = true;
  bool fast_open = false;  // of `serve`
  CongestionAlgorithm congestion_control = TcpConfig{}.congestion_control;
  bool is_controlled_network = false;  // permits DCTCP
  bool pacing = true;
  EcnMode ecn = TcpConfig{}.ecn;
  unsigned queues = 1;                // of `serve`: of the device, each with a stack of its own
  std::optional<Duration> busy_poll;  // of `serve`
  std::optional<tun::Impairment> impairment;
  std::string capture_path;  // empty: none
  std::string trace_path;    // of `serve` and `connect`; empty: none
  bool verbose = false;
};

// `runnel serve`. Port 0 switches a service off.
struct ServeCommand {
  LinkOptions link;
  std::uint16_t echo_port = 7;
  std::uint16_t discard_port = 9;
  std::uint16_t chargen_port = 19;
  std::uint16_t http_port = 80;
  std::uint16_t chat_port = 4000;
  std::string http_root;
};

// `runnel connect HOST PORT`.
struct ConnectCommand {
  LinkOptions link;
  Endpoint remote;
};

// `runnel ping HOST`.
struct PingCommand {
  LinkOptions link;
  IpAddress host;
  std::optional<std::uint64_t> count;  // none: until it is interrupted
  Duration interval = std::chrono::seconds(1);
  std::size_t payload_octets = 56;
};

// Nothing to run: say this and leave.
struct ExitNow {
  int code = 0;
  std::string output;  // for standard output
  std::string error;   // for standard error
};

inline constexpr int kExitDone = 0;
inline constexpr int kExitRuntimeError = 1;
inline constexpr int kExitUsage = 2;

using Command = std::variant<ExitNow, ServeCommand, ConnectCommand, PingCommand>;

// Reads the command line. What is wrong with it comes back as ExitNow with kExitUsage and the
// reason; --help as ExitNow with kExitDone and the text.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace runnel::apps
