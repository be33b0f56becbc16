#include "stack/tcp/rest_patterns.h"

#include <algorithm>
#include <cstddef>
#include <new>

namespace runnel::tcp {

namespace {

using Words = RestPatterns::Words;

[[nodiscard]] std::size_t count_differences(const Words& row, const Words& pattern) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < row.size(); ++i) count += row[i] != pattern[i] ? 1U : 0U;
  return count;
}

void note_differences(const Words& row, const Words& pattern, std::size_t size,
                      base::WordDifferences& differences) noexcept {
  differences.clear();
  for (std::size_t i = 0; i < size; ++i) {
    if (row[i] != pattern[i]) differences.add(i, row[i] ^ pattern[i]);
  }
}

}  // namespace

std::uint8_t RestPatterns::choose(std::uint8_t before, std::size_t size,
                                  base::WordDifferences& differences) {
  const std::uint8_t tried = expected_after(before);
  Words row = words(tried);
  base::apply_differences(differences.finish(), differences.count(), row);
  std::fill(row.begin() + static_cast<std::ptrdiff_t>(size), row.end(), 0);

  std::uint8_t nearest = kBlank;
  std::size_t least = kMostWords + 1;
  for (std::uint8_t number = 0; number < kMostPatterns && patterns_[number].words; ++number) {
    const std::size_t count = count_differences(row, words(number));
    if (count < least) {
      least = count;
      nearest = number;
    }
  }
  if (least > kFewDifferences) {
    if (const std::uint8_t learned = learn(row); learned != kBlank) nearest = learned;
  }
  note_differences(row, words(nearest), size, differences);
  return patterns_[before].next = nearest;
}

std::uint8_t RestPatterns::learn(const Words& row) noexcept {
  for (std::uint8_t number = kBlank + 1; number < kMostPatterns; ++number) {
    Pattern& pattern = patterns_[number];
    if (pattern.record_count > 0) continue;
    if (pattern.own == nullptr) pattern.own.reset(new (std::nothrow) Words);
    if (pattern.own == nullptr) return kBlank;
    *pattern.own = row;
    pattern.words = pattern.own.get();
    pattern.next = number;
    return number;
  }
  return kBlank;
}

}  // namespace runnel::tcp
