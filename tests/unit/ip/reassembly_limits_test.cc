// Reassembly under attack: memory, numbers, senders.

#include <gtest/gtest.h>

#include "runnel/random.h"
#include "tests/unit/ip/reassembly_tester.h"

namespace runnel::ip {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

PacketSpec spec_of(const IpAddress& source, std::uint16_t identification, const Piece& piece) {
  PacketSpec spec;
  spec.source = source;
  spec.identification = identification;
  spec.offset_octets = piece.begin;
  spec.more_fragments = piece.more;
  spec.payload = piece.payload;
  return spec;
}

// Sends two fragments of `source`'s with the attacker's in between; whether they made a datagram.
template <typename Attack>
bool honest_datagram_survives(ReassemblyTester& tester, Instant now, Attack attack) {
  const IpAddress honest{198, 51, 100, 1};
  (void)tester.add(spec_of(honest, 1, {0, pattern(1480), true}), now);
  for (int i = 0; i < 20; ++i) attack();
  const auto whole = tester.add(spec_of(honest, 1, {1480, pattern(1520, 1480), false}), now);
  return whole && payload_of(*whole) == pattern(3000);
}

TEST(ReassemblyLimits, MemoryStaysBelowTheLimitUnderAFloodOfFragmentsThatAreNeverCompleted) {
  for (const bool one_source : {false, true}) {
    ReassemblyTester tester;
    SeededRandom random(5391);
    Instant now{};
    const auto attack = [&] {
      now += microseconds(10);
      const auto source =
          one_source ? IpAddress{203, 0, 113, 9}
                     : IpAddress::from_v4(0x0b000000U +
                                          static_cast<std::uint32_t>(random.below(1U << 24U)));
      const Piece piece{8 * random.below(8000), pattern(8 * (1 + random.below(180))), true};
      (void)tester.add(spec_of(source, static_cast<std::uint16_t>(random.next()), piece), now);
    };
    int honest = 0;
    for (int i = 0; i < 100; ++i) {
      for (int j = 0; j < 1000; ++j) attack();
      honest += honest_datagram_survives(tester, now, attack) ? 1 : 0;
    }
    EXPECT_EQ(honest, 100);
    EXPECT_LE(tester.budget_.used_octets(), tester.config_.reassembly_memory_octets);
    EXPECT_GT(tester.dropped(DropReason::FragmentMemory), 0U);
    tester.expect_empty_after_timeout(now);
  }
}

TEST(ReassemblyLimits, CondemnedDatagramsAreBoundedByTheSameLimit) {
  ReassemblyTester tester;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const auto source = IpAddress::from_v4(0x0b000000U + i);
    (void)tester.add(spec_of(source, 1, {0, pattern(8), true}));
    (void)tester.add(spec_of(source, 1, {0, pattern(16), true}));
  }
  EXPECT_EQ(tester.dropped(DropReason::FragmentOverlap), 100'000U);
  EXPECT_EQ(tester.dropped(DropReason::FragmentMemory), 0U) << "each was counted when condemned";
  EXPECT_EQ(tester.pool_.live_count(), 0U);
  EXPECT_GT(tester.reassembler_.datagram_count(), 1000U)
      << "they are remembered while there is room";
  EXPECT_TRUE(honest_datagram_survives(tester, Instant{}, [] {}));
  tester.expect_empty_after_timeout(Instant{});
}

TEST(ReassemblyLimits, TheOldestDatagramGoesFirst) {
  Config config;
  config.reassembly_memory_octets = 16384;
  ReassemblyTester tester(config);
  const auto source = [](std::uint32_t i) { return IpAddress::from_v4(0x0b000000U + i); };
  std::uint32_t sent = 0;
  while (tester.dropped(DropReason::FragmentMemory) == 0) {
    ASSERT_FALSE(tester.add(spec_of(source(sent++), 1, {0, pattern(8), true})));
  }
  ASSERT_GT(sent, 10U);
  EXPECT_EQ(tester.reassembler_.datagram_count(), sent - 1);
  for (std::uint32_t i = 1; i < sent; ++i) {
    EXPECT_TRUE(tester.add(spec_of(source(i), 1, {8, pattern(1, 8), false}))) << i;
  }
  EXPECT_FALSE(tester.add(spec_of(source(0), 1, {8, pattern(1, 8), false}))) << "the oldest";
}

TEST(ReassemblyLimits, OneSourceMayHoldHalfOfTheMemoryAndEvictsItsOwn) {
  ReassemblyTester tester;
  const IpAddress honest{198, 51, 100, 1};
  EXPECT_FALSE(tester.add(spec_of(honest, 1, {0, pattern(8), true})));
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const Piece piece{0, pattern(1480), true};
    (void)tester.add(spec_of({203, 0, 113, 9}, static_cast<std::uint16_t>(i), piece));
    ASSERT_LE(tester.reassembler_.memory_octets(),
              tester.config_.reassembly_memory_octets / 2 + 1024);
  }
  EXPECT_GT(tester.dropped(DropReason::FragmentMemory), 9000U);
  EXPECT_TRUE(tester.add(spec_of(honest, 1, {8, pattern(8, 8), false})))
      << "though it was the oldest of all";
}

TEST(ReassemblyLimits, ADatagramThatIsItselfTooLargeGoes) {
  Config config;
  config.reassembly_memory_octets = 20'000;
  ReassemblyTester tester(config);
  for (std::size_t at = 0; at < 14'800; at += 1480) {
    EXPECT_FALSE(tester.add({at, pattern(1480, at), true}));
  }
  EXPECT_GT(tester.dropped(DropReason::FragmentMemory), 0U);
  tester.expect_empty_after_timeout(Instant{});
}

TEST(ReassemblyLimits, WithoutMemoryNothingIsReassembled) {
  for (const std::size_t octets : {0U, 1U, 300U, 600U, 1000U}) {
    Config config;
    config.reassembly_memory_octets = octets;
    ReassemblyTester tester(config);
    EXPECT_FALSE(tester.add({0, pattern(8), true}));
    EXPECT_FALSE(tester.add({8, pattern(8), false}));
    EXPECT_EQ(tester.dropped(DropReason::FragmentMemory), 2U);
    EXPECT_EQ(tester.reassembler_.datagram_count(), 0U);
  }
}

TEST(ReassemblyLimits, OneFragmentMoreThanTheLimitCondemnsTheDatagram) {
  for (const std::size_t extra : {0U, 1U}) {
    ReassemblyTester tester;
    const std::size_t count = tester.config_.reassembly_fragments_per_datagram + extra;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      EXPECT_FALSE(tester.add({i * 8, pattern(8, i * 8), true}));
    }
    const auto whole = tester.add({(count - 1) * 8, pattern(8, (count - 1) * 8), false});
    EXPECT_EQ(whole.has_value(), extra == 0);
    EXPECT_EQ(tester.dropped(DropReason::FragmentTooMany), extra);
    if (whole) continue;
    EXPECT_EQ(tester.pool_.live_count(), 0U);
    EXPECT_FALSE(tester.add({0, pattern(8), true}));
    EXPECT_EQ(tester.dropped(DropReason::FragmentTooMany), 2U) << "the rest goes the same way";
  }
}

TEST(ReassemblyLimits, ADuplicateIsNotOneFragmentMore) {
  Config config;
  config.reassembly_fragments_per_datagram = 2;
  ReassemblyTester tester(config);
  EXPECT_FALSE(tester.add({16, pattern(8, 16), false}));
  EXPECT_FALSE(tester.add({8, pattern(8, 8), true}));
  EXPECT_FALSE(tester.add({8, pattern(8, 8), true}));
  EXPECT_EQ(tester.dropped(DropReason::FragmentTooMany), 0U);
  EXPECT_FALSE(tester.add({0, pattern(8), true}));
  EXPECT_EQ(tester.dropped(DropReason::FragmentTooMany), 1U);
}

TEST(ReassemblyLimits, SmallFragmentsTakeSmallBlocks) {
  ReassemblyTester tester;
  EXPECT_FALSE(tester.add({0, pattern(8), true}));
  EXPECT_LE(tester.budget_.used_octets(), 300U);
}

TEST(ReassemblyLimits, WhenTheStacksBudgetIsSpentFragmentsAreDropped) {
  ReassemblyTester tester({}, 400);  // one small block, not two
  EXPECT_FALSE(tester.add({0, pattern(8), true}));
  EXPECT_EQ(tester.dropped(DropReason::NoMemory), 0U);
  EXPECT_FALSE(tester.add({8, pattern(8, 8), true}));
  EXPECT_EQ(tester.dropped(DropReason::NoMemory), 1U);
  EXPECT_EQ(tester.reassembler_.datagram_count(), 1U);
  EXPECT_FALSE(tester.add({8, pattern(8, 8), true}, Instant{}, 8));
  EXPECT_EQ(tester.dropped(DropReason::NoMemory), 2U);
  EXPECT_EQ(tester.reassembler_.datagram_count(), 1U) << "no record without a fragment";
}

TEST(ReassemblyLimits, WhenTheBudgetHasNoRoomForTheWholeDatagramItIsDropped) {
  ReassemblyTester tester({}, 600);  // two small blocks, not three
  EXPECT_FALSE(tester.add({0, pattern(8), true}));
  EXPECT_FALSE(tester.add({8, pattern(8, 8), false}));
  EXPECT_EQ(tester.dropped(DropReason::NoMemory), 1U);
  EXPECT_EQ(tester.counters_.ip_reasm_oks, 0U);
  EXPECT_EQ(tester.reassembler_.datagram_count(), 0U);
  EXPECT_EQ(tester.pool_.live_count(), 0U);
}

TEST(ReassemblyLimits, BlocksThatWereHandedOutOutliveTheReassembler) {
  base::MemoryBudget budget(1U << 20U);
  buffer::SlabPool pool(budget);
  std::optional<buffer::Slice> whole;
  {
    const Config config;
    Counters counters;
    Reassembler reassembler(config, pool, counters);
    for (const Piece& piece : cut(pattern(40), {16})) {
      PacketSpec spec = spec_of({192, 0, 2, 1}, 1, piece);
      const Octets packet = build(spec);
      whole = reassembler.add(*wire::Ipv4View::parse(packet), Instant{});
    }
    const Octets other = build(spec_of({192, 0, 2, 1}, 2, {0, pattern(8), true}));
    EXPECT_FALSE(reassembler.add(*wire::Ipv4View::parse(other), Instant{}));
  }
  ASSERT_TRUE(whole);
  EXPECT_EQ(payload_of(*whole), pattern(40));
  EXPECT_EQ(pool.live_count(), 1U);
}

}  // namespace
}  // namespace runnel::ip
