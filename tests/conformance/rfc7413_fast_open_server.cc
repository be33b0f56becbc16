// TCP Fast Open, the listener's side: RFC 7413.
#include <algorithm>
#include <array>

#include "stack/tcp/fast_open.h"
#include "tests/support/fast_open_tester.h"

namespace runnel::test {
namespace {

using Cookie = wire::TcpFastOpenCookie;

class FastOpenServer : public FastOpen {
 protected:
  void begin() { begin({}); }
  void begin(Config config) {
    config.tcp = tcp_;
    rebuild(config);
    listen();
  }
  // Asks for a cookie from another port, and forgets that handshake.
  Cookie ask_for_cookie() {
    send(request().from_port(40000));
    const auto syn_ack = next_sent();
    EXPECT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
    if (!syn_ack || !syn_ack->options.fast_open) {
      ADD_FAILURE() << "no cookie";
      return {};
    }
    send(segment().from_port(40000).rst().seq(their(0)));
    forget_sent();
    return *syn_ack->options.fast_open;
  }
  // A SYN with a good cookie and `text`, the connection accepted; returns the SYN-ACK.
  std::optional<SentSegment> open_fast(std::string_view text) {
    const Cookie cookie = ask_for_cookie();
    send(syn_with(cookie, text));
    auto syn_ack = next_sent();
    EXPECT_TRUE(accept()) << "to be accepted before the handshake ends";
    return syn_ack;
  }
};

TEST_F(FastOpenServer, R_7413_4_1_1_OPT_ARequestAndCookiesOfEveryLegalLengthAreAnswered) {
  begin();
  send(request());
  auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  ASSERT_TRUE(syn_ack->options.fast_open);
  EXPECT_EQ(syn_ack->options.fast_open->length, 8);
  const Cookie good = *syn_ack->options.fast_open;
  std::uint16_t port = 41000;
  for (const std::uint8_t length :
       std::array<std::uint8_t, 7>{4, 6, 8, 10, 12, 14, 16}) {  // option lengths 6 to 18
    Cookie wrong;
    wrong.length = length;
    send(syn_with(wrong).from_port(++port));
    syn_ack = next_sent();
    ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
    EXPECT_EQ(syn_ack->options.fast_open, good) << "length " << int{length} << " is an attempt";
  }
}

TEST_F(FastOpenServer, R_7413_4_1_1_OPT_OptionsOfIllegalLengthAreIgnored) {
  begin();
  std::uint16_t port = 41000;
  for (const std::uint8_t length : std::array<std::uint8_t, 8>{3, 4, 5, 7, 9, 17, 19, 20}) {
    std::vector<std::uint8_t> octets{34, length};
    octets.resize((length + 3U) / 4U * 4U, 0);
    std::fill(octets.begin() + 2, octets.begin() + length, std::uint8_t{0x55});
    send(segment().from_port(++port).syn().seq(peer_iss).raw_options(octets).payload("data"));
    const auto syn_ack = next_sent();
    ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0)))) << int{length};
    EXPECT_FALSE(syn_ack->options.fast_open) << int{length};
  }
  EXPECT_EQ(counters().tcp_fast_opens_refused, 0U);
}

TEST_F(FastOpenServer, R_7413_4_1_1_OPT_OnASegmentWithoutSynItIsIgnored) {
  begin();
  establish_passive();
  wire::TcpOptions options;
  options.fast_open = Cookie{};
  send(ack_segment(0, 0).options(options).payload("abc"));
  EXPECT_EQ(read_all(), "abc");
  advance(1s);
  const auto ack = next_sent();
  EXPECT_THAT(ack, AllOf(IsPureAck(), HasAck(their(3))));
  EXPECT_FALSE(ack->options.fast_open);
}

TEST_F(FastOpenServer, R_7413_4_1_2_COOKIE_TheCookieDependsOnTheAddressAlone) {
  begin();
  const Cookie cookie = ask_for_cookie();
  EXPECT_EQ(cookie.length, 8);
  advance(1s);
  EXPECT_EQ(ask_for_cookie(), cookie) << "same client, same cookie";
  send(request().from({IpAddress(192, 0, 2, 9), kPeerPort}));
  const auto other = next_sent();
  ASSERT_THAT(other, IsSynAck());
  ASSERT_TRUE(other->options.fast_open);
  EXPECT_NE(*other->options.fast_open, cookie);
}

TEST_F(FastOpenServer, R_7413_4_1_2_COOKIE_ACookieIsGoodUntilTheSecretHasChangedTwice) {
  Config config;
  config.tcp = tcp_;
  rebuild(config, Instant{1s});
  listen();
  const auto rotation = tcp::FastOpenCookies::kRotationInterval;
  const Cookie cookie = ask_for_cookie();  // at about 1 s: in the first epoch
  const auto until = [&](Duration at) { advance(Instant{at} - now()); };
  const auto is_taken = [&](std::uint16_t port) {
    send(syn_with(cookie, "x").from_port(port));
    const auto syn_ack = next_sent();
    EXPECT_THAT(syn_ack, IsSynAck());
    const bool taken = syn_ack && syn_ack->ack == their(1);
    const bool has_reply = syn_ack && syn_ack->options.fast_open.has_value();
    if (has_reply) {
      EXPECT_NE(*syn_ack->options.fast_open, cookie);
    }
    send(segment().from_port(port).rst().seq(syn_ack->ack));
    forget_sent();
    return std::pair(taken, has_reply);
  };
  until(rotation - 1ns);
  EXPECT_EQ(is_taken(41001), std::pair(true, false));
  until(rotation);
  EXPECT_EQ(is_taken(41002), std::pair(true, true)) << "still good, and a new one comes with it";
  until(2 * rotation - 1ns);
  EXPECT_EQ(is_taken(41003), std::pair(true, true));
  until(2 * rotation);
  EXPECT_EQ(is_taken(41004), std::pair(false, true));
}

TEST_F(FastOpenServer, R_7413_4_2_SERVEROFF_TheOptionMeansNothing) {
  tcp_.fast_open = true;
  begin();
  const Cookie cookie = ask_for_cookie();
  tcp_.fast_open = false;
  begin();  // with the same random numbers, so the cookie would be good
  send(syn_with(cookie, "data"));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
  EXPECT_FALSE(syn_ack->options.fast_open);
  send(request().from_port(40001));
  EXPECT_FALSE(next_sent()->options.fast_open);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(counters().tcp_fast_opens_passive + counters().tcp_fast_opens_refused, 0U);
}

TEST_F(FastOpenServer, R_7413_4_2_LIMIT_OverTheLimitTheHandshakeIsAnOrdinaryOne) {
  Config config;
  config.fast_open_pending = 3;
  begin(config);
  const Cookie cookie = ask_for_cookie();
  for (std::uint16_t port = 41001; port <= 41003; ++port) {
    send(syn_with(cookie, "data").from_port(port));
    EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(4))));
  }
  send(syn_with(cookie, "data").from_port(41004));
  auto syn_ack = next_sent();
  EXPECT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
  EXPECT_EQ(counters().tcp_fast_opens_refused, 1U);
  EXPECT_EQ(counters().tcp_fast_opens_passive, 3U);
  EXPECT_EQ(stack().connection_count(), 3U);
  EXPECT_EQ(stack().syn_received_count(), 1U);
  // The client sends the data again after the handshake: delivered, once.
  send(segment().from_port(41004).seq(their(0)).ack(syn_ack->seq + 1).payload("data"));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "data");
}

TEST_F(FastOpenServer, R_7413_4_2_LIMIT_ACompleteHandshakeGivesItsPlaceBack) {
  Config config;
  config.fast_open_pending = 1;
  begin(config);
  const Cookie cookie = ask_for_cookie();
  send(syn_with(cookie, "data").from_port(41001));
  const auto first = next_sent();
  ASSERT_THAT(first, AllOf(IsSynAck(), HasAck(their(4))));
  send(segment().from_port(41001).seq(their(4)).ack(first->seq + 1));
  forget_sent();
  send(syn_with(cookie, "data").from_port(41002));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(4))));
}

TEST_F(FastOpenServer, R_7413_4_2_LIMIT_OneThatWasResetCountsForAMinuteLonger) {
  Config config;
  config.fast_open_pending = 1;
  begin(config);
  const Cookie cookie = ask_for_cookie();
  send(syn_with(cookie, "data").from_port(41001));
  ASSERT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(4))));
  send(segment().from_port(41001).rst().seq(their(4)));
  const Instant reset_at = now();
  std::uint16_t port = 42000;
  const auto is_taken = [&] {
    send(syn_with(cookie, "data").from_port(++port));
    const auto syn_ack = next_sent();
    return syn_ack && syn_ack->ack == their(4);
  };
  EXPECT_FALSE(is_taken());
  advance(reset_at + tcp::FastOpenQuota::kResetPenalty - 1ns - now());
  forget_sent();
  EXPECT_FALSE(is_taken());
  advance(1ns);
  forget_sent();
  EXPECT_TRUE(is_taken());
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNDATA_DataOfTheSynAreDeliveredAndAcknowledgedAtOnce) {
  begin();
  const std::string text = pattern(0, 100);
  const auto syn_ack = open_fast(text);
  EXPECT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(100))));
  EXPECT_FALSE(syn_ack->options.fast_open) << "the cookie is good, no other is needed";
  EXPECT_EQ(state_of(id()), TcpState::SynReceived);
  EXPECT_TRUE(take_event(EventKind::Incoming));
  EXPECT_TRUE(take_event(EventKind::Readable));
  EXPECT_EQ(read_all(), text);
  EXPECT_EQ(counters().tcp_fast_opens_passive, 1U);
  EXPECT_EQ(counters().tcp_passive_opens, 1U);
  // The handshake ends, and more data come with it.
  send(segment().seq(their(100)).ack(our(0)).payload("more"));
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_EQ(read_all(), "more");
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNDATA_TheAnswerGoesAheadOfTheLastAckWithinTheInitialWindow) {
  begin();
  const auto syn_ack = open_fast("request");
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(7))));
  EXPECT_EQ(read_all(), "request");
  forget_sent();
  ASSERT_TRUE(write_octets(20 * 1460));
  const auto sent = all_sent();
  ASSERT_EQ(sent.size(), 10U) << "the initial window of RFC 6928";
  std::string answer;
  for (const SentSegment& data : sent) {
    EXPECT_FALSE(data.flags.syn);
    EXPECT_EQ(data.seq, our(static_cast<std::uint32_t>(answer.size())));
    EXPECT_EQ(data.ack, their(7));
    answer += data.payload;
  }
  EXPECT_EQ(answer, pattern(0, 14600));
  EXPECT_EQ(state_of(id()), TcpState::SynReceived);
  // The last ACK may cover data already.
  send(segment().seq(their(7)).ack(our(1460)));
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(our(14600))));
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNDATA_SmallAnswersDoNotWaitForTheHandshake) {
  begin();
  ASSERT_THAT(open_fast("request"), IsSynAck());
  forget_sent();
  ASSERT_TRUE(write("answer"));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload("answer"), HasSeq(our(0)))) << "no Nagle";
  EXPECT_TRUE(write(" again"));
  EXPECT_THAT(next_sent(), IsNothing()) << "Nagle: the first is unacknowledged";
  send(segment().seq(their(7)).ack(our(6)));
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload(" again")));
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNDATA_ACloseWaitsForTheHandshakeToEnd) {
  begin();
  ASSERT_THAT(open_fast("request"), IsSynAck());
  EXPECT_EQ(read_all(), "request");
  forget_sent();
  ASSERT_TRUE(write("answer"));
  ASSERT_TRUE(close());
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload("answer"), Not(IsFin())));
  EXPECT_THAT(next_sent(), IsNothing());
  send(segment().seq(their(7)).ack(our(6)));
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(our(6))));
  send(segment().seq(their(7)).ack(our(7)).fin());
  EXPECT_EQ(stack().time_wait_count(), 1U);
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNDATA_FinInTheSynIsLeftForThePeerToRepeat) {
  begin();
  const Cookie cookie = ask_for_cookie();
  send(syn_with(cookie, "all").fin());
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasAck(their(3))));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "all");
  EXPECT_EQ(state_of(id()), TcpState::SynReceived);
  send(segment().seq(their(3)).ack(our(0)).fin());
  EXPECT_EQ(state_of(id()), TcpState::CloseWait);
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNDATA_ACookieWithoutDataOpensAtOnceToo) {
  begin();
  const auto syn_ack = open_fast({});
  EXPECT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
  EXPECT_EQ(counters().tcp_fast_opens_passive, 0U) << "no data";
  forget_sent();
  ASSERT_TRUE(write("220 hello"));  // the server speaks first
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload("220 hello")));
}

TEST_F(FastOpenServer, R_7413_4_2_2_BADCOOKIE_OnlyTheSynIsAcknowledgedAndANewCookieOffered) {
  begin();
  const Cookie good = ask_for_cookie();
  Cookie bad = good;
  bad.octets[7] ^= 1U;
  send(syn_with(bad, pattern(0, 100)));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
  EXPECT_EQ(syn_ack->options.fast_open, good);
  EXPECT_EQ(counters().tcp_fast_opens_refused, 1U);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_FALSE(accept());
  send(segment().seq(their(0)).ack(our(0)).payload(pattern(0, 100)));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), pattern(0, 100)) << "once";
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNRETX_ASynAckIsRepeatedWithoutOptionAndData) {
  begin();
  const Cookie old = ask_for_cookie();
  advance(tcp::FastOpenCookies::kRotationInterval);
  forget_sent();
  send(syn_with(old, "data"));
  const auto first = next_sent();
  ASSERT_THAT(first, AllOf(IsSynAck(), HasAck(their(4))));
  EXPECT_TRUE(first->options.fast_open) << "a new cookie for the old one";
  ASSERT_TRUE(accept());
  ASSERT_TRUE(write("answer"));
  EXPECT_THAT(next_sent(), HasPayload("answer"));
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  const auto second = next_sent();
  ASSERT_THAT(second, AllOf(IsSynAck(), HasSeq(first->seq), HasAck(their(4)), HasPayload("")));
  EXPECT_FALSE(second->options.fast_open);
  EXPECT_THAT(next_sent(), IsNothing());
}

TEST_F(FastOpenServer, R_7413_4_2_2_SYNRETX_AnOfferedCookieIsNotRepeatedEither) {
  begin();
  send(request());
  EXPECT_TRUE(next_sent()->options.fast_open);
  advance(1s);
  const auto second = next_sent();
  ASSERT_THAT(second, IsSynAck());
  EXPECT_FALSE(second->options.fast_open);
}

TEST_F(FastOpenServer, AnUnansweredFastOpenIsGivenUpAsEarlyAsARecord) {
  tcp_.syn_ack_retransmissions = 3;
  begin();
  ASSERT_THAT(open_fast("data"), IsSynAck());
  advance(1s + 2s + 4s + 8s - 1ns);
  EXPECT_EQ(all_sent().size(), 3U);
  EXPECT_EQ(state_of(id()), TcpState::SynReceived);
  advance(1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::timed_out);
}

TEST_F(FastOpenServer, TheSynComesAgain) {
  begin();
  const Cookie cookie = ask_for_cookie();
  send(syn_with(cookie, "data"));
  const auto first = next_sent();
  ASSERT_THAT(first, AllOf(IsSynAck(), HasAck(their(4))));
  send(syn_with(cookie, "data"));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(first->seq), HasAck(their(4))));
  send(segment().syn().seq(peer_iss).mss(1460));  // as clients repeat it: plain
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(first->seq), HasAck(their(4))));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "data");
  EXPECT_EQ(stack().connection_count(), 1U);
}

TEST_F(FastOpenServer, AResetEndsTheConnectionThatTheApplicationHasAlready) {
  begin();
  ASSERT_THAT(open_fast("data"), IsSynAck());
  forget_sent();
  send(segment().rst().seq(their(3)));  // in the window no longer: old
  EXPECT_EQ(state_of(id()), TcpState::SynReceived);
  send(segment().rst().seq(their(4)));
  const auto error = take_event(EventKind::Error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, Errc::connection_reset);
  EXPECT_TRUE(take_event(EventKind::Closed));
}

TEST_F(FastOpenServer, TheAnnouncedWindowLeavesOutWhatTheSynHasFilled) {
  tcp_.receive_buffer_octets = 1000;
  tcp_.receive_buffer_maximum_octets = 0;
  begin();
  const auto syn_ack = open_fast(pattern(0, 300));
  EXPECT_THAT(syn_ack, AllOf(HasAck(their(300)), HasWindow(700)));
  send(segment().seq(their(300)).ack(our(0)).payload(pattern(300, 700)));
  EXPECT_EQ(read_all(), pattern(0, 1000));
}

TEST_F(FastOpenServer, R_7413_6_1_IDEMP_AReplayedSynMayDeliverItsDataTwice) {
  EXPECT_FALSE(TcpConfig{}.fast_open) << "hence off by default";
  begin();
  const Cookie cookie = ask_for_cookie();
  const auto replay = syn_with(cookie, "buy one");
  send(replay);
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "buy one");
  ASSERT_TRUE(abort());
  send(replay);  // a duplicate from the network
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "buy one");
}

}  // namespace
}  // namespace runnel::test
