// Overlapping fragments in every shape, and every order of arrival.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/unit/ip/reassembly_tester.h"

namespace runnel::ip {
namespace {

// A datagram of `count` fragments: 16 octets each, 13 in the last.
std::vector<Piece> fragments(std::size_t count) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < count; ++i) cuts.push_back(i * 16);
  return cut(pattern(count * 16 - 3), cuts);
}

std::vector<std::vector<std::size_t>> orders(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::vector<std::vector<std::size_t>> all;
  do all.push_back(order);
  while (std::next_permutation(order.begin(), order.end()));
  return all;
}

TEST(ReassemblyOrder, EveryOrderOfUpToFiveFragmentsGivesTheDatagram) {
  for (std::size_t count = 2; count <= 5; ++count) {
    const auto pieces = fragments(count);
    for (const auto& order : orders(count)) {
      ReassemblyTester tester;
      for (std::size_t i = 0; i < count; ++i) {
        const auto whole = tester.add(pieces[order[i]]);
        ASSERT_EQ(whole.has_value(), i + 1 == count);
        if (whole) {
          ASSERT_EQ(payload_of(*whole), pattern(count * 16 - 3));
        }
      }
      EXPECT_EQ(tester.counters_.ip_reasm_reqds, count);
      EXPECT_EQ(tester.counters_.ip_reasm_oks, 1U);
      EXPECT_EQ(tester.counters_.dropped_total(), 0U);
      EXPECT_EQ(tester.reassembler_.datagram_count(), 0U);
      EXPECT_EQ(tester.pool_.live_count(), 0U);
    }
  }
}

TEST(ReassemblyOrder, Rfc815_ADuplicateOfAnyFragmentAtAnyTimeChangesNothing) {
  for (std::size_t count = 2; count <= 5; ++count) {
    const auto pieces = fragments(count);
    for (const auto& order : orders(count)) {
      for (std::size_t repeated = 0; repeated + 1 < count; ++repeated) {
        for (std::size_t at = repeated + 1; at < count; ++at) {
          ReassemblyTester tester;
          for (std::size_t i = 0; i < count; ++i) {
            if (i == at) {
              ASSERT_FALSE(tester.add(pieces[order[repeated]]));
            }
            const auto whole = tester.add(pieces[order[i]]);
            ASSERT_EQ(whole.has_value(), i + 1 == count);
            if (whole) {
              ASSERT_EQ(payload_of(*whole), pattern(count * 16 - 3));
            }
          }
          ASSERT_EQ(tester.counters_.dropped_total(), 0U);
        }
      }
    }
  }
}

// Sends the first and last of three fragments and the intruder, before or behind them, and then
// everything; nothing may come out.
void expect_condemned(const Piece& intruder) {
  const auto pieces = fragments(3);  // 0-16, 16-32, 32-45
  const std::vector<Piece> arrivals[] = {{pieces[0], pieces[2], intruder},
                                         {intruder, pieces[2], pieces[0]}};
  for (const auto& three : arrivals) {
    ReassemblyTester tester;
    for (const Piece& piece : three) EXPECT_FALSE(tester.add(piece));
    const auto overlaps = tester.dropped(DropReason::FragmentOverlap);
    EXPECT_GE(overlaps, 1U);
    EXPECT_EQ(tester.pool_.live_count(), 0U) << "the octets are freed at once";
    for (const Piece& piece : pieces) EXPECT_FALSE(tester.add(piece));
    EXPECT_EQ(tester.dropped(DropReason::FragmentOverlap), overlaps + 3)
        << "and the rest goes the same way";
    EXPECT_EQ(tester.counters_.ip_reasm_oks, 0U);
    EXPECT_TRUE(tester.reassembler_.advance(Instant{} + std::chrono::seconds(60)).empty())
        << "silently";
    EXPECT_EQ(tester.dropped(DropReason::FragmentTimeout), 0U) << "it was counted already";
    tester.expect_empty_after_timeout(Instant{});
  }
}

TEST(ReassemblyOverlap, Rfc5722_BeforeTheFirstOnesEnd) {
  expect_condemned({8, pattern(8, 8), true});
}
TEST(ReassemblyOverlap, Rfc5722_AcrossTheFirstOnesEnd) {
  expect_condemned({8, pattern(16, 8), true});
}
TEST(ReassemblyOverlap, Rfc5722_TheFirstOneAgainButShorter) {
  expect_condemned({0, pattern(8), true});
}
TEST(ReassemblyOverlap, Rfc5722_TheFirstOneAgainButLonger) {
  expect_condemned({0, pattern(24), true});
}
TEST(ReassemblyOverlap, Rfc5722_TheSameRangeWithOtherOctets) {
  expect_condemned({0, pattern(16, 1), true});
}
TEST(ReassemblyOverlap, Rfc5722_TheWholeDatagramInOnePiece) {
  expect_condemned({0, pattern(48), true});
}
TEST(ReassemblyOverlap, Rfc5722_TheSecondAndOneUnitOfTheThird) {
  expect_condemned({16, pattern(24, 16), true});
}
TEST(ReassemblyOverlap, Rfc5722_TheLastOneOneOctetLonger) {
  expect_condemned({32, pattern(14, 32), false});
}
TEST(ReassemblyOverlap, Rfc5722_TheLastOneOneOctetShorter) {
  expect_condemned({32, pattern(12, 32), false});
}
TEST(ReassemblyOverlap, Rfc815_AMiddleOneClaimsToBeTheLast) {
  expect_condemned({16, pattern(16, 16), false});
}
TEST(ReassemblyOverlap, Rfc815_OctetsBehindTheEnd) {
  expect_condemned({48, pattern(8, 48), true});
}
TEST(ReassemblyOverlap, Rfc815_ASecondEndBehindTheFirst) {
  expect_condemned({48, pattern(1, 48), false});
}
TEST(ReassemblyOverlap, Rfc815_ASecondEndBeforeTheFirst) {
  expect_condemned({16, pattern(1, 16), false});
}

TEST(ReassemblyOverlap, AFragmentThatJustTouchesItsNeighboursIsNoOverlap) {
  ReassemblyTester tester;
  const auto pieces = fragments(3);
  EXPECT_FALSE(tester.add(pieces[0]));
  EXPECT_FALSE(tester.add(pieces[2]));
  EXPECT_TRUE(tester.add(pieces[1]));
}

TEST(ReassemblyOverlap, TheLastFragmentAgainButWithMoreToComeIsNoDuplicate) {
  ReassemblyTester tester;
  EXPECT_FALSE(tester.add({16, pattern(16, 16), false}));
  EXPECT_FALSE(tester.add({16, pattern(16, 16), true}));
  EXPECT_EQ(tester.dropped(DropReason::FragmentOverlap), 1U);
}

// One more fragment of every place, length and flag, at every point between the honest ones, in
// order and in reverse: what comes out is what the model says, and never anything but the datagram.
void sweep(std::size_t count, bool in_reverse, std::size_t shift) {
  auto pieces = fragments(count);
  const Octets datagram = pattern(count * 16 - 3);
  if (in_reverse) std::reverse(pieces.begin(), pieces.end());
  for (std::size_t begin = 0; begin <= datagram.size() + 11; begin += 8) {
    for (std::size_t length = 0; length <= datagram.size() + 12; ++length) {
      for (const bool more : {false, true}) {
        if (begin == 0 && !more) continue;  // a whole packet, no fragment
        for (std::size_t at = 0; at <= count; ++at) {
          ReassemblyTester tester;
          ReassemblyModel model;
          const Piece intruder{begin, pattern(length, begin + shift), more};
          for (std::size_t i = 0; i <= count; ++i) {
            const Piece& piece = i == at ? intruder : pieces[i < at ? i : i - 1];
            const auto expected = model.add(piece);
            const auto whole = tester.add(piece);
            ASSERT_EQ(whole.has_value(), expected.has_value())
                << count << " fragments; " << begin << '+' << length << (more ? " more" : " last")
                << " at " << at;
            if (whole) {
              ASSERT_EQ(payload_of(*whole), *expected);
            }
          }
          ASSERT_EQ(tester.dropped(DropReason::FragmentOverlap) > 0, model.is_condemned());
        }
      }
    }
  }
}

TEST(ReassemblyOverlap, EveryShapeAtEveryTimeForTwoToFiveFragments) {
  for (std::size_t count = 2; count <= 5; ++count) {
    sweep(count, false, 0);
    sweep(count, true, 0);
  }
}

TEST(ReassemblyOverlap, EveryShapeWithOtherOctetsForTwoToFiveFragments) {
  for (std::size_t count = 2; count <= 5; ++count) sweep(count, false, 1);
}

}  // namespace
}  // namespace runnel::ip
