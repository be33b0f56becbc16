// Opens a TUN and makes it usable, or says in one line what the user has to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runnel/tun_device.h"
#include "runnel/unique_fd.h"

namespace runnel::tun {

struct OpenTun {
  UniqueFd descriptor;  // non-blocking
  std::string name;
  std::uint16_t mtu_octets = 0;
  std::uint32_t queue_packets = 0;
  std::uint64_t lost_packets = 0;  // before it was opened
};

// What a device still lacks to be of use.
struct MissingSetup {
  bool device = false;          // the device itself
  bool is_multi_queue = false;  // ... of several queues
  std::optional<std::uint16_t> mtu_octets = {};
  std::optional<IpPrefix> address = {};
  bool up = false;

  [[nodiscard]] bool empty() const noexcept { return !device && !mtu_octets && !address && !up; }
};

// Why `name` cannot be an interface's, or nothing when it can.
[[nodiscard]] std::optional<std::string> find_name_fault(const std::string& name);

// The shell commands, joined by &&, that a user who may become root runs to set up what is missing.
[[nodiscard]] std::string setup_commands(const std::string& name, const MissingSetup& missing);

// How many packets the kernel had no room for in the queue of the device `name`, since it exists.
// 0 when that cannot be found out.
[[nodiscard]] std::uint64_t count_lost_packets(const std::string& name) noexcept;

// Throws DeviceError.
[[nodiscard]] OpenTun open_tun(const TunOptions& options);

}  // namespace runnel::tun
