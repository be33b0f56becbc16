#include "stack/base/counted.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::base {
namespace {

// Counts how many of its kind hold a value.
class Tracked {
 public:
  explicit Tracked(int& alive) : alive_(&alive) { ++*alive_; }
  Tracked(Tracked&& other) noexcept : alive_(std::exchange(other.alive_, nullptr)) {}
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;
  Tracked& operator=(Tracked&&) = delete;
  ~Tracked() {
    if (alive_ != nullptr) --*alive_;
  }

 private:
  int* alive_;
};

TEST(Counted, GivesTheValueToEveryReference) {
  const Counted<std::string> one(std::string("value"));
  const Counted<std::string> other = one;
  EXPECT_EQ(*one, "value");
  EXPECT_EQ(other->size(), 5U);
  EXPECT_EQ(&*one, &*other) << "there is one value";
}

TEST(Counted, LivesAsLongAsItsLastReference) {
  int alive = 0;
  {
    Counted<Tracked> last{Tracked(alive)};
    {
      const Counted<Tracked> one = last;
      const Counted<Tracked> other = one;
      EXPECT_EQ(alive, 1);
    }
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Counted, MovingHandsTheReferenceOn) {
  int alive = 0;
  Counted<Tracked> from{Tracked(alive)};
  {
    const Counted<Tracked> to = std::move(from);
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0) << "nothing was left behind";
}

TEST(Counted, AssignmentGivesUpWhatWasThere) {
  int first = 0;
  int second = 0;
  Counted<Tracked> one{Tracked(first)};
  const Counted<Tracked> other{Tracked(second)};
  one = other;
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
  EXPECT_EQ(&*one, &*other);
}

TEST(Counted, AssigningItToItselfChangesNothing) {
  Counted<std::string> one(std::string("value"));
  const Counted<std::string>& same = one;
  one = same;
  EXPECT_EQ(*one, "value");
}

TEST(Counted, AMovedFromOneMayBeAssignedAgain) {
  Counted<std::string> one(std::string("value"));
  const Counted<std::string> other = std::move(one);
  one = other;
  EXPECT_EQ(*one, "value");
}

TEST(Counted, ManyReferencesMayGoInAnyOrder) {
  int alive = 0;
  std::vector<Counted<Tracked>> references(1000, Counted<Tracked>(Tracked(alive)));
  while (!references.empty()) {
    EXPECT_EQ(alive, 1);
    references.erase(references.begin() + static_cast<std::ptrdiff_t>(references.size() / 2));
  }
  EXPECT_EQ(alive, 0);
}

TEST(Counted, IsOneWord) {
  EXPECT_EQ(sizeof(Counted<std::string>), sizeof(void*));
}

}  // namespace
}  // namespace runnel::base
