// What a host has done so far, for people to read.
#pragma once

#include <cstdint>
#include <string>

#include "runnel/counters.h"
#include "runnel/tun_device.h"

namespace runnel::apps {

struct Totals {
  Counters stack;
  tun::TunDevice::Counters device;
  std::uint64_t lost_in_queue = 0;  // the kernel had no room for them in the device's queue
};

// Lines of text: what came and went, then a line for every reason to drop something that has
// occurred. Each begins with `prefix`.
[[nodiscard]] std::string describe(const Totals& totals, const std::string& prefix);

}  // namespace runnel::apps
