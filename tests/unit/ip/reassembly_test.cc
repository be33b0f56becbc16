#include "stack/ip/reassembly.h"

#include <gtest/gtest.h>

#include "tests/unit/ip/reassembly_tester.h"

namespace runnel::ip {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Instant kStart = Instant{} + hours(1);

const Piece kFirst{0, pattern(16), true};
const Piece kLast{16, pattern(5, 16), false};

// --- The datagram that comes out -----------------------------------------------------------------

TEST(Reassembly, TheDatagramHasTheFirstFragmentsHeaderMadeRight) {
  ReassemblyTester tester;
  PacketSpec first;
  first.tos = 0xb8;
  first.ttl = 9;
  first.options = {148, 4, 0, 0, 1, 1, 1, 0};
  first.more_fragments = true;
  first.payload = pattern(16);
  PacketSpec last;
  last.ttl = 77;
  last.offset_octets = 16;
  last.payload = pattern(5, 16);
  EXPECT_FALSE(tester.add(last));
  const auto whole = tester.add(first);
  ASSERT_TRUE(whole);

  PacketSpec expected = first;
  expected.more_fragments = false;
  expected.payload = pattern(21);
  EXPECT_EQ(to_octets(whole->bytes()), build(expected));
}

TEST(Reassembly, TheDatagramKeepsDontFragment) {
  ReassemblyTester tester;
  PacketSpec first;
  first.dont_fragment = true;
  first.more_fragments = true;
  first.payload = pattern(16);
  EXPECT_FALSE(tester.add(first));
  const auto whole = tester.add(kLast);
  ASSERT_TRUE(whole);
  EXPECT_EQ(get_u16(whole->bytes(), 6), 0x4000U);
}

TEST(Reassembly, Rfc1122_3_3_2_ADatagramOf65535OctetsIn45FragmentsPassesByDefault) {
  ReassemblyTester tester;
  const Octets datagram = pattern(65515);
  std::vector<std::size_t> cuts;
  for (std::size_t at = 1480; at < datagram.size(); at += 1480) cuts.push_back(at);
  const auto pieces = cut(datagram, cuts);
  ASSERT_EQ(pieces.size(), 45U);
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i) EXPECT_FALSE(tester.add(pieces[i]));
  const auto whole = tester.add(pieces.back());
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->length, 65535U);
  EXPECT_EQ(payload_of(*whole), datagram);
}

TEST(Reassembly, Rfc791_3_2_EveryPartOfTheKeySeparatesDatagrams) {
  ReassemblyTester tester;
  PacketSpec first;
  first.more_fragments = true;
  first.payload = pattern(16);
  ASSERT_FALSE(tester.add(first));
  PacketSpec last;
  last.offset_octets = 16;
  last.payload = pattern(5, 16);
  PacketSpec other = last;
  other.identification = 8;
  EXPECT_FALSE(tester.add(other));
  other = last;
  other.protocol = 1;
  EXPECT_FALSE(tester.add(other));
  other = last;
  other.source = {192, 0, 2, 3};
  EXPECT_FALSE(tester.add(other));
  other = last;
  other.destination = {192, 0, 2, 4};
  EXPECT_FALSE(tester.add(other));
  EXPECT_EQ(tester.reassembler_.datagram_count(), 5U);
  EXPECT_TRUE(tester.add(last));
  EXPECT_EQ(tester.reassembler_.datagram_count(), 4U);
}

TEST(Reassembly, AnIdentificationMayBeUsedAgainOnceItsDatagramIsComplete) {
  ReassemblyTester tester;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(tester.add(kFirst));
    EXPECT_TRUE(tester.add(kLast));
  }
  EXPECT_EQ(tester.counters_.ip_reasm_oks, 3U);
}

TEST(Reassembly, Rfc3168_5_3_CongestionIsNotLost) {
  const auto ecn_of = [](std::uint8_t one, std::uint8_t two) -> std::optional<int> {
    ReassemblyTester tester;
    PacketSpec first;
    first.tos = static_cast<std::uint8_t>(0x28 | one);
    first.more_fragments = true;
    first.payload = pattern(16);
    PacketSpec last;
    last.tos = static_cast<std::uint8_t>(0x28 | two);
    last.offset_octets = 16;
    last.payload = pattern(5, 16);
    EXPECT_FALSE(tester.add(first));
    const auto whole = tester.add(last);
    EXPECT_EQ(tester.pool_.live_count(), whole ? 1U : 0U);
    if (!whole) return std::nullopt;
    EXPECT_EQ(payload_of(*whole), pattern(21));
    EXPECT_EQ(whole->bytes()[1] >> 2, 0x28 >> 2);
    return whole->bytes()[1] & 3;
  };
  for (const std::uint8_t same :
       {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}}) {
    EXPECT_EQ(ecn_of(same, same), same);
  }
  EXPECT_EQ(ecn_of(1, 3), 3);
  EXPECT_EQ(ecn_of(3, 2), 3);
  EXPECT_EQ(ecn_of(0, 3), std::nullopt);
  EXPECT_EQ(ecn_of(3, 0), std::nullopt);
  EXPECT_EQ(ecn_of(1, 2), 1);
}

// --- Fragments that cannot be --------------------------------------------------------------------

TEST(Reassembly, DropsAFragmentBeforeTheEndThatIsNoMultipleOfEight) {
  for (std::size_t length = 1; length <= 64; ++length) {
    ReassemblyTester tester;
    EXPECT_FALSE(tester.add({8, pattern(length), true}));
    EXPECT_EQ(tester.dropped(DropReason::FragmentBadLength), length % 8 == 0 ? 0U : 1U);
    EXPECT_EQ(tester.reassembler_.datagram_count(), length % 8 == 0 ? 1U : 0U);
  }
}

TEST(Reassembly, DropsEmptyFragments) {
  ReassemblyTester tester;
  EXPECT_FALSE(tester.add({0, {}, true}));
  EXPECT_FALSE(tester.add({8, {}, true}));
  EXPECT_FALSE(tester.add({8, {}, false}));
  EXPECT_EQ(tester.dropped(DropReason::FragmentBadLength), 3U);
  EXPECT_EQ(tester.reassembler_.datagram_count(), 0U);
}

TEST(Reassembly, ABadFragmentDoesNoHarmToItsDatagram) {
  ReassemblyTester tester;
  EXPECT_FALSE(tester.add(kFirst));
  EXPECT_FALSE(tester.add({8, pattern(7), true}));
  EXPECT_FALSE(tester.add({8, {}, false}));
  EXPECT_FALSE(tester.add({65528, pattern(8), false}));
  EXPECT_TRUE(tester.add(kLast));
}

TEST(Reassembly, PingOfDeathIsDroppedAtEveryOffsetAndLength) {
  for (std::size_t begin = 65480; begin <= 65528; begin += 8) {
    for (std::size_t length = 1; length <= 64; ++length) {
      for (const std::size_t options : {0U, 4U, 40U}) {
        ReassemblyTester tester;
        PacketSpec spec;
        spec.options = Octets(options, 1);
        spec.offset_octets = begin;
        spec.payload = pattern(length);
        EXPECT_FALSE(tester.add(spec));
        const bool is_too_long = 20 + options + begin + length > 65535;
        EXPECT_EQ(tester.dropped(DropReason::FragmentBadLength), is_too_long ? 1U : 0U)
            << begin << ' ' << length << ' ' << options;
      }
    }
  }
}

TEST(Reassembly, PingOfDeathByTheFirstHeadersOptionsIsDropped) {
  ReassemblyTester tester;
  PacketSpec last;
  last.offset_octets = 65000;
  last.payload = pattern(515, 65000);  // 65,535 octets with a header of 20
  EXPECT_FALSE(tester.add(last));
  PacketSpec first;
  first.options = {1, 1, 1, 1};
  first.more_fragments = true;
  first.payload = pattern(65000);
  EXPECT_FALSE(tester.add(first));
  EXPECT_EQ(tester.dropped(DropReason::FragmentBadLength), 1U);
  EXPECT_EQ(tester.pool_.live_count(), 0U);
  tester.expect_empty_after_timeout(Instant{});
}

TEST(Reassembly, SurvivesEveryValueOfTheFragmentWord) {
  Octets packet = build({.payload = pattern(16)});
  for (std::size_t word = 0; word < 65536; ++word) {
    put_u16(packet, 6, word);
    const auto view = wire::Ipv4View::parse(packet);
    ASSERT_TRUE(view);
    if (!view->is_fragment()) continue;
    ReassemblyTester tester;
    ASSERT_FALSE(tester.reassembler_.add(*view, Instant{}));
    const bool is_too_long = 20 + (word & 0x1fffU) * 8 + 16 > 65535;
    ASSERT_EQ(tester.dropped(DropReason::FragmentBadLength), is_too_long ? 1U : 0U);
  }
}

TEST(Reassembly, Rfc1858_DropsFragmentsThatSplitATcpHeader) {
  const auto is_dropped = [](std::size_t begin, std::size_t length, bool more) {
    ReassemblyTester tester;
    PacketSpec spec;
    spec.protocol = 6;
    spec.offset_octets = begin;
    spec.more_fragments = more;
    spec.payload = pattern(length);
    EXPECT_FALSE(tester.add(spec));
    return tester.dropped(DropReason::FragmentBadLength) == 1;
  };
  EXPECT_TRUE(is_dropped(0, 8, true));
  EXPECT_TRUE(is_dropped(0, 16, true));
  EXPECT_FALSE(is_dropped(0, 24, true));
  EXPECT_TRUE(is_dropped(8, 24, true));
  EXPECT_TRUE(is_dropped(16, 24, false));
  EXPECT_FALSE(is_dropped(24, 1, false));
}

// --- Time ----------------------------------------------------------------------------------------

TEST(Reassembly, IsGivenUpSixtySecondsAfterTheFirstArrivalToTheNanosecond) {
  ReassemblyTester tester;
  EXPECT_EQ(tester.reassembler_.next_deadline(), kNever);
  EXPECT_FALSE(tester.add(kFirst, kStart));
  EXPECT_FALSE(tester.add({24, pattern(8, 24), true}, kStart + seconds(59)));
  EXPECT_EQ(tester.reassembler_.next_deadline(), kStart + seconds(60)) << "not from the latest";

  EXPECT_TRUE(tester.reassembler_.advance(kStart + seconds(60) - nanoseconds(1)).empty());
  EXPECT_EQ(tester.reassembler_.datagram_count(), 1U);
  EXPECT_EQ(tester.dropped(DropReason::FragmentTimeout), 0U);

  EXPECT_EQ(tester.reassembler_.advance(kStart + seconds(60)).size(), 1U);
  EXPECT_EQ(tester.dropped(DropReason::FragmentTimeout), 1U);
  tester.expect_empty_after_timeout(kStart);
}

TEST(Reassembly, CompletesOneNanosecondBeforeTheTimeoutAndNotAtIt) {
  for (const bool in_time : {true, false}) {
    ReassemblyTester tester;
    EXPECT_FALSE(tester.add(kFirst, kStart));
    const Instant now = kStart + seconds(60) - nanoseconds(in_time ? 1 : 0);
    EXPECT_EQ(tester.add(kLast, now).has_value(), in_time);
    EXPECT_EQ(tester.dropped(DropReason::FragmentTimeout), in_time ? 0U : 1U);
    EXPECT_EQ(tester.reassembler_.advance(now).size(), in_time ? 0U : 1U);
  }
}

TEST(Reassembly, Rfc1122_3_3_2_TheTimeToLiveDoesNotShortenTheTimeout) {
  ReassemblyTester tester;
  PacketSpec spec;
  spec.ttl = 1;
  spec.more_fragments = true;
  spec.payload = pattern(16);
  EXPECT_FALSE(tester.add(spec, kStart));
  EXPECT_TRUE(tester.add(kLast, kStart + seconds(60) - nanoseconds(1)));
}

TEST(Reassembly, Rfc1122_3_3_2_GivesBackTheFirstFragmentAsItCame) {
  ReassemblyTester tester;
  PacketSpec first;
  first.options = {148, 4, 0, 0};
  first.more_fragments = true;
  first.payload = pattern(16);
  EXPECT_FALSE(tester.add(kLast, kStart));
  EXPECT_FALSE(tester.add({32, pattern(8), true}, kStart, 8));
  EXPECT_FALSE(
      tester.add({.identification = 9, .more_fragments = true, .payload = pattern(8)}, kStart));
  first.identification = 10;
  EXPECT_FALSE(tester.add(first, kStart));
  const auto firsts = tester.reassembler_.advance(kStart + seconds(60));
  ASSERT_EQ(firsts.size(), 2U) << "only of those datagrams whose first fragment came";
  EXPECT_EQ(to_octets(firsts[1].bytes()), build(first));
  EXPECT_EQ(tester.dropped(DropReason::FragmentTimeout), 4U);
}

TEST(Reassembly, DatagramsAreDueInTheOrderOfTheirFirstFragments) {
  ReassemblyTester tester;
  for (std::uint16_t i = 0; i < 10; ++i) EXPECT_FALSE(tester.add(kFirst, kStart + seconds(i), i));
  for (std::uint16_t i = 0; i < 10; ++i) {
    EXPECT_EQ(tester.reassembler_.next_deadline(), kStart + seconds(60 + i));
    const auto firsts = tester.reassembler_.advance(kStart + seconds(60 + i));
    ASSERT_EQ(firsts.size(), 1U);
    EXPECT_EQ(get_u16(firsts[0].bytes(), 4), i);
  }
}

TEST(Reassembly, ACondemnedDatagramIsForgottenAtTheTimeoutAndItsKeyIsGoodAgain) {
  ReassemblyTester tester;
  EXPECT_FALSE(tester.add(kFirst, kStart));
  EXPECT_FALSE(tester.add({8, pattern(16), true}, kStart + seconds(1)));
  EXPECT_EQ(tester.dropped(DropReason::FragmentOverlap), 1U);
  const Instant last = kStart + seconds(60) - nanoseconds(1);
  EXPECT_TRUE(tester.reassembler_.advance(last).empty());
  EXPECT_FALSE(tester.add(kFirst, last));
  EXPECT_EQ(tester.dropped(DropReason::FragmentOverlap), 2U);
  EXPECT_TRUE(tester.reassembler_.advance(kStart + seconds(60)).empty());
  EXPECT_FALSE(tester.add(kFirst, kStart + seconds(60)));
  EXPECT_TRUE(tester.add(kLast, kStart + seconds(60)));
}

}  // namespace
}  // namespace runnel::ip
