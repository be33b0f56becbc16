#include "stack/tcp/loss/spurious_recovery.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1s};
constexpr SeqRange range(std::uint32_t begin, std::uint32_t end) {
  return {SeqNum(begin), SeqNum(end)};
}

TEST(RetransmissionAudit, AnEchoOfTheOriginalProvesThatItHadNotBeenLost) {
  for (const Duration after : {-1ns, 0ns, 1ns}) {
    RetransmissionAudit audit;
    audit.begin(SeqNum(1000));
    audit.on_retransmit(range(1000, 2000), kStart);
    EXPECT_EQ(audit.is_spurious_by_echo(SeqNum(2000), kStart + after), after <= 0ns);
    EXPECT_FALSE(audit.is_spurious_by_echo(SeqNum(3000), kStart)) << "it is decided";
  }
}

// The first gap was late, but the second may be lost: the response stands.
TEST(RetransmissionAudit, AnEchoSaysNothingWhileMoreThanTheAckCoversWasSentAgain) {
  RetransmissionAudit audit;
  audit.begin(SeqNum(1000));
  audit.on_retransmit(range(1000, 2000), kStart);
  audit.on_retransmit(range(5000, 6000), kStart);
  EXPECT_FALSE(audit.is_spurious_by_echo(SeqNum(5000), kStart - 1ms));
  EXPECT_FALSE(audit.is_spurious_by_dsack(range(1000, 2000)));
  EXPECT_TRUE(audit.is_spurious_by_dsack(range(5000, 6000))) << "none of both was lost";
}

TEST(RetransmissionAudit, EchoesForAllThatWasSentAgainCount) {
  for (const bool is_second_late : {true, false}) {
    RetransmissionAudit audit;
    audit.begin(SeqNum(1000));
    audit.on_retransmit(range(1000, 2000), kStart);
    audit.on_retransmit(range(5000, 6000), kStart);
    EXPECT_FALSE(audit.is_spurious_by_echo(SeqNum(5000), kStart - 2ms));
    const Instant echoed = is_second_late ? kStart - 1ms : kStart + 1ms;
    EXPECT_EQ(audit.is_spurious_by_echo(SeqNum(9000), echoed), is_second_late);
    EXPECT_FALSE(audit.is_spurious_by_echo(SeqNum(9000), kStart - 1ms));
  }
}

}  // namespace
}  // namespace runnel::tcp
