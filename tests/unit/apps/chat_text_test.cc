#include "apps/chat_text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace runnel::apps {
namespace {

constexpr const char* kReplaced = "\xEF\xBF\xBD";

TEST(Scrub, LeavesTextOfAnyLanguageAlone) {
  for (const std::string_view text :
       {"", "hello, world ~!", "gr\xC3\xBC\xC3\x9F dich", "\xE4\xBD\xA0\xE5\xA5\xBD",
        "\xF0\x9F\x90\x9F", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(scrub(text), text);
  }
}

TEST(Scrub, TakesControlCharactersOut) {
  EXPECT_EQ(scrub(std::string_view("a\0b\x1b[31m\x07\x7f\r", 11)), "ab[31m");
  EXPECT_EQ(scrub("a\tb"), "a b");
  EXPECT_EQ(scrub("a\xC2\x9B"
                  "31mb\xC2\x80\xC2\x9F"),
            "a31mb")
      << "C1: a one-octet CSI";
  EXPECT_EQ(scrub("a\xC2\xA0"
                  "b"),
            "a\xC2\xA0"
            "b")
      << "the first behind C1";
}

TEST(Scrub, TakesLineSeparatorsAndTurnsOfDirectionOut) {
  EXPECT_EQ(scrub("a\xE2\x80\xA8"
                  "b\xE2\x80\xA9"
                  "c"),
            "abc");
  EXPECT_EQ(scrub("a\xE2\x80\xAE"
                  "b\xE2\x81\xA6"
                  "c"),
            "abc");
}

TEST(Scrub, ReplacesWhatIsNotUtf8) {
  const std::string bad = kReplaced;
  EXPECT_EQ(scrub("a\xFF"
                  "b"),
            "a" + bad + "b");
  EXPECT_EQ(scrub("\x9B"), bad) << "a bare C1 octet";
  EXPECT_EQ(scrub("\xC3"), bad) << "cut";
  EXPECT_EQ(scrub("\xC0\xAF"), bad + bad) << "overlong";
  EXPECT_EQ(scrub("\xE0\x80\x9B"), bad + bad + bad) << "overlong control character";
  EXPECT_EQ(scrub("\xED\xA0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(scrub("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
}

TEST(CutTo, NeverSplitsASequence) {
  EXPECT_EQ(cut_to("abc", 3), "abc");
  EXPECT_EQ(cut_to("abcd", 3), "abc");
  EXPECT_EQ(cut_to("ab\xC3\xBC", 3), "ab");
  EXPECT_EQ(cut_to("ab\xC3\xBC", 4), "ab\xC3\xBC");
  EXPECT_EQ(cut_to("\xF0\x9F\x90\x9F", 3), "");
}

TEST(Name, IsShortAndWithoutSpaces) {
  for (const std::string_view good :
       {"a", "Bob-2_x", "J\xC3\xBCrgen", "abcdefghijklmnopqrstuvwx"}) {
    EXPECT_TRUE(is_name(good)) << good;
  }
  for (const std::string_view bad :
       {"", "a b", "a:", "*", "abcdefghijklmnopqrstuvwxy", "a\xFF", "a\x1b",
        "a\xC2\xA0"
        "b",
        "a\xE2\x80\x8B"}) {
    EXPECT_FALSE(is_name(bad)) << bad;
  }
}

class LineSplitterTest : public ::testing::Test {
 protected:
  void feed(std::string_view input) {
    LineSplitter::Line line;
    while (splitter_.next(input, line)) lines_.push_back(line);
  }

  LineSplitter splitter_;
  std::vector<LineSplitter::Line> lines_;
};

TEST_F(LineSplitterTest, EndsLinesAtLfAndCrLf) {
  feed("one\ntwo\r\n\nfo");
  feed("ur\n");
  ASSERT_EQ(lines_.size(), 4U);
  EXPECT_EQ(lines_[0].text, "one");
  EXPECT_EQ(lines_[1].text, "two");
  EXPECT_EQ(lines_[2].text, "");
  EXPECT_EQ(lines_[3].text, "four");
}

TEST_F(LineSplitterTest, GivesTheSameLinesOctetByOctet) {
  for (const char c : std::string_view("one\r\ntwo\n")) feed(std::string_view(&c, 1));
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[0].text, "one");
  EXPECT_EQ(lines_[1].text, "two");
}

TEST_F(LineSplitterTest, ALineOfOneKibibyteIsWhole) {
  feed(std::string(1024, 'a') + "\n" + std::string(1024, 'b') + "\r\n");
  ASSERT_EQ(lines_.size(), 2U);
  for (const LineSplitter::Line& line : lines_) {
    EXPECT_EQ(line.text.size(), 1024U);
    EXPECT_FALSE(line.was_cut);
  }
}

TEST_F(LineSplitterTest, ALongerOneIsCutAndItsRestIsDropped) {
  feed(std::string(1025, 'a') + "\n");
  for (int i = 0; i < 100; ++i) feed(std::string(1000, 'b'));
  feed("\nnext\n");
  ASSERT_EQ(lines_.size(), 3U);
  EXPECT_EQ(lines_[0].text, std::string(1024, 'a'));
  EXPECT_TRUE(lines_[0].was_cut);
  EXPECT_EQ(lines_[1].text, std::string(1024, 'b'));
  EXPECT_TRUE(lines_[1].was_cut);
  EXPECT_EQ(lines_[2].text, "next");
  EXPECT_FALSE(lines_[2].was_cut);
}

TEST_F(LineSplitterTest, TheEndCompletesTheLastLine) {
  feed("last");
  LineSplitter::Line line;
  EXPECT_TRUE(splitter_.finish(line));
  EXPECT_EQ(line.text, "last");
  EXPECT_FALSE(splitter_.finish(line));
}

}  // namespace
}  // namespace runnel::apps
