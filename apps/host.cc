#include "apps/host.h"

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
      driver_(stack_, sockets_, link()) {
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
