#include "stack/tcp/fast_open.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Verdict = FastOpenCookies::Verdict;
using Cookie = wire::TcpFastOpenCookie;

const IpAddress kClient(192, 0, 2, 1);

// --- Cookies -------------------------------------------------------------------------------------

TEST(FastOpenCookies, DependOnTheClientTheEpochAndTheKey) {
  SeededRandom random(1);
  const FastOpenCookies cookies(random);
  const FastOpenCookies others(random);
  const Instant now{100h};
  const Cookie cookie = cookies.make(kClient, now);
  EXPECT_EQ(cookie.length, 8);
  EXPECT_EQ(cookies.make(kClient, now + 1h - 1ns), cookie);
  EXPECT_NE(cookies.make(kClient, now + 1h), cookie);
  EXPECT_NE(cookies.make(IpAddress(192, 0, 2, 2), now), cookie);
  EXPECT_NE(others.make(kClient, now), cookie);
}

TEST(FastOpenCookies, AreGoodForTheirEpochAndTheNext) {
  SeededRandom random(1);
  const FastOpenCookies cookies(random);
  const Instant now{100h};
  const Cookie cookie = cookies.make(kClient, now);
  EXPECT_EQ(cookies.check(cookie, kClient, now + 1h - 1ns), Verdict::Current);
  EXPECT_EQ(cookies.check(cookie, kClient, now + 1h), Verdict::Previous);
  EXPECT_EQ(cookies.check(cookie, kClient, now + 2h - 1ns), Verdict::Previous);
  EXPECT_EQ(cookies.check(cookie, kClient, now + 2h), Verdict::Invalid);
}

TEST(FastOpenCookies, OneOctetOrAnotherLengthIsAnotherCookie) {
  SeededRandom random(1);
  const FastOpenCookies cookies(random);
  const Instant now{100h};
  const Cookie good = cookies.make(kClient, now);
  for (std::size_t i = 0; i < good.length; ++i) {
    Cookie bad = good;
    bad.octets[i] ^= 0x80U;
    EXPECT_EQ(cookies.check(bad, kClient, now), Verdict::Invalid);
  }
  for (const std::uint8_t length : std::array<std::uint8_t, 4>{0, 4, 6, 10}) {
    Cookie bad = good;
    bad.length = length;
    EXPECT_EQ(cookies.check(bad, kClient, now), Verdict::Invalid);
  }
}

// --- The quota -----------------------------------------------------------------------------------

TEST(FastOpenQuota, IsTakenAndGivenBack) {
  FastOpenQuota quota;
  const Instant now{1s};
  EXPECT_TRUE(quota.take(2, now));
  EXPECT_TRUE(quota.take(2, now));
  EXPECT_FALSE(quota.take(2, now));
  quota.release();
  EXPECT_TRUE(quota.take(2, now));
  EXPECT_FALSE(quota.take(0, now)) << "a limit of 0 allows none";
}

TEST(FastOpenQuota, AResetGivesItsPlaceBackLater) {
  FastOpenQuota quota;
  const Instant now{1s};
  ASSERT_TRUE(quota.take(1, now));
  quota.release_after_reset(now);
  EXPECT_FALSE(quota.take(1, now + FastOpenQuota::kResetPenalty - 1ns));
  EXPECT_TRUE(quota.take(1, now + FastOpenQuota::kResetPenalty));
  EXPECT_FALSE(quota.take(1, now + FastOpenQuota::kResetPenalty)) << "one place, once";
}

// --- The client ----------------------------------------------------------------------------------

class FastOpenClientTest : public ::testing::Test {
 protected:
  static PathEstimate known_cookie() {
    PathEstimate known;
    known.fast_open_cookie = Cookie{{1, 2, 3, 4}, 4};
    known.peer_mss_octets = 1000;
    return known;
  }
  static wire::TcpOptions answer(std::optional<Cookie> cookie) {
    wire::TcpOptions options;
    options.maximum_segment_size = 1400;
    options.fast_open = cookie;
    return options;
  }

  FastOpenClient client_;
};

TEST_F(FastOpenClientTest, SendsNothingUnlessItWasBegun) {
  EXPECT_FALSE(client_.option());
  EXPECT_EQ(client_.text_limit(1460, 0), 0U);
  client_.syn_timed_out();
  client_.syn_acknowledged(answer(Cookie{{1, 2, 3, 4}, 4}), 0);
  EXPECT_FALSE(client_.has_lesson()) << "what was not asked for is not kept";
}

TEST_F(FastOpenClientTest, AsksForACookieWithoutData) {
  client_.begin({});
  EXPECT_EQ(client_.option(), Cookie{});
  EXPECT_EQ(client_.text_limit(1460, 0), 0U);
  client_.syn_sent(0);
  EXPECT_FALSE(client_.option()) << "in one SYN only";
  const Cookie given{{9, 8, 7, 6}, 4};
  client_.syn_acknowledged(answer(given), 0);
  const auto lesson = client_.take_lesson();
  ASSERT_TRUE(lesson);
  EXPECT_EQ(lesson->fast_open_cookie, given);
  EXPECT_EQ(lesson->peer_mss_octets, 1400);
  EXPECT_EQ(lesson->fast_open_works, true);
  EXPECT_FALSE(client_.take_lesson()) << "once";
}

TEST_F(FastOpenClientTest, ARequestThatIsIgnoredSaysNothingAboutDataInASyn) {
  client_.begin({});
  client_.syn_sent(0);
  client_.syn_acknowledged(answer(std::nullopt), 0);
  EXPECT_EQ(client_.take_lesson()->fast_open_works, std::nullopt);
}

TEST_F(FastOpenClientTest, DataAreLimitedByBothMssThePathAndTheOptions) {
  PathEstimate known = known_cookie();
  client_.begin(known);
  EXPECT_EQ(client_.text_limit(1460, 24), 976U);
  EXPECT_EQ(client_.text_limit(500, 24), 476U);
  EXPECT_EQ(client_.text_limit(20, 24), 0U);
  known.path_mtu_octets = 600;
  client_.begin(known);
  EXPECT_EQ(client_.text_limit(1460, 24), 536U);
  known = known_cookie();
  known.peer_mss_octets.reset();
  client_.begin(known);
  EXPECT_EQ(client_.text_limit(1460, 24), 512U) << "the default MSS";
}

TEST_F(FastOpenClientTest, FailuresAreLearned) {
  PathEstimate failed = known_cookie();
  failed.fast_open_works = false;
  client_.begin(failed);
  EXPECT_FALSE(client_.option());

  client_ = {};
  client_.begin(known_cookie());
  client_.syn_sent(10);
  client_.syn_timed_out();
  const auto lesson = client_.take_lesson();
  ASSERT_TRUE(lesson);
  EXPECT_EQ(lesson->fast_open_works, false);
  EXPECT_FALSE(lesson->peer_mss_octets) << "it has not said anything";
  client_.syn_timed_out();
  EXPECT_FALSE(client_.has_lesson()) << "the second timeout teaches nothing new";
  client_.syn_acknowledged(answer(std::nullopt), 10);
  EXPECT_EQ(client_.take_lesson()->fast_open_works, true) << "late, but it arrived";
}

TEST_F(FastOpenClientTest, TheSecondLossInARowIsAFailure) {
  PathEstimate known = known_cookie();
  for (const bool works : {true, false}) {
    client_ = {};
    client_.begin(known);
    client_.syn_sent(10);
    client_.syn_timed_out();
    EXPECT_EQ(client_.take_lesson()->fast_open_works, false) << "as long as there is no answer";
    client_.syn_acknowledged(answer(std::nullopt), 0);  // of the plain SYN
    const auto lesson = client_.take_lesson();
    EXPECT_EQ(lesson->fast_open_works, works);
    known.fast_open_losses = lesson->fast_open_losses;
  }
  known.fast_open_works = true;  // that was long ago
  client_ = {};
  client_.begin(known);
  client_.syn_sent(10);
  client_.syn_acknowledged(answer(std::nullopt), 10);
  EXPECT_EQ(client_.take_lesson()->fast_open_losses, std::uint8_t{0});
}

TEST_F(FastOpenClientTest, DataThatAreRefusedWithoutANewCookieAreAFailure) {
  client_.begin(known_cookie());
  client_.syn_sent(10);
  client_.syn_acknowledged(answer(std::nullopt), 0);
  EXPECT_EQ(client_.take_lesson()->fast_open_works, false);
  client_ = {};
  client_.begin(known_cookie());
  client_.syn_sent(10);
  client_.syn_acknowledged(answer(Cookie{{5, 5, 5, 5}, 4}), 0);
  EXPECT_EQ(client_.take_lesson()->fast_open_works, true);
}

}  // namespace
}  // namespace runnel::tcp
