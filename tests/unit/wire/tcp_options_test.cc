#include "stack/wire/tcp_options.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::wire {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets written(const TcpOptions& options) {
  Octets octets(options.octets(), 0xee);
  EXPECT_EQ(options.write(octets), octets.size());
  return octets;
}

TcpOptions parsed(const Octets& octets) {
  return TcpOptions::parse(octets);
}

TEST(TcpOptionsParse, AnEmptyListHasNoOptions) {
  EXPECT_EQ(parsed({}), TcpOptions{});
}

TEST(TcpOptionsParse, ReadsEveryKindThatHasAValue) {
  EXPECT_EQ(parsed({2, 4, 0x05, 0xb4}).maximum_segment_size, 1460);
  EXPECT_EQ(parsed({3, 3, 14, 0}).window_scale, 14);
  EXPECT_EQ(parsed({3, 3, 255, 0}).window_scale, 255) << "as received: RFC 7323 clamps it later";
  EXPECT_TRUE(parsed({4, 2, 0, 0}).sack_permitted);
  EXPECT_EQ(parsed({8, 10, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xfe}).timestamps,
            (TcpTimestamps{5, 0xfffffffeU}));
  EXPECT_EQ(parsed({28, 4, 0x00, 0x5a}).user_timeout, (TcpUserTimeout{false, 90}));
  EXPECT_EQ(parsed({28, 4, 0x80, 0x0a}).user_timeout, (TcpUserTimeout{true, 10}));
  EXPECT_EQ(parsed({34, 2}).fast_open, TcpFastOpenCookie{});
  EXPECT_EQ(parsed({34, 6, 1, 2, 3, 4}).fast_open, (TcpFastOpenCookie{{1, 2, 3, 4}, 4}));
  const TcpOptions sack = parsed({5, 10, 0, 0, 0, 1, 0, 0, 1, 0});
  ASSERT_EQ(sack.sack.count, 1);
  EXPECT_EQ(sack.sack.blocks[0], (SackBlock{SeqNum{1}, SeqNum{256}}));
}

TEST(TcpOptionsParse, ReadsAccEcnInBothOrdersWithNoneToThreeCounters) {
  const Octets counters = {0, 0, 1, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff};
  for (const std::uint8_t kind : Octets{172, 174}) {
    for (std::uint8_t count = 0; count <= 3; ++count) {
      Octets octets = {kind, static_cast<std::uint8_t>(2 + 3 * count)};
      octets.insert(octets.end(), counters.begin(), counters.begin() + 3 * count);
      const auto acc_ecn = parsed(octets).acc_ecn;
      ASSERT_TRUE(acc_ecn);
      EXPECT_EQ(acc_ecn->is_order_1, kind == 174);
      EXPECT_EQ(acc_ecn->count, count);
      EXPECT_EQ(acc_ecn->counters[0], count > 0 ? 1U : 0U);
      EXPECT_EQ(acc_ecn->counters[1], count > 1 ? 0x123456U : 0U);
      EXPECT_EQ(acc_ecn->counters[2], count > 2 ? 0xffffffU : 0U);
    }
  }
}

TEST(TcpOptionsParse, AccEcnOfAnotherLengthHasItsWholeCounters) {  // RFC 9768 section 3.2.3
  EXPECT_EQ(parsed({172, 4, 1, 2}).acc_ecn->count, 0);
  EXPECT_EQ(parsed({172, 7, 0, 0, 9, 1, 2}).acc_ecn->count, 1);
  EXPECT_EQ(parsed({172, 7, 0, 0, 9, 1, 2}).acc_ecn->counters[0], 9U);
  EXPECT_EQ(parsed({172, 14, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4}).acc_ecn->count, 3);
}

TEST(TcpOptionsParse, SackHoldsOneToFourBlocks) {
  for (std::uint8_t count = 1; count <= 4; ++count) {
    Octets octets(2U + 8U * count);
    std::iota(octets.begin(), octets.end(), std::uint8_t{0});
    octets[0] = 5;
    octets[1] = static_cast<std::uint8_t>(octets.size());
    const TcpOptions options = parsed(octets);
    EXPECT_EQ(options.sack.count, count);
    EXPECT_EQ(options.sack.blocks[count - 1U].right.value() & 0xffU, octets.size() - 1);
    EXPECT_FALSE(options.has_unknown);
  }
}

TEST(TcpOptionsParse, AWrongLengthForItsKindIsSkipped) {
  // Every length that is not the kind's; the MSS behind it must still be found.
  const auto is_right = [](int kind, int length) {
    switch (kind) {
      case 2:
      case 28:
        return length == 4;
      case 3:
        return length == 3;
      case 4:
        return length == 2;
      case 5:
        return length == 10 || length == 18 || length == 26 || length == 34;
      case 8:
        return length == 10;
      default:
        return length == 2 || (length >= 6 && length <= 18 && length % 2 == 0);
    }
  };
  for (const std::uint8_t kind : Octets{2, 3, 4, 5, 8, 28, 34}) {
    for (std::uint8_t length = 2; length <= 36; ++length) {
      Octets octets(length + 4U, 1);
      octets[0] = kind;
      octets[1] = length;
      octets[length + 0U] = 2;
      octets[length + 1U] = 4;
      const TcpOptions options = parsed(octets);
      EXPECT_EQ(options.has_unknown, !is_right(kind, length)) << int{kind} << '/' << int{length};
      EXPECT_TRUE(options.maximum_segment_size);
      EXPECT_FALSE(options.is_malformed);
    }
  }
}

TEST(TcpOptionsParse, OfADuplicateTheFirstCounts) {
  EXPECT_EQ(parsed({2, 4, 0, 1, 2, 4, 0, 2}).maximum_segment_size, 1);
  EXPECT_EQ(parsed({3, 3, 1, 3, 3, 2}).window_scale, 1);
  EXPECT_EQ(parsed({28, 4, 0, 1, 28, 4, 0, 2}).user_timeout->value, 1);
  EXPECT_EQ(parsed({34, 2, 34, 6, 1, 2, 3, 4}).fast_open->length, 0);
  EXPECT_EQ(parsed({172, 2, 174, 5, 0, 0, 1}).acc_ecn, TcpAccEcn{});
  EXPECT_EQ(parsed({8, 10, 0, 0, 0, 1, 0, 0, 0, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 2}).timestamps,
            (TcpTimestamps{1, 1}));
  const TcpOptions sack = parsed({5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4});
  EXPECT_EQ(sack.sack.count, 1);
  EXPECT_EQ(sack.sack.blocks[0].left, SeqNum{1});
  EXPECT_EQ(parsed({2, 3, 0, 2, 4, 0, 7}).maximum_segment_size, 7) << "the first right one";
}

TEST(TcpOptionsParse, KindsWithoutAValueHereAreUnknown) {
  for (int kind = 2; kind < 256; ++kind) {
    const bool is_known = kind == 2 || kind == 3 || kind == 4 || kind == 5 || kind == 8 ||
                          kind == 28 || kind == 34 || kind == 172 || kind == 174;
    if (is_known) continue;
    const TcpOptions options = parsed({static_cast<std::uint8_t>(kind), 3, 0, 3, 3, 7});
    EXPECT_TRUE(options.has_unknown) << kind;
    EXPECT_EQ(options.window_scale, 7) << "what follows counts, kind " << kind;
  }
}

TEST(TcpOptionsParse, NoOperationsMayBeAnywhereAndMany) {
  const TcpOptions options = parsed({1, 1, 1, 3, 3, 7, 1, 1, 4, 2, 1, 1});
  EXPECT_EQ(options.window_scale, 7);
  EXPECT_TRUE(options.sack_permitted);
  EXPECT_FALSE(options.has_unknown);
  EXPECT_EQ(parsed(Octets(40, 1)), TcpOptions{});
}

TEST(TcpOptionsParse, EndOfListStopsTheWalk) {
  EXPECT_EQ(parsed({0, 2, 4, 5, 180, 3, 0, 0}), TcpOptions{});
  EXPECT_EQ(parsed({3, 3, 7, 0, 4, 2, 0, 0}).sack_permitted, false);
  EXPECT_EQ(parsed(Octets(40, 0)), TcpOptions{});
}

TEST(TcpOptionsParse, ALengthThatLiesEndsTheWalkAndKeepsWhatCameBefore) {
  for (const std::uint8_t length : Octets{0, 1, 6, 40, 255}) {
    const TcpOptions options = parsed({3, 3, 7, 2, length, 4, 2, 1});
    EXPECT_TRUE(options.is_malformed) << int{length};
    EXPECT_EQ(options.window_scale, 7);
    EXPECT_FALSE(options.sack_permitted);
  }
  EXPECT_TRUE(parsed({1, 1, 1, 8}).is_malformed) << "no room for a length";
}

// What RFC 9293 section 3.1 makes of the first two octets of a list of `size` octets; the rest are
// No-Operations.
struct FirstOption {
  bool is_malformed = false;
  bool is_taken = false;  // one option was read, whatever it is
};

FirstOption expected_first(int kind, int length, std::size_t size) {
  if (kind == 0) return {};
  if (kind == 1) {
    // The second octet is a kind as well: End of List, NOP, or one whose length is missing or 1.
    return {length > 1, false};
  }
  const bool lies = length < 2 || static_cast<std::size_t>(length) > size;
  return {lies, !lies};
}

TEST(TcpOptionsParse, EveryFirstTwoOctetsInEverySizeAreRead) {
  for (std::size_t size = 2; size <= kTcpMaxOptionOctets; size += 2) {
    Octets octets(size, 1);
    for (int kind = 0; kind < 256; ++kind) {
      for (int length = 0; length < 256; ++length) {
        octets[0] = static_cast<std::uint8_t>(kind);
        octets[1] = static_cast<std::uint8_t>(length);
        const FirstOption expected = expected_first(kind, length, size);
        TcpOptionReader reader{octets};
        const auto option = reader.next();
        ASSERT_EQ(option.has_value(), expected.is_taken) << kind << ' ' << length << ' ' << size;
        if (option) {
          ASSERT_EQ(static_cast<int>(option->kind), kind);
          ASSERT_EQ(option->body.size() + 2, static_cast<std::size_t>(length));
          ASSERT_FALSE(reader.next());
        }
        ASSERT_EQ(reader.is_malformed(), expected.is_malformed);
        ASSERT_EQ(TcpOptions::parse(octets).is_malformed, expected.is_malformed);
      }
    }
  }
}

TEST(TcpOptionsWrite, NoOptionsAreNoOctets) {
  EXPECT_EQ(TcpOptions{}.octets(), 0U);
  EXPECT_EQ(written({}), Octets{});
}

TEST(TcpOptionsWrite, ASynCarriesThemInTheCustomaryOrder) {
  TcpOptions options;
  options.maximum_segment_size = 1460;
  options.sack_permitted = true;
  options.timestamps = TcpTimestamps{0x01020304, 0};
  options.window_scale = 7;
  EXPECT_EQ(written(options),
            (Octets{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}));
}

TEST(TcpOptionsWrite, EachAloneIsAlignedWithNoOperations) {
  TcpOptions mss;
  mss.maximum_segment_size = 536;
  EXPECT_EQ(written(mss), (Octets{2, 4, 2, 24}));
  TcpOptions scale;
  scale.window_scale = 0;
  EXPECT_EQ(written(scale), (Octets{1, 3, 3, 0}));
  TcpOptions sack_permitted;
  sack_permitted.sack_permitted = true;
  EXPECT_EQ(written(sack_permitted), (Octets{1, 1, 4, 2}));
  TcpOptions timestamps;
  timestamps.timestamps = TcpTimestamps{1, 2};
  EXPECT_EQ(written(timestamps), (Octets{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}));
  TcpOptions sack;
  sack.sack.blocks[0] = {SeqNum{3}, SeqNum{4}};
  sack.sack.count = 1;
  EXPECT_EQ(written(sack), (Octets{1, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4}));
  TcpOptions timeout;
  timeout.user_timeout = TcpUserTimeout{true, 0x7fff};
  EXPECT_EQ(written(timeout), (Octets{28, 4, 0xff, 0xff}));
}

TEST(TcpOptionsWrite, PaddingBehindAnEndOfListIsZero) {  // RFC 9293 section 3.1, MUST-69
  TcpOptions request;
  request.fast_open = TcpFastOpenCookie{};
  EXPECT_EQ(written(request), (Octets{34, 2, 0, 0}));
  TcpOptions acc_ecn;
  acc_ecn.acc_ecn = TcpAccEcn{true, {0x010203, 0, 0}, 1};
  EXPECT_EQ(written(acc_ecn), (Octets{174, 5, 1, 2, 3, 0, 0, 0}));
}

TEST(TcpOptionsWrite, TimestampsLeaveRoomForThreeSackBlocksAndAloneThereAreFour) {
  TcpOptions options;
  options.sack.count = 4;
  EXPECT_EQ(options.octets(), 36U);
  EXPECT_TRUE(options.fits());
  options.timestamps = TcpTimestamps{};
  EXPECT_FALSE(options.fits());
  options.sack.count = 3;
  EXPECT_EQ(options.octets(), 40U);
  EXPECT_TRUE(options.fits());
}

TEST(TcpOptionsWrite, AFullSynFitsIntoFortyOctetsWithACookie) {
  TcpOptions options;
  options.maximum_segment_size = 1460;
  options.sack_permitted = true;
  options.timestamps = TcpTimestamps{};
  options.window_scale = 7;
  options.fast_open = TcpFastOpenCookie{{1, 2, 3, 4, 5, 6, 7, 8}, 8};
  EXPECT_EQ(options.octets(), 32U);
  options.acc_ecn = TcpAccEcn{false, {}, 2};
  EXPECT_EQ(options.octets(), 40U);
  EXPECT_EQ(parsed(written(options)), options);
  options.acc_ecn->count = 3;
  EXPECT_FALSE(options.fits());
}

TEST(TcpOptionsWrite, AccEcnCountersKeepTheirLow24Bits) {
  TcpOptions options;
  options.acc_ecn = TcpAccEcn{false, {0xff000001U, 0, 0}, 1};
  EXPECT_EQ(parsed(written(options)).acc_ecn->counters[0], 1U);
}

TEST(TcpOptionsWrite, WhatIsWrittenIsParsedToTheSameForEveryCombinationThatFits) {
  int written_count = 0;
  for (unsigned bits = 0; bits < 1U << 11U; ++bits) {
    TcpOptions options;
    if (bits & 1U) options.maximum_segment_size = 1460;
    if (bits & 2U) options.window_scale = 14;
    options.sack_permitted = (bits & 4U) != 0;
    if (bits & 8U) options.timestamps = TcpTimestamps{bits, ~bits};
    if (bits & 16U) options.user_timeout = TcpUserTimeout{(bits & 1U) != 0, 90};
    if (bits & 32U) options.fast_open = TcpFastOpenCookie{{9, 8, 7, 6, 5, 4}, 6};
    options.sack.count = static_cast<std::uint8_t>(bits >> 6U & 3U);
    options.sack.blocks = {
        {{SeqNum{1}, SeqNum{2}}, {SeqNum{3}, SeqNum{4}}, {SeqNum{5}, SeqNum{6}}}};
    if (bits & 256U) {
      options.acc_ecn = TcpAccEcn{(bits & 1U) != 0, {}, static_cast<std::uint8_t>(bits >> 9U & 3U)};
    }
    EXPECT_EQ(options.octets() % 4, 0U);
    EXPECT_EQ(options.fits(), options.octets() <= 40);
    if (!options.fits()) continue;
    ASSERT_EQ(parsed(written(options)), options) << bits;
    ++written_count;
  }
  EXPECT_GT(written_count, 1000);
}

TEST(SackBlocks, CompareOnlyTheBlocksThatCount) {
  SackBlocks a;
  SackBlocks b;
  b.blocks[0] = {SeqNum{1}, SeqNum{2}};
  EXPECT_EQ(a, b);
  b.count = 1;
  EXPECT_FALSE(a == b);
  a.count = 1;
  EXPECT_FALSE(a == b);
  a.blocks[0] = b.blocks[0];
  EXPECT_EQ(a, b);
  a.blocks[1] = {SeqNum{3}, SeqNum{4}};
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace runnel::wire
