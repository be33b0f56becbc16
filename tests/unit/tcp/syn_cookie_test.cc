// SYN cookies: RFC 4987 appendix A.
#include "stack/tcp/syn_cookie.h"

#include <chrono>
#include <set>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr FourTuple kTuple{{IpAddress{192, 0, 2, 2}, 80}, {IpAddress{192, 0, 2, 1}, 50000}};
constexpr ListenerId kListener{3, 4};
constexpr std::uint32_t kIrs = 1000;
constexpr std::uint32_t kTimestampOffset = 99;
constexpr Instant kNow{std::chrono::seconds(640)};  // at the beginning of a step

class SynCookie : public ::testing::Test {
 protected:
  // The SYN,ACK that answers a SYN with these options.
  wire::TcpHeader syn_ack(const wire::TcpOptions& options, Instant now,
                          const FourTuple& tuple = kTuple, std::uint32_t irs = kIrs) const {
    Segment syn;
    syn.seq = SeqNum{irs};
    syn.flags.syn = true;
    syn.options = options;
    auto record = SynReceivedRecord::from_syn(tuple, syn, SeqNum{}, kListener, config);
    record.agree_on_timestamps(syn, config, kTimestampOffset, now);
    return cookies.syn_ack(record, config, LinkLimits{}, now);
  }
  std::uint32_t cookie(std::uint16_t mss, Instant now, const FourTuple& tuple = kTuple,
                       std::uint32_t irs = kIrs) const {
    wire::TcpOptions options;
    options.maximum_segment_size = mss;
    return syn_ack(options, now, tuple, irs).seq.value();
  }
  static Segment ack_of(std::uint32_t iss, std::uint32_t irs = kIrs) {
    Segment ack;
    ack.seq = SeqNum{irs + 1};
    ack.ack = SeqNum{iss + 1};
    ack.flags.ack = true;
    ack.window = 333;
    return ack;
  }
  std::optional<SynReceivedRecord> restore(std::uint32_t iss, Instant now,
                                           const FourTuple& tuple = kTuple,
                                           std::uint32_t irs = kIrs) const {
    return cookies.restore(tuple, ack_of(iss, irs), kListener, config, kTimestampOffset, now);
  }

  SeededRandom random{1};
  SynCookieGenerator cookies{random};
  TcpConfig config;
};

TEST_F(SynCookie, BringsTheRecordBack) {
  for (const std::uint32_t irs : {0U, kIrs, 0x7fffffffU, 0xffffffffU}) {
    const auto record = restore(cookie(1460, kNow, kTuple, irs), kNow, kTuple, irs);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->tuple, kTuple);
    EXPECT_EQ(record->listener, kListener);
    EXPECT_EQ(record->irs.value(), irs);
    EXPECT_EQ(record->iss.value(), cookie(1460, kNow, kTuple, irs));
    EXPECT_EQ(record->peer_window, 333);
    EXPECT_EQ(record->peer_scale, SynReceivedRecord::kNoScale);
    EXPECT_FALSE(record->promote().syn_ack_sent_at) << "the round trip is not known";
    EXPECT_EQ(record->promote().syn_ack_retransmissions, 0);
  }
}

wire::TcpOptions everything() {
  wire::TcpOptions options;
  options.maximum_segment_size = 1460;
  options.window_scale = 7;
  options.sack_permitted = true;
  options.timestamps = {12345, 0};
  return options;
}

TEST_F(SynCookie, WithoutTimestampsItsSynAckPromisesNothingThatWouldBeForgotten) {
  wire::TcpOptions offered = everything();
  offered.timestamps.reset();
  const wire::TcpHeader header = syn_ack(offered, kNow);
  EXPECT_FALSE(header.options.window_scale);
  EXPECT_FALSE(header.options.sack_permitted);
  EXPECT_FALSE(header.options.timestamps);
  EXPECT_EQ(header.options.maximum_segment_size, 1460);
  EXPECT_EQ(header.ack.value(), kIrs + 1);
  EXPECT_EQ(header.flags, (wire::TcpFlags{.syn = true, .ack = true}));
}

TEST_F(SynCookie, WithTimestampsTheirEchoBringsScaleAndSackBack) {
  for (const Duration into_step : {Duration{0}, Duration{7ms}, Duration{31ms}, Duration{5s}}) {
    for (const auto scale : {std::optional<std::uint8_t>{}, std::optional<std::uint8_t>{0},
                             std::optional<std::uint8_t>{14}}) {
      for (const bool sack : {false, true}) {
        wire::TcpOptions offered = everything();
        offered.window_scale = scale;
        offered.sack_permitted = sack;
        const wire::TcpHeader sent = syn_ack(offered, kNow + into_step);
        EXPECT_EQ(sent.options.window_scale.has_value(), scale.has_value());
        EXPECT_EQ(sent.options.sack_permitted, sack);
        ASSERT_TRUE(sent.options.timestamps);
        EXPECT_EQ(sent.options.timestamps->echo_reply, 12345U);

        Segment ack = ack_of(sent.seq.value());
        ack.options.timestamps = {12400, sent.options.timestamps->value};
        const auto record = cookies.restore(kTuple, ack, kListener, config, kTimestampOffset,
                                            kNow + into_step + 40ms);
        ASSERT_TRUE(record);
        EXPECT_EQ(record->peer_scale, scale.value_or(SynReceivedRecord::kNoScale));
        EXPECT_EQ(record->is_sack_permitted, sack);
        EXPECT_TRUE(record->timestamps.is_agreed());
        EXPECT_EQ(record->timestamps.recent(), 12400U);
        EXPECT_LT(sent.options.timestamps->value, record->timestamps.value(kNow + into_step) + 1)
            << "the connection's own values are later";
      }
    }
  }
}

TEST_F(SynCookie, WhatWasNotOfferedIsNotTakenFromAnEcho) {
  const std::uint32_t iss = cookie(1460, kNow);
  Segment ack = ack_of(iss);
  ack.options.timestamps = {1, timestamp_with({9, true}, 77777)};
  config.window_scaling = false;
  config.sack = false;
  auto record = cookies.restore(kTuple, ack, kListener, config, kTimestampOffset, kNow);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->peer_scale, SynReceivedRecord::kNoScale);
  EXPECT_FALSE(record->is_sack_permitted);
  config = {};
  config.timestamps = false;
  record = cookies.restore(kTuple, ack, kListener, config, kTimestampOffset, kNow);
  EXPECT_EQ(record->peer_scale, SynReceivedRecord::kNoScale);
  EXPECT_FALSE(record->timestamps.is_agreed());
}

TEST_F(SynCookie, IsGoodInItsStepAndTheNextOne) {
  for (const Duration into_step : {Duration{0}, Duration{31s}, Duration{64s - 1ns}}) {
    const std::uint32_t iss = cookie(1460, kNow + into_step);
    EXPECT_TRUE(restore(iss, kNow + into_step));
    EXPECT_TRUE(restore(iss, kNow + 128s - 1ns));
    for (const Duration late : {128s, 192s, 256s, 5 * 60s, 24 * 3600s}) {
      EXPECT_FALSE(restore(iss, kNow + late)) << late.count();
    }
    EXPECT_FALSE(restore(iss, kNow - 1ns)) << "made in the future";
  }
  EXPECT_EQ(SynCookieGenerator::kValidity, 128s);
}

TEST_F(SynCookie, WorksFromTheFirstStepOn) {
  EXPECT_TRUE(restore(cookie(1460, Instant{}), Instant{}));
  EXPECT_FALSE(restore(cookie(1460, Instant{}) ^ 1U, Instant{})) << "there is no step before";
}

TEST_F(SynCookie, DependsOnTupleIrsTimeAndKey) {
  const std::uint32_t iss = cookie(1460, kNow);
  FourTuple other = kTuple;
  other.remote.port = 50001;
  EXPECT_FALSE(restore(iss, kNow, other));
  other = kTuple;
  other.local.port = 81;
  EXPECT_FALSE(restore(iss, kNow, other));
  other = kTuple;
  other.remote.address = IpAddress{192, 0, 2, 3};
  EXPECT_FALSE(restore(iss, kNow, other));
  EXPECT_FALSE(restore(iss, kNow, kTuple, kIrs + 1));
  EXPECT_FALSE(restore(iss, kNow, kTuple, kIrs - 1));
  const SynCookieGenerator another(random);
  EXPECT_FALSE(another.restore(kTuple, ack_of(iss), kListener, config, kTimestampOffset, kNow));
}

TEST_F(SynCookie, NoBitOfItMayChange) {
  const std::uint32_t iss = cookie(1460, kNow);
  for (unsigned bit = 0; bit < 32; ++bit) EXPECT_FALSE(restore(iss ^ (1U << bit), kNow)) << bit;
}

TEST_F(SynCookie, GuessesFail) {
  int hits = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (restore(static_cast<std::uint32_t>(random.next()), kNow)) ++hits;
  }
  EXPECT_EQ(hits, 0) << "one in 2^28 succeeds";
}

TEST_F(SynCookie, DistinctSynsGetDistinctCookies) {
  std::set<std::uint32_t> seen;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    FourTuple tuple = kTuple;
    tuple.remote.port = port;
    seen.insert(cookie(1460, kNow, tuple));
  }
  for (std::uint32_t irs = 0; irs < 1000; ++irs) seen.insert(cookie(1460, kNow, kTuple, irs));
  EXPECT_GT(seen.size(), 1998U);
}

TEST_F(SynCookie, TheSegmentSizeIsTheLargestOfTheTableThatThePeerTakes) {
  const auto restored = [&](std::uint16_t mss) {
    return restore(cookie(mss, kNow), kNow)->peer_mss_octets;
  };
  EXPECT_EQ(restored(1), config.minimum_mss_octets);
  EXPECT_EQ(restored(535), config.minimum_mss_octets);
  for (std::size_t i = 1; i < SynCookieGenerator::kMss.size(); ++i) {
    const std::uint16_t size = SynCookieGenerator::kMss[i];
    EXPECT_EQ(restored(size), size);
    EXPECT_LT(restored(size - 1), size);
    EXPECT_EQ(restored(size + 1), size);
  }
  EXPECT_EQ(restored(65535), 8960);
}

TEST(SynCookieTimestamp, CarriesEveryAgreementAtEveryTime) {
  for (const std::uint32_t base : {0U, 1000U, 0x7fffffe0U, 0xffffffe0U}) {
    for (std::uint32_t clock = base; clock != base + 64; ++clock) {
      for (unsigned scale = 0; scale <= 15; ++scale) {
        for (const bool sack : {false, true}) {
          CookieOptions options{std::nullopt, sack};
          if (scale < 15) options.window_scale = static_cast<std::uint8_t>(scale);
          const std::uint32_t value = timestamp_with(options, clock);
          EXPECT_EQ(options_of_timestamp(value), options);
          EXPECT_LT(clock - value, 32U) << "never in the future, hardly in the past";
        }
      }
    }
  }
}

}  // namespace
}  // namespace runnel::tcp
