// What belongs to no connection here may belong to one of another stack with the same addresses.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class Strays : public TcpTester {
 protected:
  Strays() { with_siblings(1); }

  void with_siblings(std::uint8_t count) {
    Config config;
    config.sibling_stacks = count;
    rebuild(config);
  }
  // A segment in the middle of a connection that is not here.
  [[nodiscard]] SegmentBuilder foreign() const {
    return segment().seq(7).ack(9).payload("somebody else's");
  }
  static std::vector<std::uint8_t> octets_of(const RxBuffer& packet) {
    return {packet.packet().begin(), packet.packet().end()};
  }
};

TEST_F(Strays, ASegmentOfNoConnectionIsKeptAsItCame) {
  const auto octets = foreign().build();
  send_packet(octets, {.checksum = ChecksumStatus::Verified, .gso_size_octets = 5});
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(dropped(DropReason::TcpNoConnection), 0U);
  const auto stray = stack().poll_stray();
  ASSERT_TRUE(stray);
  EXPECT_EQ(octets_of(*stray), octets);
  EXPECT_EQ(stray->meta.checksum, ChecksumStatus::Verified);
  EXPECT_EQ(stray->meta.gso_size_octets, 5);
  EXPECT_EQ(stray->meta.stacks_asked, 1);
  EXPECT_FALSE(stack().poll_stray());
}

TEST_F(Strays, WhatEveryOtherStackHasSeenIsRefused) {
  with_siblings(2);
  send_packet(foreign().build(), {.stacks_asked = 1});
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().poll_stray().value().meta.stacks_asked, 2);
  send_packet(foreign().build(), {.stacks_asked = 2});
  EXPECT_TRUE(next_sent()->flags.rst);
  EXPECT_FALSE(stack().poll_stray());
}

TEST_F(Strays, AStackByItselfHasNone) {
  with_siblings(0);
  send(foreign());
  EXPECT_TRUE(next_sent()->flags.rst);
  EXPECT_FALSE(stack().poll_stray());
}

TEST_F(Strays, ASynIsForTheListenerThatIsHere) {
  listen();
  send(segment().syn().seq(7).mss(1460));
  EXPECT_TRUE(next_sent()->flags.syn);
  EXPECT_FALSE(stack().poll_stray());
}

TEST_F(Strays, ASynForAPortWithoutListenerMayBeForAListenerElsewhere) {
  send(segment().syn().seq(7).mss(1460));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_TRUE(stack().poll_stray());
}

TEST_F(Strays, BesideAListenerSegmentsOfConnectionsAreStraysToo) {
  listen();
  const auto middle = [&] { return segment().seq(7).ack(9); };
  for (const SegmentBuilder& one :
       {middle(), middle().fin(), segment().seq(7).rst(), middle().rst(), middle().syn()}) {
    send(one);
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_TRUE(stack().poll_stray());
  }
}

TEST_F(Strays, AnAckMayBringACookieOfThisStack) {
  Config config;
  config.sibling_stacks = 1;
  config.syn_cookies = SynCookies::Always;
  rebuild(config);
  listen();
  send(segment().syn().seq(7).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_TRUE(syn_ack);
  send(segment().seq(8).ack(syn_ack->seq + 2));  // no cookie of ours
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_TRUE(stack().poll_stray());
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 0U);
  send(segment().seq(8).ack(syn_ack->seq + 1));
  EXPECT_FALSE(stack().poll_stray());
  EXPECT_TRUE(accept());
}

TEST_F(Strays, ConnectionsThatAreHereKeepTheirSegments) {
  establish_passive();
  send(ack_segment(0, 0).payload("abc"));
  EXPECT_EQ(read_all(), "abc");
  EXPECT_FALSE(stack().poll_stray());
}

TEST_F(Strays, AnIcmpErrorAboutAConnectionThatIsNotHereIsOne) {
  const auto ours = SegmentBuilder(kLocal, kPeer).seq(1).ack(1).build();
  send_icmp_error(wire::IcmpType::DestinationUnreachable, 4, ours, 1400);
  EXPECT_EQ(dropped(DropReason::IcmpUnknownConnection), 0U);
  EXPECT_TRUE(stack().poll_stray());
}

TEST_F(Strays, AFloodOfThemIsBounded) {
  for (int i = 0; i < 1000; ++i) send(foreign());
  int kept = 0;
  while (stack().poll_stray()) ++kept;
  EXPECT_GT(kept, 63) << "a batch of the driver's fits";
  EXPECT_LT(kept, 1000);
  EXPECT_EQ(all_sent().size(), static_cast<std::size_t>(1000 - kept));
}

}  // namespace
}  // namespace runnel::test
