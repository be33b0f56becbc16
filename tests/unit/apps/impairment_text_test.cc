#include "apps/impairment_text.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::apps {
namespace {

using namespace std::chrono_literals;

TEST(ImpairmentText, EveryPropertyIsRead) {
  const ImpairmentText read = parse_impairment(
      "delay=20ms,jitter=1.5ms,loss=1%,reorder=2%,dup=100%,corrupt=0.5%,mark=4%,rate=200mbit,queue="
      "500,"
      "seed=18446744073709551615");
  EXPECT_EQ(read.refused, "");
  EXPECT_EQ(read.impairment.delay, 20ms);
  EXPECT_EQ(read.impairment.jitter, 1500us);
  EXPECT_DOUBLE_EQ(read.impairment.loss, 0.01);
  EXPECT_DOUBLE_EQ(read.impairment.reorder, 0.02);
  EXPECT_DOUBLE_EQ(read.impairment.duplicate, 1);
  EXPECT_DOUBLE_EQ(read.impairment.corrupt, 0.005);
  EXPECT_DOUBLE_EQ(read.impairment.mark, 0.04);
  EXPECT_EQ(read.impairment.rate_bits_per_second, 200'000'000U);
  EXPECT_EQ(read.impairment.queue_packets, 500U);
  EXPECT_EQ(read.impairment.seed, UINT64_MAX);
}

TEST(ImpairmentText, WhatIsNotNamedStaysAsItIs) {
  const ImpairmentText read = parse_impairment("loss=3%");
  EXPECT_EQ(read.refused, "");
  EXPECT_EQ(read.impairment.delay, 0ms);
  EXPECT_EQ(read.impairment.rate_bits_per_second, 0U);
  EXPECT_EQ(read.impairment.queue_packets, 1000U);
  EXPECT_EQ(read.impairment.seed, 1U);
}

TEST(ImpairmentText, UnitsAreThoseOfTheHeader) {
  EXPECT_EQ(parse_impairment("delay=250us").impairment.delay, 250us);
  EXPECT_EQ(parse_impairment("delay=0.5s").impairment.delay, 500ms);
  EXPECT_EQ(parse_impairment("delay=0s").impairment.delay, 0s);
  EXPECT_EQ(parse_impairment("rate=64kbit").impairment.rate_bits_per_second, 64'000U);
  EXPECT_EQ(parse_impairment("rate=2.5gbit").impairment.rate_bits_per_second, 2'500'000'000U);
}

TEST(ImpairmentText, WhatIsNotUnderstoodIsNamed) {
  for (const char* bad : {"delay",       "delay=",    "delay=5",    "delay=5m",      "delay=-5ms",
                          "delay=3601s", "delay=xms", "loss=1",     "loss=101%",     "loss=-1%",
                          "loss=nan%",   "rate=5",    "rate=0mbit", "rate=9999gbit", "queue=0",
                          "queue=-1",    "queue=1.5", "seed=",      "seed=1x",       "luck=1%",
                          "delay =5ms"}) {
    EXPECT_EQ(parse_impairment(bad).refused, std::string(bad) + " is not understood");
  }
  EXPECT_EQ(parse_impairment("").refused, "nothing is not understood");
  EXPECT_EQ(parse_impairment("loss=1%,").refused, "nothing is not understood");
  EXPECT_EQ(parse_impairment("loss=1%,dup=x,delay=1ms").refused, "dup=x is not understood");
}

}  // namespace
}  // namespace runnel::apps
