#include "apps/http_range.h"

#include <gtest/gtest.h>

#include <string_view>

namespace runnel::apps {
namespace {

using Kind = ByteRange::Kind;

void expect_part(std::string_view value, std::uint64_t first, std::uint64_t octets) {
  const ByteRange range = parse_range(value, 10);
  EXPECT_EQ(range.kind, Kind::Part) << value;
  EXPECT_EQ(range.first, first) << value;
  EXPECT_EQ(range.octets, octets) << value;
}

TEST(HttpRange, NamesFirstAndLastOctet) {
  expect_part("bytes=0-0", 0, 1);
  expect_part("bytes=2-5", 2, 4);
  expect_part("bytes=0-9", 0, 10);
  expect_part("bytes= 3-4 ", 3, 2);
}

TEST(HttpRange, EndsWithTheFile) {
  expect_part("bytes=0-10", 0, 10);
  expect_part("bytes=9-99999999999999999999999", 9, 1);
  expect_part("bytes=4-", 4, 6);
}

TEST(HttpRange, ASuffixCountsFromTheEnd) {
  expect_part("bytes=-1", 9, 1);
  expect_part("bytes=-10", 0, 10);
  expect_part("bytes=-11", 0, 10);
}

TEST(HttpRange, BeginningBehindTheEndIsUnsatisfiable) {
  EXPECT_EQ(parse_range("bytes=10-", 10).kind, Kind::Unsatisfiable);
  EXPECT_EQ(parse_range("bytes=10-20", 10).kind, Kind::Unsatisfiable);
  EXPECT_EQ(parse_range("bytes=-0", 10).kind, Kind::Unsatisfiable);
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, Kind::Unsatisfiable);
  EXPECT_EQ(parse_range("bytes=-5", 0).kind, Kind::Unsatisfiable);
}

TEST(HttpRange, WhatIsMalformedOrSeveralIsIgnored) {
  for (const std::string_view ignored :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1-2x", "bytes=0-1,4-5",
        "lines=1-2", "bytes=+1-2", "bytes=0x1-2", "bytes=1", "bytes=--1"}) {
    const ByteRange range = parse_range(ignored, 10);
    EXPECT_EQ(range.kind, Kind::Whole) << ignored;
    EXPECT_EQ(range.first, 0U);
    EXPECT_EQ(range.octets, 10U);
  }
}

}  // namespace
}  // namespace runnel::apps
