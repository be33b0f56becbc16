// The search of RFC 4821 section 7 and RFC 8899 section 5, against paths made of one number.
#include "stack/tcp/mtu_search.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Phase = MtuSearch::Phase;

// A search and the path that it is about: probes above `passes` are lost.
struct Path {
  explicit Path(std::uint16_t carries, const TcpConfig& config = {})
      : passes(carries), search(config) {}

  // Sends the probe that may be sent now and reports what became of it. Returns its size.
  std::optional<std::uint16_t> probe() {
    const auto size = search.probe_size(now);
    if (!size) return size;
    EXPECT_LT(search.low(), *size);
    EXPECT_LE(*size, search.high());
    search.on_probe_sent(*size, nxt, nxt + *size, now);
    EXPECT_FALSE(search.probe_size(now)) << "one at a time";
    if (*size <= passes) {
      EXPECT_TRUE(search.on_acknowledged(nxt + *size, nxt + *size, now));
    } else {
      search.on_probe_lost(now);
    }
    nxt += *size;
    return size;
  }
  // Everything until the search is complete.
  std::vector<std::uint16_t> run() {
    std::vector<std::uint16_t> sizes;
    while (search.phase() == Phase::Searching && sizes.size() < 1000) {
      if (const auto size = probe()) {
        sizes.push_back(*size);
      } else {
        now += 1s;
      }
    }
    return sizes;
  }

  std::uint16_t passes;
  MtuSearch search;
  Instant now{1h};
  SeqNum nxt{0xffff'f000};
};

TEST(MtuSearch, AsksForNothingBeforeItBegins) {
  Path path(1500);
  EXPECT_EQ(path.search.phase(), Phase::Disabled);
  EXPECT_FALSE(path.probe());
}

TEST(MtuSearch, EndsWithOneProbeWhenTheLargestSizePasses) {
  Path path(1500);
  path.search.start(1200, 1500);
  EXPECT_EQ(path.run(), std::vector<std::uint16_t>{1500});
  EXPECT_EQ(path.search.low(), 1500);
}

TEST(MtuSearch, EndsCloseToEverySizeThatThePathMayHave) {
  for (const std::uint16_t ceiling : {std::uint16_t{1500}, std::uint16_t{9000}}) {
    for (std::uint32_t carries = 1200; carries <= ceiling; carries += ceiling / 250) {
      Path path(static_cast<std::uint16_t>(carries));
      path.search.start(1200, ceiling);
      const auto sizes = path.run();
      EXPECT_LE(path.search.low(), carries);
      EXPECT_LT(carries - path.search.low(), MtuSearch::kResolutionOctets);
      EXPECT_LE(sizes.size(), 3U * 13U);
    }
  }
}

TEST(MtuSearch, ReachesTheLargestSegmentThatIpHas) {
  Path path(65535);
  path.search.start(1200, 65535);
  path.run();
  EXPECT_EQ(path.search.low(), 65535);
}

TEST(MtuSearch, TriesASizeMaxProbesTimesWithTheProbeTimerBetween) {
  Path path(1200);
  path.search.start(1200, 1500);
  for (int attempt = 0; attempt < 3; ++attempt) {
    ASSERT_EQ(path.probe(), 1500) << attempt;
    path.now += 15s;
    EXPECT_FALSE(path.probe());
    path.now += 1ns;
  }
  EXPECT_EQ(path.search.high(), 1499);
  EXPECT_EQ(path.probe(), 1350);
}

TEST(MtuSearch, NeverTriesAgainWithinASecond) {
  TcpConfig config;
  config.mtu_probe_timeout = 1ms;
  Path path(1200, config);
  path.search.start(1200, 1500);
  EXPECT_TRUE(path.probe());
  path.now += 1s;
  EXPECT_FALSE(path.probe());
  path.now += 1ns;
  EXPECT_TRUE(path.probe());
}

TEST(MtuSearch, RestsForTheRaiseTimerWhenComplete) {
  Path path(1400);
  path.search.start(1200, 1500);
  path.run();
  const auto low = path.search.low();
  path.now += 10min - 1ns;
  EXPECT_FALSE(path.probe());
  path.passes = 1500;
  path.now += 1ns;
  EXPECT_EQ(path.probe(), 1500);
  EXPECT_EQ(path.search.low(), 1500);
  EXPECT_LT(low, 1401);
  path.now += 1h;
  EXPECT_FALSE(path.probe()) << "there is nothing above";
}

TEST(MtuSearch, RestsAfterAnIcmpMessageToo) {
  Path path(1500);
  path.search.rest(1400, 1500, path.now);
  path.now += 10min - 1ns;
  EXPECT_FALSE(path.probe());
  path.now += 1ns;
  EXPECT_EQ(path.probe(), 1500);
}

TEST(MtuSearch, AProbeLostAmongOthersCountsNothing) {
  Path path(1500);
  path.search.start(1200, 1500);
  for (int i = 0; i < 10; ++i) {
    const auto size = path.search.probe_size(path.now);
    ASSERT_EQ(size, 1500);
    path.search.on_probe_sent(*size, path.nxt, path.nxt + 100, path.now);
    path.search.on_probe_inconclusive();
    path.now += 16s;
  }
}

TEST(MtuSearch, ARoutersWordIsTheNextSizeToTry) {
  Path path(1500);
  path.search.start(1200, 1500);
  path.search.on_probe_sent(1500, path.nxt, path.nxt + 1460, path.now);
  EXPECT_FALSE(path.search.on_probe_too_big(1500)) << "a size that the probe did not exceed";
  EXPECT_FALSE(path.search.is_probe_refused());
  EXPECT_TRUE(path.search.on_probe_too_big(1420));
  EXPECT_TRUE(path.search.is_probe_refused());
  EXPECT_FALSE(path.search.probe_size(path.now)) << "not before the probe is found to be lost";
  path.search.on_probe_lost(path.now);
  EXPECT_EQ(path.probe(), 1420) << "at once";
  EXPECT_EQ(path.search.phase(), Phase::Complete);
}

TEST(MtuSearch, ARouterThatDoesNotSayOnlyTakesTheSizeAway) {
  Path path(1400);
  path.search.start(1200, 1500);
  path.search.on_probe_sent(1500, path.nxt, path.nxt + 1460, path.now);
  EXPECT_TRUE(path.search.on_probe_too_big(0));
  path.search.on_probe_lost(path.now);
  EXPECT_EQ(path.search.high(), 1499);
  EXPECT_EQ(path.search.phase(), Phase::Searching);
  EXPECT_EQ(path.search.probe_size(path.now), 1350) << "halving, at once";
}

TEST(MtuSearch, AnAcknowledgmentRefutesARouter) {
  Path path(1500);
  path.search.start(1200, 1500);
  path.search.on_probe_sent(1500, path.nxt, path.nxt + 1460, path.now);
  EXPECT_TRUE(path.search.on_probe_too_big(1300));
  EXPECT_TRUE(path.search.on_acknowledged(path.nxt + 1460, path.nxt + 1460, path.now));
  EXPECT_EQ(path.search.low(), 1500);
}

TEST(MtuSearch, OctetsThatAreSentAgainSayNothingAboutTheProbe) {
  for (const bool overlaps : {false, true}) {
    Path path(1500);
    path.search.start(1200, 1500);
    path.search.on_probe_sent(1500, path.nxt, path.nxt + 1460, path.now);
    path.search.on_retransmit(path.nxt - 1000, path.nxt, path.now);
    path.search.on_retransmit(path.nxt + 1460, path.nxt + 2000, path.now);
    if (overlaps) path.search.on_retransmit(path.nxt + 1459, path.nxt + 2000, path.now);
    EXPECT_EQ(path.search.on_acknowledged(path.nxt + 1460, path.nxt + 1460, path.now), !overlaps);
    EXPECT_EQ(path.search.low(), overlaps ? 1200 : 1500);
    EXPECT_EQ(path.search.high(), 1500);
  }
}

TEST(MtuSearch, ATimeoutOfARefusedProbeIsItsLoss) {
  Path path(1500);
  path.search.start(1200, 1500);
  path.search.on_probe_sent(1500, path.nxt, path.nxt + 1460, path.now);
  EXPECT_TRUE(path.search.on_probe_too_big(1300));
  EXPECT_FALSE(path.search.on_timeout(path.now));
  EXPECT_EQ(path.search.high(), 1300);
}

TEST(MtuSearch, TakesARaisedSizeBackWhenATimeoutFollows) {
  Path path(1500);
  path.search.start(1200, 1500);
  EXPECT_TRUE(path.probe());
  EXPECT_EQ(path.search.low(), 1500);
  EXPECT_TRUE(path.search.on_timeout(path.now));
  EXPECT_EQ(path.search.low(), 1200);
  EXPECT_EQ(path.search.high(), 1499);
  EXPECT_EQ(path.search.phase(), Phase::Complete);
  EXPECT_FALSE(path.search.on_timeout(path.now)) << "once";
}

TEST(MtuSearch, TrustsARaisedSizeAfterTenSegments) {
  for (const bool verified : {false, true}) {
    Path path(1500);
    path.search.start(1200, 1500);
    EXPECT_TRUE(path.probe());
    const SeqNum until = path.nxt + 10 * 1500;
    EXPECT_FALSE(path.search.on_acknowledged(verified ? until : until - 1, until, path.now));
    EXPECT_EQ(path.search.on_timeout(path.now), !verified);
  }
}

TEST(MtuSearch, KnowsWhichOctetsAreTheProbes) {
  Path path(1500);
  path.search.start(1200, 1500);
  path.search.on_probe_sent(1500, path.nxt, path.nxt + 1460, path.now);
  EXPECT_TRUE(path.search.is_probe(path.nxt, path.nxt + 1460));
  EXPECT_TRUE(path.search.is_probe(path.nxt + 1, path.nxt + 1000));
  EXPECT_FALSE(path.search.is_probe(path.nxt - 1, path.nxt + 1));
  EXPECT_FALSE(path.search.is_probe(path.nxt + 1000, path.nxt + 1461));
  EXPECT_FALSE(path.search.on_acknowledged(path.nxt + 1459, path.nxt + 1460, path.now));
}

// --- Black holes ---

TEST(BlackHole, IsThreeTimeoutsInARow) {
  BlackHoleDetector detector{TcpConfig{}};
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
  EXPECT_EQ(detector.on_timeout(1500, 1500), 1200);
  EXPECT_EQ(detector.on_timeout(1200, 1200), 600);
  EXPECT_EQ(detector.on_timeout(600, 600), 552) << "the floor";
  EXPECT_FALSE(detector.on_timeout(552, 552));
}

TEST(BlackHole, GoesDownTo68OctetsInTheRfcProfile) {
  BlackHoleDetector detector{rfc_profile()};
  std::uint16_t path_mtu = 1500;
  std::vector<std::uint16_t> sizes;
  for (int i = 0; i < 20; ++i) {
    if (const auto next = detector.on_timeout(path_mtu, path_mtu)) {
      sizes.push_back(path_mtu = *next);
    }
  }
  EXPECT_EQ(sizes, (std::vector<std::uint16_t>{1200, 600, 300, 150, 75, 68}));
}

TEST(BlackHole, ASignOfLifeBeginsTheCountAnew) {
  BlackHoleDetector detector{TcpConfig{}};
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
  detector.on_acknowledged();
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
  detector.on_icmp_error();
  EXPECT_FALSE(detector.on_timeout(1500, 1500));
}

TEST(BlackHole, SwallowsOnlyLargePackets) {
  BlackHoleDetector detector{TcpConfig{}};
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(detector.on_timeout(1500, 552));
}

TEST(BlackHole, BelowTheBaseSwallowsWhatFitsIntoTheBase) {
  BlackHoleDetector detector{TcpConfig{}};
  EXPECT_FALSE(detector.on_timeout(1500, 1200));
  EXPECT_FALSE(detector.on_timeout(1500, 1200));
  EXPECT_EQ(detector.on_timeout(1500, 1200), 600);
  EXPECT_EQ(detector.on_timeout(1500, 600), 552);
  EXPECT_EQ(detector.on_timeout(1500, 1201), 1200);
}

}  // namespace
}  // namespace runnel::tcp
