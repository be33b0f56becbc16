// An object's variables as words, and back.
#pragma once

#include <array>
#include <cassert>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "runnel/time.h"
#include "stack/base/word_differences.h"

namespace runnel::base {

// Theory of operation. A class that can be archived names its variables, once for both ways:
//
//    template <typename Archive>
//    void archive(Archive& archive) { archive(first_, second_, third_); }
//
// Every value becomes a word of 64 bits. An ArchiveWriter goes through an object's words and notes
// where they differ from those of a pattern (see WordDifferences); an ArchiveReader is given all of
// the words and makes the object what it was. What the constructor sets and nobody changes need not
// be named.
//
// Words are chosen so that those of two objects differ little when the objects do. For times the
// distance to a common `reference` counts, for points in sequence space that to the point before.
// What one call of archive() names shares a word for all its bools, and for which of its optionals
// have a value. An optional without one has words too, so that what comes after it stays where it
// is. What is of variable length all the same is best named last.
//
// This is for use on the way of packets: an object's archive() is to be inlined as a whole
// ([[gnu::flatten]]). Then a word costs a load, a comparison with the pattern's and a branch, or a
// load and a store.
namespace archive_words {

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

// What both ways share: how a variable becomes a word. A writer's `put(w)` takes it, a reader's
// `get()` gives it back.
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

  void put(std::uint64_t word) noexcept { static_cast<Coder&>(*this).put(word); }
  [[nodiscard]] std::uint64_t get() noexcept { return static_cast<Coder&>(*this).get(); }

  template <typename... Variables>
  void visit_flags(Variables&... variables) {
    static_assert((std::size_t{IsFlag<Variables>::value} + ...) <= 64);
    unsigned bit = 0;
    if constexpr (is_writer()) {
      std::uint64_t flags = 0;
      (gather(variables, flags, bit), ...);
      put(flags);
    } else {
      const std::uint64_t flags = get();
      (scatter(variables, flags, bit), ...);
    }
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
      visit_number(variable, [](Duration d) { return d.count(); });
    } else if constexpr (std::is_enum_v<T>) {
      visit_number(variable, [](T e) { return static_cast<std::underlying_type_t<T>>(e); });
    } else if constexpr (std::is_same_v<T, bool>) {
      // among the flags
    } else if constexpr (std::is_integral_v<T>) {
      visit_number(variable, [](T number) { return number; });
    } else if constexpr (archive_words::SequencePoint<T>) {
      visit_point(variable);
    } else {
      variable.archive(*this);
    }
  }

  template <typename T, typename NumberOf>
  void visit_number(T& variable, NumberOf&& number_of) noexcept {
    if constexpr (is_writer()) {
      put(static_cast<std::uint64_t>(number_of(variable)));
    } else {
      variable = static_cast<T>(static_cast<decltype(number_of(variable))>(get()));
    }
  }

  template <typename T>
  void visit(std::optional<T>& variable) {
    T value{};
    if constexpr (is_writer()) {
      if (variable) value = *variable;
    }
    visit_value(value);
    if constexpr (!is_writer()) {
      if (variable) *variable = value;
    }
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
    if constexpr (is_writer()) {
      const auto count = static_cast<std::uint64_t>(instant.time_since_epoch().count());
      const bool is_plain = count == 0 || count == kLargestSigned;
      put(is_plain ? count : archive_words::folded(reference - count) + 1);
    } else {
      const std::uint64_t word = get();
      const bool is_plain = word == 0 || word == kLargestSigned;
      const std::uint64_t count = is_plain ? word : reference - archive_words::unfolded(word - 1);
      instant = Instant(Duration(static_cast<Duration::rep>(count)));
    }
  }

  // Zero often means that there is none.
  template <typename Point>
  void visit_point(Point& point) noexcept {
    if constexpr (is_writer()) {
      const std::uint32_t value = point.value();
      const auto distance = static_cast<std::int32_t>(value - last_point_);
      const auto wide = static_cast<std::uint64_t>(std::int64_t{distance});
      put(value == 0 ? 0 : archive_words::folded(wide) + 1);
      if (value != 0) last_point_ = value;
    } else {
      const std::uint64_t word = get();
      const auto distance = static_cast<std::uint32_t>(archive_words::unfolded(word - 1));
      if (word != 0) last_point_ += distance;
      point = Point{word == 0 ? 0 : last_point_};
    }
  }

  Instant reference_;
  std::uint32_t last_point_ = 0;
};

// Notes where the words of one object differ from those of a pattern, which has
// WordDifferences::kMostWords of them: no object may have more.
class ArchiveWriter : public Archive<ArchiveWriter> {
 public:
  ArchiveWriter(const std::uint64_t* pattern, Instant reference,
                WordDifferences& differences) noexcept
      : Archive(reference), pattern_(pattern), differences_(differences) {}

  void put(std::uint64_t word) noexcept {
    assert(index_ < WordDifferences::kMostWords);
    const std::uint64_t difference = word ^ pattern_[index_];
    if (difference != 0) [[unlikely]]
      differences_.add(index_, difference);
    ++index_;
  }
  // How many words the object has had so far.
  [[nodiscard]] std::size_t size() const noexcept { return index_; }

 private:
  const std::uint64_t* pattern_;
  WordDifferences& differences_;
  std::size_t index_ = 0;
};

// Gives the words back. REQUIRES: they are of an object of the same class, and `reference` is the
// writer's.
class ArchiveReader : public Archive<ArchiveReader> {
 public:
  ArchiveReader(const std::uint64_t* words, Instant reference) noexcept
      : Archive(reference), words_(words) {}

  [[nodiscard]] std::uint64_t get() noexcept { return words_[index_++]; }

 private:
  const std::uint64_t* words_;
  std::size_t index_ = 0;
};

}  // namespace runnel::base
