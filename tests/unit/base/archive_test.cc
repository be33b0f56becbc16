#include "stack/base/archive.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "stack/wire/seq_num.h"

namespace runnel::base {
namespace {

using namespace std::chrono_literals;

enum class Color : std::uint8_t { Red, Green };

struct Inner {
  std::uint16_t small = 0;
  std::optional<Instant> when;
  friend bool operator==(const Inner&, const Inner&) = default;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(small, when);
  }
};

struct Thing {
  std::uint64_t number = 0;
  bool flag = false;
  Color color = Color::Red;
  Duration duration{0};
  Instant instant{};
  std::array<std::uint32_t, 4> array{};
  std::optional<Inner> inner;
  friend bool operator==(const Thing&, const Thing&) = default;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(number, flag, color, duration, instant, array, inner);
  }
};

constexpr Instant kReference{1000s};

// What an archive makes of a thing, and how it gets it back.
struct Written {
  std::vector<std::uint8_t> octets;
  std::size_t differences = 0;
  std::size_t size = 0;
};

using Row = std::array<std::uint64_t, WordDifferences::kMostWords>;
constexpr Row kZeros{};

template <typename T>
Written written(T thing, const Row& pattern = kZeros) {
  WordDifferences differences;
  ArchiveWriter writer(pattern.data(), kReference, differences);
  writer(thing);
  const Bytes octets = differences.finish();
  return {{octets.begin(), octets.end()}, differences.count(), writer.size()};
}

Row words_of(const Written& written, const Row& pattern = kZeros) {
  Row words = pattern;
  apply_differences(written.octets, written.differences, words);
  return words;
}

Thing read(const Written& written, const Row& pattern = kZeros) {
  const Row words = words_of(written, pattern);
  ArchiveReader reader(words.data(), kReference);
  Thing thing;
  thing.inner.emplace();
  reader(thing);
  return thing;
}

std::vector<Thing> some_things() {
  const std::uint64_t numbers[] = {0,          1,
                                   2,          0xff,
                                   0x100,      0xffffff,
                                   INT64_MAX,  std::uint64_t{1} << 63U,
                                   UINT64_MAX, UINT64_MAX - 1};
  const Instant instants[] = {Instant{},         kNever,           kReference,
                              kReference + 1ns,  kReference - 1ns, kReference + 24h,
                              kReference - 500s, Instant{1ns},     Instant{-5s}};
  std::vector<Thing> things;
  for (const std::uint64_t number : numbers) {
    for (const Instant instant : instants) {
      Thing thing;
      thing.number = number;
      thing.flag = number % 2 == 0;
      thing.color = Color::Green;
      thing.duration = number % 2 == 0 ? kForever : Duration{-3s};
      thing.instant = instant;
      thing.array = {0, 7, 7, UINT32_MAX};
      things.push_back(thing);
      thing.inner = Inner{12, instant};
      things.push_back(thing);
      thing.inner->when.reset();
      things.push_back(thing);
    }
  }
  return things;
}

TEST(Archive, GivesBackWhatItWasGiven) {
  for (const Thing& thing : some_things()) EXPECT_EQ(read(written(thing)), thing);
}

TEST(Archive, GivesBackWhatItWasGivenWhateverThePatternIs) {
  const std::vector<Thing> things = some_things();
  for (std::size_t i = 0; i < things.size(); i += 7) {
    const Row pattern = words_of(written(things[i]));
    for (const Thing& thing : things) EXPECT_EQ(read(written(thing, pattern), pattern), thing);
    EXPECT_EQ(written(things[i], pattern).differences, 0U);
  }
}

TEST(Archive, EveryThingHasTheSameNumberOfWords) {
  for (const Thing& thing : some_things()) EXPECT_EQ(written(thing).size, written(Thing{}).size);
}

TEST(Archive, TimesAreTheSameWordsAtTheSameDistanceFromTheReference) {
  const auto words_at = [](Instant reference) {
    WordDifferences differences;
    ArchiveWriter writer(kZeros.data(), reference, differences);
    Thing thing;
    thing.instant = reference - 5ms;
    thing.inner = Inner{1, reference + 7ns};
    writer(thing);
    const Bytes octets = differences.finish();
    return std::vector<std::uint8_t>(octets.begin(), octets.end());
  };
  EXPECT_EQ(words_at(kReference), words_at(kReference + 77h));
}

TEST(Archive, PointsInSequenceSpaceComeBackFromAllAroundIt) {
  const std::uint32_t values[] = {0, 1, 0x80000000, 0x80000001, 0x7fffffff, UINT32_MAX, 5, 0, 5};
  WordDifferences differences;
  ArchiveWriter writer(kZeros.data(), kReference, differences);
  for (const std::uint32_t value : values) {
    wire::SeqNum point{value};
    writer(point);
  }
  Row words{};
  apply_differences(differences.finish(), differences.count(), words);
  ArchiveReader reader(words.data(), kReference);
  for (const std::uint32_t value : values) {
    wire::SeqNum point{77};
    reader(point);
    EXPECT_EQ(point.value(), value);
  }
}

}  // namespace
}  // namespace runnel::base
