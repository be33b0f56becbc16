#include "stack/tcp/loss/tail_loss_probe.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr SeqNum kEnd{40};  // of what was sent, behind the wrap
const SeqRange kLast{SeqNum{0xfffffff0}, kEnd};

TEST(TailLossProbe, TheTimeoutIsTwoRoundTripsAndADelayedAckForASingleSegment) {
  EXPECT_EQ(TailLossProbe::timeout(50ms, false), 100ms);
  EXPECT_EQ(TailLossProbe::timeout(50ms, true), 300ms);
  EXPECT_EQ(TailLossProbe::timeout(std::nullopt, false), 1s);
  EXPECT_EQ(TailLossProbe::timeout(std::nullopt, true), 1s);
}

TEST(TailLossProbe, OneAtATimeAndNotWithoutASample) {
  TailLossProbe probe;
  EXPECT_TRUE(probe.may_probe());
  probe.on_probe(kEnd, kLast);
  EXPECT_FALSE(probe.may_probe());
  probe.on_rtt_sample();
  EXPECT_FALSE(probe.may_probe()) << "it is still out";
  probe.cancel();
  EXPECT_TRUE(probe.may_probe());
  probe.on_probe(kEnd, kLast);
  probe.cancel();
  EXPECT_FALSE(probe.may_probe()) << "no sample since";
}

TEST(TailLossProbe, AnAckBeforeItsEndSaysNothing) {
  TailLossProbe probe;
  probe.on_probe(kEnd, kLast);
  EXPECT_FALSE(probe.on_ack(kEnd - 1, std::nullopt, true));
  EXPECT_FALSE(probe.may_probe());
}

TEST(TailLossProbe, OnlyAnAckBehindItsEndShowsARepair) {
  TailLossProbe probe;
  probe.on_probe(kEnd, kLast);
  EXPECT_FALSE(probe.on_ack(kEnd, std::nullopt, false)) << "a duplicate may follow";
  EXPECT_TRUE(probe.on_ack(kEnd + 1, std::nullopt, false));
  EXPECT_FALSE(probe.on_ack(kEnd + 2, std::nullopt, false)) << "once";
}

TEST(TailLossProbe, ADuplicateInEitherFormShowsThatBothHaveArrived) {
  TailLossProbe by_dsack;
  by_dsack.on_probe(kEnd, kLast);
  EXPECT_FALSE(by_dsack.on_ack(kEnd, kLast, false));
  EXPECT_FALSE(by_dsack.on_ack(kEnd + 1, std::nullopt, false));
  TailLossProbe by_duplicate;
  by_duplicate.on_probe(kEnd, kLast);
  EXPECT_FALSE(by_duplicate.on_ack(kEnd, std::nullopt, true));
  EXPECT_FALSE(by_duplicate.on_ack(kEnd + 1, std::nullopt, false));
}

TEST(TailLossProbe, ADsackOfSomethingElseShowsNothing) {
  TailLossProbe probe;
  probe.on_probe(kEnd, kLast);
  EXPECT_FALSE(probe.on_ack(kEnd, SeqRange{SeqNum{0xffffff00}, kLast.begin}, false));
  EXPECT_TRUE(probe.on_ack(kEnd + 1, std::nullopt, false));
}

TEST(TailLossProbe, NewDataAsAProbeRepairNothing) {
  TailLossProbe probe;
  probe.on_probe(kEnd, std::nullopt);
  EXPECT_FALSE(probe.on_ack(kEnd, std::nullopt, false));
  EXPECT_FALSE(probe.on_ack(kEnd + 1, std::nullopt, false));
}

}  // namespace
}  // namespace runnel::tcp
