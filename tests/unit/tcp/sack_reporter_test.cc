#include "stack/tcp/sack_reporter.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "stack/base/memory_budget.h"
#include "stack/buffer/slab.h"

namespace runnel::tcp {
namespace {

// Segments of 100 octets, counted from RCV.NXT: segment i holds the octets 100 i to 100 i + 99.
class SackReporterTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  void arrives(std::uint64_t segment, std::uint64_t count = 1) {
    const std::uint64_t offset = kOffset + 100 * segment;
    const std::string text(100 * count, 'x');
    const buffer::SlabRef block = pool.acquire(text.size());
    (void)held.add(offset, {block, 0, static_cast<std::uint32_t>(text.size())});
    reporter.on_out_of_order(offset, held);
  }
  [[nodiscard]] SeqNum seq(std::uint32_t octets) const { return SeqNum{GetParam() + octets}; }
  // The blocks of the next acknowledgment as "200-300 ", relative to RCV.NXT.
  std::string report(std::size_t most) {
    const std::size_t count = reporter.block_count(held, most);
    const wire::SackBlocks blocks = reporter.take_blocks(held, most, {seq(0), kOffset});
    EXPECT_EQ(blocks.count, count);
    std::string text;
    for (std::size_t i = 0; i < blocks.count; ++i) {
      text += std::to_string(blocks.blocks[i].left - seq(0)) + '-' +
              std::to_string(blocks.blocks[i].right - seq(0)) + ' ';
    }
    return text;
  }

  static constexpr std::uint64_t kOffset = (std::uint64_t{1} << 32U) - 250;
  base::MemoryBudget budget{std::size_t{1} << 24U};
  buffer::SlabPool pool{budget};
  buffer::ReassemblyQueue held;
  SackReporter reporter;
};

INSTANTIATE_TEST_SUITE_P(RcvNxt, SackReporterTest,
                         ::testing::Values(1000U, 0U, 0xffffffffU, 0xffffff00U, 0x7fffffffU));

TEST_P(SackReporterTest, ReportsNothingWhenNothingIsHeld) {
  EXPECT_EQ(report(4), "");
}

TEST_P(SackReporterTest, PutsTheNewestRangeFirst) {
  arrives(2);
  EXPECT_EQ(report(3), "200-300 ");
  arrives(6);
  EXPECT_EQ(report(3), "600-700 200-300 ");
  arrives(4);
  EXPECT_EQ(report(3), "400-500 600-700 200-300 ");
  arrives(8);
  EXPECT_EQ(report(3), "800-900 400-500 600-700 ");
  EXPECT_EQ(report(4), "800-900 400-500 600-700 200-300 ");
  EXPECT_EQ(report(4), "800-900 400-500 600-700 200-300 ") << "repeated in the next one";
}

TEST_P(SackReporterTest, AGrownRangeIsNewAgain) {
  arrives(2);
  arrives(6);
  arrives(3);
  EXPECT_EQ(report(3), "200-400 600-700 ");
}

TEST_P(SackReporterTest, JoinedRangesAreOneBlock) {
  arrives(2);
  arrives(4);
  arrives(8);
  arrives(3);
  EXPECT_EQ(report(3), "200-500 800-900 ");
}

TEST_P(SackReporterTest, RangesThatAreGoneAreNotReported) {
  arrives(2);
  arrives(4);
  arrives(6);
  held.drop_highest();
  EXPECT_EQ(report(3), "400-500 200-300 ");
  held.clear();
  EXPECT_EQ(report(3), "");
}

TEST_P(SackReporterTest, FillsUpWithRangesOfLongAgo) {
  for (const std::uint64_t segment : {2U, 4U, 6U, 8U, 10U, 12U}) arrives(segment);
  held.drop_highest();  // of the four latest one is gone
  EXPECT_EQ(report(4), "1000-1100 800-900 600-700 400-500 ");
  arrives(9);  // two of the latest become one
  EXPECT_EQ(report(4), "800-1100 600-700 400-500 200-300 ");
}

TEST_P(SackReporterTest, ReportsADuplicateOnceAndFirst) {
  arrives(2);
  arrives(4);
  reporter.on_duplicate(seq(0) - 300, seq(0) - 200);
  EXPECT_TRUE(reporter.has_duplicate());
  EXPECT_EQ(report(2), "-300--200 400-500 ");
  EXPECT_FALSE(reporter.has_duplicate());
  EXPECT_EQ(report(2), "400-500 200-300 ");
}

TEST_P(SackReporterTest, ADuplicateAsLargeAsItsRangeIsFollowedByIt) {
  arrives(2);
  reporter.on_duplicate(seq(200), seq(300));
  EXPECT_EQ(report(4), "200-300 200-300 ");
}

TEST_P(SackReporterTest, DuplicatesThatAdjoinAreOne) {
  reporter.on_duplicate(seq(0) - 300, seq(0) - 200);
  reporter.on_duplicate(seq(0) - 200, seq(0) - 100);
  EXPECT_EQ(report(4), "-300--100 ");
  reporter.on_duplicate(seq(0) - 300, seq(0) - 200);
  reporter.on_duplicate(seq(0) - 199, seq(0) - 100);
  EXPECT_EQ(report(4), "-199--100 ") << "else the last one";
}

TEST_P(SackReporterTest, ReportsNoMoreThanFits) {
  for (const std::uint64_t segment : {2U, 4U, 6U}) arrives(segment);
  reporter.on_duplicate(seq(0) - 300, seq(0) - 200);
  EXPECT_EQ(report(1), "-300--200 ");
  EXPECT_EQ(report(0), "");
}

}  // namespace
}  // namespace runnel::tcp
