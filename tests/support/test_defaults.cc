#include "tests/support/test_defaults.h"

#include <cstdlib>
#include <string_view>

namespace runnel::test {
namespace {

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

bool has_isn_near_wrap() {
  static const bool is_set = environment("RUNNEL_TEST_ISN_NEAR_WRAP") == "1";
  return is_set;
}

bool hibernates_at_once() {
  static const bool is_set = environment("RUNNEL_TEST_HIBERNATION") == "1";
  return is_set;
}

TimestampsByDefault timestamps_by_default() {
  static const std::string_view value = environment("RUNNEL_TEST_TIMESTAMPS");
  if (value == "on") return TimestampsByDefault::On;
  return value == "off" ? TimestampsByDefault::Off : TimestampsByDefault::StackOnly;
}

}  // namespace runnel::test
