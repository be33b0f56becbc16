#include "tun/tun_setup.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>

#include "tun/netlink.h"
#include "tun/vnet_header.h"

namespace runnel::tun {
namespace {

constexpr const char* kDriverPath = "/dev/net/tun";

// Everything that `options` asks for, as for a device that has nothing yet.
MissingSetup full_setup(const TunOptions& options) {
  return {.device = true,
          .is_multi_queue = options.is_multi_queue,
          .mtu_octets = options.mtu_octets,
          .address = options.kernel_address,
          .up = true};
}

UniqueFd open_driver(const TunOptions& options) {
  UniqueFd descriptor(::open(kDriverPath, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (descriptor) return descriptor;
  const int error = errno;
  const std::string path = kDriverPath;
  switch (error) {
    case ENOENT:
      throw DeviceError(path +
                        " is missing: run: sudo modprobe tun"
                        " (or start the container with --device " +
                        path + ")");
    case ENODEV:
    case ENXIO:
      throw DeviceError("the kernel has no TUN driver behind " + path + ": run: sudo modprobe tun");
    case EACCES:
    case EPERM:
      throw DeviceError(options.name + ": not permitted to open " + path +
                        ": run: sudo chmod 0666 " + path);
    default:
      throw DeviceError("cannot open " + path + ": " + std::strerror(error));
  }
}

[[noreturn]] void throw_attach_error(const TunOptions& options, bool existed, int error) {
  const std::string& name = options.name;
  switch (error) {
    case EPERM:
    case EACCES:
      if (existed) {
        throw DeviceError(name + ": belongs to another user: run: sudo ip tuntap del dev " + name +
                          " mode tun && " + setup_commands(name, full_setup(options)));
      }
      throw DeviceError(name + ": not permitted to create a TUN: run: " +
                        setup_commands(name, full_setup(options)));
    case EBUSY:
      throw DeviceError(name +
                        ": busy: another program has it open; stop that program, or choose "
                        "another name");
    case EINVAL:
      throw DeviceError(name + ": the kernel cannot attach to it as a TUN; choose another name");
    case ENOTTY:
      throw DeviceError(std::string(kDriverPath) + " is not the kernel's TUN driver");
    default:
      throw DeviceError(name + ": cannot " + (existed ? "attach to it: " : "create it: ") +
                        std::strerror(error));
  }
}

// Attaches `descriptor` to the device, which is created when there is none.
void attach(int descriptor, const TunOptions& options, const std::optional<Link>& existing) {
  unsigned flags = IFF_TUN | IFF_NO_PI;
  if (options.offload) flags |= IFF_VNET_HDR;
  if (existing ? existing->is_multi_queue : options.is_multi_queue) flags |= IFF_MULTI_QUEUE;
  ifreq request{};
  options.name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(descriptor, TUNSETIFF, &request) != 0) {
    throw_attach_error(options, existing.has_value(), errno);
  }
}

// A persistent device keeps what its last holder chose, so everything is said every time.
void choose_offload(int descriptor, const TunOptions& options) {
  const auto fail = [&](const char* what) {
    throw DeviceError(options.name + ": cannot " + what + ": " + std::strerror(errno) +
                      (options.offload ? "; try without offload" : ""));
  };
  if (options.offload) {
    const int header_octets = kVnetHeaderOctets;
    if (::ioctl(descriptor, TUNSETVNETHDRSZ, &header_octets) != 0) fail("set the header's size");
    const int little_endian = 1;
    if (::ioctl(descriptor, TUNSETVNETLE, &little_endian) != 0) fail("set the header's byte order");
  }
  const unsigned long features = options.offload ? TUN_F_CSUM | TUN_F_TSO4 : 0;
  if (::ioctl(descriptor, TUNSETOFFLOAD, features) != 0) fail("choose its offloads");
}

MissingSetup find_missing(Netlink& netlink, const Link& link, const TunOptions& options,
                          bool created) {
  const bool has_address = !netlink.ipv4_addresses(link.index).empty();
  MissingSetup missing;
  if (!created && link.is_up && has_address) return missing;  // its owner has set it up
  if (options.mtu_octets && link.mtu_octets != *options.mtu_octets) {
    missing.mtu_octets = options.mtu_octets;
  }
  if (!has_address) missing.address = options.kernel_address;
  missing.up = !link.is_up;
  return missing;
}

void set_up(Netlink& netlink, const Link& link, MissingSetup missing) {
  const auto check = [&](std::error_code error, const std::string& what) {
    if (!error) return;
    if (error == std::errc::operation_not_permitted) {
      throw DeviceError(link.name + ": not permitted to " + what +
                        ": run: " + setup_commands(link.name, missing));
    }
    throw DeviceError(link.name + ": cannot " + what + ": " + error.message());
  };
  if (missing.mtu_octets) {
    check(netlink.set_mtu(link.index, *missing.mtu_octets),
          "set its MTU to " + std::to_string(*missing.mtu_octets));
    missing.mtu_octets.reset();
  }
  if (missing.address) {
    check(netlink.add_address(link.index, *missing.address),
          "give it the address " + missing.address->to_string());
    missing.address.reset();
  }
  if (missing.up) check(netlink.set_up(link.index), "set it up");
}

// The device as the kernel describes it now; it can have been deleted in the meantime.
Link require_link(Netlink& netlink, const std::string& name) {
  auto link = netlink.find_link(name);
  if (!link) throw DeviceError(name + ": deleted while it was being set up");
  return *std::move(link);
}

}  // namespace

std::optional<std::string> find_name_fault(const std::string& name) {
  if (name.empty()) return "the device's name is empty";
  if (name.size() >= IFNAMSIZ) {
    return name + ": too long for a device's name: at most " + std::to_string(IFNAMSIZ - 1) +
           " characters";
  }
  // The kernel's own rules, and % which it would take for a pattern to choose a name by.
  const bool refused =
      name == "." || name == ".." || std::any_of(name.begin(), name.end(), [](char c) {
        return std::string_view("/:%").find(c) != std::string_view::npos || c <= ' ' || c > '~';
      });
  if (refused) return name + ": not a device's name: no spaces, '/', ':' or '%'";
  return std::nullopt;
}

std::string setup_commands(const std::string& name, const MissingSetup& missing) {
  std::string commands;
  const auto add = [&](const std::string& command) {
    commands += (commands.empty() ? "sudo " : " && sudo ") + command;
  };
  if (missing.device) {
    add("ip tuntap add dev " + name + " mode tun user $USER" +
        (missing.is_multi_queue ? " multi_queue" : ""));
  }
  if (missing.mtu_octets)
    add("ip link set " + name + " mtu " + std::to_string(*missing.mtu_octets));
  if (missing.address) add("ip addr add " + missing.address->to_string() + " dev " + name);
  if (missing.up) add("ip link set " + name + " up");
  return commands;
}

std::uint64_t count_lost_packets(const std::string& name) noexcept {
  try {
    const std::optional<Link> link = Netlink().find_link(name);
    return link ? link->lost_packets : 0;
  } catch (const std::exception&) {
    return 0;
  }
}

OpenTun open_tun(const TunOptions& options) {
  if (const auto fault = find_name_fault(options.name)) throw DeviceError(*fault);
  if (options.kernel_address && !options.kernel_address->address.is_v4()) {
    throw DeviceError(options.name + ": the kernel's address must be IPv4");
  }
  Netlink netlink;
  const std::optional<Link> existing = netlink.find_link(options.name);
  if (existing && !existing->is_tun) {
    throw DeviceError(options.name + ": is there already and not a TUN; choose another name");
  }
  if (existing && options.is_multi_queue && !existing->is_multi_queue) {
    throw DeviceError(options.name + ": was made with one queue: run: sudo ip link del " +
                      options.name + " && " + setup_commands(options.name, full_setup(options)));
  }
  OpenTun opened{.descriptor = open_driver(options), .name = options.name};
  attach(opened.descriptor.get(), options, existing);
  choose_offload(opened.descriptor.get(), options);

  const Link link = require_link(netlink, options.name);
  const MissingSetup missing = find_missing(netlink, link, options, !existing);
  set_up(netlink, link, missing);
  // Whoever made the device has chosen; and where it is not permitted, the caller can see it.
  if (!existing) (void)netlink.set_queue(link.index, options.queue_packets);
  const Link ready = require_link(netlink, options.name);
  opened.mtu_octets = static_cast<std::uint16_t>(
      std::min<std::uint32_t>(ready.mtu_octets, std::numeric_limits<std::uint16_t>::max()));
  opened.queue_packets = ready.queue_packets;
  opened.lost_packets = ready.lost_packets;
  return opened;
}

}  // namespace runnel::tun
