#include "stack/base/byte_order.h"

#include <array>

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

TEST(ByteOrder, LoadReadsTheMostSignificantOctetFirst) {
  constexpr std::array<std::uint8_t, 8> kOctets = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
  EXPECT_EQ(load_be<std::uint8_t>(kOctets), 0x01);
  EXPECT_EQ(load_be<std::uint16_t>(kOctets), 0x0123);
  EXPECT_EQ(load_be<std::uint32_t>(kOctets), 0x01234567U);
  EXPECT_EQ(load_be<std::uint64_t>(kOctets), 0x0123456789abcdefU);
  static_assert(load_be<std::uint32_t>(kOctets, 4) == 0x89abcdefU);
}

TEST(ByteOrder, LoadReadsAtAnyOffset) {
  constexpr std::array<std::uint8_t, 8> kOctets = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
  EXPECT_EQ(load_be<std::uint16_t>(kOctets, 1), 0x2345);
  EXPECT_EQ(load_be<std::uint32_t>(kOctets, 3), 0x6789abcdU);
  EXPECT_EQ(load_be<std::uint8_t>(kOctets, 7), 0xef);
}

TEST(ByteOrder, StoreWritesWhatLoadReadsAndNothingElse) {
  std::array<std::uint8_t, 8> octets{};
  store_be<std::uint32_t>(octets, 3, 0x89abcdefU);
  EXPECT_EQ(octets, (std::array<std::uint8_t, 8>{0, 0, 0, 0x89, 0xab, 0xcd, 0xef, 0}));
  store_be<std::uint16_t>(octets, 0, 0xfffe);
  EXPECT_EQ(load_be<std::uint16_t>(octets), 0xfffe);
  store_be<std::uint64_t>(octets, 0, 0xfedcba9876543210U);
  EXPECT_EQ(load_be<std::uint64_t>(octets), 0xfedcba9876543210U);
}

}  // namespace
}  // namespace runnel::base
