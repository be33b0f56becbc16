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

std::vector<std::uint8_t> written(Thing thing) {
  ArchiveWriter writer(kReference);
  writer(thing);
  const Bytes octets = writer.finish();
  return {octets.begin(), octets.end()};
}

Thing read(const std::vector<std::uint8_t>& octets) {
  ArchiveReader reader(octets, kReference);
  Thing thing;
  thing.inner.emplace();
  reader(thing);
  return thing;
}

TEST(Archive, GivesBackWhatItWasGiven) {
  const std::uint64_t numbers[] = {0,          1,
                                   2,          0xff,
                                   0x100,      0xffffff,
                                   INT64_MAX,  std::uint64_t{1} << 63U,
                                   UINT64_MAX, UINT64_MAX - 1};
  const Instant instants[] = {Instant{},         kNever,           kReference,
                              kReference + 1ns,  kReference - 1ns, kReference + 24h,
                              kReference - 500s, Instant{1ns},     Instant{-5s}};
  for (const std::uint64_t number : numbers) {
    for (const Instant instant : instants) {
      Thing thing;
      thing.number = number;
      thing.flag = number % 2 == 0;
      thing.color = Color::Green;
      thing.duration = number % 2 == 0 ? kForever : Duration{-3s};
      thing.instant = instant;
      thing.array = {0, 7, 7, UINT32_MAX};
      EXPECT_EQ(read(written(thing)), thing) << number;
      thing.inner = Inner{12, instant};
      EXPECT_EQ(read(written(thing)), thing) << number;
      thing.inner->when.reset();
      EXPECT_EQ(read(written(thing)), thing) << number;
    }
  }
}

TEST(Archive, IsShortForWhatIsZeroOrEndless) {
  EXPECT_LE(written({}).size(), 8U);
  Thing thing;
  thing.number = UINT64_MAX;
  thing.duration = kForever;
  thing.instant = kNever;
  EXPECT_LE(written(thing).size(), 8U);
}

TEST(Archive, RunsOfZerosOfAnyLengthComeBack) {
  for (std::size_t zeros = 0; zeros < 60; ++zeros) {
    std::vector<std::uint64_t> numbers(zeros, 0);
    numbers.insert(numbers.begin(), 5);
    numbers.push_back(6);
    ArchiveWriter writer(kReference);
    for (std::uint64_t& number : numbers) writer(number);
    const Bytes octets = writer.finish();
    ArchiveReader reader(octets, kReference);
    for (const std::uint64_t expected : numbers) {
      std::uint64_t number = 99;
      reader(number);
      ASSERT_EQ(number, expected) << zeros;
    }
  }
}

TEST(Archive, PointsInSequenceSpaceComeBackFromAllAroundIt) {
  const std::uint32_t values[] = {0, 1, 0x80000000, 0x80000001, 0x7fffffff, UINT32_MAX, 5, 0, 5};
  ArchiveWriter writer(kReference);
  for (const std::uint32_t value : values) {
    wire::SeqNum point{value};
    writer(point);
  }
  const Bytes octets = writer.finish();
  ArchiveReader reader(octets, kReference);
  for (const std::uint32_t value : values) {
    wire::SeqNum point{77};
    reader(point);
    EXPECT_EQ(point.value(), value);
  }
}

TEST(Archive, HasRoomForTheMostWordsThereMayBe) {
  ArchiveWriter writer(kReference);
  for (std::uint64_t i = 0; i < ArchiveWriter::kMostWords; ++i) {
    std::uint64_t number = UINT64_MAX / 2 - 2 * i - 9;
    writer(number);
  }
  const Bytes octets = writer.finish();
  ArchiveReader reader(octets, kReference);
  for (std::uint64_t i = 0; i < ArchiveWriter::kMostWords; ++i) {
    std::uint64_t number = 0;
    reader(number);
    ASSERT_EQ(number, UINT64_MAX / 2 - 2 * i - 9);
  }
}

}  // namespace
}  // namespace runnel::base
