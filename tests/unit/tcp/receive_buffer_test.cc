// The receive buffer's growth, and the round trip that it goes by.
#include "stack/tcp/receive_buffer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>

#include "stack/tcp/handshake.h"

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKibibyte = 1024;
constexpr std::size_t kMebibyte = 1024 * kKibibyte;
constexpr std::size_t kNoLimit = SIZE_MAX;

TcpConfig grows(std::size_t from, std::size_t to) {
  TcpConfig config;
  config.receive_buffer_octets = from;
  config.receive_buffer_maximum_octets = to;
  return config;
}

TEST(ReceiverRtt, TheLeastWindowRoundCounts) {
  ReceiverRtt rtt;
  EXPECT_FALSE(rtt.get());
  rtt.text_arrived(1000, 5000, {}, Instant{1s});  // the first round begins
  rtt.text_arrived(4999, 8999, {}, Instant{1s + 70ms});
  EXPECT_FALSE(rtt.get()) << "an octet of the window is missing";
  rtt.text_arrived(5000, 9000, {}, Instant{1s + 80ms});
  EXPECT_EQ(rtt.get(), 80ms);
  rtt.text_arrived(9000, 13000, {}, Instant{1s + 280ms});  // the sender had a rest
  EXPECT_EQ(rtt.get(), 80ms);
  rtt.text_arrived(13000, 17000, {}, Instant{1s + 340ms});
  EXPECT_EQ(rtt.get(), 60ms);
}

TEST(ReceiverRtt, TheHandshakesSampleIsABeginning) {
  ReceiverRtt rtt;
  rtt.take_sample(50ms);
  EXPECT_EQ(rtt.get(), 50ms);
  rtt.take_sample(90ms);
  EXPECT_EQ(rtt.get(), 50ms);
}

TEST(ReceiverRtt, TimestampsReplaceTheOthersAndFollowThePath) {
  ReceiverRtt rtt;
  rtt.take_sample(10ms);
  Instant now{1s};
  rtt.text_arrived(1000, 9000, 500ms, now);
  EXPECT_EQ(rtt.get(), 10ms) << "the first text is no answer to a window";
  rtt.text_arrived(2000, 10000, 80ms, now);
  EXPECT_EQ(rtt.get(), 80ms);
  rtt.text_arrived(3000, 11000, 160ms, now);
  EXPECT_EQ(rtt.get(), 90ms);
  rtt.take_sample(10ms);
  EXPECT_EQ(rtt.get(), 90ms) << "coarser ones do not count any more";
  now += 91ms;
  rtt.text_arrived(4000, 12000, 170ms, now);
  EXPECT_EQ(rtt.get(), 90ms) << "after a pause";
  now += 90ms;
  rtt.text_arrived(5000, 13000, 98ms, now);
  EXPECT_EQ(rtt.get(), 91ms);
}

TEST(ReceiveBuffer, FollowsWhatIsReadInARoundTrip) {
  base::MemoryBudget budget(512 * kMebibyte);
  ReceiveBuffer buffer(grows(256 * kKibibyte, 32 * kMebibyte), budget);
  EXPECT_EQ(buffer.octets(), 256 * kKibibyte);
  buffer.rtt().take_sample(100ms);
  Instant now{1s};
  buffer.application_has_read(100'000, kNoLimit, now);
  EXPECT_EQ(buffer.octets(), 256 * kKibibyte) << "no round trip has passed";
  now += 100ms - 1ns;
  buffer.application_has_read(50'000, kNoLimit, now);
  EXPECT_EQ(buffer.octets(), 256 * kKibibyte);
  now += 1ns;
  buffer.application_has_read(50'000, kNoLimit, now);
  EXPECT_EQ(buffer.octets(), 2 * 200'000U + 8 * 200'000U) << "twice, and eight times the growth";
  now += 100ms;
  buffer.application_has_read(400'000, kNoLimit, now);
  EXPECT_EQ(buffer.octets(), 2 * 400'000U + 8 * 200'000U);
  now += 100ms;
  buffer.application_has_read(400'000, kNoLimit, now);
  EXPECT_EQ(buffer.octets(), 2 * 400'000U + 8 * 200'000U) << "a steady rate needs no more";
}

TEST(ReceiveBuffer, ASlowReaderGetsNoMore) {
  base::MemoryBudget budget(512 * kMebibyte);
  ReceiveBuffer buffer(grows(256 * kKibibyte, 32 * kMebibyte), budget);
  buffer.rtt().take_sample(10ms);
  Instant now{1s};
  buffer.application_has_read(1, kNoLimit, now);
  for (int i = 0; i < 100; ++i) {  // 1 MiB a second is 10 KiB a round trip
    now += 1s;
    buffer.application_has_read(kMebibyte, kNoLimit, now);
  }
  EXPECT_EQ(buffer.octets(), 256 * kKibibyte);
}

TEST(ReceiveBuffer, HasAMaximumAndIsFixedWithoutOne) {
  base::MemoryBudget budget(512 * kMebibyte);
  ReceiveBuffer growing(grows(256 * kKibibyte, kMebibyte), budget);
  ReceiveBuffer unscaled(grows(16 * kKibibyte, kMebibyte), budget);
  ReceiveBuffer fixed(grows(256 * kKibibyte, 0), budget);
  for (ReceiveBuffer* buffer : {&growing, &unscaled, &fixed}) buffer->rtt().take_sample(1ms);
  Instant now{1s};
  for (int i = 0; i < 10; ++i, now += 1ms) {
    growing.application_has_read(10 * kMebibyte, kNoLimit, now);
    unscaled.application_has_read(10 * kMebibyte, 65535, now);
    fixed.application_has_read(10 * kMebibyte, kNoLimit, now);
  }
  EXPECT_EQ(growing.octets(), kMebibyte);
  EXPECT_EQ(unscaled.octets(), 65535U) << "a window that cannot be told is of no use";
  EXPECT_EQ(fixed.octets(), 256 * kKibibyte);
}

TEST(ReceiveBuffer, TheBudgetBoundsTheSumAndGetsEverythingBack) {
  base::MemoryBudget budget(64 * kMebibyte);
  {
    std::deque<ReceiveBuffer> buffers;
    std::size_t grown = 0;
    for (int i = 0; i < 100; ++i) {
      ReceiveBuffer& buffer = buffers.emplace_back(grows(256 * kKibibyte, 32 * kMebibyte), budget);
      buffer.rtt().take_sample(1ms);
      Instant now{1s};
      for (int round = 0; round < 5; ++round, now += 1ms) {
        buffer.application_has_read(32 * kMebibyte, kNoLimit, now);
      }
      if (i < 10) {
        EXPECT_GT(buffer.octets(), 512 * kKibibyte) << "the " << i << "th";
      }
      grown += buffer.octets() - 256 * kKibibyte;
    }
    EXPECT_EQ(grown, budget.promised_octets());
    EXPECT_LE(grown, 32 * kMebibyte) << "half of the budget";
    EXPECT_GT(grown, 24 * kMebibyte);
  }
  EXPECT_EQ(budget.promised_octets(), 0U);
}

TEST(ReceiveBuffer, ItsMaximumDecidesTheScale) {
  // RFC 7323 section 2.3: the scale is told once, in the SYN.
  EXPECT_EQ(offered_window_scale(grows(256 * kKibibyte, 32 * kMebibyte)), 10);
  EXPECT_EQ(offered_window_scale(grows(kMebibyte, 0)), offered_window_scale(kMebibyte));
  EXPECT_EQ(offered_window_scale(grows(60'000, 0)), 0);
  // The unit stays small beside the buffer that it begins with.
  EXPECT_EQ(offered_window_scale(grows(1000, 32 * kMebibyte)), 6);
  EXPECT_EQ(offered_window_scale(grows(100, 32 * kMebibyte)), 3);
}

}  // namespace
}  // namespace runnel::tcp
