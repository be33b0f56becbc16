// An object's variables as a short string of octets, and back.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "runnel/bytes.h"
#include "runnel/time.h"
#include "stack/base/byte_order.h"

namespace runnel::base {

// Theory of operation. A class that can be archived names its variables, once for both ways:
//
//    template <typename Archive>
//    void archive(Archive& archive) { archive(first_, second_, third_); }
//
// An ArchiveWriter appends the values to a string of octets; an ArchiveReader gives the same values
// back, so that the object is again what it was. What the constructor sets and nobody changes need
// not be named.
//
// Most variables of an object at rest are zero or say "none", and of the others most are small. So
// every value becomes a word of 64 bits, and every word a tag of four bits and as many octets as it
// needs: none for zero, for one, for the two values that stand for infinity, and for a word that
// repeats the one before. Several zeros in a row share one or two tags. For times the distance to a
// common `reference` counts, for points in sequence space that to the point before. What one call
// of archive() names shares a word for all its bools, and for which of its optionals have a value.
//
//    | octets of the first word, of the second ...   ... tags of the third, second, first word |
namespace archive_words {

enum Tag : std::uint8_t {
  kZero = 0,  // 1 to 8: so many octets follow
  kOne = 9,
  kSignedMost = 10,    // kNever, kForever
  kUnsignedMost = 11,  // no limit
  kAgain = 12,
  kTwoZeros = 13,
  kThreeZeros = 14,
  kZeros = 15,  // the next tag tells how many, less kFewestZeros
};
inline constexpr std::uint32_t kFewestZeros = 4;
inline constexpr std::uint32_t kMostZeros = kFewestZeros + 15;
inline constexpr std::uint64_t kLargestSigned = std::uint64_t{INT64_MAX};

// A distance as a word that is small when the distance is, whatever its sign.
[[nodiscard]] constexpr std::uint64_t folded(std::uint64_t distance) noexcept {
  return (distance << 1U) ^ (0U - (distance >> 63U));
}
[[nodiscard]] constexpr std::uint64_t unfolded(std::uint64_t word) noexcept {
  return (word >> 1U) ^ (0U - (word & 1U));
}

template <typename T>
concept SequencePoint = requires(const T& point) {
  { point.value() } -> std::same_as<std::uint32_t>;
  T{std::uint32_t{}};
};

}  // namespace archive_words

class ArchiveWriter;

// What both ways share: how a variable becomes a word. `Coder::word(w)` writes `w` and returns it,
// or reads a word whatever `w` is.
template <typename Coder>
class Archive {
 public:
  explicit Archive(Instant reference) noexcept : reference_(reference) {}

  [[nodiscard]] static constexpr bool is_writer() noexcept {
    return std::is_same_v<Coder, ArchiveWriter>;
  }

  template <typename... Variables>
  void operator()(Variables&... variables) {
    if constexpr ((IsFlag<Variables>::value || ...)) visit_flags(variables...);
    (visit(variables), ...);
  }

 private:
  // What a single bit tells: a bool, and whether an optional has a value.
  template <typename T>
  struct IsFlag : std::is_same<T, bool> {};
  template <typename T>
  struct IsFlag<std::optional<T>> : std::true_type {};

  [[nodiscard]] std::uint64_t word(std::uint64_t value) noexcept {
    return static_cast<Coder&>(*this).word(value);
  }

  template <typename... Variables>
  void visit_flags(Variables&... variables) {
    static_assert((std::size_t{IsFlag<Variables>::value} + ...) <= 64);
    std::uint64_t flags = 0;
    unsigned bit = 0;
    (gather(variables, flags, bit), ...);
    flags = word(flags);
    bit = 0;
    (scatter(variables, flags, bit), ...);
  }
  template <typename T>
  static void gather(const T& variable, std::uint64_t& flags, unsigned& bit) noexcept {
    if constexpr (std::is_same_v<T, bool>) {
      flags |= std::uint64_t{variable} << bit++;
    } else if constexpr (IsFlag<T>::value) {
      flags |= std::uint64_t{variable.has_value()} << bit++;
    }
  }
  template <typename T>
  static void scatter(T& variable, std::uint64_t flags, unsigned& bit) {
    if constexpr (std::is_same_v<T, bool>) {
      variable = (flags >> bit++ & 1U) != 0;
    } else if constexpr (IsFlag<T>::value) {
      const bool has_value = (flags >> bit++ & 1U) != 0;
      if (!has_value) variable.reset();
      if (has_value && !variable) variable.emplace(typename T::value_type{});
    }
  }

  template <typename T>
  void visit(T& variable) {
    if constexpr (std::is_same_v<T, Instant>) {
      visit_instant(variable);
    } else if constexpr (std::is_same_v<T, Duration>) {
      variable =
          Duration(static_cast<Duration::rep>(word(static_cast<std::uint64_t>(variable.count()))));
    } else if constexpr (std::is_enum_v<T>) {
      using Number = std::underlying_type_t<T>;
      variable = static_cast<T>(
          static_cast<Number>(word(static_cast<std::uint64_t>(static_cast<Number>(variable)))));
    } else if constexpr (std::is_same_v<T, bool>) {
      // among the flags
    } else if constexpr (std::is_integral_v<T>) {
      variable = static_cast<T>(word(static_cast<std::uint64_t>(variable)));
    } else if constexpr (archive_words::SequencePoint<T>) {
      visit_point(variable);
    } else {
      variable.archive(*this);
    }
  }

  template <typename T>
  void visit(std::optional<T>& variable) {
    if (variable) visit_value(*variable);
  }
  // A bool inside an optional is none of the flags.
  template <typename T>
  void visit_value(T& value) {
    if constexpr (IsFlag<T>::value) {
      (*this)(value);
    } else {
      visit(value);
    }
  }

  template <typename T, std::size_t kSize>
  void visit(std::array<T, kSize>& variables) {
    for (T& variable : variables) visit_value(variable);
  }

  // The origin of the time line often means "not yet".
  void visit_instant(Instant& instant) noexcept {
    using archive_words::kLargestSigned;
    const auto reference = static_cast<std::uint64_t>(reference_.time_since_epoch().count());
    const auto count = static_cast<std::uint64_t>(instant.time_since_epoch().count());
    const bool is_plain = count == 0 || count == kLargestSigned;
    const std::uint64_t read =
        word(is_plain ? count : archive_words::folded(reference - count) + 1);
    const std::uint64_t result =
        read == 0 || read == kLargestSigned ? read : reference - archive_words::unfolded(read - 1);
    instant = Instant(Duration(static_cast<Duration::rep>(result)));
  }

  template <typename Point>
  void visit_point(Point& point) noexcept {
    const std::uint32_t value = point.value();
    const auto distance = static_cast<std::int32_t>(value - last_point_);
    const std::uint64_t read = word(
        value == 0 ? 0
                   : archive_words::folded(static_cast<std::uint64_t>(std::int64_t{distance})) + 1);
    if (read == 0) {
      point = Point{std::uint32_t{0}};
      return;
    }
    last_point_ += static_cast<std::uint32_t>(archive_words::unfolded(read - 1));
    point = Point{last_point_};
  }

  Instant reference_;
  std::uint32_t last_point_ = 0;
};

// Collects the words of one object.
class ArchiveWriter : public Archive<ArchiveWriter> {
 public:
  // No object may have more.
  static constexpr std::size_t kMostWords = 480;

  using Archive::Archive;

  [[nodiscard]] std::uint64_t word(std::uint64_t value) noexcept {
    if (value == 0) {
      ++zeros_;
    } else {
      write(value);
    }
    return value;
  }

  // The finished record, good for as long as the writer lives. Nothing can be added behind it.
  [[nodiscard]] Bytes finish() noexcept {
    write_zeros();
    // A word is read as eight octets, so as many must follow its first one.
    const std::size_t tag_octets = (tags_ + 1) / 2;
    const std::size_t gap =
        tag_octets < sizeof(std::uint64_t) ? sizeof(std::uint64_t) - tag_octets : 0;
    std::memset(octets_.data() + size_, 0, gap);
    std::memmove(octets_.data() + size_ + gap, octets_.data() + octets_.size() - tag_octets,
                 tag_octets);
    return {octets_.data(), size_ + gap + tag_octets};
  }

 private:
  // Most words are zero, so this is not for everywhere.
  [[gnu::noinline]] void write(std::uint64_t value) noexcept {
    using namespace archive_words;
    if (zeros_ > 0) write_zeros();
    if (value == last_) {
      write_tag(kAgain);
    } else if (value == 1) {
      write_tag(kOne);
    } else if (value == kLargestSigned) {
      write_tag(kSignedMost);
    } else if (value == UINT64_MAX) {
      write_tag(kUnsignedMost);
    } else {
      const auto octets = static_cast<std::uint8_t>((std::bit_width(value) + 7) / 8);
      write_tag(octets);
      store_be(MutableBytes(octets_), size_,
               value << (64U - 8U * octets));  // the rest is overwritten
      size_ += octets;
      last_ = value;
    }
  }
  void write_tag(std::uint8_t tag) noexcept {
    std::uint8_t& pair = octets_[octets_.size() - 1 - tags_ / 2];
    pair = tags_ % 2 == 0 ? tag : static_cast<std::uint8_t>(pair | tag << 4U);
    ++tags_;
    assert(tags_ <= kMostWords);
  }
  void write_zeros() noexcept {
    using namespace archive_words;
    while (zeros_ >= kFewestZeros) {
      const std::uint32_t run = zeros_ < kMostZeros ? zeros_ : kMostZeros;
      write_tag(kZeros);
      write_tag(static_cast<std::uint8_t>(run - kFewestZeros));
      zeros_ -= run;
    }
    if (zeros_ == 1) write_tag(kZero);
    if (zeros_ == 2) write_tag(kTwoZeros);
    if (zeros_ == 3) write_tag(kThreeZeros);
    zeros_ = 0;
  }

  std::array<std::uint8_t, kMostWords*(sizeof(std::uint64_t) + 1)>
      octets_;  // words from the front, tags from the back
  std::size_t size_ = 0;
  std::size_t tags_ = 0;
  std::uint64_t last_ = 1;
  std::uint32_t zeros_ = 0;  // not written yet
};

// Gives back what a writer has collected. REQUIRES: the record is of an object of the same class,
// and `reference` is the writer's.
class ArchiveReader : public Archive<ArchiveReader> {
 public:
  ArchiveReader(Bytes record, Instant reference) noexcept : Archive(reference), record_(record) {}

  [[nodiscard]] std::uint64_t word(std::uint64_t /*previous*/) noexcept {
    if (zeros_ == 0) return read();
    --zeros_;
    return 0;
  }

 private:
  [[nodiscard]] [[gnu::noinline]] std::uint64_t read() noexcept {
    using namespace archive_words;
    const std::uint8_t tag = read_tag();
    switch (tag) {
      case kZero:
        return 0;
      case kOne:
        return 1;
      case kSignedMost:
        return kLargestSigned;
      case kUnsignedMost:
        return UINT64_MAX;
      case kAgain:
        return last_;
      case kTwoZeros:
        zeros_ = 1;
        return 0;
      case kThreeZeros:
        zeros_ = 2;
        return 0;
      case kZeros:
        zeros_ = read_tag() + kFewestZeros - 1;
        return 0;
      default:
        return read_octets(tag);
    }
  }

  [[nodiscard]] std::uint8_t read_tag() noexcept {
    const std::uint8_t pair = record_[record_.size() - 1 - tags_ / 2];
    return static_cast<std::uint8_t>(tags_++ % 2 == 0 ? pair & 0xfU : pair >> 4U);
  }
  [[nodiscard]] std::uint64_t read_octets(std::uint8_t octets) noexcept {
    const auto value = load_be<std::uint64_t>(record_, position_);
    position_ += octets;
    return last_ = value >> (64U - 8U * octets);
  }

  Bytes record_;
  std::size_t position_ = 0;
  std::size_t tags_ = 0;
  std::uint64_t last_ = 1;
  std::uint32_t zeros_ = 0;
};

}  // namespace runnel::base
