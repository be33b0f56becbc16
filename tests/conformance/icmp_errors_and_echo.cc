// ICMP: errors for connections (RFC 5927, RFC 9293 section 3.9.2.2), and what a host answers
// (RFC 792, RFC 1122 section 3.2.2, RFC 6633).
#include "stack/wire/ipv4.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using wire::IcmpType;

class IcmpErrors : public TcpTester {
 protected:
  void send_unreachable(std::uint8_t code, const SentSegment& quoted) {
    send_icmp_error(IcmpType::DestinationUnreachable, code, quoted.octets);
  }
  // The same packet with another sequence number.
  static SentSegment with_seq(SentSegment quoted, std::uint32_t seq) {
    for (unsigned i = 0; i < 4; ++i) {
      quoted.octets[24 + i] = static_cast<std::uint8_t>(seq >> (24 - 8 * i));
    }
    return quoted;
  }
};

class IcmpHost : public TcpTester {
 protected:
  IcmpHost() { ignore_timestamps_default(); }  // which comes with another MTU

  static std::vector<std::uint8_t> text(std::size_t octets) {
    const std::string from = pattern(0, octets);
    return {from.begin(), from.end()};
  }
  void send_protocol(std::uint8_t protocol, std::size_t octets, IpAddress to = kLocal.address) {
    std::vector<std::uint8_t> packet(20 + octets, 0x5a);
    wire::Ipv4Header ip;
    ip.protocol = protocol;
    ip.source = kPeer.address;
    ip.destination = to;
    ip.write(packet, octets);
    send_packet(packet);
  }
};

// --- Errors about our segments ---

TEST_F(IcmpErrors, R_9293_SHLD_26__R_1122_3_2_2_1_TCPPORT__R_5927_4_1_SYN_AHardErrorEndsAnAttempt) {
  for (const std::uint8_t code : {std::uint8_t{2}, std::uint8_t{3}}) {
    rebuild(Config{});
    connect();
    const auto syn = next_sent();
    send_unreachable(code, with_seq(*syn, iss() + 1));
    EXPECT_EQ(name_of(state()), "SYN-SENT") << "not our sequence number";
    send_unreachable(code, *syn);
    const auto error = take_event(EventKind::Error);
    ASSERT_TRUE(error) << "code " << int{code};
    EXPECT_EQ(error->error, code == 3 ? Errc::connection_refused : Errc::protocol_unreachable);
    EXPECT_TRUE(take_event(EventKind::Closed));
    advance(5min);
    EXPECT_THAT(next_sent(), IsNothing()) << "no more SYNs";
  }
}

TEST_F(IcmpErrors, R_9293_MUST_56__R_1122_3_2_2_1_HINT_ASoftErrorDoesNotEndAnAttempt) {
  for (const std::uint8_t code : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{5}}) {
    rebuild(Config{});
    connect();
    send_unreachable(code, *next_sent());
    EXPECT_EQ(name_of(state()), "SYN-SENT") << "code " << int{code};
    advance(1s);
    EXPECT_THAT(next_sent(), IsSyn());
  }
}

TEST_F(IcmpErrors, R_9293_SHLD_25_ASoftErrorIsWhatATimeoutReports) {
  connect();
  send_unreachable(wire::kIcmpHostUnreachable, *next_sent());
  advance(10min);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::host_unreachable);
}

TEST_F(IcmpErrors, R_9293_SHLD_25_ASoftErrorIsWhatATimeoutOfDataReports) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("x"));
  send_unreachable(wire::kIcmpNetUnreachable, *next_sent());
  const auto report = take_event(EventKind::SoftError);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->error, Errc::network_unreachable);
  advance(1h);
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::network_unreachable);
}

TEST_F(IcmpErrors, R_9293_SHLD_20_TheApplicationMayNotWantReports) {
  for (const bool wanted : {true, false}) {
    TcpConfig config;
    config.soft_error_events = wanted;
    rebuild(config);
    bring_to(TcpState::Established);
    EXPECT_TRUE(write("x"));
    send_unreachable(wire::kIcmpHostUnreachable, *next_sent());
    EXPECT_EQ(take_event(EventKind::SoftError).has_value(), wanted);
    advance(1min);  // R1 is passed
    EXPECT_EQ(take_event(EventKind::SoftError).has_value(), wanted);
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
    advance(1h);
    const auto error = take_event(EventKind::Error);
    ASSERT_TRUE(error) << "the end is told in any case";
    EXPECT_EQ(error->error, Errc::host_unreachable);
  }
}

TEST_F(IcmpErrors,
       R_5927_5_2_SOFT__R_9293_SHLD_26__R_9293_MUST_54_InSynchronizedStatesEveryErrorIsSoft) {
  for (const std::uint8_t code :
       {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}, std::uint8_t{5}}) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(write("x"));
    send_unreachable(code, *next_sent());
    EXPECT_EQ(name_of(state()), "ESTABLISHED") << "code " << int{code};
    EXPECT_FALSE(take_event(EventKind::Error));
    EXPECT_TRUE(take_event(EventKind::SoftError)) << "code " << int{code};
    send(ack_segment(0, 1).payload("y"));
    EXPECT_EQ(read_all(), "y");
  }
}

TEST_F(
    IcmpErrors,
    R_9293_MUST_56__R_1122_3_2_2_4_TE__R_1122_3_2_2_5_PP_TimeExceededAndParameterProblemAreSoft) {
  for (const IcmpType type : {IcmpType::TimeExceeded, IcmpType::ParameterProblem}) {
    rebuild(Config{});
    bring_to(TcpState::Established);
    EXPECT_TRUE(write("x"));
    send_icmp_error(type, 0, next_sent()->octets);
    EXPECT_EQ(name_of(state()), "ESTABLISHED");
    EXPECT_TRUE(take_event(EventKind::SoftError));
    EXPECT_FALSE(take_event(EventKind::Error));
  }
}

TEST_F(IcmpErrors, R_5927_4_1_SEQ_OnlyWhatIsInFlightCanBeQuoted) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write("abc"));
  const auto data = next_sent();
  for (const std::uint32_t seq : {our(0) - 1, our(3), our(100000)}) {
    send_unreachable(wire::kIcmpHostUnreachable, with_seq(*data, seq));
    EXPECT_FALSE(take_event(EventKind::SoftError));
  }
  EXPECT_EQ(dropped(DropReason::IcmpBadSequence), 3U);
  send_unreachable(wire::kIcmpHostUnreachable, with_seq(*data, our(2)));
  EXPECT_TRUE(take_event(EventKind::SoftError));
}

TEST_F(IcmpErrors, R_9293_MUST_55__R_6633_3_RX__R_5927_6_SQ_SourceQuenchIsIgnored) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(write_octets(14600));
  const std::uint64_t cwnd = info().congestion_window_octets;
  send_icmp_error(IcmpType::SourceQuench, 0, next_sent()->octets);
  EXPECT_EQ(info().congestion_window_octets, cwnd);
  EXPECT_TRUE(take_events().empty());
}

TEST_F(IcmpErrors, R_6633_3_RX_SourceQuenchOfAnythingElseIsIgnoredToo) {
  const std::vector<std::uint8_t> data(56);
  ASSERT_TRUE(stack().send_echo_request(kPeer.address, 7, 1, data));
  pump();
  const auto request = next_icmp();
  ASSERT_TRUE(request);
  send_icmp_error(IcmpType::SourceQuench, 0, request->octets);
  EXPECT_FALSE(stack().poll_echo_reply());
  auto other = request->octets;
  other[9] = 250;  // an unknown protocol
  send_icmp_error(IcmpType::SourceQuench, 0, other);
  EXPECT_FALSE(next_icmp());
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_TRUE(take_events().empty());
}

TEST_F(IcmpErrors, R_9293_MUST_54__R_5927_5_2_CROSS_OnlyTheQuotedConnectionHearsOfIt) {
  ConnectOptions options;
  options.local = kLocal;
  const auto first = try_connect(kPeer, options);
  const auto quoted = next_sent();
  const auto second = try_connect({kPeer.address, 50001}, options);
  ASSERT_TRUE(first && second);
  forget_sent();
  send_unreachable(wire::kIcmpPortUnreachable, *quoted);
  EXPECT_EQ(name_of(state_of(*first)), "CLOSED");
  EXPECT_EQ(name_of(state_of(*second)), "SYN-SENT");
}

TEST_F(IcmpErrors, R_792_SHORT_ATruncatedQuoteIsIgnored) {
  connect();
  const auto syn = next_sent();
  for (const std::size_t quoted : {0U, 4U, 19U, 20U, 27U}) {
    send_icmp_error(IcmpType::DestinationUnreachable, 3, syn->octets, 0, quoted);
    EXPECT_EQ(name_of(state()), "SYN-SENT") << quoted;
  }
  send_icmp_error(IcmpType::DestinationUnreachable, 3, syn->octets, 0, 28);
  EXPECT_EQ(name_of(state_of(id())), "CLOSED") << "eight octets of TCP are enough";
}

TEST_F(IcmpErrors, R_9293_MUST_54_AnErrorForNobodyIsCounted) {
  connect();
  auto foreign = *next_sent();
  foreign.octets[20] = 0x77;  // another source port
  send_unreachable(3, foreign);
  EXPECT_EQ(name_of(state()), "SYN-SENT");
  EXPECT_EQ(dropped(DropReason::IcmpUnknownConnection), 1U);
}

TEST_F(IcmpErrors, R_9293_SHLD_26_InSynReceivedOfAListenerAnErrorDoesNotReachTheApplication) {
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  const auto syn_ack = next_sent();
  send_unreachable(wire::kIcmpHostUnreachable, *syn_ack);
  EXPECT_EQ(stack().syn_received_count(), 1U);
  EXPECT_TRUE(take_events().empty());
  send(ack_segment(0, 0));
  EXPECT_TRUE(accept());
}

// --- Echo ---

TEST_F(
    IcmpHost,
    R_1122_3_2_2_6_ECHO__R_792_ECHOSWAP__R_792_CSUM__R_1122_3_2_2_6_ECHOSRC_AnEchoIsAnsweredWithTheSame) {
  for (const std::size_t octets : {std::size_t{0}, std::size_t{56}, std::size_t{1472}}) {
    send_icmp(IcmpType::EchoRequest, 0, 7, 42, text(octets));
    const auto reply = next_icmp();
    ASSERT_TRUE(reply) << octets;
    EXPECT_EQ(reply->type, 0);
    EXPECT_EQ(reply->code, 0);
    EXPECT_EQ(reply->from, kLocal.address);
    EXPECT_EQ(reply->to, kPeer.address);
    const auto view = wire::Icmpv4View::parse(reply->message);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->identifier(), 7);
    EXPECT_EQ(view->sequence(), 42);
    EXPECT_EQ(as_text(view->body()), pattern(0, octets));
    EXPECT_TRUE(view->has_valid_checksum());
  }
  EXPECT_FALSE(next_icmp());
}

TEST_F(
    IcmpHost,
    R_1122_3_2_2_6_ECHO__R_1122_3_3_2_REASM_FourThousandOctetsInFragmentsAreAnsweredInFragments) {
  std::vector<std::uint8_t> message(8 + 4000);
  const auto body = text(4000);
  std::copy(body.begin(), body.end(), message.begin() + 8);
  wire::Icmpv4Header{IcmpType::EchoRequest, 0, 9, 1}.write(message, body);
  for (std::size_t at = 0; at < message.size(); at += 1480) {
    const std::size_t length = std::min<std::size_t>(1480, message.size() - at);
    std::vector<std::uint8_t> packet(20 + length);
    std::copy_n(message.begin() + static_cast<std::ptrdiff_t>(at), length, packet.begin() + 20);
    wire::Ipv4Header ip;
    ip.identification = 77;
    ip.protocol = wire::kProtocolIcmp;
    ip.more_fragments = at + length < message.size();
    ip.fragment_offset_octets = static_cast<std::uint16_t>(at);
    ip.source = kPeer.address;
    ip.destination = kLocal.address;
    ip.write(packet, length);
    send_packet(packet);
  }
  std::vector<std::uint8_t> reply;
  while (const auto fragment = next_icmp()) {
    const auto ip = wire::Ipv4View::parse(fragment->octets);
    ASSERT_TRUE(ip);
    EXPECT_LE(ip->total_octets(), 1500U);
    EXPECT_EQ(ip->fragment_offset_octets(), reply.size());
    reply.insert(reply.end(), ip->payload().begin(), ip->payload().end());
  }
  const auto view = wire::Icmpv4View::parse(reply);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->type(), IcmpType::EchoReply);
  EXPECT_EQ(view->identifier(), 9);
  EXPECT_EQ(as_text(view->body()), pattern(0, 4000));
  EXPECT_TRUE(view->has_valid_checksum());
}

TEST_F(IcmpHost, R_1122_3_2_2_6_BCAST_AnEchoToEverybodyIsNotAnswered) {
  for (const IpAddress& to :
       {IpAddress(255, 255, 255, 255), IpAddress(192, 0, 2, 255), IpAddress(224, 0, 0, 1)}) {
    send_icmp(IcmpType::EchoRequest, 0, 7, 1, text(8), kPeer.address, to);
    EXPECT_FALSE(next_icmp());
  }
}

TEST_F(IcmpHost,
       R_1122_3_2_2_UNKNOWN__R_1122_3_2_2_7_INFO__R_1122_3_2_2_8_TS_OtherTypesAreNotAnswered) {
  for (const int type : {13, 15, 17, 200, 5}) {
    send_icmp(static_cast<IcmpType>(type), 0, 7, 1, text(12));
    EXPECT_FALSE(next_icmp()) << type;
  }
}

TEST_F(IcmpHost, R_792_CSUM_ABadChecksumIsDropped) {
  std::vector<std::uint8_t> packet(28 + 8);
  wire::Icmpv4Header{IcmpType::EchoRequest, 0, 1, 1}.write(MutableBytes(packet).subspan(20),
                                                           text(8));
  packet[35] = 0x77;
  wire::Ipv4Header ip;
  ip.protocol = wire::kProtocolIcmp;
  ip.source = kPeer.address;
  ip.destination = kLocal.address;
  ip.write(packet, 16);
  send_packet(packet);
  EXPECT_FALSE(next_icmp());
  EXPECT_EQ(dropped(DropReason::IcmpBadChecksum), 1U);
}

// --- Unreachable ---

TEST_F(IcmpHost,
       R_1122_3_2_2_1_PORT__R_1122_3_2_2_QUOTE__R_1122_3_2_2_TOS0_AnUnknownProtocolIsReported) {
  for (const std::uint8_t protocol : {std::uint8_t{250}, std::uint8_t{17}}) {
    send_protocol(protocol, 40);
    const auto error = next_icmp();
    ASSERT_TRUE(error) << int{protocol};
    EXPECT_EQ(error->type, 3);
    EXPECT_EQ(error->code, 2) << int{protocol};
    EXPECT_EQ(error->octets[1], 0) << "TOS";
    const auto view = wire::Icmpv4View::parse(error->message);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->has_valid_checksum());
    ASSERT_GE(view->body().size(), 28U);
    EXPECT_EQ(view->body()[9], protocol);
    EXPECT_EQ(view->body()[20], 0x5a);
  }
}

TEST_F(IcmpHost, R_1122_3_2_2_NOERR_NoErrorAboutWhatWasSentToEverybody) {
  send_protocol(250, 40, IpAddress(192, 0, 2, 255));
  send_protocol(250, 40, IpAddress(224, 0, 0, 5));
  EXPECT_FALSE(next_icmp());
}

TEST_F(IcmpHost, R_1122_3_2_2_RATE_ErrorsAreLimited) {
  for (int i = 0; i < 3000; ++i) send_protocol(250, 8);
  std::size_t errors = 0;
  while (next_icmp()) ++errors;
  EXPECT_LE(errors, Config{}.icmp_errors_per_second);
  EXPECT_GT(errors, 0U);
  EXPECT_GT(dropped(DropReason::IcmpRateLimited), 0U);
}

TEST_F(IcmpHost, R_6633_3_TX_FullBuffersAreNoReasonForAQuench) {
  Config config;
  config.memory_budget_octets = std::size_t{1} << 20U;
  rebuild(config);
  bring_to(TcpState::Established);
  for (std::uint32_t i = 0; i < 2000; ++i) {  // nobody reads, and a gap stays open
    send(ack_segment(1000 * i + 1, 0).payload(pattern(0, 1000)));
    send_protocol(250, 1400);
  }
  EXPECT_GT(counters().dropped_total(), 0U);
  while (const auto icmp = next_icmp()) EXPECT_EQ(icmp->type, 3);
}

TEST_F(IcmpHost, R_6633_3_TX__R_1122_3_2_2_2_REDIR_TX_NoQuenchAndNoRedirectEver) {
  listen();
  for (std::uint16_t i = 0; i < 5000; ++i) {
    send(segment().from_port(i).syn().seq(1).mss(1460));
  }
  EXPECT_FALSE(next_icmp());
}

// --- Ping of our own ---

TEST_F(IcmpHost, R_1122_3_2_2_6_UI_AReplyIsHandedToWhoAsked) {
  ASSERT_TRUE(stack().send_echo_request(kPeer.address, 7, 1, text(56)));
  pump();
  const auto request = next_icmp();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->type, 8);
  EXPECT_EQ(request->from, kLocal.address);
  advance(15ms);
  send_icmp(IcmpType::EchoReply, 0, 7, 1, text(56));
  const auto reply = stack().poll_echo_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->from, kPeer.address);
  EXPECT_EQ(reply->identifier, 7);
  EXPECT_EQ(reply->sequence, 1);
  EXPECT_EQ(reply->payload_octets, 56U);
  EXPECT_EQ(reply->received_at, now());
  EXPECT_EQ(reply->ttl, 64);
  EXPECT_FALSE(reply->error);
  EXPECT_FALSE(stack().poll_echo_reply());
}

TEST_F(IcmpHost, R_1122_3_2_2_6_UI_AnErrorAboutARequestIsHandedOverToo) {
  ASSERT_TRUE(stack().send_echo_request(kPeer.address, 7, 1, text(56)));
  pump();
  const auto request = next_icmp();
  ASSERT_TRUE(request);
  send_icmp_error(IcmpType::DestinationUnreachable, 1, request->octets);
  const auto reply = stack().poll_echo_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->error, Errc::host_unreachable);
  EXPECT_EQ(reply->identifier, 7);
  EXPECT_EQ(reply->sequence, 1);
}

}  // namespace
}  // namespace runnel::test
