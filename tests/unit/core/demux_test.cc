// The demultiplexing table, against std::unordered_map.
#include "stack/core/demux.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::core {
namespace {

using Kind = DemuxHandle::Kind;

Demux table(std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return Demux(random);
}

tcp::FourTuple tuple(std::uint32_t i) {
  return {{IpAddress{192, 0, 2, 2}, 80},
          {IpAddress::from_v4(0xc6336400U + i / 60'000), static_cast<std::uint16_t>(i % 60'000)}};
}

DemuxHandle find(const Demux& demux, std::uint64_t hash, DemuxHandle handle) {
  return demux.find(hash, [&](DemuxHandle found) { return found == handle; });
}

TEST(Demux, FindsNothingWhenEmpty) {
  const Demux demux = table();
  EXPECT_EQ(demux.size(), 0U);
  for (std::uint64_t hash = 0; hash < 5000; ++hash) {
    EXPECT_EQ(demux.find(hash, [](DemuxHandle) { return true; }), DemuxHandle{});
  }
}

TEST(Demux, KindsAndIndicesComeBackAsTheyWere) {
  Demux demux = table();
  const std::vector<DemuxHandle> handles = {
      {Kind::Connection, 0}, {Kind::Connection, (1U << 30U) - 1}, {Kind::SynReceived, 0},
      {Kind::TimeWait, 0},   {Kind::TimeWait, (1U << 30U) - 1},   {Kind::SynReceived, 12345},
  };
  std::uint64_t hash = 0;
  for (const DemuxHandle& handle : handles) demux.insert(hash++, handle);
  hash = 0;
  for (const DemuxHandle& handle : handles) EXPECT_EQ(find(demux, hash++, handle), handle);
}

TEST(Demux, AsksWhichOfTheHandlesWithTheSameHashIsMeant) {
  Demux demux = table();
  for (std::uint32_t i = 0; i < 100; ++i) demux.insert(42, {Kind::Connection, i});
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(find(demux, 42, {Kind::Connection, i}).index, i);
  }
  EXPECT_EQ(find(demux, 42, {Kind::Connection, 100}).kind, Kind::None);
}

TEST(Demux, DoesNotAskAboutHandlesOfAnotherHash) {
  Demux demux = table();
  demux.insert(7, {Kind::Connection, 1});
  demux.insert(7 + 1024, {Kind::Connection, 2});  // the same bucket at first
  int asked = 0;
  const DemuxHandle found = demux.find(7 + 1024, [&](DemuxHandle) {
    ++asked;
    return true;
  });
  EXPECT_EQ(found.index, 2U);
  EXPECT_EQ(asked, 1);
}

TEST(Demux, ReplacingKeepsThePlace) {
  Demux demux = table();
  demux.insert(9, {Kind::SynReceived, 1});
  demux.insert(9, {Kind::SynReceived, 2});
  demux.replace(9, {Kind::SynReceived, 1}, {Kind::Connection, 7});
  EXPECT_EQ(demux.size(), 2U);
  EXPECT_EQ(find(demux, 9, {Kind::SynReceived, 1}).kind, Kind::None);
  EXPECT_EQ(find(demux, 9, {Kind::Connection, 7}).kind, Kind::Connection);
  EXPECT_EQ(find(demux, 9, {Kind::SynReceived, 2}).kind, Kind::SynReceived);
}

// Random operations on `spread` hashes: few of them share buckets of many entries.
class DemuxModel : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(DemuxModel, BehavesAsAMap) {
  const std::uint64_t spread = GetParam();
  SeededRandom random(spread);
  Demux demux = table();
  std::unordered_map<std::uint32_t, std::pair<std::uint64_t, Kind>> model;  // by index
  std::vector<std::uint32_t> present;
  const auto random_kind = [&] { return static_cast<Kind>(1 + random.below(3)); };
  std::uint32_t next_index = 0;
  for (int step = 0; step < 40'000; ++step) {
    const std::uint64_t choice = random.below(100);
    const bool grows = (step / 10'000) % 2 == 0;  // in waves of some thousands
    if (present.empty() || choice < (grows ? 70U : 22U)) {
      const std::uint64_t hash = 1024 - spread / 2 + random.below(spread);
      const Kind kind = random_kind();
      demux.insert(hash, {kind, next_index});
      model[next_index] = {hash, kind};
      present.push_back(next_index++);
    } else {
      const std::size_t position = static_cast<std::size_t>(random.below(present.size()));
      const std::uint32_t index = present[position];
      auto& [hash, kind] = model[index];
      if (choice < 92) {
        demux.erase(hash, {kind, index});
        model.erase(index);
        present[position] = present.back();
        present.pop_back();
      } else {
        const Kind after = random_kind();
        demux.replace(hash, {kind, index}, {after, index});
        kind = after;
      }
    }
    ASSERT_EQ(demux.size(), model.size());
    if (step % 1000 != 0) continue;
    for (const auto& [index, entry] : model) {
      const DemuxHandle handle{entry.second, index};
      ASSERT_EQ(find(demux, entry.first, handle), handle) << "step " << step;
    }
    for (std::uint32_t i = 0; i < 100; ++i) {  // what is gone stays gone
      const auto index = static_cast<std::uint32_t>(random.below(next_index));
      if (model.contains(index)) continue;
      for (const Kind kind : {Kind::Connection, Kind::SynReceived, Kind::TimeWait}) {
        ASSERT_EQ(find(demux, 1024 - spread / 2 + i % spread, {kind, index}).kind, Kind::None);
      }
    }
  }
  while (!present.empty()) {
    const std::uint32_t index = present.back();
    demux.erase(model[index].first, {model[index].second, index});
    present.pop_back();
  }
  EXPECT_EQ(demux.size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Spread, DemuxModel, ::testing::Values(8, 30, 100, 1000, 100'000));

TEST(Demux, GrowsAndLosesNothing) {
  Demux demux = table();
  constexpr std::uint32_t kCount = 200'000;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    demux.insert(demux.hash(tuple(i)), {Kind::Connection, i});
  }
  EXPECT_EQ(demux.size(), kCount);
  std::uint64_t asked = 0;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const DemuxHandle found = demux.find(demux.hash(tuple(i)), [&](DemuxHandle handle) {
      ++asked;
      return handle.index == i;
    });
    ASSERT_EQ(found, (DemuxHandle{Kind::Connection, i}));
  }
  EXPECT_LT(asked, kCount + kCount / 100) << "32 bits of the hash tell nearly all of them apart";
}

// What one operation may cost: a bucket's entries, of which there are four on average. A longer
// bucket than this one is a matter of one chance in a million times a million.
constexpr std::uint64_t kMostMoved = 40;

TEST(Demux, NoOperationMovesMoreThanOneBucket) {
  Demux demux = table();
  constexpr std::uint32_t kCount = 300'000;
  const auto most_moved_by = [&demux](auto&& operation) {
    std::uint64_t most = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      const std::uint64_t before = demux.moved_entries();
      operation(demux.hash(tuple(i)), DemuxHandle{Kind::Connection, i});
      most = std::max(most, demux.moved_entries() - before);
    }
    return most;
  };
  EXPECT_LE(most_moved_by([&](std::uint64_t h, DemuxHandle what) { demux.insert(h, what); }),
            kMostMoved);
  EXPECT_LE(demux.moved_entries(), 2 * kCount) << "two moves an insertion, all in all";
  const std::uint64_t moved_growing = demux.moved_entries();
  EXPECT_LE(most_moved_by([&](std::uint64_t h, DemuxHandle what) { demux.erase(h, what); }),
            kMostMoved);
  EXPECT_LE(demux.moved_entries() - moved_growing, 2 * kCount);
}

TEST(Demux, AnEntryThatComesAndGoesMovesNoOther) {
  // Wherever the table stands, the next bucket more is a quarter of the table away from the next
  // bucket less.
  Demux demux = table();
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    demux.insert(demux.hash(tuple(i)), {Kind::Connection, i});
  }
  for (std::uint32_t i = 10'000; i < 11'000; ++i) {
    demux.insert(demux.hash(tuple(i)), {Kind::Connection, i});
    const std::uint64_t before = demux.moved_entries();
    for (int again = 0; again < 100; ++again) {
      demux.erase(demux.hash(tuple(i)), {Kind::Connection, i});
      demux.insert(demux.hash(tuple(i)), {Kind::Connection, i});
    }
    ASSERT_EQ(demux.moved_entries(), before);
  }
}

TEST(Demux, HasFewBucketsAgainWhenItsEntriesAreGone) {
  Demux demux = table();
  const std::size_t at_first = demux.bucket_count();
  constexpr std::uint32_t kCount = 100'000;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < kCount; ++i) {
      demux.insert(demux.hash(tuple(i)), {Kind::TimeWait, i});
    }
    EXPECT_EQ(demux.bucket_count(), kCount / 4);
    for (std::uint32_t i = 0; i < kCount; ++i) {
      demux.erase(demux.hash(tuple(i)), {Kind::TimeWait, i});
      ASSERT_LE(demux.bucket_count(), std::max(at_first, demux.size() / 3 + 1));
    }
    EXPECT_EQ(demux.bucket_count(), at_first);
  }
}

TEST(Demux, HashesEveryPartOfTheTupleUnderItsSecret) {
  const Demux demux = table(1);
  tcp::FourTuple base = tuple(0);
  std::set<std::uint64_t> seen = {demux.hash(base), table(2).hash(base)};
  tcp::FourTuple other = base;
  other.local.port = 81;
  seen.insert(demux.hash(other));
  other = base;
  other.local.address = IpAddress{192, 0, 2, 3};
  seen.insert(demux.hash(other));
  other = base;
  other.remote.port = 1;
  seen.insert(demux.hash(other));
  other = base;
  other.remote.address = IpAddress{198, 51, 100, 99};
  seen.insert(demux.hash(other));
  EXPECT_EQ(seen.size(), 6U);
  EXPECT_EQ(demux.hash(base), table(1).hash(base));
}

TEST(Demux, TuplesThatCollideUnderOneSecretDoNotUnderAnother) {
  // An attacker who knows an unkeyed hash would choose tuples of one home; here a thousand that
  // share 10 bits under one secret are spread evenly under another.
  const Demux known = table(1);
  const Demux secret = table(2);
  std::unordered_map<std::uint64_t, int> homes;
  int chosen = 0;
  for (std::uint32_t i = 0; chosen < 1000; ++i) {
    if ((known.hash(tuple(i)) & 1023U) != 0) continue;
    ++chosen;
    ++homes[secret.hash(tuple(i)) & 1023U];
  }
  int most = 0;
  for (const auto& [home, count] : homes) most = std::max(most, count);
  EXPECT_LE(most, 10) << "a thousand in 1,024 places";
}

}  // namespace
}  // namespace runnel::core
