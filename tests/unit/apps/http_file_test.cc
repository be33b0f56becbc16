#include "apps/http_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>
#include <system_error>

#include "tests/unit/apps/temporary_directory.h"

namespace runnel::apps {
namespace {

using Outcome = OpenedFile::Outcome;

// A root with files inside, and secrets beside it.
class StaticFilesTest : public ::testing::Test {
 protected:
  StaticFilesTest() {
    directory_.write("secret", "outside");
    directory_.write("root/a.txt", "hello");
    directory_.write("root/sub/index.html", "<p>");
    directory_.write("root/bare/note", "x");
  }

  [[nodiscard]] std::filesystem::path root() const { return directory_.path() / "root"; }
  void link(const std::filesystem::path& target, const std::string& name) const {
    std::filesystem::create_symlink(target, root() / name);
  }

  TemporaryDirectory directory_;
};

std::string content_of(const OpenedFile& opened) {
  FileRange range;
  range.descriptor = tun::UniqueFd(::dup(opened.descriptor.get()));
  range.remaining = opened.size_octets;
  std::array<std::uint8_t, 100> buffer{};
  return std::string(as_text(Bytes(buffer).first(range.read(buffer))));
}

TEST_F(StaticFilesTest, OpensAFileWithWhatAResponseNeeds) {
  const StaticFiles files(root());
  const OpenedFile opened = files.open("/a.txt");
  ASSERT_EQ(opened.outcome, Outcome::File);
  EXPECT_EQ(opened.size_octets, 5U);
  EXPECT_EQ(opened.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(content_of(opened), "hello");
  EXPECT_GE(opened.entity_tag.size(), 2U);
  EXPECT_EQ(opened.entity_tag.front(), '"');
  EXPECT_EQ(opened.entity_tag.back(), '"');
}

TEST_F(StaticFilesTest, TheEntityTagChangesWithTheFile) {
  const StaticFiles files(root());
  const std::string before = files.open("/a.txt").entity_tag;
  EXPECT_EQ(files.open("/a.txt").entity_tag, before);
  directory_.write("root/a.txt", "hello!");
  EXPECT_NE(files.open("/a.txt").entity_tag, before);
}

TEST_F(StaticFilesTest, ADirectoryMeansItsIndex) {
  const StaticFiles files(root());
  EXPECT_EQ(content_of(files.open("/sub/")), "<p>");
  EXPECT_EQ(files.open("/sub").outcome, Outcome::MissingSlash);
  EXPECT_EQ(files.open("/bare/").outcome, Outcome::NotFound);
  EXPECT_EQ(files.open("/bare").outcome, Outcome::NotFound);
  EXPECT_EQ(files.open("/").outcome, Outcome::NotFound);
}

TEST_F(StaticFilesTest, WhatIsNotThereIsNotFound) {
  const StaticFiles files(root());
  EXPECT_EQ(files.open("/b.txt").outcome, Outcome::NotFound);
  EXPECT_EQ(files.open("/a.txt/").outcome, Outcome::NotFound);
  EXPECT_EQ(files.open("/a.txt/b").outcome, Outcome::NotFound);
  EXPECT_EQ(files.open("/" + std::string(5000, 'x')).outcome, Outcome::NotFound);
}

TEST_F(StaticFilesTest, NothingOutsideOfTheRootIsReachable) {
  link("../secret", "relative");
  link(directory_.path() / "secret", "absolute");
  link("..", "up");
  link("/proc/self", "process");
  const StaticFiles files(root());
  for (const char* path : {"/../secret", "/sub/../../secret", "/relative", "/absolute",
                           "/up/secret", "/process/cmdline"}) {
    EXPECT_EQ(files.open(path).outcome, Outcome::NotFound) << path;
  }
}

TEST_F(StaticFilesTest, ALinkThatStaysInsideIsFollowed) {
  link("a.txt", "inside");
  link("../a.txt", "sub/upwards");
  const StaticFiles files(root());
  EXPECT_EQ(content_of(files.open("/inside")), "hello");
  EXPECT_EQ(content_of(files.open("/sub/upwards")), "hello");
}

TEST_F(StaticFilesTest, OnlyRegularFilesAreServedAndAFifoDoesNotBlock) {
  ASSERT_EQ(::mkfifo((root() / "fifo").c_str(), 0600), 0);
  const StaticFiles files(root());
  EXPECT_EQ(files.open("/fifo").outcome, Outcome::NotFound);
}

TEST_F(StaticFilesTest, ARootThatIsNoDirectoryIsRefused) {
  EXPECT_THROW(StaticFiles(root() / "none"), std::system_error);
  EXPECT_THROW(StaticFiles(root() / "a.txt"), std::system_error);
}

TEST_F(StaticFilesTest, AFileThatShrankReadsShort) {
  const StaticFiles files(root());
  OpenedFile opened = files.open("/a.txt");
  FileRange range{std::move(opened.descriptor), 3, 2};
  std::filesystem::resize_file(root() / "a.txt", 3);
  std::array<std::uint8_t, 10> buffer{};
  EXPECT_EQ(range.read(buffer), 0U);
}

TEST(ContentType, FollowsTheExtension) {
  EXPECT_EQ(content_type_of("/x/index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("pic.png"), "image/png");
  EXPECT_EQ(content_type_of("dir.html/file"), "application/octet-stream");
  EXPECT_EQ(content_type_of("none"), "application/octet-stream");
}

}  // namespace
}  // namespace runnel::apps
