#include "stack/base/word_differences.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "stack/base/byte_order.h"

namespace runnel::base {

namespace {

// A difference of zero is one octet long too.
[[nodiscard]] unsigned octets_of(std::uint64_t difference) noexcept {
  return (static_cast<unsigned>(std::bit_width(difference | 1U)) + 7) / 8;
}

[[nodiscard]] std::uint64_t load(const std::uint8_t* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));  // one load, which load_be() would not become here
  return in_network_order(word);
}

}  // namespace

void WordDifferences::add(std::size_t index, std::uint64_t difference) noexcept {
  assert(index >= next_index_ && index < kMostWords && difference != 0);
  std::size_t skipped = index - next_index_;
  next_index_ = index + 1;
  for (; skipped > kMostSkipped; skipped -= kMostSkipped + 1) append(kMostSkipped, 0);
  append(skipped, difference);
}

inline void WordDifferences::append(std::size_t skipped, std::uint64_t difference) noexcept {
  const unsigned octets = octets_of(difference);
  // What is behind them is overwritten by those of the next word.
  store_be(MutableBytes(octets_), size_, difference << (64U - 8U * octets));
  tags_[count_++] = static_cast<std::uint8_t>(skipped << 4U | octets);
  size_ += octets;
}

Bytes WordDifferences::finish() noexcept {
  // A word is read as eight octets, so as many must follow its first one.
  const std::size_t gap = sizeof(std::uint64_t) - std::min(count_, sizeof(std::uint64_t));
  std::memset(octets_.data() + size_, 0, gap);
  std::memcpy(octets_.data() + size_ + gap, tags_.data(), count_);
  return {octets_.data(), size_ + gap + count_};
}

void apply_differences(Bytes record, std::size_t count, std::span<std::uint64_t> words) noexcept {
  const std::uint8_t* at = record.data();
  std::uint64_t* word = words.data();
  for (const std::uint8_t tag : record.last(count)) {
    const unsigned octets = tag & 0xfU;
    word += tag >> 4U;
    assert(word < words.data() + words.size());
    *word++ ^= load(at) >> (64U - 8U * octets);
    at += octets;
  }
}

}  // namespace runnel::base
