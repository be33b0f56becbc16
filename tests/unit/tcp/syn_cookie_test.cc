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
constexpr Instant kNow{std::chrono::seconds(640)};  // at the beginning of a step

class SynCookie : public ::testing::Test {
 protected:
  SynReceivedRecord encode(std::uint16_t mss, Instant now, const FourTuple& tuple = kTuple,
                           std::uint32_t irs = kIrs) const {
    Segment syn;
    syn.seq = SeqNum{irs};
    syn.flags.syn = true;
    syn.options.maximum_segment_size = mss;
    syn.options.window_scale = 7;
    auto record = SynReceivedRecord::from_syn(tuple, syn, SeqNum{}, kListener, config, link);
    cookies.encode(record, now);
    return record;
  }
  std::uint32_t cookie(std::uint16_t mss, Instant now, const FourTuple& tuple = kTuple,
                       std::uint32_t irs = kIrs) const {
    return encode(mss, now, tuple, irs).iss.value();
  }
  std::optional<SynReceivedRecord> decode(std::uint32_t iss, Instant now,
                                          const FourTuple& tuple = kTuple,
                                          std::uint32_t irs = kIrs) const {
    Segment ack;
    ack.seq = SeqNum{irs + 1};
    ack.ack = SeqNum{iss + 1};
    ack.flags.ack = true;
    ack.window = 333;
    return cookies.decode(tuple, ack, kListener, config, link, now);
  }

  SeededRandom random{1};
  SynCookieGenerator cookies{random};
  TcpConfig config;
  LinkLimits link;
};

TEST_F(SynCookie, BringsTheRecordBack) {
  for (const std::uint32_t irs : {0U, kIrs, 0x7fffffffU, 0xffffffffU}) {
    const auto record = decode(cookie(1460, kNow, kTuple, irs), kNow, kTuple, irs);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->tuple, kTuple);
    EXPECT_EQ(record->listener, kListener);
    EXPECT_EQ(record->irs.value(), irs);
    EXPECT_EQ(record->iss.value(), cookie(1460, kNow, kTuple, irs));
    EXPECT_EQ(record->peer_window, 333);
    EXPECT_EQ(record->peer_scale, SynReceivedRecord::kNoScale);
    EXPECT_FALSE(record->promote(config).syn_ack_sent_at) << "the round trip is not known";
    EXPECT_EQ(record->promote(config).syn_ack_retransmissions, 0);
  }
}

TEST_F(SynCookie, ItsSynAckPromisesNothingThatWouldBeForgotten) {
  EXPECT_FALSE(encode(1460, kNow).syn_ack(config, link).options.window_scale);
}

TEST_F(SynCookie, IsGoodInItsStepAndTheNextOne) {
  for (const Duration into_step : {Duration{0}, Duration{31s}, Duration{64s - 1ns}}) {
    const std::uint32_t iss = cookie(1460, kNow + into_step);
    EXPECT_TRUE(decode(iss, kNow + into_step));
    EXPECT_TRUE(decode(iss, kNow + 128s - 1ns));
    for (const Duration late : {128s, 192s, 256s, 5 * 60s, 24 * 3600s}) {
      EXPECT_FALSE(decode(iss, kNow + late)) << late.count();
    }
    EXPECT_FALSE(decode(iss, kNow - 1ns)) << "made in the future";
  }
  EXPECT_EQ(SynCookieGenerator::kValidity, 128s);
}

TEST_F(SynCookie, WorksFromTheFirstStepOn) {
  EXPECT_TRUE(decode(cookie(1460, Instant{}), Instant{}));
  EXPECT_FALSE(decode(cookie(1460, Instant{}) ^ 1U, Instant{})) << "there is no step before";
}

TEST_F(SynCookie, DependsOnTupleIrsTimeAndKey) {
  const std::uint32_t iss = cookie(1460, kNow);
  FourTuple other = kTuple;
  other.remote.port = 50001;
  EXPECT_FALSE(decode(iss, kNow, other));
  other = kTuple;
  other.local.port = 81;
  EXPECT_FALSE(decode(iss, kNow, other));
  other = kTuple;
  other.remote.address = IpAddress{192, 0, 2, 3};
  EXPECT_FALSE(decode(iss, kNow, other));
  EXPECT_FALSE(decode(iss, kNow, kTuple, kIrs + 1));
  EXPECT_FALSE(decode(iss, kNow, kTuple, kIrs - 1));
  const SynCookieGenerator another(random);
  Segment ack;
  ack.seq = SeqNum{kIrs + 1};
  ack.ack = SeqNum{iss + 1};
  ack.flags.ack = true;
  EXPECT_FALSE(another.decode(kTuple, ack, kListener, config, link, kNow));
}

TEST_F(SynCookie, NoBitOfItMayChange) {
  const std::uint32_t iss = cookie(1460, kNow);
  for (unsigned bit = 0; bit < 32; ++bit) EXPECT_FALSE(decode(iss ^ (1U << bit), kNow)) << bit;
}

TEST_F(SynCookie, GuessesFail) {
  int hits = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (decode(static_cast<std::uint32_t>(random.next()), kNow)) ++hits;
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
  link.mtu_octets = 9040;
  const auto restored = [&](std::uint16_t mss) {
    return decode(cookie(mss, kNow), kNow)->smss_octets;
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
  link.mtu_octets = 1500;
  EXPECT_EQ(restored(65535), 1460) << "what the link carries";
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
