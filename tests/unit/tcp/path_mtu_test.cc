// RFC 1191 and RFC 5927 section 7, message by message.
#include "stack/tcp/path_mtu.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Verdict = PathMtu::Verdict;

constexpr Instant kNow{1h};
constexpr SeqNum kSeq{1000};

TEST(Plateau, IsTheNextSmallerOne) {
  EXPECT_EQ(plateau_below(65535), 32000);
  EXPECT_EQ(plateau_below(9000), 8166);
  EXPECT_EQ(plateau_below(1500), 1492);
  EXPECT_EQ(plateau_below(1493), 1492);
  EXPECT_EQ(plateau_below(1492), 1006);
  EXPECT_EQ(plateau_below(300), 296);
  EXPECT_EQ(plateau_below(69), 68);
  EXPECT_EQ(plateau_below(68), 68);
  EXPECT_EQ(plateau_below(1), 68);
}

// A path of which one packet of `octets`, at kSeq, is in flight.
PathMtu in_flight(std::uint16_t octets, std::uint16_t floor = 68) {
  PathMtu path(1500, floor);
  path.on_sent(kSeq, kSeq + 1000, octets);
  return path;
}

// ... and of which `acked` octets had been acknowledged before.
PathMtu after_ack(std::uint16_t acked, std::uint16_t sent) {
  PathMtu path(1500, 68);
  path.on_sent(kSeq - 1000, kSeq, acked);
  EXPECT_FALSE(path.on_acknowledged(kSeq));
  path.on_sent(kSeq, kSeq + 1000, sent);
  return path;
}

TEST(PathMtu, BeginsWithTheFirstHop) {
  EXPECT_EQ(PathMtu(9000, 552).octets(), 9000);
  EXPECT_EQ(PathMtu(500, 552).octets(), 500) << "a link below the floor";
}

TEST(PathMtu, InitialDiscoveryBelievesAtOnce) {
  PathMtu path = in_flight(1500);
  EXPECT_EQ(path.on_too_big(1400, 1500, kSeq, kNow), Verdict::Lowered);
  EXPECT_EQ(path.octets(), 1400);
}

TEST(PathMtu, InitialDiscoveryIsEverythingAboveWhatWasAcknowledged) {
  for (const std::uint16_t claimed : {std::uint16_t{999}, std::uint16_t{1000}}) {
    PathMtu path = after_ack(1000, 1500);
    EXPECT_EQ(path.on_too_big(claimed, 1500, kSeq, kNow),
              claimed == 1000 ? Verdict::Lowered : Verdict::Held);
  }
}

TEST(PathMtu, IsNeverRaisedByAMessage) {
  PathMtu path = in_flight(1500);
  EXPECT_EQ(path.on_too_big(1300, 1500, kSeq, kNow), Verdict::Lowered);
  path.on_sent(kSeq, kSeq + 900, 1300);
  EXPECT_EQ(path.on_too_big(1300, 1300, kSeq, kNow), Verdict::Stale);
  EXPECT_EQ(path.on_too_big(1400, 1300, kSeq, kNow), Verdict::Stale);
  EXPECT_EQ(path.octets(), 1300);
}

TEST(PathMtu, WhatClaimsNoLessThanWasSentIsStale) {
  for (const std::uint16_t claimed : {std::uint16_t{149}, std::uint16_t{150}, std::uint16_t{151}}) {
    PathMtu path = in_flight(150);
    EXPECT_EQ(path.on_too_big(claimed, 150, kSeq, kNow),
              claimed < 150 ? Verdict::Lowered : Verdict::Stale);
  }
}

TEST(PathMtu, WhatWasSentBeforeALoweringIsNoMeasure) {
  PathMtu path = in_flight(1500);
  EXPECT_EQ(path.on_too_big(1400, 1500, kSeq, kNow), Verdict::Lowered);
  EXPECT_EQ(path.on_too_big(1300, 1500, kSeq, kNow), Verdict::Stale) << "nothing was sent since";
  path.on_sent(kSeq, kSeq + 900, 1400);
  EXPECT_EQ(path.on_too_big(1300, 1400, kSeq, kNow), Verdict::Lowered) << "a second narrow link";
}

TEST(PathMtu, AHeldMessageWaitsForTheTimeout) {
  PathMtu path = after_ack(1500, 1500);
  EXPECT_EQ(path.on_too_big(576, 1500, kSeq, kNow), Verdict::Held);
  EXPECT_EQ(path.octets(), 1500);
  EXPECT_FALSE(path.on_acknowledged(kSeq));  // of what is before the quoted segment
  EXPECT_TRUE(path.on_timeout(kNow));
  EXPECT_EQ(path.octets(), 576);
  EXPECT_FALSE(path.on_timeout(kNow)) << "it is used once";
}

TEST(PathMtu, AnAcknowledgmentRefutesAHeldMessage) {
  PathMtu path = after_ack(1500, 1500);
  EXPECT_EQ(path.on_too_big(576, 1500, kSeq, kNow), Verdict::Held);
  EXPECT_FALSE(path.on_acknowledged(kSeq + 1));
  EXPECT_FALSE(path.on_timeout(kNow));
  EXPECT_EQ(path.octets(), 1500);
}

TEST(PathMtu, StaysAboveTheFloor) {
  for (const std::uint16_t floor : {std::uint16_t{68}, std::uint16_t{552}}) {
    PathMtu path = in_flight(1500, floor);
    EXPECT_EQ(path.on_too_big(20, 1500, kSeq, kNow), Verdict::Lowered);
    EXPECT_EQ(path.octets(), floor);
    path.on_sent(kSeq, kSeq + 100, floor);
    EXPECT_EQ(path.on_too_big(20, floor, kSeq, kNow), Verdict::Stale);
  }
}

TEST(PathMtu, ARouterThatDoesNotSayMeansTheNextPlateau) {
  PathMtu path = in_flight(1500);
  EXPECT_EQ(path.on_too_big(0, 1500, kSeq, kNow), Verdict::Lowered);
  EXPECT_EQ(path.octets(), 1492);
  path.on_sent(kSeq, kSeq + 900, 1492);
  EXPECT_EQ(path.on_too_big(0, 1520, kSeq, kNow), Verdict::Lowered)
      << "some quote a length that is too large";
  EXPECT_EQ(path.octets(), 1006);
}

TEST(PathMtu, ForgetsALoweringWhenItIsOld) {
  PathMtu path = in_flight(1500);
  EXPECT_FALSE(path.forget_if_older_than(10min, kNow));
  EXPECT_EQ(path.on_too_big(1300, 1500, kSeq, kNow), Verdict::Lowered);
  path.on_sent(kSeq, kSeq + 900, 1300);
  EXPECT_EQ(path.on_too_big(1200, 1500, kSeq, kNow + 1min), Verdict::Lowered);
  EXPECT_FALSE(path.forget_if_older_than(10min, kNow + 11min - 1ns)) << "counts from the last one";
  EXPECT_TRUE(path.forget_if_older_than(10min, kNow + 11min));
  EXPECT_EQ(path.octets(), 1500);
  EXPECT_FALSE(path.forget_if_older_than(10min, kNow + 30min));
}

TEST(PathMtu, ALoweringIsConfirmedByTheQuotedOctetsInSmallerPackets) {
  PathMtu path = after_ack(1300, 1500);
  EXPECT_FALSE(path.is_lowering_confirmed());
  EXPECT_EQ(path.on_too_big(1400, 1500, kSeq, kNow), Verdict::Lowered);
  EXPECT_FALSE(path.is_lowering_confirmed());
  path.on_sent(kSeq, kSeq + 900, 1400);
  path.on_sent(kSeq + 900, kSeq + 1000, 140);
  EXPECT_FALSE(path.on_acknowledged(kSeq));
  EXPECT_FALSE(path.is_lowering_confirmed()) << "of what came before the quoted octets";
  EXPECT_FALSE(path.on_acknowledged(kSeq + 900));
  EXPECT_TRUE(path.is_lowering_confirmed());
  EXPECT_FALSE(path.on_acknowledged(kSeq + 5000));
  EXPECT_TRUE(path.is_lowering_confirmed());
  EXPECT_EQ(path.octets(), 1400);
}

TEST(PathMtu, ALoweringIsUndoneWhenMoreArrivesThanWasSentAgain) {
  for (const std::uint32_t acked : {900U, 901U}) {
    PathMtu path = after_ack(1300, 1500);
    EXPECT_EQ(path.on_too_big(1400, 1500, kSeq, kNow), Verdict::Lowered);
    path.on_sent(kSeq, kSeq + 900, 1400);
    EXPECT_EQ(path.on_acknowledged(kSeq + acked), acked > 900);
    EXPECT_EQ(path.octets(), acked > 900 ? 1500 : 1400);
    EXPECT_EQ(path.is_lowering_confirmed(), acked <= 900);
    path.on_sent(kSeq + 1000, kSeq + 2000, path.octets());
    if (acked <= 900) continue;
    EXPECT_EQ(path.on_too_big(1400, 1500, kSeq + 1000, kNow), Verdict::Held) << "it has passed";
  }
}

TEST(PathMtu, ALoweringIsUndoneWhenNothingWasSentAgainYet) {
  PathMtu path = in_flight(1500);
  EXPECT_EQ(path.on_too_big(1400, 1500, kSeq, kNow), Verdict::Lowered);
  EXPECT_TRUE(path.on_acknowledged(kSeq + 1000));
  EXPECT_EQ(path.octets(), 1500);
}

TEST(PathMtu, ATimeoutThatWasSpuriousDoesNotMakeAHeldMessageTrue) {
  PathMtu path = after_ack(1500, 1500);
  EXPECT_EQ(path.on_too_big(576, 1500, kSeq, kNow), Verdict::Held);
  EXPECT_TRUE(path.on_timeout(kNow));
  path.on_sent(kSeq, kSeq + 500, 576);
  EXPECT_TRUE(path.on_acknowledged(kSeq + 1000));
  EXPECT_EQ(path.octets(), 1500);
}

TEST(PathMtu, WhatWasSentAgainInSmallerPacketsDoesNotMeasureTheLargeOne) {
  PathMtu path = after_ack(1000, 1500);
  path.on_sent(kSeq, kSeq + 500, 1100);
  path.on_sent(kSeq + 500, kSeq + 1000, 1100);
  EXPECT_FALSE(path.on_acknowledged(kSeq + 1000));
  path.on_sent(kSeq + 1000, kSeq + 2000, 1500);
  EXPECT_EQ(path.on_too_big(1200, 1500, kSeq + 1000, kNow), Verdict::Lowered)
      << "1,500 octets have never passed";
}

TEST(PathMtu, WhatOthersHaveFoundOutIsNotConfirmedHere) {
  PathMtu path(1500, 552);
  path.begin_with(1400, kNow);
  EXPECT_EQ(path.octets(), 1400);
  path.on_sent(kSeq, kSeq + 1000, 1400);
  EXPECT_FALSE(path.on_acknowledged(kSeq + 1000));
  EXPECT_FALSE(path.is_lowering_confirmed());
  EXPECT_FALSE(path.forget_if_older_than(10min, kNow + 10min - 1ns));
  EXPECT_TRUE(path.forget_if_older_than(10min, kNow + 10min));
}

TEST(PathMtu, AConfirmedProbeRaisesIt) {
  PathMtu path(1500, 552);
  path.begin_with(1200, kNow);
  path.raise_to(1100);
  EXPECT_EQ(path.octets(), 1200);
  path.raise_to(1400);
  EXPECT_EQ(path.octets(), 1400);
  path.raise_to(9000);
  EXPECT_EQ(path.octets(), 1500);
}

TEST(PathMtu, AGuessIsNothingToTellOthers) {
  PathMtu path = in_flight(1500);
  path.return_to(1200);
  EXPECT_EQ(path.octets(), 1200);
  path.on_sent(kSeq, kSeq + 2000, 1200);
  EXPECT_FALSE(path.on_acknowledged(kSeq + 2000));
  EXPECT_FALSE(path.is_lowering_confirmed());
}

TEST(TooBigPause, LetsOneSegmentGoUntilItIsAcknowledged) {
  TooBigPause pause;
  EXPECT_FALSE(pause.is_waiting());
  pause.on_sent();
  EXPECT_FALSE(pause.is_waiting());
  pause.begin(kSeq);
  EXPECT_FALSE(pause.is_waiting());
  pause.on_sent();
  EXPECT_TRUE(pause.is_waiting());
  pause.on_acknowledged(kSeq);
  EXPECT_TRUE(pause.is_waiting());
  pause.on_acknowledged(kSeq + 1);
  EXPECT_FALSE(pause.is_waiting());
}

}  // namespace
}  // namespace runnel::tcp
