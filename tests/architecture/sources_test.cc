// What the requirement ledger asks of the sources and the documentation themselves.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "runnel/congestion_algorithm.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

const fs::path kTop{RUNNEL_SOURCE_DIRECTORY};

std::string read(const fs::path& path) {
  const std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Every C++ source below `directory`: its path from the top, and its text.
void for_each_source(const std::string& directory,
                     const std::function<void(const std::string&, const std::string&)>& visit) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kTop / directory)) {
    const auto extension = entry.path().extension();
    if (extension != ".h" && extension != ".cc") continue;
    visit(fs::relative(entry.path(), kTop).generic_string(), read(entry.path()));
    ++count;
  }
  EXPECT_GT(count, 0U) << directory;
}

// A text as one line, without the slashes of comments: for sentences that are wrapped.
std::string unwrapped(const std::string& text) {
  return std::regex_replace(text, std::regex("\\s*\\n\\s*(//\\s*)?"), " ");
}

// The rows of a CSV file with quoted fields (RFC 4180).
std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool is_quoted = false;
  for (const char c : csv) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      rows.back().emplace_back();
    } else if (c == '\n' && !is_quoted) {
      rows.emplace_back(1);
    } else {
      rows.back().back() += c;
    }
  }
  rows.pop_back();
  return rows;
}

std::vector<std::vector<std::string>> ledger() {
  auto rows = rows_of(read(kTop / "tests/conformance/requirements.csv"));
  EXPECT_GT(rows.size(), 600U);
  for (const auto& row : rows) EXPECT_EQ(row.size(), 11U) << row[0];
  rows.erase(rows.begin());  // the columns' names
  return rows;
}

// Historic or Informational by RFC 7805 section 2.
const std::set<std::string> kRetired{"675", "721",  "761",  "813", "816", "879",
                                     "896", "1078", "6013", "700", "794", "814",
                                     "817", "872",  "889",  "964", "1071"};

TEST(Sources, R_7805_HIST_NothingRestsOnARetiredRfc) {
  for (const auto& row : ledger()) {
    EXPECT_EQ(kRetired.count(row[1]), 0U) << row[0];
    EXPECT_EQ(kRetired.count(row[0].substr(0, row[0].find('-'))), 0U) << row[0];
  }
  const std::regex citation("RFC ([0-9]+)");
  const auto expect_none = [&](const std::string& path, const std::string& text) {
    for (std::sregex_iterator at(text.begin(), text.end(), citation), end; at != end; ++at) {
      EXPECT_EQ(kRetired.count((*at)[1]), 0U) << path << " cites " << at->str();
    }
  };
  for (const char* directory : {"stack", "tun", "tests/conformance"}) {
    for_each_source(directory, expect_none);
  }
}

TEST(Sources, R_1122_4_2_2_20_URGNAME_TcpIsTracedToRfc9293AndNotToRfc1122) {
  for (const auto& row : ledger()) {
    if (row[0] == "1122-4.2.2.20-URGNAME") continue;
    EXPECT_FALSE(row[1] == "1122" && row[2].rfind("4.2", 0) == 0) << row[0];
  }
  // A test's name, and a citation in a comment.
  const std::regex citation("R_1122_4_2_(?!2_20_URGNAME)|RFC 1122 (section )?4\\.2\\b");
  for (const char* directory : {"stack", "tests"}) {
    for_each_source(directory, [&](const std::string& path, const std::string& text) {
      std::smatch found;
      if (path == "tests/architecture/sources_test.cc") return;
      EXPECT_FALSE(std::regex_search(text, found, citation)) << path << ": " << found.str();
    });
  }
}

TEST(Sources, R_9293_SHLD_23_ApplicationsAreToldToKeepOneDiffServValue) {
  const std::string text = unwrapped(read(kTop / "stack/include/runnel/config.h"));
  EXPECT_NE(text.find("Applications should keep one DiffServ value for the life of a connection"),
            std::string::npos);
}

// Reassembly alone may look at the identification of a packet that arrives; printing it is no use.
TEST(Sources, R_6864_4_1_USE_OnlyReassemblyReadsTheIdentification) {
  const std::set<std::string> permitted{"stack/ip/reassembly.cc", "stack/wire/ipv4.h",
                                        "stack/wire/ipv4.cc", "stack/wire/format.cc"};
  for (const char* directory : {"stack", "tun", "apps"}) {
    for_each_source(directory, [&](const std::string& path, const std::string& text) {
      // An ICMP message has an identifier, which is something else.
      const bool reads = text.find("identification()") != std::string::npos;
      EXPECT_TRUE(!reads || permitted.count(path) == 1) << path;
    });
  }
}

TEST(Sources, R_1122_3_1_ICMP_NoOptionOfTheBuildLeavesIcmpOut) {
  for (const auto& entry : fs::recursive_directory_iterator(kTop)) {
    if (entry.path().generic_string().find("/build") != std::string::npos) continue;
    if (entry.path().filename() != "CMakeLists.txt") continue;
    const std::string text = read(entry.path());
    const std::regex option("option\\([^)]*ICMP", std::regex::icase);
    EXPECT_FALSE(std::regex_search(text, option)) << entry.path();
  }
  for_each_source("stack", [](const std::string& path, const std::string& text) {
    const std::regex condition("#\\s*if[^\\n]*ICMP", std::regex::icase);
    EXPECT_FALSE(std::regex_search(text, condition)) << path;
  });
}

// Whether `text` reads a member of this name.
bool reads_member(const std::string& text, const std::string& name) {
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    const bool ends = end == text.size() || (std::isalnum(text[end]) == 0 && text[end] != '_');
    if (ends && at > 0 && (text[at - 1] == '.' || text[at - 1] == '>')) return true;
  }
  return false;
}

// A parameter that nothing reads would promise what is not there.
TEST(Sources, EveryParameterIsRead) {
  const std::string config = read(kTop / "stack/include/runnel/config.h");
  const std::regex member("\\n  [A-Za-z_:0-9]+ (\\w+)(?: = [^;]*|\\{[^;]*)?;");
  std::set<std::string> unread;
  for (std::sregex_iterator i(config.begin(), config.end(), member), end; i != end; ++i) {
    unread.insert((*i)[1]);
  }
  EXPECT_GT(unread.size(), 60U);
  for_each_source("stack", [&](const std::string& path, const std::string& text) {
    if (path.find("/config.") != std::string::npos) return;
    std::erase_if(unread, [&](const std::string& name) { return reads_member(text, name); });
  });
  std::string names;
  for (const std::string& name : unread) names += " " + name;
  EXPECT_EQ(names, "");
}

// The part of a Markdown text from the heading `title` to the next one.
std::string section_of(const std::string& text, const std::string& title) {
  const std::size_t begin = text.find("\n### " + title + "\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find("\n### ", begin + 1) - begin);
}

// Sections 5 to 7 of RFC 9743, in the words of the document.
TEST(Sources, R_9743_CC_EachControllerAnswersTheEvaluationPointsOfBcp133) {
  const std::string text = read(kTop / "stack/tcp/congestion/README.md");
  for (const CongestionAlgorithm algorithm : all_congestion_algorithms()) {
    const std::string name(name_of(algorithm));
    const std::map<std::string, std::string> titles{
        {"newreno", "NewReno"}, {"cubic", "CUBIC"}, {"bbr", "BBR"}, {"dctcp", "DCTCP"}};
    ASSERT_TRUE(titles.count(name)) << name << " needs a section";
    const std::string section = section_of(text, titles.at(name));
    ASSERT_NE(section, "") << titles.at(name);
    for (const char* const point : {"Congestion collapse",
                                    "Bufferbloat",
                                    "High packet loss",
                                    "Fairness among its own",
                                    "Short flows",
                                    "Other general-purpose controllers",
                                    "Real-time traffic",
                                    "Short and long flows",
                                    "Congestion control principles",
                                    "Incremental deployment",
                                    "Tail-drop queues",
                                    "Tunnels",
                                    "Wired paths",
                                    "Wireless paths",
                                    "Active queue management",
                                    "Varying delay",
                                    "Internet of Things",
                                    "High delay",
                                    "Misbehaving nodes",
                                    "Extreme reordering",
                                    "Transient events",
                                    "Sudden changes in the path",
                                    "Multipath",
                                    "Data centers"}) {
      const std::regex row("\n\\| " + std::string(point) + " \\| [^|@]{2,} \\|");
      EXPECT_TRUE(std::regex_search(section, row)) << name << ": " << point;
    }
  }
}

// Where a header first speaks of urgent data, it must say what to think of them.
TEST(Sources, R_9293_SHLD_13_ApplicationsAreToldNotToUseUrgentData) {
  for (const char* header : {"stack.h", "tcp_socket.h"}) {
    const std::string text = unwrapped(read(kTop / "stack/include/runnel" / header));
    EXPECT_NE(text.find("write_urgent"), std::string::npos) << header;
    EXPECT_NE(text.find("New applications should not use urgent data"), std::string::npos)
        << header;
  }
}

}  // namespace
}  // namespace runnel
