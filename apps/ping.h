// `runnel ping`: echo requests to a host, and what comes back.
#pragma once

#include "apps/options.h"

namespace runnel::apps {

// Returns the exit code: 0 when at least one reply came, else 1. Throws as serve().
[[nodiscard]] int ping(const PingCommand& command);

}  // namespace runnel::apps
