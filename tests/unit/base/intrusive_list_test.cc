#include "stack/base/intrusive_list.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

struct Item : ListNode {
  explicit Item(int number) : value(number) {}
  int value;
};

std::vector<int> values_of(const IntrusiveList& list) {
  std::vector<int> values;
  for (ListNode* node = list.front(); node != nullptr; node = list.after(*node)) {
    values.push_back(static_cast<Item*>(node)->value);
  }
  return values;
}

TEST(IntrusiveList, IsEmptyAtFirst) {
  IntrusiveList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(list.pop_front(), nullptr);
}

TEST(IntrusiveList, KeepsTheOrderOfArrival) {
  IntrusiveList list;
  Item one{1}, two{2}, three{3};
  list.push_back(one);
  list.push_back(two);
  list.push_back(three);
  EXPECT_EQ(values_of(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.pop_front(), &one);
  EXPECT_FALSE(one.is_listed());
  EXPECT_EQ(values_of(list), (std::vector{2, 3}));
}

TEST(IntrusiveList, UnlinkRemovesFirstMiddleAndLast) {
  IntrusiveList list;
  Item one{1}, two{2}, three{3};
  for (Item* item : {&one, &two, &three}) list.push_back(*item);
  two.unlink();
  EXPECT_EQ(values_of(list), (std::vector{1, 3}));
  three.unlink();
  EXPECT_EQ(values_of(list), (std::vector{1}));
  one.unlink();
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveList, UnlinkOfAnUnlistedNodeDoesNothing) {
  Item item{1};
  item.unlink();
  EXPECT_FALSE(item.is_listed());
}

TEST(IntrusiveList, ANodeCanBeListedAgain) {
  IntrusiveList list;
  Item one{1}, two{2};
  list.push_back(one);
  list.push_back(two);
  one.unlink();
  list.push_back(one);
  EXPECT_EQ(values_of(list), (std::vector{2, 1}));
}

TEST(IntrusiveList, SpliceMovesEverythingBehindWhatIsThere) {
  IntrusiveList list;
  IntrusiveList other;
  Item one{1}, two{2}, three{3};
  list.push_back(one);
  other.push_back(two);
  other.push_back(three);
  list.splice(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(values_of(list), (std::vector{1, 2, 3}));
}

TEST(IntrusiveList, SpliceTakesAnEmptyListAndFillsAnEmptyList) {
  IntrusiveList list;
  IntrusiveList other;
  list.splice(other);
  EXPECT_TRUE(list.empty());
  Item one{1};
  other.push_back(one);
  list.splice(other);
  EXPECT_EQ(values_of(list), (std::vector{1}));
  list.splice(other);
  EXPECT_EQ(values_of(list), (std::vector{1}));
}

TEST(IntrusiveList, ADestroyedNodeLeavesTheList) {
  IntrusiveList list;
  Item one{1};
  auto two = std::make_unique<Item>(2);
  list.push_back(one);
  list.push_back(*two);
  two.reset();
  EXPECT_EQ(values_of(list), (std::vector{1}));
}

TEST(IntrusiveList, ADestroyedListLeavesItsNodesUnlisted) {
  Item one{1};
  {
    IntrusiveList list;
    list.push_back(one);
  }
  EXPECT_FALSE(one.is_listed());
}

}  // namespace
}  // namespace runnel::base
