// RFC 5482's variables and its option.
#include "stack/tcp/user_timeout.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

TcpConfig enabled() {
  TcpConfig config;
  config.user_timeout_option = true;
  return config;
}

TEST(UserTimeout, CodesWhatItDecodes) {
  for (const Duration timeout : {Duration(1s), Duration(90s), Duration(32767s), Duration(547min)}) {
    EXPECT_EQ(UserTimeout::decode(UserTimeout::encode(timeout)), timeout);
  }
  EXPECT_EQ(UserTimeout::encode(kForever), (wire::TcpUserTimeout{true, 32767}));
  EXPECT_EQ(UserTimeout::encode(0s), (wire::TcpUserTimeout{false, 1})) << "zero is reserved";
}

TEST(UserTimeout, IsWhatTheApplicationSays) {
  UserTimeout timeout(enabled());
  EXPECT_EQ(timeout.in_force(1s), 0s);
  timeout.set(7s);
  EXPECT_EQ(timeout.in_force(1s), 7s) << "no limit holds for the application";
  EXPECT_FALSE(timeout.arrives({false, 0}));
  EXPECT_TRUE(timeout.arrives({false, 500}));
  EXPECT_EQ(timeout.in_force(1s), 7s);
  timeout.set(0s);
  EXPECT_EQ(timeout.in_force(1s), 500s);
}

TEST(UserTimeout, TheSameOptionAgainIsNoNews) {
  UserTimeout timeout(enabled());
  EXPECT_TRUE(timeout.arrives({false, 120}));
  EXPECT_FALSE(timeout.arrives({true, 2}));
  EXPECT_TRUE(timeout.arrives({true, 3}));
}

TEST(UserTimeout, IsAnnouncedUntilASegmentWithItIsAcknowledged) {
  UserTimeout timeout(enabled());
  EXPECT_TRUE(timeout.is_to_be_announced(SeqNum{100}));
  timeout.announced(SeqNum{200});
  timeout.announced(SeqNum{300});
  EXPECT_TRUE(timeout.is_to_be_announced(SeqNum{199}));
  EXPECT_FALSE(timeout.is_to_be_announced(SeqNum{200}));
  timeout.set(7s);
  EXPECT_TRUE(timeout.is_to_be_announced(SeqNum{200}));
  EXPECT_FALSE(UserTimeout(TcpConfig{}).is_to_be_announced(SeqNum{0}));
}

}  // namespace
}  // namespace runnel::tcp
