// Micro-benchmarks of what a packet meets on its way: checksums, parsing, demux, timers, and the
// three hot paths as a whole.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "runnel/random.h"
#include "stack/core/demux.h"
#include "stack/timer/timing_wheel.h"
#include "stack/wire/checksum.h"
#include "stack/wire/checksum_kernel.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "tests/bench/scripted_peer.h"

namespace runnel::bench {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;

void count_octets(State& state, std::size_t octets) {
  state.SetBytesProcessed(static_cast<std::int64_t>(octets) * state.iterations());
}

// --- Checksums -----------------------------------------------------------------------------------

void BM_Sum(State& state, const wire::ChecksumKernel& kernel, std::size_t octets) {
  const std::vector<std::uint8_t> from(octets, 0x5a);
  for (auto _ : state) {
    DoNotOptimize(kernel.sum(from.data(), octets));
    benchmark::ClobberMemory();
  }
  count_octets(state, octets);
}

void BM_CopyAndSum(State& state, const wire::ChecksumKernel& kernel, std::size_t octets) {
  const std::vector<std::uint8_t> from(octets, 0x5a);
  std::vector<std::uint8_t> to(octets);
  for (auto _ : state) {
    DoNotOptimize(kernel.copy_and_sum(to.data(), from.data(), octets));
    benchmark::ClobberMemory();
  }
  count_octets(state, octets);
}

void BM_Copy(State& state) {
  const auto octets = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> from(octets, 0x5a);
  std::vector<std::uint8_t> to(octets);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), octets);
    benchmark::ClobberMemory();
  }
  count_octets(state, octets);
}
BENCHMARK(BM_Copy)->Arg(1460)->Arg(65535);

void register_checksums() {
  for (const wire::ChecksumKernel& kernel : wire::checksum_kernels()) {
    for (const std::size_t octets : {std::size_t{1460}, std::size_t{65535}}) {
      const std::string end = std::string("/") + kernel.name + "/" + std::to_string(octets);
      benchmark::RegisterBenchmark(("BM_Sum" + end).c_str(), [&kernel, octets](State& state) {
        BM_Sum(state, kernel, octets);
      });
      benchmark::RegisterBenchmark(
          ("BM_CopyAndSum" + end).c_str(),
          [&kernel, octets](State& state) { BM_CopyAndSum(state, kernel, octets); });
    }
  }
}

// --- Headers -------------------------------------------------------------------------------------

struct Headers {
  wire::Ipv4Header ip;
  wire::TcpHeader tcp;

  Headers() {
    ip.protocol = wire::kProtocolTcp;
    ip.source = IpAddress(192, 0, 2, 1);
    ip.destination = IpAddress(192, 0, 2, 2);
    tcp.source_port = 50000;
    tcp.destination_port = 7;
    tcp.flags.ack = true;
    tcp.options.timestamps = {1, 2};
  }
  void write(MutableBytes out) const noexcept {
    ip.write(out, out.size() - wire::kIpv4MinHeaderOctets);
    tcp.write(out.subspan(wire::kIpv4MinHeaderOctets));
  }
};
constexpr std::size_t kHeaderOctets = 52;

void BM_WriteIpv4AndTcp(State& state) {
  Headers headers;
  std::array<std::uint8_t, kHeaderOctets> out{};
  for (auto _ : state) {
    headers.tcp.seq += 1;
    headers.write(out);
    DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_WriteIpv4AndTcp);

void BM_ParseIpv4AndTcp(State& state) {
  std::array<std::uint8_t, kHeaderOctets> octets{};
  Headers().write(octets);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    const auto ip = wire::Ipv4View::parse(octets);
    bool is_valid = ip->has_valid_checksum();
    const auto tcp = wire::TcpView::parse(ip->payload());
    const wire::TcpHeader header = wire::TcpHeader::from(*tcp);
    DoNotOptimize(is_valid);
    DoNotOptimize(&header);
  }
}
BENCHMARK(BM_ParseIpv4AndTcp);

// --- Demux ---------------------------------------------------------------------------------------

// Looks up connections at random among `range` of them.
void BM_DemuxLookup(State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  SeededRandom random{1};
  core::Demux demux{random};
  const auto tuple_of = [](std::uint32_t index) {
    return tcp::FourTuple{{IpAddress(192, 0, 2, 2), 7},
                          {IpAddress::from_v4(0x0a000000U + (index >> 12U)),
                           static_cast<std::uint16_t>(1024 + (index & 0xfffU))}};
  };
  std::vector<tcp::FourTuple> tuples;  // the records that a handle leads to
  for (std::uint32_t i = 0; i < count; ++i) {
    tuples.push_back(tuple_of(i));
    demux.insert(demux.hash(tuples.back()), {core::DemuxHandle::Kind::Connection, i});
  }
  for (auto _ : state) {
    const tcp::FourTuple wanted = tuple_of(static_cast<std::uint32_t>(random.below(count)));
    auto found = demux.find(demux.hash(wanted), [&](core::DemuxHandle handle) {
      return tuples[handle.index] == wanted;
    });
    DoNotOptimize(found);
  }
}
BENCHMARK(BM_DemuxLookup)->Arg(10)->Arg(10'000)->Arg(1'000'000);

// --- Timers --------------------------------------------------------------------------------------

using timer::TimerNode;
using timer::TimingWheel;

// Arms and cancels one timer beside `range` others.
void BM_TimerArmAndCancel(State& state) {
  SeededRandom random{1};
  TimingWheel wheel;
  std::deque<TimerNode> others(static_cast<std::size_t>(state.range(0)));
  for (TimerNode& node : others) {
    wheel.arm(node, Instant{Duration(static_cast<std::int64_t>(random.below(1'000'000'000)))});
  }
  TimerNode node;
  std::int64_t at = 0;
  for (auto _ : state) {
    at = (at + 7'919'000) % 1'000'000'000;
    wheel.arm(node, Instant{Duration(at)});
    wheel.cancel(node);
  }
  for (TimerNode& other : others) wheel.cancel(other);
}
BENCHMARK(BM_TimerArmAndCancel)->Arg(0)->Arg(1'000'000);

// Time passes, and each of `range` timers that expires is armed again 200 ms later; figures are
// timers a second.
void BM_TimerAdvance(State& state) {
  TimingWheel wheel;
  std::deque<TimerNode> nodes(static_cast<std::size_t>(state.range(0)));
  SeededRandom random{1};
  constexpr Duration kPeriod = std::chrono::milliseconds(200);
  for (TimerNode& node : nodes) {
    wheel.arm(node, Instant{Duration(static_cast<std::int64_t>(
                        random.below(static_cast<std::uint64_t>(kPeriod.count()))))});
  }
  Instant now{};
  std::int64_t expired_count = 0;
  for (auto _ : state) {
    now += std::chrono::microseconds(100);
    base::IntrusiveList expired;
    wheel.advance(now, expired);
    while (base::ListNode* const node = expired.pop_front()) {
      auto* const timer = static_cast<TimerNode*>(node);
      wheel.arm(*timer, now + kPeriod);
      ++expired_count;
    }
  }
  state.SetItemsProcessed(expired_count);
  for (TimerNode& node : nodes) wheel.cancel(node);
}
BENCHMARK(BM_TimerAdvance)->Arg(1000)->Arg(1'000'000);

// --- The hot paths, see scripted_peer.h ----------------------------------------------------------

void BM_InputOfSegment(State& state) {
  InputPath path;
  for (auto _ : state) path.step();
  count_octets(state, ScriptedPeer::kSegmentOctets);
}
BENCHMARK(BM_InputOfSegment);

void BM_InputOfSuperPacket(State& state) {
  InputPath path{ScriptedPeer::kSuperPacketOctets};
  for (auto _ : state) path.step();
  count_octets(state, ScriptedPeer::kSuperPacketOctets);
}
BENCHMARK(BM_InputOfSuperPacket);

void BM_OutputOfSuperPacket(State& state) {
  OutputPath path;
  for (auto _ : state) path.step();
  count_octets(state, ScriptedPeer::kSuperPacketOctets);
}
BENCHMARK(BM_OutputOfSuperPacket);

void BM_Exchange(State& state) {
  ExchangePath path;
  for (auto _ : state) path.step();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Exchange);

}  // namespace
}  // namespace runnel::bench

int main(int argc, char** argv) {
  runnel::bench::register_checksums();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
