#include "stack/base/word_differences.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace runnel::base {
namespace {

using Row = std::array<std::uint64_t, WordDifferences::kMostWords>;

// Expects that `row` comes back from its differences from `pattern`; returns how many octets these
// take.
std::size_t expect_round_trip(const Row& row, const Row& pattern) {
  WordDifferences differences;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] != pattern[i]) differences.add(i, row[i] ^ pattern[i]);
  }
  // In memory of just that size: nothing beyond it may be read.
  const Bytes finished = differences.finish();
  const std::vector<std::uint8_t> octets(finished.begin(), finished.end());
  Row result = pattern;
  apply_differences(octets, differences.count(), result);
  EXPECT_EQ(result, row);
  return octets.size();
}

TEST(WordDifferences, NoneTakeNextToNothing) {
  Row row{};
  row.fill(0x0123456789abcdef);
  EXPECT_EQ(expect_round_trip(row, row), sizeof(std::uint64_t));
}

TEST(WordDifferences, OneOfAnySizeAnywhereComesBack) {
  for (std::size_t at = 0; at < WordDifferences::kMostWords; ++at) {
    for (unsigned bits = 0; bits < 64; bits += 7) {
      Row pattern{};
      pattern.fill(0x5555555555555555);
      Row row = pattern;
      row[at] ^= std::uint64_t{1} << bits;
      expect_round_trip(row, pattern);
    }
  }
}

TEST(WordDifferences, AllOfFullSizeComeBack) {
  Row row{};
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = UINT64_MAX / 2 + i;
  EXPECT_EQ(expect_round_trip(row, Row{}), row.size() * (sizeof(std::uint64_t) + 1));
}

TEST(WordDifferences, GapsOfAnyLengthComeBack) {
  for (std::size_t gap = 1; gap < 100; ++gap) {
    Row row{};
    for (std::size_t i = gap; i < row.size(); i += gap) row[i] = i;
    expect_round_trip(row, Row{});
  }
}

TEST(WordDifferences, SmallOnesAreShort) {
  Row row{};
  for (std::size_t i = 0; i < 40; ++i) row[5 * i] = 200;
  EXPECT_EQ(expect_round_trip(row, Row{}), 80U);
}

TEST(WordDifferences, ClearedOnesAreForgotten) {
  WordDifferences differences;
  differences.add(300, 77);
  differences.clear();
  differences.add(2, 5);
  Row row{};
  apply_differences(differences.finish(), differences.count(), row);
  Row expected{};
  expected[2] = 5;
  EXPECT_EQ(row, expected);
}

}  // namespace
}  // namespace runnel::base
