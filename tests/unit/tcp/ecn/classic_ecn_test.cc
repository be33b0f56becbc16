#include "stack/tcp/ecn/classic_ecn.h"

#include <gtest/gtest.h>

#include "stack/tcp/ecn/ecn_response.h"

namespace runnel::tcp {
namespace {

TEST(ClassicEcnReceiver, EchoesUntilThePeerHasReduced) {
  ClassicEcnReceiver receiver(false);
  EXPECT_FALSE(receiver.text_arrived(Ecn::Ect0, false));
  EXPECT_FALSE(receiver.echoes());
  EXPECT_FALSE(receiver.text_arrived(Ecn::Ce, false));
  EXPECT_TRUE(receiver.echoes());
  EXPECT_FALSE(receiver.text_arrived(Ecn::Ect0, false));
  EXPECT_TRUE(receiver.echoes());
  EXPECT_FALSE(receiver.text_arrived(Ecn::Ce, true));
  EXPECT_TRUE(receiver.echoes());
  EXPECT_FALSE(receiver.text_arrived(Ecn::Ect0, true));
  EXPECT_FALSE(receiver.echoes());
}

// RFC 8257 section 3.2: ECE is the state, and every change is told.
TEST(ClassicEcnReceiver, OfDctcpFollowsTheMarks) {
  ClassicEcnReceiver receiver(true);
  const bool marks[] = {false, true, true, false, false, true, false};
  bool before = false;
  for (const bool mark : marks) {
    EXPECT_EQ(receiver.text_arrived(mark ? Ecn::Ce : Ecn::Ect0, true), mark != before);
    EXPECT_EQ(receiver.echoes(), mark);
    before = mark;
  }
}

TEST(EcnResponse, IsOneForEachWindow) {
  for (const std::uint32_t base : {0U, 0xffffff00U, 0x7fffff00U}) {
    const auto at = [&](std::uint32_t octets) { return SeqNum{base + octets}; };
    EcnResponse response;
    EXPECT_TRUE(response.is_due());
    response.on_mark(at(1000));
    EXPECT_FALSE(response.is_due());
    EXPECT_TRUE(response.is_for_mark());
    EXPECT_FALSE(response.may_be_undone());
    EXPECT_TRUE(response.covers(at(999)));
    EXPECT_FALSE(response.covers(at(1000)));
    response.on_ack(at(999));
    EXPECT_FALSE(response.is_due()) << "what it covers begins before the reduction";
    response.on_ack(at(1000));
    EXPECT_TRUE(response.is_due());
    EXPECT_FALSE(response.covers(at(999)));
    response.on_loss(at(2000));
    EXPECT_FALSE(response.is_due());
    EXPECT_TRUE(response.may_be_undone());
  }
}

}  // namespace
}  // namespace runnel::tcp
