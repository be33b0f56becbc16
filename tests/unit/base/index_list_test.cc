#include "stack/base/index_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace runnel::base {
namespace {

struct Listed {
  IndexLinks links;
};

TEST(IndexList, KeepsTheOrderInWhichObjectsWereAdded) {
  std::vector<Listed> objects(5);
  IndexList list;
  EXPECT_TRUE(list.empty());
  for (const std::uint32_t i : {3U, 0U, 4U, 1U}) list.push_back(objects, i);
  const auto order = [&] {
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = list.front(); i != IndexList::kNone; i = objects.at(i).links.next) {
      all.push_back(i);
    }
    return all;
  };
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{3, 0, 4, 1}));
  list.remove(objects, 0);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{3, 4, 1}));
  list.remove(objects, 1);  // the last
  list.remove(objects, 3);  // the first
  list.push_back(objects, 2);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{4, 2}));
  list.remove(objects, 4);
  list.remove(objects, 2);
  EXPECT_TRUE(list.empty());
  list.push_back(objects, 0);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{0}));
}

}  // namespace
}  // namespace runnel::base
