// What connections at rest have in common.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "stack/base/word_differences.h"

namespace runnel::tcp {

// Theory of operation. Of the words that a connection at rest consists of (see base::Archive) most
// are what they are in the next one too: the state, the options that were agreed upon, the
// parameters of the congestion controller, the many that are zero. So an IdleRecord keeps only
// where they differ from a pattern, which is nothing but the words of another connection that came
// to rest before.
//
// A connection keeps to its pattern as long as it differs from it in few words. When these become
// too many, it takes the one that it differs least from, which those after it then try at once; and
// when that is not near either, its own words become a new pattern. There is room for a few of
// them, for as many kinds of connections: those of a client and of a server, that have sent nothing
// yet or much, of each congestion controller. One whose last record is gone makes room for another.
// When there is no room the nearest has to do: how long records are depends on it, and nothing
// else.
class RestPatterns {
 public:
  static constexpr std::size_t kMostWords = base::WordDifferences::kMostWords;
  using Words = std::array<std::uint64_t, kMostWords>;
  // The first pattern, which is always there, is nothing but zeros.
  static constexpr std::uint8_t kBlank = 0;
  static constexpr std::size_t kMostPatterns = 17;

  [[nodiscard]] const Words& words(std::uint8_t number) const noexcept {
    return *patterns_[number].words;
  }

  // The pattern to try for a connection that comes to rest again after it had pattern `number`, or
  // for the first time (kBlank): where the last one of these went that was far from what it tried.
  [[nodiscard]] std::uint8_t expected_after(std::uint8_t number) const noexcept {
    return patterns_[number].next;
  }
  // Whether another pattern should be looked for: `accepted` differences were there after the last
  // time, and looking again is worth it when they have become more by half.
  [[nodiscard]] static bool is_far(const base::WordDifferences& differences,
                                   std::size_t accepted) noexcept {
    return differences.count() > std::max(kFewDifferences, accepted + accepted / 2);
  }
  // Returns the pattern that is best for a row of `size` words, and makes `differences` those from
  // it. So far they are those from expected_after(before).
  [[nodiscard]] std::uint8_t choose(std::uint8_t before, std::size_t size,
                                    base::WordDifferences& differences);

  // A record of that pattern has come, or is gone.
  void acquire(std::uint8_t number) noexcept { ++patterns_[number].record_count; }
  void release(std::uint8_t number) noexcept { --patterns_[number].record_count; }

 private:
  // Two connections with the same past differ in fewer words.
  static constexpr std::size_t kFewDifferences = 32;
  static constexpr Words kZeros{};

  struct Pattern {
    const Words* words = nullptr;
    std::unique_ptr<Words> own;  // but for the first one
    std::size_t record_count = 0;
    std::uint8_t next = kBlank;  // see expected_after()
  };

  // Makes a pattern of a row. kBlank when there is no room, or no memory.
  [[nodiscard]] std::uint8_t learn(const Words& row) noexcept;

  std::array<Pattern, kMostPatterns> patterns_{{{&kZeros, nullptr, 0, kBlank}}};
};

}  // namespace runnel::tcp
