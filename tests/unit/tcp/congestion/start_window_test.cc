// Initial and restart windows: RFC 6928 section 2, RFC 5681 section 3.1.
#include "stack/tcp/congestion/start_window.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

constexpr SeqNum kFirst{1000};

StartWindow begun(std::uint32_t smss, InitialWindow rule = InitialWindow::Rfc6928,
                  unsigned lost_syns = 0) {
  TcpConfig config;
  config.initial_window = rule;
  StartWindow window(config);
  window.begin(kFirst, smss, lost_syns);
  return window;
}

TEST(StartWindow, IsTenSegmentsButNoMoreThan14600OctetsUnlessTwoSegmentsAre) {
  // RFC 6928 section 2, equation 1: min(10 * MSS, max(2 * MSS, 14600)).
  EXPECT_EQ(begun(88).initial_octets(88), 880U);
  EXPECT_EQ(begun(536).initial_octets(536), 5360U);
  EXPECT_EQ(begun(1459).initial_octets(1459), 14590U);
  EXPECT_EQ(begun(1460).initial_octets(1460), 14600U);
  EXPECT_EQ(begun(1461).initial_octets(1461), 14600U);
  EXPECT_EQ(begun(7300).initial_octets(7300), 14600U);
  EXPECT_EQ(begun(7301).initial_octets(7301), 14602U);
  EXPECT_EQ(begun(8960).initial_octets(8960), 17920U);
  EXPECT_EQ(begun(65495).initial_octets(65495), 130990U);
}

TEST(StartWindow, FollowsTheConfiguredNumberOfSegments) {
  EXPECT_EQ(initial_window_of_rfc6928(1460, 1), 1460U);
  EXPECT_EQ(initial_window_of_rfc6928(8960, 1), 8960U);
  EXPECT_EQ(initial_window_of_rfc6928(1460, 20), 29200U);
  EXPECT_EQ(initial_window_of_rfc6928(1460, 255), 372300U);
}

TEST(StartWindow, IsTwoToFourSegmentsByTheOlderRule) {
  EXPECT_EQ(initial_window_of_rfc3390(88), 4U * 88);
  EXPECT_EQ(initial_window_of_rfc3390(1095), 4U * 1095);
  EXPECT_EQ(initial_window_of_rfc3390(1096), 3U * 1096);
  EXPECT_EQ(initial_window_of_rfc3390(2190), 3U * 2190);
  EXPECT_EQ(initial_window_of_rfc3390(2191), 2U * 2191);
  EXPECT_EQ(initial_window_of_rfc3390(65495), 2U * 65495);
  EXPECT_EQ(begun(1460, InitialWindow::Rfc3390).initial_octets(1460), 4380U);
}

TEST(StartWindow, LostSynsMeanOneSegment) {
  EXPECT_EQ(begun(1460, InitialWindow::Rfc6928, 1).initial_octets(1460), 14600U);
  EXPECT_EQ(begun(1460, InitialWindow::Rfc6928, 2).initial_octets(1460), 1460U);
  EXPECT_EQ(begun(1460, InitialWindow::Rfc3390, 0).initial_octets(1460), 4380U);
  EXPECT_EQ(begun(1460, InitialWindow::Rfc3390, 1).initial_octets(1460), 1460U);
  EXPECT_EQ(begun(1460, InitialWindow::Rfc6928, 2).restart_octets(1460), 1460U);
}

TEST(StartWindow, ALossInTheInitialWindowIsToldOnceAndMakesRestartsCareful) {
  StartWindow window = begun(1460);
  EXPECT_TRUE(window.on_lost(kFirst + 14599, kFirst + 14600));
  EXPECT_FALSE(window.on_lost(kFirst, kFirst + 14600));
  EXPECT_EQ(window.restart_octets(1460), 4380U);
  EXPECT_EQ(window.initial_octets(1460), 14600U);
}

TEST(StartWindow, ALossBehindItChangesNothing) {
  StartWindow window = begun(1460);
  EXPECT_FALSE(window.on_lost(kFirst + 14600, kFirst + 30000));
  EXPECT_EQ(window.restart_octets(1460), 14600U);
}

TEST(StartWindow, ALossOfLittleCountsButChangesNothing) {
  StartWindow little = begun(1460);
  EXPECT_TRUE(little.on_lost(kFirst, kFirst + 4096));
  EXPECT_EQ(little.restart_octets(1460), 14600U);
  StartWindow more = begun(1460);
  EXPECT_TRUE(more.on_lost(kFirst, kFirst + 4097));
  EXPECT_EQ(more.restart_octets(1460), 4380U);
}

TEST(StartWindow, ALossInARestartWindowMakesRestartsCarefulToo) {
  StartWindow window = begun(1460);
  window.on_acknowledged(kFirst + 14600);
  window.restart(kFirst + 50'000, 14600);
  EXPECT_FALSE(window.on_lost(kFirst + 50'000, kFirst + 64'600)) << "it is not the initial one";
  EXPECT_EQ(window.restart_octets(1460), 4380U);
}

TEST(StartWindow, OnceItIsAcknowledgedItIsNoLongerWatched) {
  StartWindow window = begun(1460);
  window.on_acknowledged(kFirst + 14599);
  window.on_acknowledged(kFirst + 14600);
  EXPECT_FALSE(window.on_lost(kFirst + 5, kFirst + 14600)) << "the same number, 4 GiB later";
  EXPECT_EQ(window.restart_octets(1460), 14600U);
}

}  // namespace
}  // namespace runnel::tcp
