// The send buffer follows the congestion window.
#include "stack/tcp/send_buffer.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

constexpr std::size_t kKibibyte = 1024;
constexpr std::size_t kMebibyte = 1024 * kKibibyte;

TcpConfig grows(std::size_t from, std::size_t to) {
  TcpConfig config;
  config.send_buffer_octets = from;
  config.send_buffer_maximum_octets = to;
  return config;
}

TEST(SendBuffer, IsTwiceTheCongestionWindowBetweenItsBounds) {
  base::MemoryBudget budget(512 * kMebibyte);
  SendBuffer buffer(grows(256 * kKibibyte, 8 * kMebibyte), budget);
  buffer.follow(14'600);
  EXPECT_EQ(buffer.octets(), 256 * kKibibyte);
  buffer.follow(kMebibyte);
  EXPECT_EQ(buffer.octets(), 2 * kMebibyte);
  buffer.follow(100 * kMebibyte);
  EXPECT_EQ(buffer.octets(), 8 * kMebibyte);
  buffer.follow(UINT64_MAX / 4);
  EXPECT_EQ(buffer.octets(), 8 * kMebibyte);
}

TEST(SendBuffer, GivesBackWhatTheWindowHasLost) {
  base::MemoryBudget budget(512 * kMebibyte);
  {
    SendBuffer buffer(grows(256 * kKibibyte, 8 * kMebibyte), budget);
    buffer.follow(4 * kMebibyte);
    EXPECT_EQ(budget.promised_octets(), 8 * kMebibyte - 256 * kKibibyte);
    buffer.follow(kMebibyte);
    EXPECT_EQ(buffer.octets(), 2 * kMebibyte);
    EXPECT_EQ(budget.promised_octets(), 2 * kMebibyte - 256 * kKibibyte);
  }
  EXPECT_EQ(budget.promised_octets(), 0U);
}

TEST(SendBuffer, IsFixedWithoutAMaximum) {
  base::MemoryBudget budget(512 * kMebibyte);
  SendBuffer buffer(grows(kMebibyte, 0), budget);
  buffer.follow(100 * kMebibyte);
  EXPECT_EQ(buffer.octets(), kMebibyte);
}

TEST(SendBuffer, NoneTakesMoreThanAQuarterOfWhatStaysFree) {
  base::MemoryBudget budget(10 * kMebibyte);  // half of it may be promised
  SendBuffer first(grows(256 * kKibibyte, 32 * kMebibyte), budget);
  for (int i = 0; i < 10; ++i) first.follow(32 * kMebibyte);
  EXPECT_LE(first.octets(), 256 * kKibibyte + kMebibyte);
  SendBuffer second(grows(256 * kKibibyte, 32 * kMebibyte), budget);
  for (int i = 0; i < 10; ++i) second.follow(32 * kMebibyte);
  EXPECT_GT(second.octets(), 512 * kKibibyte);
}

}  // namespace
}  // namespace runnel::tcp
