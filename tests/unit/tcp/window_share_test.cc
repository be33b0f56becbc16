// How many connections share what may be announced.
#include "stack/tcp/window_share.h"

#include <gtest/gtest.h>

#include <array>

namespace runnel::tcp {
namespace {

constexpr std::size_t kTotal = 1'000'000;
constexpr Instant kStart{std::chrono::seconds(1)};

TEST(WindowShare, WithoutATotalThereIsNoLimit) {
  WindowShare share;
  WindowShare::Round counted = 0;
  share.text_arrived(counted, kStart);
  EXPECT_EQ(share.octets(), SIZE_MAX);
}

TEST(WindowShare, ConnectionsThatReceiveShareEvenly) {
  WindowShare share(kTotal);
  EXPECT_EQ(share.octets(), kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (int again = 0; again < 3; ++again) {
    for (WindowShare::Round& one : counted) share.text_arrived(one, kStart);
  }
  EXPECT_EQ(share.octets(), kTotal / 4);
}

TEST(WindowShare, OneThatReceivesNoMoreIsForgottenAfterTheNextRound) {
  WindowShare share(kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (WindowShare::Round& one : counted) share.text_arrived(one, kStart);
  const Instant first_end = kStart + WindowShare::kRound;
  share.text_arrived(counted[0], first_end);
  EXPECT_EQ(share.octets(), kTotal / 4) << "the others may only be late";
  share.text_arrived(counted[0], first_end + WindowShare::kRound - Duration{1});
  EXPECT_EQ(share.octets(), kTotal / 4);
  share.text_arrived(counted[0], first_end + WindowShare::kRound);
  EXPECT_EQ(share.octets(), kTotal);
}

TEST(WindowShare, AfterASilenceNobodyIsLeft) {
  WindowShare share(kTotal);
  std::array<WindowShare::Round, 4> counted{};
  for (WindowShare::Round& one : counted) share.text_arrived(one, kStart);
  share.text_arrived(counted[0], kStart + 2 * WindowShare::kRound);
  EXPECT_EQ(share.octets(), kTotal);
}

}  // namespace
}  // namespace runnel::tcp
