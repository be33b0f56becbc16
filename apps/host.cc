#include "apps/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <system_error>

namespace runnel::apps {
namespace {

tun::TunOptions tun_options(const LinkOptions& options) {
  tun::TunOptions result;
  result.name = options.device;
  result.offload = options.offload;
  if (options.peer) result.kernel_address = IpPrefix{*options.peer, options.address.length};
  result.mtu_octets = options.mtu_octets;
  result.is_multi_queue = options.queues > 1;
  return result;
}

std::unique_ptr<tun::ImpairedDevice> make_impairment(tun::Device& device,
                                                     const LinkOptions& options) {
  if (!options.impairment) return nullptr;
  return std::make_unique<tun::ImpairedDevice>(device, *options.impairment, tun::monotonic_now);
}

tun::Device& outermost(tun::Device& device, tun::Device* around) {
  return around != nullptr ? *around : device;
}

std::unique_ptr<tun::CapturingDevice> make_capture(tun::Device& device, const LinkOptions& options,
                                                   PacketPrinter& printer) {
  if (options.capture_path.empty() && !options.verbose) return nullptr;
  tun::CapturingDevice::Watcher watcher;
  if (options.verbose) {
    watcher = [&printer](tun::Direction direction, Bytes packet, Instant at) {
      printer.print(direction, packet, at);
    };
  }
  return std::make_unique<tun::CapturingDevice>(device, options.capture_path, std::move(watcher),
                                                tun::wall_clock_now);
}

std::unique_ptr<tun::TraceFile> make_trace(const LinkOptions& options) {
  if (options.trace_path.empty()) return nullptr;
  return std::make_unique<tun::TraceFile>(options.trace_path);
}

// The kernel drops what finds the device's queue full, so all windows together must not be larger
// than what fits there. Without offload a place holds one segment; with it up to 64 KiB, but a
// window that is shared by many is filled in smaller pieces. Half is left for
// acknowledgments and what else comes. What peers acknowledge together takes fewer places, so
// connections send segments several in a row.
void fit_receive_windows(const tun::TunDevice& device, Config& config) {
  constexpr std::size_t kHeaderOctets = 52;  // IPv4, TCP, timestamps
  constexpr std::size_t kOctetsInAPlace = std::size_t{16} << 10U;
  const std::size_t segment_octets = config.mtu_octets - kHeaderOctets;
  const std::size_t places = std::size_t{device.queue_packets()} / 2;
  if (config.tcp_segmentation_offload) {
    config.receive_windows_total_octets = std::max(places, std::size_t{4}) * kOctetsInAPlace;
    return;
  }
  config.turn_octets = kOctetsInAPlace;
  std::size_t fitting = std::max(places, std::size_t{4}) * segment_octets;
  config.receive_windows_total_octets = fitting;
  // Windows are announced in units that grow with the largest. A unit of eight octets divides a
  // segment: where every place counts, nothing is left over that would take another one.
  constexpr std::size_t kLargestInUnitsOfEight = std::size_t{UINT16_MAX} << 3U;
  if (fitting < 2 * kLargestInUnitsOfEight) fitting = std::min(fitting, kLargestInUnitsOfEight);
  const auto limit = [&](std::size_t& octets) { octets = std::min(octets, fitting); };
  limit(config.tcp.receive_buffer_octets);
  limit(config.tcp.receive_buffer_maximum_octets);
}

// A device's queue that overflows loses a FIN, or the one RST by which a kernel with too many
// closed connections gives one up: what the stack still has of it then is found out by keepalives,
// which services ask for. When 200,000 connections were closed at once, Linux, which keeps 131,072
// that nobody owns any more (net.ipv4.tcp_max_orphans), had forgotten 72,000 of them ten seconds
// later, and the stack's memory for as many was still in use; where it may keep them all, nothing
// is left behind. Two hours, the stack's own default, are long for that.
constexpr Duration kKeepaliveIdle = std::chrono::minutes(5);

Config stack_config(const LinkOptions& options, const tun::TunDevice& device) {
  Config config;
  // A device that was there keeps its MTU, and no packet of ours may be longer than that.
  config.mtu_octets = std::min(options.mtu_octets.value_or(UINT16_MAX), device.mtu_octets());
  config.checksum_offload = device.checksum_offload();
  config.tcp_segmentation_offload = device.tcp_segmentation_offload();
  config.tcp.timestamps = options.timestamps;
  config.tcp.sack = options.sack;
  config.tcp.window_scaling = options.window_scaling;
  config.tcp.fast_open = options.fast_open;
  config.tcp.congestion_control = options.congestion_control;
  config.tcp.is_controlled_network = options.is_controlled_network;
  config.tcp.pacing = options.pacing;
  config.tcp.ecn = options.ecn;
  config.tcp.keepalive_idle = kKeepaliveIdle;
  fit_receive_windows(device, config);
  config.sibling_stacks = static_cast<std::uint8_t>(options.queues - 1);
  config.memory_budget_octets /= options.queues;
  return config;
}

}  // namespace

Host::Host(const LinkOptions& options)
    : device_(tun_options(options)),
      impairment_(make_impairment(device_, options)),
      printer_(stderr),
      capture_(make_capture(outermost(device_, impairment_.get()), options, printer_)),
      trace_(make_trace(options)),
      stack_(stack_config(options, device_), random_, trace_.get()),
      sockets_(stack_),
      driver_(stack_, sockets_, link(), {.busy_poll = options.busy_poll}) {
  if (const Result<void> added = stack_.add_address(options.address); !added) {
    throw std::system_error(added.error(), options.address.to_string());
  }
  // What the application asks for before the loop runs happens now, and not at the time line's
  // origin.
  stack_.advance(tun::monotonic_now());
  if (!options.capture_path.empty() || trace_) flush_files_regularly();
}

Host::~Host() {
  if (capture_) capture_->flush();
}

std::string Host::short_queue() const {
  const std::uint32_t wanted = tun::TunOptions{}.queue_packets;
  if (device_.tcp_segmentation_offload() || device_.queue_packets() >= wanted) return {};
  return fmt::format(
      "{0}: its queue holds {1} packets, so windows are held to {2} octets; for more: sudo ip link "
      "set {0} txqueuelen {3}",
      device_.name(), device_.queue_packets(), stack_.config().tcp.receive_buffer_maximum_octets,
      wanted);
}

Totals Host::totals() const {
  return {stack_.counters(), device_.counters(), device_.lost_in_queue()};
}

tun::Device& Host::link() noexcept {
  return outermost(outermost(device_, impairment_.get()), capture_.get());
}

// So that the files can be read while they are written.
void Host::flush_files_regularly() {
  driver_.after(std::chrono::seconds(1), [this] {
    if (capture_) capture_->flush();
    if (trace_) trace_->flush();
    flush_files_regularly();
  });
}

}  // namespace runnel::apps
