// SYN floods: RFC 4987. What a listener keeps, what it gives up, and SYN cookies (appendix A).
#include <limits>

#include "stack/core/compact_records.h"
#include "stack/tcp/syn_cookie.h"
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

using Cookies = tcp::SynCookieGenerator;

class SynFlood : public TcpTester {
 protected:
  SynFlood() { ignore_timestamps_default(); }

  void begin(SynCookies mode, std::size_t backlog, Config config = {},
             Instant start = Instant{1s}) {
    config.syn_cookies = mode;
    rebuild(config, start);
    ListenOptions options;
    options.backlog = backlog;
    listen(kPort, options);
  }
  // A SYN that nobody will follow up, from another port each.
  SegmentBuilder stray(std::uint16_t port) const {
    return segment().from_port(port).syn().seq(5000).mss(1460);
  }
  // A listener whose backlog of one is taken: whatever comes gets a cookie.
  void begin_full(Config config = {}, Instant start = Instant{1s}) {
    begin(SynCookies::WhenFull, 1, config, start);
    send(stray(9));
    EXPECT_EQ(stack().syn_received_count(), 1U);
    EXPECT_EQ(counters().tcp_syn_cookies_sent, 0U);
    forget_sent();
  }
  // The peer's SYN; its answer is a cookie, which is our ISS.
  SentSegment take_cookie(std::uint16_t mss = 1460) {
    const std::size_t records = stack().syn_received_count();
    send(segment().syn().seq(peer_iss).mss(mss));
    const auto syn_ack = next_sent();
    EXPECT_THAT(syn_ack, AllOf(IsSynAck(), HasAck(their(0))));
    EXPECT_EQ(stack().syn_received_count(), records) << "nothing is kept";
    return *syn_ack;
  }
};

// --- Records -------------------------------------------------------------------------------------

TEST_F(SynFlood, R_4987_3_5_CACHE_AHalfOpenConnectionIsASmallRecord) {
  EXPECT_LE(sizeof(core::HalfOpen), 96U);
  begin(SynCookies::WhenFull, 1000);
  for (std::uint16_t port = 1; port <= 1000; ++port) send(stray(port));
  EXPECT_EQ(stack().syn_received_count(), 1000U);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(stack().memory_octets(), 0U);
}

TEST_F(SynFlood, R_4987_3_3_TIMER_AboveNineTenthsTheOldestExpireAfterTheShortLimit) {
  begin(SynCookies::WhenFull, 10);
  for (std::uint16_t port = 1; port <= 10; ++port) {
    send(stray(port));
    advance(10ms);
  }
  forget_sent();
  advance(5s - 100ms - 1ns);
  EXPECT_EQ(stack().syn_received_count(), 10U);
  EXPECT_EQ(dropped(DropReason::TcpHalfOpenShed), 0U);
  advance(1ns);  // 5 s after the first SYN
  EXPECT_EQ(stack().syn_received_count(), 9U) << "nine tenths: no more pressure";
  EXPECT_EQ(dropped(DropReason::TcpHalfOpenShed), 1U);
  EXPECT_EQ(counters().tcp_attempt_fails, 1U);
  advance(1s);
  EXPECT_EQ(stack().syn_received_count(), 9U);
  // It was the oldest. When it comes back the second is past the limit.
  send(stray(1));
  EXPECT_EQ(stack().syn_received_count(), 10U);
  advance(1ns);
  EXPECT_EQ(stack().syn_received_count(), 9U);
  forget_sent();
  send(segment().from_port(2).seq(5001).ack(1));
  EXPECT_THAT(next_sent(), IsRst());
  EXPECT_EQ(dropped(DropReason::TcpUnacceptableAck), 0U) << "the second is forgotten";
  send(segment().from_port(1).seq(5001).ack(1));
  EXPECT_EQ(dropped(DropReason::TcpUnacceptableAck), 1U) << "the first is there";
}

TEST_F(SynFlood, R_4987_3_3_TIMER_BelowNineTenthsTheyHaveTheirWholeTime) {
  begin(SynCookies::WhenFull, 10);
  for (std::uint16_t port = 1; port <= 9; ++port) send(stray(port));
  advance(30s);
  EXPECT_EQ(stack().syn_received_count(), 9U);
  EXPECT_EQ(dropped(DropReason::TcpHalfOpenShed), 0U);
  advance(1min);
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(SynFlood, R_4987_3_3_TIMER_TheLimitIsAParameter) {
  Config config;
  config.syn_received_under_pressure = 2s;
  begin(SynCookies::WhenFull, 1, config);
  send(stray(1));
  advance(2s - 1ns);
  EXPECT_EQ(stack().syn_received_count(), 1U);
  advance(1ns);
  EXPECT_EQ(stack().syn_received_count(), 0U);
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(SynFlood, R_4987_3_3_TIMER_UnderPressureTheSynAckIsRepeatedOnce) {
  Config config;
  config.syn_received_under_pressure = 1min;
  begin(SynCookies::WhenFull, 1, config);
  send(stray(1));
  forget_sent();
  advance(1s);
  EXPECT_THAT(next_sent(), IsSynAck());
  advance(58s);
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(stack().syn_received_count(), 1U);
}

TEST_F(SynFlood, R_4987_3_3_TIMER_WithoutCookiesTheOldestMakesRoom) {
  begin(SynCookies::Never, 3);
  for (std::uint16_t port = 1; port <= 3; ++port) send(stray(port));
  forget_sent();
  send(segment().syn().seq(peer_iss).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_EQ(stack().syn_received_count(), 3U);
  EXPECT_EQ(dropped(DropReason::TcpHalfOpenShed), 1U);
  EXPECT_EQ(counters().tcp_syn_cookies_sent, 0U);
  send(segment().from_port(1).seq(5001).ack(1));
  EXPECT_THAT(next_sent(), IsRst()) << "the first is forgotten: this is an ACK for LISTEN";
  EXPECT_EQ(dropped(DropReason::TcpUnacceptableAck), 0U);
  send(segment().from_port(2).seq(5001).ack(1));
  EXPECT_THAT(next_sent(), IsRst());
  EXPECT_EQ(dropped(DropReason::TcpUnacceptableAck), 1U) << "the second is there";
  send(ack_segment(0, 0));
  EXPECT_TRUE(accept());
}

// --- Cookies -------------------------------------------------------------------------------------

TEST_F(SynFlood, R_4987_3_6_COOKIE_AHundredThousandSynsTakeNoMemoryAndAClientConnects) {
  begin(SynCookies::WhenFull, 64);
  const auto flood = [this](std::uint32_t from, std::uint32_t count) {
    for (std::uint32_t i = from; i < from + count; ++i) {
      const Endpoint spoofed{IpAddress::from_v4(0xc6336400U + i / 60000),
                             static_cast<std::uint16_t>(1024 + i % 60000)};
      stack().receive(segment().from(spoofed).syn().seq(i * 7919).mss(1460).build(), now());
      TxFrame frame;
      std::size_t answers = 0;
      while (stack().poll_transmit(frame, now())) ++answers;
      ASSERT_EQ(answers, 1U);
    }
  };
  flood(0, 64);
  const std::size_t timers = stack().timer_count();
  flood(64, 99'936);
  EXPECT_EQ(stack().syn_received_count(), 64U);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(stack().memory_octets(), 0U);
  EXPECT_EQ(stack().timer_count(), timers);
  EXPECT_EQ(counters().tcp_syn_cookies_sent, 99'936U);

  (void)take_cookie();
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  EXPECT_EQ(counters().tcp_syn_cookies_accepted, 1U);
  EXPECT_EQ(counters().tcp_passive_opens, 1U);
  send(ack_segment(0, 0).payload("hello"));
  EXPECT_EQ(read_all(), "hello");
  EXPECT_TRUE(write("world"));
  forget_sent();
  advance(1s);
  EXPECT_EQ(info().retransmission_timeouts, 1U)
      << "no round trip was measured: RTO is the initial one";
  bool came_again = false;
  for (const SentSegment& sent : all_sent()) came_again = came_again || sent.payload == "world";
  EXPECT_TRUE(came_again);
}

TEST_F(SynFlood, R_4987_3_6_COOKIE_TheSegmentSizeOfTheTableIsRestored) {
  for (const auto& [offered, restored] :
       std::vector<std::pair<std::uint16_t, std::uint16_t>>{{100, 88},
                                                            {535, 88},
                                                            {536, 536},
                                                            {1219, 536},
                                                            {1220, 1220},
                                                            {1380, 1360},
                                                            {1400, 1400},
                                                            {1452, 1440},
                                                            {1460, 1460},
                                                            {9000, 1460}}) {
    begin_full();
    (void)take_cookie(offered);
    send(ack_segment(0, 0));
    ASSERT_TRUE(accept());
    EXPECT_EQ(info().send_mss_octets, restored) << offered;
  }
}

TEST_F(SynFlood, R_4987_A_ENC_ACookieIsGoodInItsStepOf64SecondsAndTheNextOne) {
  for (const Duration into_step : {Duration{0}, Duration{64s - 1ns}}) {
    const Instant step{640s};
    begin_full({}, step + into_step);
    (void)take_cookie(1400);
    advance(128s - into_step - 1ns);
    send(ack_segment(0, 0));
    ASSERT_TRUE(accept()) << into_step.count();
    EXPECT_EQ(info().send_mss_octets, 1400);

    begin_full({}, step + into_step);
    (void)take_cookie(1400);
    advance(128s - into_step);
    forget_sent();
    send(ack_segment(0, 0));
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(0)), HasNoAckBit())) << into_step.count();
    EXPECT_EQ(stack().connection_count(), 0U);
  }
  begin_full();
  (void)take_cookie();
  advance(5min);
  forget_sent();
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(0)), HasNoAckBit()));
}

TEST_F(SynFlood, R_4987_A_ENC_AForgedCookieIsRefused) {
  begin_full();
  (void)take_cookie();
  for (unsigned bit = 0; bit < 32; ++bit) {
    const std::uint32_t forged = our(0) ^ (1U << bit);
    send(segment().seq(their(0)).ack(forged));
    EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(forged), HasNoAckBit())) << bit;
  }
  send(segment().from_port(kPeerPort + 1).seq(their(0)).ack(our(0)));
  EXPECT_THAT(next_sent(), IsRst()) << "of another tuple";
  send(segment().seq(their(1)).ack(our(0)));
  EXPECT_THAT(next_sent(), IsRst()) << "of another SYN";
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 34U);
  EXPECT_EQ(stack().connection_count(), 0U);
  EXPECT_EQ(counters().tcp_syn_cookies_accepted, 0U);
  send(ack_segment(0, 0));
  EXPECT_TRUE(accept()) << "and the true one is taken still";
}

TEST_F(SynFlood, R_4987_A_CHECK_WithoutAnOverflowNoAckIsLookedAt) {
  begin(SynCookies::WhenFull, 10);
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasNoAckBit()));
  EXPECT_EQ(dropped(DropReason::TcpNoConnection), 1U);
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 0U);
}

TEST_F(SynFlood, R_4987_A_CHECK_TheOverflowIsTheListenersOwn) {
  begin_full();
  (void)take_cookie();
  ASSERT_TRUE(stack().close_listener(listener()));
  listen();  // on the same port, and it has never been full
  forget_sent();
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(our(0)))) << "though the cookie is a good one";
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 0U);
}

TEST_F(SynFlood, R_4987_A_CHECK_TheOverflowIsForgottenWhenNoCookieCanBeGood) {
  begin_full({}, Instant{640s});
  (void)take_cookie();
  advance(Cookies::kValidity);
  forget_sent();
  send(segment().from_port(1).seq(1).ack(1));
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 1U);
  advance(1ns);
  send(segment().from_port(1).seq(1).ack(1));
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 1U) << "not even looked at";
  EXPECT_EQ(dropped(DropReason::TcpNoConnection), 1U);
}

TEST_F(SynFlood, R_4987_A_CHECK_RstAndSynAckAreNoCookies) {
  begin_full();
  (void)take_cookie();
  send(segment().rst().seq(their(0)).ack(our(0)));
  EXPECT_THAT(next_sent(), IsNothing());
  send(segment().syn().seq(their(0)).ack(our(0)));
  EXPECT_THAT(next_sent(), IsRst());
  EXPECT_EQ(stack().connection_count(), 0U);
}

TEST_F(SynFlood, R_4987_A_OPT_WithoutTimestampsThereIsNoScaling) {
  begin_full();
  send(segment().syn().seq(peer_iss).mss(1460).wscale(7));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_FALSE(syn_ack->options.window_scale);
  EXPECT_FALSE(syn_ack->options.sack_permitted);
  EXPECT_FALSE(syn_ack->options.timestamps);
  EXPECT_EQ(syn_ack->window, 65535) << "of the receive buffer, as in every SYN,ACK";
  EXPECT_THAT(syn_ack, HasMss(1460));
  send(ack_segment(0, 0).window(1000));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().send_window_octets, 1000U);
  EXPECT_EQ(info().send_window_scale, 0);
  EXPECT_EQ(info().receive_window_scale, 0);
  EXPECT_FALSE(info().has_sack);
}

TEST_F(SynFlood, R_4987_A_OPT_WithTimestampsScaleAndSackAreRestored) {
  for (const bool sack : {false, true}) {
    for (const auto scale : {std::optional<std::uint8_t>{}, std::optional<std::uint8_t>{3}}) {
      begin_full();
      wire::TcpOptions offered;
      offered.maximum_segment_size = 1460;
      offered.window_scale = scale;
      offered.sack_permitted = sack;
      offered.timestamps = {5000, 0};
      send(segment().syn().seq(peer_iss).options(offered));
      const auto syn_ack = next_sent();
      ASSERT_THAT(syn_ack, IsSynAck());
      EXPECT_EQ(counters().tcp_syn_cookies_sent, 1U);
      EXPECT_EQ(syn_ack->options.window_scale.has_value(), scale.has_value());
      EXPECT_EQ(syn_ack->options.sack_permitted, sack);
      ASSERT_TRUE(syn_ack->options.timestamps);
      EXPECT_EQ(syn_ack->options.timestamps->echo_reply, 5000U);

      advance(10ms);
      forget_sent();
      wire::TcpOptions echo;
      echo.timestamps = {5010, syn_ack->options.timestamps->value};
      send(ack_segment(0, 0).options(echo).window(1000));
      ASSERT_TRUE(accept());
      EXPECT_EQ(counters().tcp_syn_cookies_accepted, 1U);
      EXPECT_EQ(info().has_sack, sack);
      EXPECT_TRUE(info().has_timestamps);
      EXPECT_EQ(info().send_window_scale, scale.value_or(0));
      EXPECT_EQ(info().send_window_octets, 1000U << scale.value_or(0));
      EXPECT_EQ(info().receive_window_scale, scale ? syn_ack->options.window_scale : 0);
      EXPECT_TRUE(write("x"));
      const auto data = next_sent();
      ASSERT_THAT(data, IsData());
      ASSERT_TRUE(data->options.timestamps);
      EXPECT_EQ(data->options.timestamps->echo_reply, 5010U);
      EXPECT_GE(data->options.timestamps->value - syn_ack->options.timestamps->value, 10U);
      EXPECT_LT(data->options.timestamps->value - syn_ack->options.timestamps->value, 10U + 32U);
    }
  }
}

TEST_F(SynFlood, CookiesMayBeSentAlways) {
  begin(SynCookies::Always, 10);
  send(ack_segment(0, 0));
  EXPECT_THAT(next_sent(), IsRst());
  EXPECT_EQ(dropped(DropReason::TcpBadCookie), 1U);
  (void)take_cookie();
  send(ack_segment(0, 0));
  EXPECT_TRUE(accept());
  EXPECT_EQ(stack().timer_count(), 0U);
}

TEST_F(SynFlood, TheFirstDataMayBeTheAckAndBringFin) {
  begin_full();
  (void)take_cookie();
  send(ack_segment(0, 0).payload("all of it").fin());
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "all of it");
  EXPECT_TRUE(reads_end_of_stream());
}

TEST_F(SynFlood, AnAckThatFindsNoRoomIsNotReset) {
  begin(SynCookies::WhenFull, 1);
  send(stray(9));
  forget_sent();
  (void)take_cookie();
  const std::uint32_t ours = our(0);
  send(segment().from_port(1).syn().seq(1).mss(1460));
  const auto other = next_sent();
  ASSERT_THAT(other, IsSynAck());
  send(segment().from_port(1).seq(2).ack(other->seq + 1));  // takes the accept queue
  forget_sent();
  send(segment().seq(their(0)).ack(ours));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(dropped(DropReason::TcpAcceptQueueFull), 1U);
  ASSERT_TRUE(accept());
  send(segment().seq(their(0)).ack(ours).payload("again"));
  ASSERT_TRUE(accept());
  EXPECT_EQ(read_all(), "again");
}

}  // namespace
}  // namespace runnel::test
