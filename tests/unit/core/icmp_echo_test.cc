// Ping over a link in virtual time.
#include "runnel/icmp_echo.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/host_pair.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

TEST(IcmpEcho, TellsTheRoundTripAndWhoAnswered) {
  HostPairOptions options;
  options.one_way_delay = 7ms;
  HostPair pair(options);
  IcmpEcho echo(pair.client().stack, pair.server().address, 77);
  const auto sequence = echo.send(100);
  ASSERT_TRUE(sequence);
  EXPECT_FALSE(echo.poll()) << "nothing has crossed the link yet";
  pair.run_for(14ms);
  const auto reply = echo.poll();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->sequence, *sequence);
  EXPECT_EQ(reply->from, pair.server().address);
  EXPECT_EQ(reply->payload_octets, 100U);
  EXPECT_EQ(reply->round_trip, 14ms);
  EXPECT_FALSE(reply->error);
  EXPECT_FALSE(echo.poll()) << "a reply is told once";
}

TEST(IcmpEcho, ARequestInFragmentsIsAnsweredWhole) {
  HostPair pair;
  IcmpEcho echo(pair.client().stack, pair.server().address, 77);
  ASSERT_TRUE(echo.send(4000));
  pair.run_for(10ms);
  const auto reply = echo.poll();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->payload_octets, 4000U);
}

TEST(IcmpEcho, RepliesToOthersAreNotItsOwn) {
  HostPair pair;
  ASSERT_TRUE(pair.client().stack.send_echo_request(pair.server().address, 78, 1, {}));
  IcmpEcho echo(pair.client().stack, pair.server().address, 77);
  pair.run_for(10ms);
  EXPECT_FALSE(echo.poll());
}

TEST(IcmpEcho, ADestinationThatIsNoHostIsRefused) {
  HostPair pair;
  EXPECT_EQ(IcmpEcho(pair.client().stack, IpAddress(255, 255, 255, 255), 77).send().error(),
            Errc::invalid_argument);
  EXPECT_EQ(IcmpEcho(pair.client().stack, pair.server().address, 77).send(65'508).error(),
            Errc::invalid_argument)
      << "65,507 octets are the most that fit";
}

}  // namespace
}  // namespace runnel::test
