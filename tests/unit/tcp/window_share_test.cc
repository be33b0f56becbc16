// How many connections share what may be announced.
#include "stack/tcp/window_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace runnel::tcp {
namespace {

constexpr std::size_t kTotal = 1'000'000;
constexpr Instant kStart{std::chrono::seconds(1)};

TEST(WindowShare, WithoutATotalThereIsNoLimit) {
  WindowShare share;
  WindowShare::Round counted = 0;
  share.count(counted, kStart);
  EXPECT_EQ(share.octets(), SIZE_MAX);
}

TEST(WindowShare, ConnectionsThatReceiveShareEvenly) {
  WindowShare share(kTotal);
  EXPECT_EQ(share.octets(), kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (int again = 0; again < 3; ++again) {
    for (WindowShare::Round& one : counted) share.count(one, kStart);
  }
  EXPECT_EQ(share.octets(), kTotal / 4);
}

TEST(WindowShare, OneThatReceivesNoMoreIsForgottenAfterTheNextRound) {
  WindowShare share(kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (WindowShare::Round& one : counted) share.count(one, kStart);
  const Instant first_end = kStart + WindowShare::kRound;
  share.count(counted[0], first_end);
  EXPECT_EQ(share.octets(), kTotal / 4) << "the others may only be late";
  share.count(counted[0], first_end + WindowShare::kRound - Duration{1});
  EXPECT_EQ(share.octets(), kTotal / 4);
  share.count(counted[0], first_end + WindowShare::kRound);
  EXPECT_EQ(share.octets(), kTotal);
}

TEST(WindowShare, AfterASilenceNobodyIsLeft) {
  WindowShare share(kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (WindowShare::Round& one : counted) share.count(one, kStart);
  share.count(counted[0], kStart + 2 * WindowShare::kRound);
  EXPECT_EQ(share.octets(), kTotal);
}

TEST(WindowShare, OneThatReceivesNothingMoreIsForgottenAtOnce) {
  WindowShare share(kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (WindowShare::Round& one : counted) share.count(one, kStart);
  share.forget(counted[0]);
  share.forget(counted[0]);
  EXPECT_EQ(share.octets(), kTotal / 3);
  // In the next round the round before still counts, less those that are forgotten.
  const Instant next = kStart + WindowShare::kRound;
  share.count(counted[1], next);
  EXPECT_EQ(share.octets(), kTotal / 3);
  share.forget(counted[2]);
  EXPECT_EQ(share.octets(), kTotal / 2);
  // Two rounds later it was forgotten already.
  share.count(counted[1], next + WindowShare::kRound);
  share.forget(counted[3]);
  EXPECT_EQ(share.octets(), kTotal);
}

TEST(WindowShare, TheFirstWindowsOfManyStayBelowTheTotal) {
  constexpr std::size_t kSenderBeginsWith = 14'600;
  WindowShare share(kTotal);
  EXPECT_EQ(share.octets_to_begin_with(0, kStart), kTotal / 4);
  EXPECT_EQ(share.octets_to_begin_with(3, kStart), kTotal / 16);
  std::size_t sum = 0;
  std::array<WindowShare::Round, 200> counted{};
  for (WindowShare::Round& one : counted) {
    sum += std::min(share.octets_to_begin_with(0, kStart), kSenderBeginsWith);
    share.count(one, kStart);
  }
  EXPECT_LT(sum, kTotal);
  EXPECT_GE(share.octets_to_begin_with(0, kStart), kTotal / 4 / 201);
  EXPECT_EQ(share.octets_to_begin_with(0, kStart + 2 * WindowShare::kRound), kTotal / 4);
  EXPECT_EQ(WindowShare().octets_to_begin_with(1000, kStart), SIZE_MAX);
}

}  // namespace
}  // namespace runnel::tcp
