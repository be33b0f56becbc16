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

SecretGenerator generator(std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return SecretGenerator(random);
}

SeqNum isn(const SecretGenerator& secrets, const FourTuple& tuple, Instant now) {
  return secrets.of(tuple).isn(now);
}

TEST(Isn, TheClockTicksEveryFourMicroseconds) {
  const SecretGenerator secrets = generator();
  const Instant start{8s};
  const SeqNum first = isn(secrets, kTuple, start);
  EXPECT_EQ(isn(secrets, kTuple, start + 3999ns) - first, 0);
  EXPECT_EQ(isn(secrets, kTuple, start + 4us) - first, 1);
  EXPECT_EQ(isn(secrets, kTuple, start + 7999ns) - first, 1);
  EXPECT_EQ(isn(secrets, kTuple, start + 8us) - first, 2);
  EXPECT_EQ(isn(secrets, kTuple, start + 1s) - first, 250'000);
}

TEST(Isn, TheClockGoesRoundIn4Point77Hours) {
  const SecretGenerator secrets = generator();
  const Duration cycle = 4us * (INT64_C(1) << 32U);
  EXPECT_EQ(isn(secrets, kTuple, Instant{cycle}), isn(secrets, kTuple, Instant{}));
  EXPECT_EQ(isn(secrets, kTuple, Instant{cycle - 4us}) - isn(secrets, kTuple, Instant{}), -1);
  EXPECT_EQ(isn(secrets, kTuple, Instant{100 * cycle + 4us}) - isn(secrets, kTuple, Instant{}), 1);
}

TEST(Isn, TheClockIsTheSameForEveryTuple) {
  const SecretGenerator secrets = generator();
  for (std::uint16_t port = 1; port < 100; ++port) {
    FourTuple tuple = kTuple;
    tuple.remote.port = port;
    EXPECT_EQ(isn(secrets, tuple, Instant{5s}) - isn(secrets, tuple, Instant{3s}), 500'000);
  }
}

TEST(Isn, EveryPartOfTheTupleCounts) {
  const SecretGenerator secrets = generator();
  std::vector<FourTuple> tuples(5, kTuple);
  tuples[1].local.address = IpAddress{192, 0, 2, 3};
  tuples[2].local.port = 81;
  tuples[3].remote.address = IpAddress{192, 0, 2, 4};
  tuples[4].remote.port = 50001;
  std::set<std::uint32_t> seen;
  for (const FourTuple& tuple : tuples) seen.insert(isn(secrets, tuple, Instant{}).value());
  EXPECT_EQ(seen.size(), tuples.size());
}

TEST(Isn, TheTwoEndsAreNotInterchangeable) {
  const SecretGenerator secrets = generator();
  EXPECT_NE(isn(secrets, {kTuple.remote, kTuple.local}, Instant{}),
            isn(secrets, kTuple, Instant{}));
}

TEST(Isn, DependsOnTheSecret) {
  std::set<std::uint32_t> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    seen.insert(isn(generator(seed), kTuple, Instant{}).value());
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(Isn, IsTheSameForTheSameSecretTupleAndTime) {
  EXPECT_EQ(isn(generator(7), kTuple, Instant{9s}), isn(generator(7), kTuple, Instant{9s}));
}

TEST(Isn, TheNumbersOfOneTupleSayNothingOfItsNeighbours) {
  // Neighbouring ports: the top octet of the difference must be spread evenly. 4,096 differences in
  // 16 classes; chi square with 15 degrees of freedom is beyond 44.3 once in 10,000.
  const SecretGenerator secrets = generator();
  std::array<double, 16> counts{};
  SeqNum before = isn(secrets, kTuple, Instant{});
  constexpr int kDraws = 4096;
  for (int i = 0; i < kDraws; ++i) {
    FourTuple tuple = kTuple;
    tuple.remote.port = static_cast<std::uint16_t>(1024 + i);
    const SeqNum next = isn(secrets, tuple, Instant{});
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
  const SecretGenerator secrets = generator();
  FourTuple neighbour = kTuple;
  ++neighbour.remote.port;
  const std::uint32_t offset = secrets.of(kTuple).timestamp_offset;
  EXPECT_EQ(secrets.of(kTuple).timestamp_offset, offset);
  EXPECT_NE(secrets.of(neighbour).timestamp_offset, offset);
  EXPECT_NE(generator(2).of(kTuple).timestamp_offset, offset);
  EXPECT_NE(secrets.of(kTuple).isn_offset, offset) << "one of them would give the other away";
}

TEST(SecretHash, IsThatOfTheTuplesOctets) {
  const base::SipHashKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  EXPECT_EQ(secret_hash(key, kTuple), base::siphash_2_4(key, octets_of(kTuple).bytes()));
  FourTuple v6 = kTuple;
  v6.remote.address = IpAddress::from_v6({0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  EXPECT_EQ(secret_hash(key, v6), base::siphash_2_4(key, octets_of(v6).bytes()));
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
