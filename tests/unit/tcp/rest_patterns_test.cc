#include "stack/tcp/rest_patterns.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace runnel::tcp {
namespace {

using Row = std::vector<std::uint64_t>;

// What comes to rest with `row` and had `before`; expects that its words can be had back.
class Rests {
 public:
  std::uint8_t operator()(const Row& row, std::uint8_t before = RestPatterns::kBlank) {
    base::WordDifferences differences;
    std::uint8_t number = patterns_.expected_after(before);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::uint64_t difference = row[i] ^ patterns_.words(number)[i];
      if (difference != 0) differences.add(i, difference);
    }
    is_chosen_ = RestPatterns::is_far(differences, 0);
    if (is_chosen_) number = patterns_.choose(before, row.size(), differences);
    RestPatterns::Words words = patterns_.words(number);
    base::apply_differences(differences.finish(), differences.count(), words);
    EXPECT_EQ(Row(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(row.size())), row);
    for (std::size_t i = row.size(); i < words.size(); ++i) {
      EXPECT_EQ(words[i], patterns_.words(number)[i]) << "nothing is told of what is not there";
    }
    patterns_.acquire(number);
    count_ = differences.count();
    return number;
  }

  RestPatterns patterns_;
  bool is_chosen_ = false;
  std::size_t count_ = 0;
};

Row row_of(std::uint64_t kind, std::size_t size = 300) {
  Row row(size);
  for (std::size_t i = 0; i < size; i += 2) row[i] = kind;
  return row;
}

TEST(RestPatterns, TheFirstOfAKindIsThePatternOfTheOthers) {
  Rests rests;
  const std::uint8_t first = rests(row_of(7));
  EXPECT_NE(first, RestPatterns::kBlank);
  EXPECT_EQ(rests.count_, 0U);
  Row similar = row_of(7);
  similar[9] = 12;
  EXPECT_EQ(rests(similar), first);
  EXPECT_FALSE(rests.is_chosen_) << "it is tried before all others";
  EXPECT_EQ(rests.count_, 1U);
}

TEST(RestPatterns, WhatIsAlmostBlankNeedsNone) {
  Rests rests;
  Row row(300);
  row[50] = 1;
  EXPECT_EQ(rests(row), RestPatterns::kBlank);
  EXPECT_FALSE(rests.is_chosen_);
}

TEST(RestPatterns, EachKindHasItsOwn) {
  Rests rests;
  const std::uint8_t first = rests(row_of(7));
  const std::uint8_t second = rests(row_of(8));
  EXPECT_NE(first, second);
  EXPECT_EQ(rests(row_of(7)), first);
  EXPECT_EQ(rests(row_of(8)), second);
  EXPECT_EQ(rests.count_, 0U);
}

TEST(RestPatterns, OnesThatChangeAlikeAreExpectedTo) {
  Rests rests;
  const std::uint8_t young = rests(row_of(7));
  const std::uint8_t old = rests(row_of(8), young);
  EXPECT_TRUE(rests.is_chosen_);
  EXPECT_EQ(rests(row_of(8), young), old);
  EXPECT_FALSE(rests.is_chosen_);
  EXPECT_EQ(rests(row_of(8), old), old);
  EXPECT_FALSE(rests.is_chosen_);
}

TEST(RestPatterns, RowsOfOtherLengthsAreComparedToo) {
  Rests rests;
  (void)rests(row_of(7, 300));
  (void)rests(row_of(7, 200));
  (void)rests(row_of(7, 480));
  (void)rests(row_of(9, 200));
  (void)rests(row_of(9, 290));
  (void)rests(row_of(9, 210));
}

TEST(RestPatterns, TheNearestHasToDoWhenThereIsNoRoom) {
  Rests rests;
  std::vector<std::uint8_t> numbers;
  for (std::uint64_t kind = 1; kind < RestPatterns::kMostPatterns; ++kind) {
    numbers.push_back(rests(row_of(kind << 8U)));
  }
  Row odd = row_of(3U << 8U);
  for (std::size_t i = 0; i < 100; ++i) odd[i] = 77;
  EXPECT_EQ(rests(odd), numbers[2]);
}

TEST(RestPatterns, OneWithoutRecordsMakesRoom) {
  Rests rests;
  std::vector<std::uint8_t> numbers;
  for (std::uint64_t kind = 1; kind < RestPatterns::kMostPatterns; ++kind) {
    numbers.push_back(rests(row_of(kind)));
  }
  rests.patterns_.release(numbers[4]);
  EXPECT_EQ(rests(row_of(99)), numbers[4]);
  EXPECT_EQ(rests.count_, 0U);
}

TEST(RestPatterns, AnotherIsLookedForAgainWhenManyMoreDiffer) {
  base::WordDifferences differences;
  for (std::size_t i = 0; i < 60; ++i) differences.add(i, 1);
  EXPECT_TRUE(RestPatterns::is_far(differences, 0));
  EXPECT_TRUE(RestPatterns::is_far(differences, 39));
  EXPECT_FALSE(RestPatterns::is_far(differences, 40));
}

}  // namespace
}  // namespace runnel::tcp
