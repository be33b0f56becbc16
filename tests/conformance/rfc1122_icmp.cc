// What a host says by ICMP, what it keeps to itself, and what it makes of what it is told: RFC 792,
// RFC 1122 sections 3.1 and 3.2.2, RFC 6633, RFC 6918.
#include <array>

#include "runnel/icmp_echo.h"
#include "stack/base/byte_order.h"
#include "stack/wire/ipv4.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Octets = std::vector<std::uint8_t>;
using wire::IcmpType;

// RFC 1812 section 4.3.2.3.
constexpr std::size_t kLargestError = 576;

class IcmpMessages : public TcpTester {
 protected:
  const IpPrefix kSecond{IpAddress(198, 51, 100, 2), 24};

  static Octets text(std::size_t octets) {
    const std::string from = pattern(0, octets);
    return {from.begin(), from.end()};
  }
  // A packet of a protocol that nobody speaks here, with a header that begins with `ip`.
  static Octets unknown_protocol(std::size_t octets, wire::Ipv4Header ip = {}) {
    Octets packet(20 + octets);
    const Octets payload = text(octets);
    std::copy(payload.begin(), payload.end(), packet.begin() + 20);
    ip.protocol = ip.protocol == 0 ? std::uint8_t{250} : ip.protocol;
    if (ip.source.is_unspecified()) ip.source = kPeer.address;
    if (ip.destination.is_unspecified()) ip.destination = kLocal.address;
    ip.write(packet, octets);
    return packet;
  }
  void send_echo_from(const IpAddress& source) {
    send_icmp(IcmpType::EchoRequest, 0, 7, 1, text(8), source);
  }
  void expect_silence(const char* what) {
    EXPECT_FALSE(next_icmp()) << what;
    EXPECT_THAT(next_sent(), IsNothing()) << what;
  }
};

// --- A host has both ---

TEST_F(IcmpMessages, R_1122_3_1_ICMP_TheHostAnswersAndListens) {
  send_echo_from(kPeer.address);
  const auto reply = next_icmp();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->type, 0);
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  send_icmp_error(IcmpType::DestinationUnreachable, 1, next_sent()->octets);
  const auto error = take_event(EventKind::SoftError);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::host_unreachable);
}

TEST_F(IcmpMessages, R_1122_3_2_1_3_NOTUS__R_1122_3_1_NOFWD_WhatIsForOthersIsDroppedSilently) {
  listen();
  const IpAddress other(192, 0, 2, 77);
  send(segment().to({other, kPort}).syn().seq(1).mss(1460));
  expect_silence("a SYN");
  EXPECT_EQ(dropped(DropReason::IpNotForUs), 1U);
  wire::Ipv4Header ip;
  ip.destination = other;
  send_packet(unknown_protocol(40, ip));
  expect_silence("a protocol that is unknown here");
  EXPECT_EQ(dropped(DropReason::IpNotForUs), 2U);
  send_icmp(IcmpType::EchoRequest, 0, 7, 1, text(8), kPeer.address, other);
  expect_silence("an echo request");
  send_icmp(IcmpType::EchoRequest, 0, 7, 1, text(8), kPeer.address, {203, 0, 113, 5});
  expect_silence("for a host on another network: not forwarded, neither back nor on");
  EXPECT_EQ(dropped(DropReason::IpNotForUs), 4U);
  EXPECT_EQ(counters().ip_out_transmits, 0U);
}

TEST_F(IcmpMessages, R_1122_3_2_1_3_BADSRC__R_1122_3_2_1_3_127_NothingComesOfABadSource) {
  listen();
  const std::array<IpAddress, 9> bad{
      IpAddress(255, 255, 255, 255), IpAddress(192, 0, 2, 255), IpAddress(192, 0, 2, 0),
      IpAddress(224, 0, 0, 1),       IpAddress(239, 255, 1, 1), IpAddress(0, 0, 0, 0),
      IpAddress(0, 1, 2, 3),         IpAddress(127, 0, 0, 1),   IpAddress(127, 255, 0, 1)};
  for (const IpAddress& source : bad) {
    const std::string name = source.to_string();
    send(segment().from({source, 5}).syn().seq(1).mss(1460));
    expect_silence(name.c_str());
    send(segment().from({source, 5}).to_port(99).seq(1).ack(1));
    expect_silence(name.c_str());
    send_echo_from(source);
    expect_silence(name.c_str());
    Octets unknown = unknown_protocol(8);
    wire::Ipv4Header ip = wire::Ipv4Header::from(*wire::Ipv4View::parse(unknown));
    ip.source = source;
    ip.write(unknown, 8);
    send_packet(unknown);
    expect_silence(name.c_str());
  }
  EXPECT_EQ(dropped(DropReason::IpBadSource), 4 * bad.size());
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(counters().ip_in_delivers, 0U);
}

// --- Echo ---

TEST_F(IcmpMessages, R_1122_3_2_2_6_ECHOSRC__R_792_ECHOSWAP_TheReplyComesFromWhomItWasAskedOf) {
  ASSERT_TRUE(stack().add_address(kSecond));
  for (const IpAddress& local : {kSecond.address, kLocal.address}) {
    send_icmp(IcmpType::EchoRequest, 0, 7, 42, text(33), kPeer.address, local);
    const auto reply = next_icmp();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->from, local);
    EXPECT_EQ(reply->to, kPeer.address);
    EXPECT_EQ(reply->type, 0);
    const auto view = wire::Icmpv4View::parse(reply->message);
    EXPECT_EQ(view->identifier(), 7);
    EXPECT_EQ(view->sequence(), 42);
    EXPECT_EQ(as_text(view->body()), pattern(0, 33));
    EXPECT_TRUE(view->has_valid_checksum());
  }
}

TEST_F(IcmpMessages, R_1122_3_2_2_6_UI_APingGetsItsOwnRepliesWithTheirTimes) {
  IcmpEcho ping(stack(), kPeer.address, 7);
  const auto sequence = ping.send(56);
  ASSERT_TRUE(sequence);
  EXPECT_EQ(*sequence, 1);
  pump();
  const auto request = next_icmp();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->type, 8);
  const Octets data(request->message.begin() + 8, request->message.end());
  advance(15ms);
  send_icmp(IcmpType::EchoReply, 0, 8, 1, data);  // another program's
  send_icmp(IcmpType::EchoReply, 0, 7, 2, data);  // to a request that was never sent
  EXPECT_FALSE(ping.poll());
  send_icmp(IcmpType::EchoReply, 0, 7, 1, data);
  const auto reply = ping.poll();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->sequence, 1);
  EXPECT_EQ(reply->from, kPeer.address);
  EXPECT_EQ(reply->payload_octets, 56U);
  EXPECT_EQ(reply->round_trip, 15ms);
  EXPECT_FALSE(reply->error);
  send_icmp(IcmpType::EchoReply, 0, 7, 1, data);
  EXPECT_FALSE(ping.poll()) << "a duplicate answers nothing";
}

// --- What is not answered ---

TEST_F(IcmpMessages,
       R_6918_2_DEPR__R_1122_3_2_2_UNKNOWN__R_1122_3_2_2_7_INFO__R_1122_3_2_2_8_TS_Silence) {
  bring_to(TcpState::Established);
  const std::size_t memory = stack().memory_octets();
  std::uint64_t messages = 0;
  // 13 and 14 are timestamps; 15 to 18 information and address masks; the rest nobody ever used.
  for (const int type : {6, 15, 16, 17, 18, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 13, 14, 200}) {
    send_icmp(static_cast<IcmpType>(type), 0, 7, 1, text(12));
    expect_silence("a type that is not acted on");
    ++messages;
    EXPECT_EQ(dropped(DropReason::IcmpUnhandled), messages) << "type " << type;
  }
  EXPECT_TRUE(take_events().empty());
  EXPECT_EQ(stack().memory_octets(), memory);
  send(ack_segment(0, 0).payload("still here"));
  EXPECT_EQ(read_all(), "still here");
}

TEST_F(IcmpMessages, R_6633_3_RX_ASourceQuenchDoesNothingToAConnectionOrAPing) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(1460));
  const auto data = next_sent();
  const TcpInfo before = info();
  send_icmp_error(IcmpType::SourceQuench, 0, data->octets);
  EXPECT_TRUE(take_events().empty());
  EXPECT_EQ(info().congestion_window_octets, before.congestion_window_octets);
  EXPECT_EQ(info().slow_start_threshold_octets, before.slow_start_threshold_octets);

  IcmpEcho ping(stack(), kPeer.address, 7);
  ASSERT_TRUE(ping.send());
  pump();
  const auto request = next_icmp();
  send_icmp_error(IcmpType::SourceQuench, 0, request->octets);
  EXPECT_FALSE(ping.poll()) << "neither a reply nor an error";
  send_icmp(IcmpType::EchoReply, 0, 7, 1, {});
  EXPECT_TRUE(ping.poll());
}

// --- Errors that we send ---

TEST_F(IcmpMessages,
       R_792_TYPE3__R_1122_3_2_2_QUOTE__R_1122_3_2_2_TOS0__R_1122_3_2_2_1_PORT_Octets) {
  // The second case is longer than the quote may be; the third has protocol 17, which is unknown
  // here too, so that there is no port to be unreachable.
  struct Case {
    std::uint8_t protocol;
    std::size_t octets;
  };
  for (const Case& offender : {Case{250, 40}, Case{250, 1400}, Case{17, 8}, Case{250, 8}}) {
    wire::Ipv4Header ip;
    ip.protocol = offender.protocol;
    ip.dscp = 0xb8 >> 2U;
    ip.identification = 0x1234;
    ip.ttl = 3;
    const Octets packet = unknown_protocol(offender.octets, ip);
    send_packet(packet);
    const auto error = next_icmp();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->octets[1], 0) << "TOS";
    EXPECT_EQ(error->from, kLocal.address);
    EXPECT_EQ(error->to, kPeer.address);
    EXPECT_EQ(error->message[0], 3);
    EXPECT_EQ(error->message[1], 2);
    EXPECT_TRUE(wire::Icmpv4View::parse(error->message)->has_valid_checksum());
    for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(error->message[i], 0) << "unused";
    const std::size_t quoted = std::min(packet.size(), kLargestError - 28);
    ASSERT_EQ(error->message.size(), 8 + quoted) << "as much as there is, and as fits";
    EXPECT_TRUE(std::equal(error->message.begin() + 8, error->message.end(), packet.begin()))
        << "identification, TTL and checksum as they came";
    EXPECT_FALSE(next_icmp());
  }
}

TEST_F(IcmpMessages, R_1122_3_2_2_NOERR_FivePacketsThatNoErrorAnswers) {
  // 1: to many hosts.
  for (const IpAddress& to :
       {IpAddress(255, 255, 255, 255), IpAddress(192, 0, 2, 255), IpAddress(224, 0, 0, 5)}) {
    wire::Ipv4Header ip;
    ip.destination = to;
    send_packet(unknown_protocol(40, ip));
    expect_silence("broadcast or multicast");
  }
  // 2: as above on the link; a TUN device has no link addresses.
  // 3: from no single host.
  for (const IpAddress& from : {IpAddress(255, 255, 255, 255), IpAddress(192, 0, 2, 255),
                                IpAddress(224, 0, 0, 5), IpAddress(127, 0, 0, 1), kLocal.address}) {
    wire::Ipv4Header ip;
    ip.source = from;
    send_packet(unknown_protocol(40, ip));
    expect_silence("a source that is no single other host");
  }
  // 4: a fragment other than the first, by itself until it times out.
  wire::Ipv4Header later;
  later.fragment_offset_octets = 64;
  send_packet(unknown_protocol(40, later));
  advance(2min);
  expect_silence("a later fragment");
  // 5: an ICMP error. The first fragment of one times out.
  Octets error(20 + 64);
  const Octets quote = unknown_protocol(36);
  std::copy(quote.begin(), quote.end(), error.begin() + 28);
  wire::Icmpv4Header{IcmpType::DestinationUnreachable, 1, 0, 0}.write(
      MutableBytes(error).subspan(20), quote);
  wire::Ipv4Header ip;
  ip.protocol = wire::kProtocolIcmp;
  ip.more_fragments = true;
  ip.source = kPeer.address;
  ip.destination = kLocal.address;
  ip.write(error, 64);
  send_packet(error);
  advance(2min);
  expect_silence("an ICMP error");
  EXPECT_EQ(counters().icmp_out_msgs, 0U);

  send_packet(unknown_protocol(40));
  EXPECT_TRUE(next_icmp()) << "and one that an error does answer";
}

TEST_F(IcmpMessages, R_1122_3_2_2_RATE_ATokenBucketWhoseRateCanBeSet) {
  for (const std::uint32_t rate : {10U, 200U}) {
    Config config;
    config.icmp_errors_per_second = rate;
    rebuild(config);
    std::uint32_t errors = 0;
    for (int i = 0; i < 1000; ++i) {
      send_packet(unknown_protocol(8));
      while (next_icmp()) ++errors;
      advance(1ms);
    }
    EXPECT_GE(errors, 2 * rate - 1);
    EXPECT_LE(errors, 2 * rate) << "one second's worth at once, and one in the second";
    EXPECT_EQ(dropped(DropReason::IcmpRateLimited), 1000 - errors);
    advance(1s);
    for (std::uint32_t i = 0; i < rate; ++i) send_packet(unknown_protocol(8));
    while (next_icmp()) ++errors;
    EXPECT_GE(errors, 3 * rate - 1) << "a quiet second fills it again";
  }
}

TEST_F(IcmpMessages, R_1122_3_2_2_RATE_RepliesToPingsAreNoErrors) {
  Config config;
  config.icmp_errors_per_second = 1;
  rebuild(config);
  for (int i = 0; i < 100; ++i) {
    send_echo_from(kPeer.address);
    EXPECT_TRUE(next_icmp());
  }
}

// --- Errors that we hear ---

TEST_F(IcmpMessages, R_1122_3_2_2_1_RXREPORT_EachCodeReachesTheConnectionThatItQuotes) {
  const std::array<Errc, 6> meanings{Errc::network_unreachable,  Errc::host_unreachable,
                                     Errc::protocol_unreachable, Errc::connection_refused,
                                     Errc::host_unreachable,  // code 4 is for path MTU discovery
                                     Errc::host_unreachable};
  for (std::uint8_t code = 0; code <= 5; ++code) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(write_octets(1460));
    const auto data = next_sent();
    const std::uint64_t dropped_before = counters().dropped_total();
    send_icmp_error(IcmpType::DestinationUnreachable, code, data->octets, 1400);
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
    EXPECT_EQ(counters().dropped_total(), dropped_before) << "code " << int{code};
    if (code == wire::kIcmpFragmentationNeeded) continue;
    const auto event = take_event(EventKind::SoftError);
    ASSERT_TRUE(event) << "code " << int{code};
    EXPECT_EQ(event->error, meanings[code]) << "code " << int{code};
    EXPECT_EQ(event->connection, id());
    // Of another connection it says nothing to this one.
    auto other = data->octets;
    other[20] ^= 1;
    send_icmp_error(IcmpType::DestinationUnreachable, code, other);
    EXPECT_FALSE(take_event(EventKind::SoftError));
    EXPECT_EQ(dropped(DropReason::IcmpUnknownConnection), 1U);
  }
}

TEST_F(IcmpMessages, R_1122_3_2_2_4_TE__R_1122_3_2_2_5_PP_ReachTheConnectionThatTheyQuote) {
  for (const IcmpType type : {IcmpType::TimeExceeded, IcmpType::ParameterProblem}) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(write("x"));
    const auto data = next_sent();
    send_icmp_error(type, 0, data->octets);
    const auto event = take_event(EventKind::SoftError);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->error,
              type == IcmpType::TimeExceeded ? Errc::host_unreachable : Errc::not_supported);
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
    advance(1s);
    EXPECT_THAT(next_sent(), HasPayload("x")) << "and it goes on";
    forget_sent();
    send(ack_segment(0, 1));
    advance(10min);
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
  }
}

TEST_F(IcmpMessages, R_1122_3_2_2_5_PP_WeSendNoneForABadOption) {
  // Sending it is optional: an option whose length cannot be is skipped instead.
  bring_to(TcpState::Established);
  send(ack_segment(0, 0).payload("text").ip_options({7, 99, 4, 0}));
  EXPECT_EQ(read_all(), "text");
  EXPECT_FALSE(next_icmp());
}

TEST_F(IcmpMessages, R_1122_3_2_2_2_REDIR_TX__R_6633_3_TX_NoRedirectAndNoQuenchUnderAFlood) {
  Config config;
  config.memory_budget_octets = 1U << 20U;
  config.control_queue_packets = 16;
  rebuild(config);
  ASSERT_TRUE(stack().add_address(kSecond));
  listen();
  SeededRandom random(6633);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    // For us, for other hosts on either network, connections and pings, whole and in fragments.
    const auto host = static_cast<std::uint8_t>(random.below(8));
    const IpAddress to = i % 2 == 0 ? IpAddress(192, 0, 2, host) : IpAddress(198, 51, 100, host);
    SegmentBuilder syn = segment().from_port(static_cast<std::uint16_t>(i)).to({to, kPort});
    stack().receive(syn.syn().seq(i).mss(1460).build(), now());
    wire::Ipv4Header ip;
    ip.destination = to;
    ip.more_fragments = i % 3 == 0;
    ip.identification = static_cast<std::uint16_t>(i);
    ip.protocol = wire::kProtocolIcmp;
    stack().receive(unknown_protocol(1400, ip), now());
    if (i % 100 == 0) advance(1ms);
  }
  pump();
  while (const auto message = next_icmp()) {
    EXPECT_NE(message->type, 4);
    EXPECT_NE(message->type, 5);
  }
}

}  // namespace
}  // namespace runnel::test
