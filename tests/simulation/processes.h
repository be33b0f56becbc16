// Measuring in several processes at once, with the results in memory that they share.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <vector>

namespace runnel::test {

// The values of measure(0) to measure(count - 1), by `jobs` processes: no run sees what another has
// left behind. Ends the program when one of them crashes.
template <typename Value, typename Measure>
[[nodiscard]] std::vector<Value> measure_in_processes(std::size_t count, unsigned jobs,
                                                      const Measure& measure) {
  static_assert(std::is_trivially_copyable_v<Value>);
  struct alignas(64) Shared {
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> done{0};
  };
  const std::size_t octets = sizeof(Shared) + count * sizeof(Value);
  void* const memory =
      ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  auto* const shared = new (memory) Shared;
  auto* const values = reinterpret_cast<Value*>(shared + 1);
  std::fflush(nullptr);
  for (unsigned job = 0; job < jobs; ++job) {
    if (::fork() != 0) continue;
    for (std::size_t i; (i = shared->next++) < count;) {
      values[i] = measure(i);
      ++shared->done;
    }
    ::_exit(0);
  }
  for (unsigned job = 0; job < jobs; ++job) (void)::wait(nullptr);
  if (shared->done != count) {
    std::fputs("a measuring process has crashed\n", stderr);
    std::exit(1);
  }
  const std::vector<Value> result(values, values + count);
  ::munmap(memory, octets);
  return result;
}

}  // namespace runnel::test
