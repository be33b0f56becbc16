// `runnel serve`: echo, discard, chargen, HTTP and chat on a TUN device.
#pragma once

#include "apps/options.h"

namespace runnel::apps {

// Runs until SIGINT or SIGTERM, then ends every connection in order; returns the exit code. Throws
// what ends the program with an error: tun::DeviceError, ServiceError, std::system_error.
[[nodiscard]] int serve(const ServeCommand& command);

}  // namespace runnel::apps
