#include "stack/base/sparse_table.h"

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

TEST(SparseTable, FindsWhatWasAddedAndNothingElse) {
  SparseTable<int> table;
  EXPECT_EQ(table.find(0), nullptr);
  table.add(70) = 7;
  table.add(100'000) = 8;
  ASSERT_NE(table.find(70), nullptr);
  EXPECT_EQ(*table.find(70), 7);
  EXPECT_EQ(*table.find(100'000), 8);
  EXPECT_EQ(table.find(71), nullptr);
  EXPECT_EQ(table.find(99'999), nullptr);
  EXPECT_EQ(table.find(200'000), nullptr);
  int* const stays = table.find(70);
  table.remove(100'000);
  EXPECT_EQ(table.find(100'000), nullptr);
  EXPECT_EQ(table.find(70), stays);
  EXPECT_EQ(table.add(100'000), 0) << "as new";
}

}  // namespace
}  // namespace runnel::base
