// RFC 6528: ISN = M + F(tuple, secret).
#include "stack/tcp/isn.h"

#include <array>
#include <chrono>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr FourTuple kTuple{{IpAddress{192, 0, 2, 2}, 80}, {IpAddress{192, 0, 2, 1}, 50000}};

IsnGenerator generator(std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return IsnGenerator(random);
}

TEST(Isn, TheClockTicksEveryFourMicroseconds) {
  const IsnGenerator isn = generator();
  const Instant start{8s};
  const SeqNum first = isn.generate(kTuple, start);
  EXPECT_EQ(isn.generate(kTuple, start + 3999ns) - first, 0);
  EXPECT_EQ(isn.generate(kTuple, start + 4us) - first, 1);
  EXPECT_EQ(isn.generate(kTuple, start + 7999ns) - first, 1);
  EXPECT_EQ(isn.generate(kTuple, start + 8us) - first, 2);
  EXPECT_EQ(isn.generate(kTuple, start + 1s) - first, 250'000);
}

TEST(Isn, TheClockGoesRoundIn4Point77Hours) {
  const IsnGenerator isn = generator();
  const Duration cycle = 4us * (INT64_C(1) << 32U);
  EXPECT_EQ(isn.generate(kTuple, Instant{cycle}), isn.generate(kTuple, Instant{}));
  EXPECT_EQ(isn.generate(kTuple, Instant{cycle - 4us}) - isn.generate(kTuple, Instant{}), -1);
  EXPECT_EQ(isn.generate(kTuple, Instant{100 * cycle + 4us}) - isn.generate(kTuple, Instant{}), 1);
}

TEST(Isn, TheClockIsTheSameForEveryTuple) {
  const IsnGenerator isn = generator();
  for (std::uint16_t port = 1; port < 100; ++port) {
    FourTuple tuple = kTuple;
    tuple.remote.port = port;
    EXPECT_EQ(isn.generate(tuple, Instant{5s}) - isn.generate(tuple, Instant{3s}), 500'000);
  }
}

TEST(Isn, EveryPartOfTheTupleCounts) {
  const IsnGenerator isn = generator();
  std::vector<FourTuple> tuples(5, kTuple);
  tuples[1].local.address = IpAddress{192, 0, 2, 3};
  tuples[2].local.port = 81;
  tuples[3].remote.address = IpAddress{192, 0, 2, 4};
  tuples[4].remote.port = 50001;
  std::set<std::uint32_t> seen;
  for (const FourTuple& tuple : tuples) seen.insert(isn.generate(tuple, Instant{}).value());
  EXPECT_EQ(seen.size(), tuples.size());
}

TEST(Isn, TheTwoEndsAreNotInterchangeable) {
  const IsnGenerator isn = generator();
  EXPECT_NE(isn.generate({kTuple.remote, kTuple.local}, Instant{}),
            isn.generate(kTuple, Instant{}));
}

TEST(Isn, DependsOnTheSecret) {
  std::set<std::uint32_t> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    seen.insert(generator(seed).generate(kTuple, Instant{}).value());
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(Isn, IsTheSameForTheSameSecretTupleAndTime) {
  EXPECT_EQ(generator(7).generate(kTuple, Instant{9s}), generator(7).generate(kTuple, Instant{9s}));
}

TEST(Isn, TheNumbersOfOneTupleSayNothingOfItsNeighbours) {
  // Neighbouring ports: the top octet of the difference must be spread evenly. 4,096 differences in
  // 16 classes; chi square with 15 degrees of freedom is beyond 44.3 once in 10,000.
  const IsnGenerator isn = generator();
  std::array<double, 16> counts{};
  SeqNum before = isn.generate(kTuple, Instant{});
  constexpr int kDraws = 4096;
  for (int i = 0; i < kDraws; ++i) {
    FourTuple tuple = kTuple;
    tuple.remote.port = static_cast<std::uint16_t>(1024 + i);
    const SeqNum next = isn.generate(tuple, Instant{});
    ++counts[distance(before, next) >> 28U];
    before = next;
  }
  double chi_square = 0;
  for (const double count : counts) {
    const double expected = kDraws / 16.0;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 44.3);
}

TEST(TimestampOffsets, AreTheTuplesOwnAndNotTheClocks) {
  SeededRandom random(1);
  SeededRandom other_random(2);
  const TimestampOffsets offsets(random);
  const FourTuple tuple{{IpAddress{192, 0, 2, 2}, 80}, {IpAddress{192, 0, 2, 1}, 50000}};
  FourTuple neighbour = tuple;
  ++neighbour.remote.port;
  EXPECT_EQ(offsets.offset_for(tuple), offsets.offset_for(tuple));
  EXPECT_NE(offsets.offset_for(tuple), offsets.offset_for(neighbour));
  EXPECT_NE(offsets.offset_for(tuple), TimestampOffsets(other_random).offset_for(tuple));
}

TEST(TupleOctets, AreTwelveForIpv4InNetworkOrder) {
  const FourTuple tuple{{IpAddress{1, 2, 3, 4}, 0x1234}, {IpAddress{5, 6, 7, 8}, 0x5678}};
  const TupleOctets octets = octets_of(tuple);
  const std::vector<std::uint8_t> expected = {1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 0x56, 0x78};
  EXPECT_EQ(std::vector<std::uint8_t>(octets.bytes().begin(), octets.bytes().end()), expected);
}

TEST(TupleOctets, AreThirtySixForIpv6) {
  std::array<std::uint8_t, 16> local{};
  std::array<std::uint8_t, 16> remote{};
  for (std::size_t i = 0; i < 16; ++i) {
    local[i] = static_cast<std::uint8_t>(0x20 + i);
    remote[i] = static_cast<std::uint8_t>(0x40 + i);
  }
  const TupleOctets octets =
      octets_of({{IpAddress::from_v6(local), 0x1234}, {IpAddress::from_v6(remote), 0x5678}});
  ASSERT_EQ(octets.bytes().size(), 36U);
  EXPECT_EQ(octets.bytes()[0], 0x20);
  EXPECT_EQ(octets.bytes()[15], 0x2f);
  EXPECT_EQ(octets.bytes()[16], 0x40);
  EXPECT_EQ(octets.bytes()[31], 0x4f);
  EXPECT_EQ(octets.bytes()[32], 0x12);
  EXPECT_EQ(octets.bytes()[35], 0x78);
}

}  // namespace
}  // namespace runnel::tcp
