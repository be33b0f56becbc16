// The cubic function beside one in floating point.
#include "stack/tcp/congestion/cubic_curve.h"

#include <gtest/gtest.h>

#include <cmath>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// RFC 9438 section 4.2, in segments.
double reference(double t, double cwnd_epoch, double w_max) {
  const double k = std::cbrt((w_max - cwnd_epoch) / 0.4);
  return 0.4 * std::pow(t - k, 3) + w_max;
}

TEST(CubicCurve, BeginsAtTheWindowAndIsAtWMaxAfterK) {
  const CubicCurve curve(70 * 1460, 100 * 1460, 1460);
  EXPECT_NEAR(seconds(curve.k()), 4.21716, 1e-4);
  EXPECT_NEAR(static_cast<double>(curve.at(Duration{0})), 70 * 1460, 1460 * 0.001);
  EXPECT_EQ(curve.at(curve.k()), 100U * 1460);
}

TEST(CubicCurve, IsTheReferenceToATenthOfASegment) {
  for (const std::uint64_t smss : {1U, 88U, 536U, 1460U, 9000U, 65'535U}) {
    for (const double w_max : {2.0, 10.0, 100.0, 1000.0, 100'000.0}) {
      for (const double share : {0.1, 0.7, 0.9, 1.0}) {
        const double epoch = std::floor(w_max * share);
        const CubicCurve curve(static_cast<std::uint64_t>(epoch) * smss,
                               static_cast<std::uint64_t>(w_max) * smss, smss);
        for (Duration t{0}; t <= 200s; t += 137ms) {
          const double expected = std::max(0.0, reference(seconds(t), epoch, w_max));
          if (expected * static_cast<double>(smss) > 1e12) break;
          const double octet = 1.0 / static_cast<double>(smss);
          // At most an octet is cut off, which may be a whole segment.
          EXPECT_NEAR(static_cast<double>(curve.at(t)) * octet, expected, 0.1 + 2 * octet)
              << smss << ' ' << w_max << ' ' << epoch << " at " << seconds(t);
        }
      }
    }
  }
}

TEST(CubicCurve, NeverFalls) {
  const CubicCurve curve(7 * 1460, 1000 * 1460, 1460);
  std::uint64_t before = 0;
  for (Duration t{0}; t < 60s; t += 1ms) {
    EXPECT_GE(curve.at(t), before);
    before = curve.at(t);
  }
}

TEST(CubicCurve, WithNothingToComeBackToItOnlyRises) {
  const CubicCurve curve(100 * 1460, 80 * 1460, 1460);
  EXPECT_EQ(curve.k(), Duration{0});
  EXPECT_EQ(curve.at(Duration{0}), 100U * 1460);
  EXPECT_NEAR(static_cast<double>(curve.at(10s)) / 1460, 500, 0.1);
}

TEST(CubicCurve, ExtremesAreBounded) {
  constexpr std::uint64_t kMost = CubicCurve::kMaximumWindow;
  for (const std::uint64_t smss :
       {std::uint64_t{1}, std::uint64_t{1460}, std::uint64_t{UINT32_MAX}}) {
    const CubicCurve whole(1, kMost, smss);
    EXPECT_GT(whole.k(), Duration{0});
    EXPECT_LE(whole.k(), CubicCurve::kLongestTime);
    EXPECT_LE(whole.at(Duration{0}), kMost / 1'000'000);
    EXPECT_EQ(whole.at(Duration::max()), kMost);
    EXPECT_EQ(CubicCurve(kMost, UINT64_MAX, smss).at(1h), kMost);
    EXPECT_EQ(CubicCurve(UINT64_MAX, UINT64_MAX, smss).at(Duration{0}), kMost);
    EXPECT_EQ(cubic_growth(Duration::max(), smss), kMost);
    EXPECT_EQ(cubic_growth(Duration::min(), smss), 0U);
  }
}

// The time at which everything is cut off changes no result.
TEST(CubicCurve, TheLongestTimeIsLongerThanAnyWindow) {
  EXPECT_EQ(cubic_growth(CubicCurve::kLongestTime, 1), CubicCurve::kMaximumWindow);
}

TEST(CubicCurve, TheCubeRootIsExactToAMicrosecondOrAnOctet) {
  for (const std::uint64_t smss : {1U, 1460U, 65'535U}) {
    for (std::uint64_t octets = 0; octets < CubicCurve::kMaximumWindow; octets = octets * 3 + 7) {
      const Duration root = cubic_growth_time(octets, smss);
      EXPECT_LE(cubic_growth(root, smss), octets);
      EXPECT_GE(cubic_growth(root + 1us, smss) + 1, octets) << octets << ' ' << smss;
    }
  }
}

}  // namespace
}  // namespace runnel::tcp
