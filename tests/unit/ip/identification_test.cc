#include "stack/ip/identification.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

namespace runnel::ip {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint32_t kBurst = IdentificationSource::kDatagramsPerSecond;

// What one flow gets when it asks as slowly as it must to get everything.
class Flow {
 public:
  explicit Flow(std::uint64_t seed, const IpAddress& destination = {192, 0, 2, 1})
      : random_(seed), source_(random_), destination_(destination) {}

  std::uint16_t next() {
    now_ += milliseconds(2);
    const auto id = source_.next({192, 0, 2, 2}, destination_, 1, now_);
    EXPECT_TRUE(id);
    return id.value_or(0);
  }

 private:
  SeededRandom random_;
  IdentificationSource source_;
  IpAddress destination_;
  Instant now_{};
};

TEST(IdentificationSource, GivesEveryNumberOnceIn65536) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Flow flow(seed);
    std::vector<bool> seen(65536);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const std::uint16_t id = flow.next();
      ASSERT_FALSE(seen[id]) << "seed " << seed << ", repeated after " << i;
      seen[id] = true;
    }
  }
}

TEST(IdentificationSource, RepeatsANumberAfter65536OthersAcrossTheWrapToo) {
  Flow flow(1);
  std::vector<std::uint16_t> first(65536);
  for (auto& id : first) id = flow.next();
  for (const std::uint16_t id : first) ASSERT_EQ(flow.next(), id);
}

TEST(IdentificationSource, IsNoCounterThatOthersCanRead) {
  Flow flow(2);
  std::map<std::uint16_t, int> steps;
  std::uint16_t last = flow.next();
  for (int i = 0; i < 10000; ++i) {
    const std::uint16_t id = flow.next();
    ++steps[static_cast<std::uint16_t>(id - last)];
    last = id;
  }
  int most = 0;
  for (const auto& [step, count] : steps) most = std::max(most, count);
  EXPECT_LT(most, 20) << "a step between neighbors is far too common";
}

TEST(IdentificationSource, DependsOnTheSeedAndOnTheFlow) {
  for (const bool other_seed : {true, false}) {
    Flow one(1);
    Flow two(other_seed ? 2 : 1, other_seed ? IpAddress(192, 0, 2, 1) : IpAddress(192, 0, 2, 3));
    int equal = 0;
    for (int i = 0; i < 1000; ++i) equal += one.next() == two.next() ? 1 : 0;
    EXPECT_LT(equal, 10);
  }
}

TEST(IdentificationSource, OneFlowDoesNotUseUpWhatOthersMaySend) {
  SeededRandom random(3);
  IdentificationSource source(random);
  const IpAddress local(192, 0, 2, 2);
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    ASSERT_TRUE(source.next(local, {192, 0, 2, 1}, 1, Instant{}));
  }
  EXPECT_FALSE(source.next(local, {192, 0, 2, 1}, 1, Instant{}));
  int held_back = 0;
  for (std::uint32_t host = 0; host < 1000; ++host) {
    const auto other = IpAddress::from_v4(0xcb007100U + host);
    held_back += source.next(local, other, 1, Instant{}) ? 0 : 1;
  }
  EXPECT_LT(held_back, 20) << "one in 256 shares the bucket";
}

// The hardest case: a sender that asks all the time, from a full bucket on.
TEST(IdentificationSource, R_6864_4_3_UNIQUE__R_6864_5_2_RATE_NoneRepeatsWithinTwoMinutes) {
  SeededRandom random(4);
  IdentificationSource source(random);
  std::map<std::uint16_t, Instant> last;
  Instant now{};
  Duration shortest = seconds(1000);
  std::uint32_t sent = 0;
  while (now < Instant{seconds(400)}) {
    if (const auto id = source.next({192, 0, 2, 2}, {192, 0, 2, 1}, 1, now)) {
      ++sent;
      const auto [at, is_new] = last.try_emplace(*id, now);
      if (!is_new) shortest = std::min(shortest, now - at->second);
      at->second = now;
    } else {
      now += microseconds(500);
    }
  }
  EXPECT_EQ(last.size(), 65536U) << "all of them are used";
  EXPECT_GT(shortest, seconds(IdentificationSource::kLifetimeSeconds));
  EXPECT_NEAR(sent, 401 * kBurst, 2) << "and it is no slower than it must be";
}

TEST(IdentificationSource, R_6864_5_2_RATE_ARefusedNumberIsNotLost) {
  SeededRandom random(5);
  IdentificationSource source(random);
  const IpAddress local(192, 0, 2, 2);
  const IpAddress peer(192, 0, 2, 1);
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    ASSERT_TRUE(source.next(local, peer, 1, Instant{seconds(1)}));
  }
  const Instant full{seconds(1)};
  EXPECT_FALSE(source.next(local, peer, 1, full));
  const Duration one = nanoseconds((1'000'000'000 + kBurst - 1) / kBurst);
  EXPECT_FALSE(source.next(local, peer, 1, full + one - nanoseconds(1)));
  EXPECT_TRUE(source.next(local, peer, 1, full + one));
  EXPECT_FALSE(source.next(local, peer, 1, full + one));
}

// RFC 7739 section 5.3 for IPv4: who sees some numbers cannot tell what others are sent.
TEST(IdentificationSource, R_6864_7739_WhatOneHostGetsSaysNothingAboutAnother) {
  SeededRandom random(6);
  IdentificationSource source(random);
  const IpAddress local(192, 0, 2, 2);
  std::vector<std::uint16_t> one;
  std::vector<std::uint16_t> two;
  Instant now{};
  for (int i = 0; i < 1000; ++i) {
    now += milliseconds(2);
    one.push_back(*source.next(local, {192, 0, 2, 1}, 1, now));
    two.push_back(*source.next(local, {198, 51, 100, 1}, 1, now));
  }
  int equal = 0;
  std::map<std::uint16_t, int> between;  // from a number for one host to the other's next
  std::map<std::uint16_t, int> along;    // from one number to the same host's next
  for (std::size_t i = 0; i + 1 < one.size(); ++i) {
    equal += one[i] == two[i] ? 1 : 0;
    ++between[static_cast<std::uint16_t>(two[i] - one[i])];
    ++along[static_cast<std::uint16_t>(one[i + 1] - one[i])];
  }
  EXPECT_LT(equal, 10);
  for (const auto* steps : {&between, &along}) {
    int most = 0;
    for (const auto& [step, count] : *steps) most = std::max(most, count);
    EXPECT_LT(most, 10) << "a step that can be guessed";
  }
}

}  // namespace
}  // namespace runnel::ip
