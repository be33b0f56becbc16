// Where two rows of words differ, as a short string of octets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runnel/bytes.h"

namespace runnel::base {

// Theory of operation. One row is a pattern, which both sides know; of the other only what differs
// from it is kept. Each word that does is XORed with the pattern's, which leaves few bits when the
// two are similar numbers, and becomes as many octets as these need. A tag of one octet says how
// many, and how many words that do not differ come before it:
//
//    | octets of the first difference, of the second ...   | its tag, the second one's ... |
//                                                            skipped words: 4 bits, octets: 4
//
// Tags are apart from the octets, so that where the next word begins is soon known. A longer way
// than a tag can tell is gone in several steps, each with a difference of zero.
class WordDifferences {
 public:
  // No row may have more words.
  static constexpr std::size_t kMostWords = 480;

  // The word at `index` differs by `difference`, which is not zero. REQUIRES: `index` is larger
  // than the last one.
  [[gnu::noinline]] void add(std::size_t index, std::uint64_t difference) noexcept;
  // How many were added, with the steps between them: as many as there are tags.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

  // The finished record, good until more is added.
  [[nodiscard]] Bytes finish() noexcept;
  void clear() noexcept { size_ = count_ = next_index_ = 0; }

 private:
  void append(std::size_t skipped, std::uint64_t difference) noexcept;

  static constexpr std::size_t kMostSkipped = 15;
  // All the words, and as much as is written beyond the last of them at once.
  std::array<std::uint8_t, (kMostWords + 1) * sizeof(std::uint64_t) + kMostWords> octets_;
  std::array<std::uint8_t, kMostWords> tags_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
  std::size_t next_index_ = 0;
};

// Makes of the pattern what it was compared with: changes `words` where the `count` differences of
// `record` say so.
void apply_differences(Bytes record, std::size_t count, std::span<std::uint64_t> words) noexcept;

}  // namespace runnel::base
