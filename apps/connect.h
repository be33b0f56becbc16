// `runnel connect`: standard input to a connection, the connection to standard output.
#pragma once

#include "apps/options.h"

namespace runnel::apps {

// Returns the exit code when both directions have ended. Throws as serve(), and std::system_error
// when the connection, or standard input or output, fails.
[[nodiscard]] int connect(const ConnectCommand& command);

}  // namespace runnel::apps
