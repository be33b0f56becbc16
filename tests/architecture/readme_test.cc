// The README's state diagram is drawn from the code's own table.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "stack/tcp/transition.h"

namespace runnel::tcp {
namespace {

TEST(Readme, StateDiagramIsTheTransitionTable) {
  std::ifstream file(std::string{RUNNEL_SOURCE_DIRECTORY} + "/README.md");
  ASSERT_TRUE(file) << "README.md is not where it should be";
  std::stringstream text;
  text << file.rdbuf();
  const std::string diagram = "```mermaid\n" + draw_transitions() + "```\n";
  EXPECT_NE(text.str().find("<!-- transitions -->\n" + diagram + "<!-- /transitions -->"),
            std::string::npos)
      << "Put this between <!-- transitions --> and <!-- /transitions --> in README.md:\n"
      << diagram;
}

}  // namespace
}  // namespace runnel::tcp
