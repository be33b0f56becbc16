// A stack on a TUN device, ready to run: what every subcommand begins with.
#pragma once

#include <memory>
#include <string>

#include "apps/options.h"
#include "apps/packet_printer.h"
#include "apps/totals.h"
#include "runnel/driver.h"
#include "runnel/impairment.h"
#include "runnel/packet_capture.h"
#include "runnel/sockets.h"
#include "runnel/stack.h"
#include "runnel/system.h"
#include "runnel/trace_file.h"
#include "runnel/tun_device.h"

namespace runnel::apps {

// Opens the device, taps it when that was asked for, and puts a stack, sockets and a driver on it.
//
//    driver ── stack, sockets
//       └── [capture ──] [impairment ──] device
class Host {
 public:
  // Throws tun::DeviceError, or std::system_error for an address that the stack refuses and for a
  // trace that cannot be written.
  explicit Host(const LinkOptions& options);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host();

  [[nodiscard]] const std::string& device_name() const noexcept { return device_.name(); }
  // One line about a device whose queue limits the windows and is not ours to change; or nothing.
  [[nodiscard]] std::string short_queue() const;
  // In the thread of the driver, or when it does not run.
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] Stack& stack() noexcept { return stack_; }
  [[nodiscard]] Sockets& sockets() noexcept { return sockets_; }
  [[nodiscard]] tun::Driver& driver() noexcept { return driver_; }

 private:
  [[nodiscard]] tun::Device& link() noexcept;
  void flush_files_regularly();

  tun::TunDevice device_;
  std::unique_ptr<tun::ImpairedDevice> impairment_;
  PacketPrinter printer_;
  std::unique_ptr<tun::CapturingDevice> capture_;
  std::unique_ptr<tun::TraceFile> trace_;
  tun::SystemRandom random_;
  Stack stack_;
  Sockets sockets_;
  tun::Driver driver_;
};

}  // namespace runnel::apps
