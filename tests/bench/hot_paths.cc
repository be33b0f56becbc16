// Runs one of the hot paths a number of times, for callgrind to count instructions: see
// `scripts/bench --instructions`, which has the names of the functions that are measured.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/bench/scripted_peer.h"

namespace {

template <typename Path>
int run(long steps) {
  Path path;
  for (long i = 0; i < steps; ++i) path.step();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view path = argc == 3 ? argv[1] : "";
  const long steps = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 0;
  if (steps > 0) {
    if (path == "input") return run<runnel::bench::InputPath>(steps);
    if (path == "output") return run<runnel::bench::OutputPath>(steps);
    if (path == "exchange") return run<runnel::bench::ExchangePath>(steps);
    if (path == "connection") return run<runnel::bench::ConnectionPath>(steps);
  }
  std::fprintf(stderr, "usage: bench_hot_paths input|output|exchange|connection STEPS\n");
  return 2;
}
