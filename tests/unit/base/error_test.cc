#include "runnel/error.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "runnel/result.h"

namespace runnel {
namespace {

TEST(Error, EveryCodeIsEquivalentToTheStandardsCondition) {
  EXPECT_EQ(make_error_code(Errc::would_block), std::errc::operation_would_block);
  EXPECT_EQ(make_error_code(Errc::would_block), std::errc::resource_unavailable_try_again);
  EXPECT_EQ(make_error_code(Errc::invalid_handle), std::errc::bad_file_descriptor);
  EXPECT_EQ(make_error_code(Errc::invalid_argument), std::errc::invalid_argument);
  EXPECT_EQ(make_error_code(Errc::not_connected), std::errc::not_connected);
  EXPECT_EQ(make_error_code(Errc::already_connected), std::errc::already_connected);
  EXPECT_EQ(make_error_code(Errc::broken_pipe), std::errc::broken_pipe);
  EXPECT_EQ(make_error_code(Errc::connection_reset), std::errc::connection_reset);
  EXPECT_EQ(make_error_code(Errc::connection_refused), std::errc::connection_refused);
  EXPECT_EQ(make_error_code(Errc::connection_aborted), std::errc::connection_aborted);
  EXPECT_EQ(make_error_code(Errc::timed_out), std::errc::timed_out);
  EXPECT_EQ(make_error_code(Errc::host_unreachable), std::errc::host_unreachable);
  EXPECT_EQ(make_error_code(Errc::network_unreachable), std::errc::network_unreachable);
  EXPECT_EQ(make_error_code(Errc::protocol_unreachable), std::errc::no_protocol_option);
  EXPECT_EQ(make_error_code(Errc::address_in_use), std::errc::address_in_use);
  EXPECT_EQ(make_error_code(Errc::address_not_available), std::errc::address_not_available);
  EXPECT_EQ(make_error_code(Errc::no_buffer_space), std::errc::no_buffer_space);
  EXPECT_EQ(make_error_code(Errc::not_supported), std::errc::not_supported);
}

TEST(Error, IsNotEquivalentToAnotherCondition) {
  EXPECT_NE(make_error_code(Errc::connection_reset), std::errc::connection_aborted);
  EXPECT_NE(make_error_code(Errc::timed_out), std::errc::operation_would_block);
}

TEST(Error, EveryCodeHasAMessageOfItsOwn) {
  std::set<std::string> messages;
  const int last = static_cast<int>(Errc::not_supported);
  for (int code = 1; code <= last; ++code) messages.insert(error_category().message(code));
  EXPECT_EQ(messages.size(), static_cast<std::size_t>(last));
  EXPECT_EQ(messages.count(""), 0U);
  EXPECT_EQ(make_error_code(Errc::connection_refused).message(), "connection refused");
}

TEST(Error, ANumberThatIsNoCodeStaysInItsCategory) {
  const std::error_code code{1000, error_category()};
  EXPECT_EQ(code.message(), "unknown error 1000");
  EXPECT_EQ(code.default_error_condition().category(), error_category());
}

TEST(Error, ConvertsWithoutNamingTheCategory) {
  const std::error_code code = Errc::broken_pipe;
  EXPECT_STREQ(code.category().name(), "runnel");
  EXPECT_EQ(code, Errc::broken_pipe);
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> value = 7;
  EXPECT_TRUE(value);
  EXPECT_EQ(*value, 7);
  EXPECT_FALSE(value.error());
  const Result<int> error = Errc::timed_out;
  EXPECT_FALSE(error);
  EXPECT_EQ(error.error(), std::errc::timed_out);
  EXPECT_EQ(error.value_or(3), 3);
}

TEST(Result, OfNothingHoldsSuccessOrAnError) {
  const Result<void> done;
  EXPECT_TRUE(done);
  const Result<void> error = Errc::would_block;
  EXPECT_FALSE(error);
  EXPECT_EQ(error.error(), Errc::would_block);
}

}  // namespace
}  // namespace runnel
