// Local ports: RFC 6056.
#include "stack/core/port_allocator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::core {
namespace {

constexpr IpAddress kLocal{192, 0, 2, 2};
constexpr Endpoint kRemote{IpAddress{198, 51, 100, 1}, 443};

bool every_port(std::uint16_t) {
  return true;
}

PortAllocator allocator(std::uint16_t first, std::uint16_t last, std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return {random, first, last};
}

Endpoint destination(std::uint32_t i) {
  return {IpAddress::from_v4(0xcb007100U + i), 443};
}

TEST(PortAllocator, StaysInItsRangeAndUsesAllOfIt) {
  PortAllocator ports = allocator(50000, 50009);
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 10; ++i) seen.insert(*ports.pick(kLocal, kRemote, every_port));
  EXPECT_EQ(seen.size(), 10U) << "each once before any comes again";
  EXPECT_EQ(*seen.begin(), 50000);
  EXPECT_EQ(*seen.rbegin(), 50009);
}

TEST(PortAllocator, ARangeOfOnePortHasThatPort) {
  PortAllocator ports = allocator(65535, 65535);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ports.pick(kLocal, kRemote, every_port), 65535);
}

TEST(PortAllocator, TheWholeRangeOf16BitsWorks) {
  PortAllocator ports = allocator(0, 65535);
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 65536; ++i) seen.insert(*ports.pick(kLocal, kRemote, every_port));
  EXPECT_EQ(seen.size(), 65536U);
}

TEST(PortAllocator, AsksForEveryPortOnceAndThenGivesUp) {
  PortAllocator ports = allocator(40000, 40099);
  std::map<std::uint16_t, int> asked;
  const auto none = ports.pick(kLocal, kRemote, [&](std::uint16_t port) {
    ++asked[port];
    return false;
  });
  EXPECT_EQ(none, std::nullopt);
  EXPECT_EQ(asked.size(), 100U);
  for (const auto& [port, times] : asked) EXPECT_EQ(times, 1) << port;
}

TEST(PortAllocator, FindsTheOnlyFreePort) {
  PortAllocator ports = allocator(32768, 60999);
  for (const std::uint16_t only :
       {std::uint16_t{32768}, std::uint16_t{60999}, std::uint16_t{45000}}) {
    EXPECT_EQ(ports.pick(kLocal, kRemote, [only](std::uint16_t port) { return port == only; }),
              only);
  }
}

// Gives the same number for ever.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(std::uint64_t value) : value_(value) {}
  std::uint64_t next() override { return value_; }

 private:
  std::uint64_t value_;
};

TEST(PortAllocator, FindsTheLastFreePortThoughItsCounterWraps) {
  // 2^32 is no multiple of most ranges: at the wrap of a counter no port may be passed over.
  for (std::uint32_t left = 0; left < 8; ++left) {
    for (std::uint16_t only = 40000; only < 40007; ++only) {
      ConstantRandom random(UINT32_MAX - left);
      PortAllocator ports(random, 40000, 40006);
      EXPECT_EQ(ports.pick(kLocal, kRemote, [only](std::uint16_t port) { return port == only; }),
                only)
          << left << " before the wrap";
    }
  }
}

TEST(PortAllocator, GivesOneDestinationConsecutivePorts) {
  // RFC 6056 section 3.3.4: that keeps the time until a port is used again long.
  PortAllocator ports = allocator(32768, 60999);
  std::uint16_t before = *ports.pick(kLocal, kRemote, every_port);
  for (int i = 0; i < 1000; ++i) {
    const std::uint16_t port = *ports.pick(kLocal, kRemote, every_port);
    EXPECT_EQ(port, before == 60999 ? 32768 : before + 1);
    before = port;
  }
}

TEST(PortAllocator, PortsOfOneDestinationSayNothingOfAnothers) {
  // The differences between neighbouring destinations' first ports, in 16 classes: chi square with
  // 15 degrees of freedom is beyond 44.3 once in 10,000.
  PortAllocator ports = allocator(0, 65535);
  std::array<double, 16> classes{};
  constexpr std::uint32_t kDraws = 16'000;
  std::uint16_t before = 0;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const std::uint16_t port = *ports.pick(kLocal, destination(i), every_port);
    ++classes[static_cast<std::uint16_t>(port - before) / 4096];
    before = port;
  }
  double chi_square = 0;
  for (const double count : classes) {
    chi_square += (count - kDraws / 16.0) * (count - kDraws / 16.0) / (kDraws / 16.0);
  }
  EXPECT_LT(chi_square, 44.3);
}

TEST(PortAllocator, TenThousandDestinationsGiveFourteenBitsOfEntropy) {
  constexpr std::uint32_t kDraws = 200'000;
  PortAllocator ports = allocator(32768, 60999);
  std::map<std::uint16_t, double> counts;
  for (std::uint32_t i = 0; i < kDraws; ++i)
    ++counts[*ports.pick(kLocal, destination(i), every_port)];
  double bits = 0;
  for (const auto& [port, count] : counts) bits -= count / kDraws * std::log2(count / kDraws);
  EXPECT_GT(bits, 14.0) << "of the 14.8 that the range has";
}

TEST(PortAllocator, EveryPartOfTheDestinationAndTheSecretCount) {
  const auto first_port = [](std::uint64_t seed, const IpAddress& local, const Endpoint& remote) {
    PortAllocator ports = allocator(0, 65535, seed);
    return *ports.pick(local, remote, every_port);
  };
  const std::set<std::uint16_t> seen = {
      first_port(1, kLocal, kRemote),
      first_port(2, kLocal, kRemote),
      first_port(1, IpAddress{192, 0, 2, 3}, kRemote),
      first_port(1, kLocal, {kRemote.address, 444}),
      first_port(1, kLocal, {IpAddress{198, 51, 100, 2}, 443}),
  };
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_EQ(first_port(1, kLocal, kRemote), first_port(1, kLocal, kRemote)) << "and nothing else";
}

}  // namespace
}  // namespace runnel::core
