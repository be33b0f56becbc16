// The `runnel` command.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <type_traits>
#include <variant>

#include "apps/connect.h"
#include "apps/options.h"
#include "apps/ping.h"
#include "apps/serve.h"

namespace {

int run(const runnel::apps::Command& command) {
  using namespace runnel::apps;
  return std::visit(
      [](const auto& chosen) {
        using Chosen = std::decay_t<decltype(chosen)>;
        if constexpr (std::is_same_v<Chosen, ServeCommand>) {
          return serve(chosen);
        } else if constexpr (std::is_same_v<Chosen, ConnectCommand>) {
          return connect(chosen);
        } else if constexpr (std::is_same_v<Chosen, PingCommand>) {
          return ping(chosen);
        } else {
          std::fputs(chosen.output.c_str(), stdout);
          std::fputs(chosen.error.c_str(), stderr);
          return chosen.code;
        }
      },
      command);
}

// A standard stream that was closed by the caller must not become some other file that is opened
// later.
void keep_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);  // a reader of our output that has gone is an error, not our death
  try {
    return run(runnel::apps::parse_command_line(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "runnel: %s\n", error.what());
    return runnel::apps::kExitRuntimeError;
  }
}
