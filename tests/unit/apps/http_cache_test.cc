#include "apps/http_cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace runnel::apps {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1s};

TEST(HttpCache, KnowsWhatWasAddedAtThisInstantAlone) {
  HttpCache cache;
  EXPECT_EQ(cache.find("/a", true, kNow), nullptr);
  cache.add("/a", true, "response");
  ASSERT_NE(cache.find("/a", true, kNow), nullptr);
  EXPECT_EQ(*cache.find("/a", true, kNow), "response");
  EXPECT_EQ(cache.find("/a", true, kNow + 1ns), nullptr);
  EXPECT_EQ(cache.find("/a", true, kNow), nullptr) << "an instant does not come back";
}

TEST(HttpCache, TellsTargetsAndVersionsApart) {
  HttpCache cache;
  EXPECT_EQ(cache.find("/a", true, kNow), nullptr);
  cache.add("/a", true, "1.1");
  EXPECT_EQ(cache.find("/a", false, kNow), nullptr);
  EXPECT_EQ(cache.find("/b", true, kNow), nullptr);
  cache.add("/a", false, "1.0");
  EXPECT_EQ(*cache.find("/a", true, kNow), "1.1");
  EXPECT_EQ(*cache.find("/a", false, kNow), "1.0");
}

TEST(HttpCache, BeginsAgainWhenItIsFull) {
  HttpCache cache;
  EXPECT_EQ(cache.find("/", true, kNow), nullptr);
  for (std::size_t i = 0; i <= HttpCache::kMaxEntries; ++i) {
    cache.add("/" + std::to_string(i), true, std::to_string(i));
  }
  EXPECT_EQ(cache.find("/0", true, kNow), nullptr);
  EXPECT_EQ(*cache.find("/" + std::to_string(HttpCache::kMaxEntries), true, kNow),
            std::to_string(HttpCache::kMaxEntries));
}

}  // namespace
}  // namespace runnel::apps
