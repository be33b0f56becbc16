// The user timeout option: RFC 5482.
#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class UserTimeoutOption : public TcpTester {
 protected:
  static TcpConfig enabled() {
    TcpConfig config;
    config.user_timeout_option = true;
    config.user_timeout_advertised = 200s;
    config.user_timeout_lower_limit = 100s;
    config.user_timeout_upper_limit = 600s;
    return config;
  }
  void send_user_timeout(const wire::TcpUserTimeout& value) {
    wire::TcpOptions options;
    options.user_timeout = value;
    send(ack_segment(0, 0).options(options));
  }
  // How long octets that nobody acknowledges keep the connection.
  [[nodiscard]] Duration time_until_given_up(Duration most) {
    EXPECT_TRUE(write("x"));
    for (Duration waited{0}; waited <= most; waited += 1s) {
      if (take_event(EventKind::Error)) return waited;
      advance(1s);
    }
    return kForever;
  }
};

TEST_F(UserTimeoutOption, R_5482_3_1_FORMULA_TheLargerOfBothWithinTheLimits) {
  const std::pair<std::uint16_t, Duration> cases[] = {{300, 300s}, {50, 200s}, {9999, 600s}};
  for (const auto& [remote, expected] : cases) {
    rebuild(enabled());
    bring_to(TcpState::Established);
    EXPECT_EQ(info().user_timeout, 0s) << "R2 decides while the peer has said nothing";
    send_user_timeout({false, remote});
    EXPECT_EQ(info().user_timeout, expected) << remote;
    EXPECT_EQ(info().peer_user_timeout, std::chrono::seconds(remote));
  }
}

TEST_F(UserTimeoutOption, R_5482_3_1_FORMULA_ItIsTheTimeAfterWhichTheConnectionIsGivenUp) {
  rebuild(enabled());
  bring_to(TcpState::Established);
  send_user_timeout({true, 5});
  EXPECT_EQ(time_until_given_up(400s), 300s);
}

TEST_F(UserTimeoutOption, R_5482_3_1_FORMULA_AlsoPastR2) {
  TcpConfig config = enabled();
  config.r2 = 100s;
  rebuild(config);
  bring_to(TcpState::Established);
  send_user_timeout({false, 500});
  EXPECT_EQ(time_until_given_up(700s), 500s);
}

TEST_F(UserTimeoutOption, R_5482_3_1_FORMULA_AConnectionThatTheOptionIsOffForIgnoresIt) {
  bring_to(TcpState::Established);
  send_user_timeout({false, 300});
  EXPECT_EQ(info().user_timeout, 0s);
}

TEST_F(UserTimeoutOption, R_5482_3_1_LLIMIT_NeverBelow100SecondsNorTheTimeout) {
  TcpConfig config = enabled();
  config.user_timeout_advertised = 10s;
  config.user_timeout_lower_limit = 1s;  // too low: the RFC's 100 s count
  rebuild(config);
  bring_to(TcpState::Established);
  send_user_timeout({false, 10});
  EXPECT_EQ(info().user_timeout, 100s);

  config.rto_initial = 120s;
  config.rto_maximum = 240s;
  config.rto_minimum = 120s;
  rebuild(config);
  bring_to(TcpState::Established);
  ASSERT_GE(info().retransmission_timeout, 120s);
  send_user_timeout({false, 10});
  EXPECT_GT(info().user_timeout, info().retransmission_timeout);
}

TEST_F(UserTimeoutOption, R_5482_3_3_FORMAT_SecondsOrMinutesAndNeverZero) {
  const std::pair<Duration, wire::TcpUserTimeout> cases[] = {
      {90s, {false, 90}},    {10min, {false, 600}},  {1ms, {false, 1}},    {32767s, {false, 32767}},
      {32768s, {true, 547}}, {1000h, {true, 32767}}, {1500ms, {false, 2}},
  };
  for (const auto& [told, option] : cases) {
    TcpConfig config = enabled();
    config.user_timeout_advertised = told;
    rebuild(config);
    connect();
    const auto syn = next_sent();
    ASSERT_THAT(syn, IsSyn());
    ASSERT_TRUE(syn->options.user_timeout);
    EXPECT_EQ(*syn->options.user_timeout, option);
    // Kind 28, length 4, the granularity bit and 15 bits of value.
    const auto word = static_cast<std::uint16_t>(option.value | (option.is_minutes ? 0x8000U : 0U));
    const std::vector<std::uint8_t> wanted{28, 4, static_cast<std::uint8_t>(word >> 8U),
                                           static_cast<std::uint8_t>(word & 0xffU)};
    EXPECT_NE(std::search(syn->octets.begin(), syn->octets.end(), wanted.begin(), wanted.end()),
              syn->octets.end());
  }
}

TEST_F(UserTimeoutOption, R_5482_3_3_FORMAT_AZeroIsIgnored) {
  rebuild(enabled());
  bring_to(TcpState::Established);
  send_user_timeout({false, 0});
  EXPECT_EQ(info().user_timeout, 0s);
  send_user_timeout({false, 300});
  send_user_timeout({true, 0});
  EXPECT_EQ(info().user_timeout, 300s);
}

TEST_F(UserTimeoutOption, R_5482_3_3_FORMAT_OnSynsAndOnDataUntilThatIsAcknowledged) {
  ignore_timestamps_default();
  rebuild(enabled());
  listen();
  send(segment().syn().seq(peer_iss).mss(1460));
  const auto syn_ack = next_sent();
  ASSERT_THAT(syn_ack, IsSynAck());
  EXPECT_EQ(syn_ack->options.user_timeout, (wire::TcpUserTimeout{false, 200}));
  send(ack_segment(0, 0));
  ASSERT_TRUE(accept());
  EXPECT_TRUE(write_octets(2912));
  for (const SentSegment& data : all_sent()) {
    EXPECT_EQ(data.options.user_timeout, (wire::TcpUserTimeout{false, 200}));
    EXPECT_LE(data.payload.size(), 1456U) << "the option takes room";
  }
  send(ack_segment(0, 2912));
  EXPECT_TRUE(write_octets(1460));
  const auto next = next_sent();
  ASSERT_THAT(next, HasPayloadOctets(1460));
  EXPECT_FALSE(next->options.user_timeout);
  // Another value is news again.
  send(ack_segment(0, 4372));
  EXPECT_TRUE(stack().set_user_timeout(id(), 10min));
  EXPECT_TRUE(write("x"));
  EXPECT_EQ(next_sent()->options.user_timeout, (wire::TcpUserTimeout{false, 600}));
}

TEST_F(UserTimeoutOption, R_5482_3_EXPL_WhatTheApplicationHasSetThePeerCannotMove) {
  rebuild(enabled());
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_user_timeout(id(), 60s));
  send_user_timeout({false, 300});
  EXPECT_EQ(info().user_timeout, 60s);
  EXPECT_EQ(info().peer_user_timeout, 300s) << "the application can see what the peer wants";
  EXPECT_EQ(time_until_given_up(400s), 60s);
}

TEST_F(UserTimeoutOption, R_5482_3_EXPL_WithoutAChoiceOfItsOwnThePeersCountsAgain) {
  rebuild(enabled());
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_user_timeout(id(), 60s));
  send_user_timeout({false, 300});
  EXPECT_TRUE(stack().set_user_timeout(id(), 0s));
  EXPECT_EQ(info().user_timeout, 300s);
}

TEST_F(UserTimeoutOption, R_5482_4_2_KA_TheFirstProbeComesAfterAUserTimeout) {
  TcpConfig config = enabled();
  config.keepalive = true;
  config.keepalive_idle = 100s;
  rebuild(config);
  bring_to(TcpState::Established);
  send_user_timeout({false, 300});
  forget_sent();
  advance(300s);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(2s);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(our(0) - 1)));
}

TEST_F(UserTimeoutOption, R_9293_MUST_21_ItMayBeInfinite) {
  bring_to(TcpState::Established);
  EXPECT_TRUE(stack().set_user_timeout(id(), kForever));
  EXPECT_TRUE(write("x"));
  advance(48h);
  EXPECT_FALSE(take_event(EventKind::Error));
  EXPECT_EQ(name_of(state()), "ESTABLISHED");
  forget_sent();
  advance(61s);
  EXPECT_THAT(next_sent(), IsData()) << "and it is still tried";
}

}  // namespace
}  // namespace runnel::test
