// Opening: addresses, ports, backlog and initial sequence numbers. RFC 9293 sections 3.4.1, 3.9.1.1
// and 3.9.2.3; RFC 6528; RFC 6056.
#include <set>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Addresses = TcpTester;
using Backlog = TcpTester;
using InitialSequenceNumbers = TcpTester;
using Ports = TcpTester;
using SelfConnect = TcpTester;

const IpPrefix kSecond{IpAddress(198, 51, 100, 7), 24};

// --- Addresses ---

TEST_F(Addresses, R_9293_MUST_43_TheLocalAddressCanBeChosen) {
  ASSERT_TRUE(stack().add_address(kSecond));
  ConnectOptions options;
  options.local = {kSecond.address, 0};
  ASSERT_TRUE(try_connect(kPeer, options));
  EXPECT_EQ(next_sent()->from.address, kSecond.address);
  options.local = {IpAddress(203, 0, 113, 1), 0};
  EXPECT_EQ(try_connect(kPeer, options).error(), Errc::address_not_available);
}

TEST_F(Addresses, R_9293_MUST_44_WithoutAChoiceTheAddressInThePeersNetworkIsUsed) {
  ASSERT_TRUE(stack().add_address(kSecond));
  ASSERT_TRUE(try_connect({IpAddress(198, 51, 100, 20), 80}));
  EXPECT_EQ(next_sent()->from.address, kSecond.address);
  ASSERT_TRUE(try_connect(kPeer));
  EXPECT_EQ(next_sent()->from.address, kLocal.address);
}

TEST_F(Addresses, R_9293_MUST_45__R_1122_3_2_1_3_SRCOWN_TheAddressStaysForTheWholeConnection) {
  connect();
  EXPECT_EQ(next_sent()->from, kLocal);
  ASSERT_TRUE(stack().add_address(kSecond));
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460));
  EXPECT_TRUE(write("x"));
  advance(2s);
  for (const SentSegment& sent : all_sent()) EXPECT_EQ(sent.from, kLocal);
}

TEST_F(Addresses, R_9293_MUST_46_OpeningToNoSingleHostFailsHere) {
  for (const IpAddress& remote :
       {IpAddress(255, 255, 255, 255), IpAddress(224, 0, 0, 1), IpAddress(0, 0, 0, 0),
        IpAddress(192, 0, 2, 255), IpAddress(127, 0, 0, 1), IpAddress(240, 0, 0, 1)}) {
    EXPECT_EQ(try_connect({remote, 80}).error(), Errc::invalid_argument) << remote.to_string();
  }
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(Addresses, R_9293_MUST_63__R_1122_3_2_1_3_BADSRC_ASynFromNoSingleHostIsIgnored) {
  listen();
  for (const IpAddress& source :
       {IpAddress(0, 0, 0, 0), IpAddress(127, 0, 0, 1), IpAddress(224, 0, 0, 1),
        IpAddress(255, 255, 255, 255), IpAddress(192, 0, 2, 255), IpAddress(240, 1, 1, 1)}) {
    send(segment().from({source, 5}).syn().seq(1).mss(1460));
    EXPECT_THAT(next_sent(), IsNothing()) << source.to_string();
  }
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(dropped(DropReason::IpBadSource), 6U);
}

TEST_F(Addresses, R_9293_MUST_57_ASegmentToBroadcastOrMulticastIsDropped) {
  listen();
  for (const IpAddress& destination :
       {IpAddress(192, 0, 2, 255), IpAddress(224, 0, 0, 1), IpAddress(255, 255, 255, 255)}) {
    send(segment().to({destination, kPort}).syn().seq(1).mss(1460));
    send(segment().to({destination, 99}).seq(1).ack(5));
    EXPECT_THAT(next_sent(), IsNothing()) << destination.to_string();
  }
  EXPECT_EQ(stack().syn_received_count(), 0U);
}

TEST_F(Addresses, R_1122_3_2_1_3_NOTUS__R_1122_3_1_NOFWD_WhatIsForOthersIsDropped) {
  listen();
  send(segment().to({IpAddress(192, 0, 2, 77), kPort}).syn().seq(1).mss(1460));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(dropped(DropReason::IpNotForUs), 1U);
}

TEST_F(Addresses, R_9293_MUST_57_ASegmentFromOurselvesDoesNotComeOverTheLink) {
  listen();
  send(segment().from(kLocal).syn().seq(1).mss(1460));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().syn_received_count(), 0U);
}

TEST_F(Addresses, R_9293_MUST_43_AListenerOfOneAddressDoesNotAnswerForAnother) {
  ASSERT_TRUE(stack().add_address(kSecond));
  listen();
  send(segment().to({kSecond.address, kPort}).syn().seq(1).mss(1460));
  EXPECT_THAT(next_sent(), IsRst());
}

TEST_F(Addresses, R_9293_MUST_43_AListenerOfAllAddressesAnswersForEach) {
  ASSERT_TRUE(stack().add_address(kSecond));
  ASSERT_TRUE(stack().listen({IpAddress(), kPort}));
  for (const IpAddress& local : {kLocal.address, kSecond.address}) {
    send(segment().to({local, kPort}).syn().seq(1).mss(1460));
    const auto syn_ack = next_sent();
    ASSERT_THAT(syn_ack, IsSynAck());
    EXPECT_EQ(syn_ack->from.address, local);
  }
}

TEST_F(Addresses, R_9293_MUST_43_TheMoreSpecificListenerGetsTheConnection) {
  const auto any = stack().listen({IpAddress(), kPort});
  ASSERT_TRUE(any);
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0));
  EXPECT_FALSE(stack().accept(*any));
  EXPECT_TRUE(accept());
}

// --- Passive opens and what exists already ---

TEST_F(Backlog, R_9293_MUST_41__R_9293_MUST_42_ListeningDisturbsNothing) {
  bring_to(TcpState::Established, Opening::Active);
  listen();
  EXPECT_EQ(name_of(state_of(id())), "ESTABLISHED");
  send(segment().from_port(1234).syn().seq(1).mss(1460));
  EXPECT_THAT(next_sent(), IsSynAck());
  send(ack_segment(0, 0).payload("still here"));
  EXPECT_EQ(read_all(), "still here");
}

TEST_F(Backlog, R_9293_MUST_42_ASecondConnectionWhileOneIsInSynReceived) {
  bring_to(TcpState::SynReceived, Opening::Passive);
  send(segment().from_port(1234).syn().seq(1).mss(1460));
  const auto second = next_sent();
  ASSERT_THAT(second, IsSynAck());
  send(segment().from_port(1234).seq(2).ack(second->seq + 1));
  EXPECT_TRUE(accept());
  EXPECT_EQ(stack().syn_received_count(), 1U);
}

TEST_F(Backlog, HandshakesAndWaitingConnectionsTogetherAreLimited) {
  ListenOptions options;
  options.backlog = 3;
  listen(kPort, options);
  for (std::uint16_t port = 100; port < 110; ++port) {
    send(segment().from_port(port).syn().seq(port).mss(1460));
  }
  EXPECT_EQ(stack().syn_received_count(), 3U);
  EXPECT_EQ(all_sent().size(), 10U) << "the others get SYN cookies, which take no room";
  EXPECT_EQ(counters().tcp_syn_cookies_sent, 7U);
}

TEST_F(Backlog, AFullAcceptQueueLeavesSynsUnanswered) {
  ListenOptions options;
  options.backlog = 1;
  listen(kPort, options);
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0));
  forget_sent();
  send(segment().from_port(77).syn().seq(1).mss(1460));
  EXPECT_THAT(next_sent(), IsNothing()) << "the peer tries again: there may be room then";
  EXPECT_EQ(dropped(DropReason::TcpBacklogFull), 1U);
}

TEST_F(Backlog, AcceptingMakesRoomAndKeepsTheOrderOfArrival) {
  ListenOptions options;
  options.backlog = 2;
  listen(kPort, options);
  const auto arrive = [this](std::uint16_t port) {
    send(segment().from_port(port).syn().seq(port).mss(1460));
    const auto syn_ack = next_sent();
    if (!syn_ack) return false;
    send(segment().from_port(port).seq(port + 1U).ack(syn_ack->seq + 1));
    return true;
  };
  EXPECT_TRUE(arrive(100));
  EXPECT_TRUE(arrive(101));
  EXPECT_FALSE(arrive(102));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().remote.port, 100);
  EXPECT_TRUE(arrive(103));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().remote.port, 101);
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().remote.port, 103);
  EXPECT_EQ(stack().accept(listener()).error(), Errc::would_block);
}

TEST_F(Backlog, R_9293_3_10_5_ABORT_ClosingTheListenerResetsWhatNobodyAccepted) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0));
  send(segment().from_port(77).syn().seq(1).mss(1460));
  forget_sent();
  ASSERT_TRUE(stack().close_listener(listener()));
  pump();
  const auto rst = next_sent();
  EXPECT_THAT(rst, AllOf(IsRst(), HasSeq(our(0))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(stack().syn_received_count(), 0U);
  advance(1min);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(Backlog, AConnectionThatDiesBeforeAcceptIsNotHandedOutAlive) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  send(ack_segment(0, 0));
  send(segment().rst().seq(their(0)));
  const auto connection = stack().accept(listener());
  if (connection) {
    use(*connection);
    EXPECT_EQ(read_error(), Errc::connection_reset);
    EXPECT_TRUE(close());
  }
  EXPECT_EQ(stack().connection_count(), 0U);
}

// --- Initial sequence numbers ---

TEST_F(InitialSequenceNumbers,
       R_9293_MUST_8__R_9293_SHLD_1__R_6528_3_ISN_TheClockPartMovesEvery4Microseconds) {
  connect();
  const std::uint32_t first = iss();
  EXPECT_TRUE(abort());
  advance(1s);
  forget_sent();
  connect();
  EXPECT_EQ(iss() - first, 250'000U);
}

TEST_F(InitialSequenceNumbers, R_9293_MUST_8__R_9293_SHLD_1_PassiveOpensUseTheSameClock) {
  listen();
  send(segment().syn().seq(1).mss(1460));
  const std::uint32_t first = next_sent()->seq;
  send(segment().rst().seq(2));
  advance(8us);
  send(segment().syn().seq(1).mss(1460));
  EXPECT_EQ(next_sent()->seq - first, 2U);
}

TEST_F(InitialSequenceNumbers, R_9293_MUST_9__R_9293_SHLD_1_EveryTupleHasAnOffsetOfItsOwn) {
  listen();
  ASSERT_TRUE(stack().add_address(kSecond));
  ASSERT_TRUE(stack().listen({kSecond.address, kPort}));
  listen(8);
  std::set<std::uint32_t> seen;
  send(segment().syn().seq(1).mss(1460));
  seen.insert(next_sent()->seq);
  send(segment().from_port(1).syn().seq(1).mss(1460));
  seen.insert(next_sent()->seq);
  send(segment().to_port(8).syn().seq(1).mss(1460));
  seen.insert(next_sent()->seq);
  send(segment().to({kSecond.address, kPort}).syn().seq(1).mss(1460));
  seen.insert(next_sent()->seq);
  send(segment().from({IpAddress(192, 0, 2, 9), kPeerPort}).syn().seq(1).mss(1460));
  seen.insert(next_sent()->seq);
  EXPECT_EQ(seen.size(), 5U);
}

TEST_F(InitialSequenceNumbers, R_9293_MUST_9__R_9293_3_4_2_QUIET_TheOffsetDependsOnASecretKey) {
  const auto isn_with_seed = [](std::uint64_t seed) {
    SeededRandom random(seed);
    Stack stack(Config{}, random);
    EXPECT_TRUE(stack.add_address({kLocal.address, 24}));
    stack.advance(Instant{1s});
    ConnectOptions options;
    options.local = kLocal;
    EXPECT_TRUE(stack.connect(kPeer, options));
    TxFrame frame;
    EXPECT_TRUE(stack.poll_transmit(frame, Instant{1s}));
    std::vector<std::uint8_t> octets(frame.size());
    frame.copy_to(octets);
    return SentSegment::parse(octets, {}, Instant{1s})->seq;
  };
  EXPECT_EQ(isn_with_seed(1), isn_with_seed(1));
  EXPECT_NE(isn_with_seed(1), isn_with_seed(2));
}

// --- Ports ---

TEST_F(Ports, R_6056_3_2_RANGE__R_6056_3_3_OBF_PortsAreSpreadOverTheRange) {
  std::set<std::uint16_t> ports;
  for (std::uint8_t host = 1; host <= 200; ++host) {
    ASSERT_TRUE(try_connect({IpAddress(198, 51, 100, host), 80}));
    const auto syn = next_sent();
    ASSERT_THAT(syn, IsSyn());
    EXPECT_GE(syn->from.port, 32768);
    EXPECT_LE(syn->from.port, 60999);
    ports.insert(syn->from.port);
  }
  EXPECT_GT(ports.size(), 150U);
  EXPECT_GT(*ports.rbegin() - *ports.begin(), 20000);
}

TEST_F(Ports, R_6056_3_1_UNIQ_APairIsNeverGivenTwiceAndAnExhaustedRangeIsSaid) {
  Config config;
  config.ephemeral_port_first = 40000;
  config.ephemeral_port_last = 40019;
  rebuild(config);
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(try_connect(kPeer));
    ports.insert(next_sent()->from.port);
  }
  EXPECT_EQ(ports.size(), 20U);
  EXPECT_EQ(try_connect(kPeer).error(), Errc::address_not_available);
  EXPECT_TRUE(try_connect({kPeer.address, 81})) << "to another port they are free";
}

TEST_F(Ports, R_6056_3_1_UNIQ_ManyConnectionsMayShareALocalPort) {
  ConnectOptions options;
  options.local = kLocal;
  for (std::uint16_t port = 1; port < 50; ++port) {
    ASSERT_TRUE(try_connect({kPeer.address, port}, options));
    EXPECT_EQ(next_sent()->from, kLocal);
  }
}

// --- To ourselves ---

TEST_F(SelfConnect, ThroughAListenerOfOurOwn) {
  listen();
  const auto connection = try_connect(kLocal);
  ASSERT_TRUE(connection);
  advance(1ms);
  EXPECT_THAT(next_sent(), IsNothing()) << "nothing crosses the link";
  use(*connection);
  EXPECT_TRUE(take_event(EventKind::Connected));
  EXPECT_TRUE(write("to myself"));
  advance(1ms);
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "to myself");
  EXPECT_TRUE(write("and back"));
  advance(1ms);
  use(*connection);
  EXPECT_EQ(read_all(), "and back");
}

TEST_F(SelfConnect, R_9293_MUST_10_APortToItselfIsASimultaneousOpen) {
  ConnectOptions options;
  options.local = kLocal;
  const auto connection = try_connect(kLocal, options);
  ASSERT_TRUE(connection);
  advance(10ms);
  use(*connection);
  EXPECT_EQ(name_of(state_of(id())), "ESTABLISHED");
  EXPECT_TRUE(write("echo"));
  advance(10ms);
  EXPECT_EQ(read_all(), "echo");
  EXPECT_TRUE(close());
  advance(2min);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(SelfConnect, NobodyListensIsARefusal) {
  const auto connection = try_connect({kLocal.address, 4444});
  ASSERT_TRUE(connection);
  advance(1ms);
  use(*connection);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::connection_refused);
}

}  // namespace
}  // namespace runnel::test
