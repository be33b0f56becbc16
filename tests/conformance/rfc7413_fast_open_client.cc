// TCP Fast Open, the side that connects: RFC 7413.
#include <algorithm>
#include <array>

#include "stack/tcp/fast_open.h"
#include "tests/support/fast_open_tester.h"

namespace runnel::test {
namespace {

using Cookie = wire::TcpFastOpenCookie;

class FastOpenClient : public FastOpen {
 protected:
  void begin() { begin({}); }
  void begin(Config config) {
    config.tcp = tcp_;
    rebuild(config);
  }
  // The SYN of a new connection to the peer, for which the application writes `text` at once.
  std::optional<SentSegment> open(std::string_view text, std::uint16_t local_port = kPort,
                                  std::optional<TcpConfig> tcp = std::nullopt) {
    ConnectOptions options;
    options.local = {kLocal.address, local_port};
    options.tcp = tcp;
    const auto connection = stack().connect(kPeer, options);
    if (!connection) {
      ADD_FAILURE() << connection.error().message();
      return std::nullopt;
    }
    use(*connection);
    if (!text.empty()) {
      EXPECT_TRUE(stack().write(*connection, as_bytes(text)));
    }
    pump();
    auto syn = next_sent();
    if (syn) syn_ = *syn;
    return syn;
  }
  // The peer's SYN-ACK, of `acked` octets of data.
  void answer(std::uint32_t acked, const std::optional<Cookie>& cookie = std::nullopt,
              std::uint16_t mss = 1460) {
    wire::TcpOptions options;
    options.maximum_segment_size = mss;
    options.fast_open = cookie;
    send(segment().to(syn_.from).syn().seq(peer_iss).ack(syn_.seq + 1 + acked).options(options));
  }
  void end() {
    ASSERT_TRUE(abort());
    forget_sent();
  }
  // A first connection that brings a cookie.
  void learn_cookie(std::uint16_t mss = 1460) {
    ASSERT_THAT(open({}, 1001), IsSyn());
    answer(0, cookie_, mss);
    end();
  }

  SentSegment syn_;
  Cookie cookie_{{1, 2, 3, 4, 5, 6, 7, 8}, 8};
};

TEST_F(FastOpenClient, R_7413_2_OPTIN_WithoutTheOptionTheSynIsAPlainOne) {
  tcp_.fast_open = false;
  begin();
  auto syn = open("data");
  ASSERT_THAT(syn, AllOf(IsSyn(), HasPayload("")));
  EXPECT_FALSE(syn->options.fast_open);
  answer(0, cookie_);  // nobody has asked for it
  EXPECT_THAT(next_sent(), HasPayload("data"));
  end();
  TcpConfig fast = tcp_;
  fast.fast_open = true;
  syn = open("data", 1002, fast);
  ASSERT_THAT(syn, AllOf(IsSyn(), HasPayload("")));
  EXPECT_EQ(syn->options.fast_open, Cookie{}) << "the uninvited cookie was not kept";
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_ACookieIsAskedForAndUsedTheNextTime) {
  begin();
  auto syn = open("data");
  ASSERT_THAT(syn, AllOf(IsSyn(), HasPayload("")));
  EXPECT_EQ(syn->options.fast_open, Cookie{}) << "kind 34, length 2";
  answer(0, cookie_);
  EXPECT_THAT(next_sent(), HasPayload("data"));
  end();
  syn = open("data", 1002);
  ASSERT_THAT(syn, AllOf(IsSyn(), HasPayload("data")));
  EXPECT_EQ(syn->options.fast_open, cookie_);
  answer(4);
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(syn->seq + 5)));
  EXPECT_EQ(counters().tcp_fast_opens_active, 1U);
  EXPECT_EQ(info().octets_acknowledged, 4U);
  EXPECT_EQ(info().send_queue_octets, 0U);
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_DataInTheSynAreLimitedByTheCachedMss) {
  begin();
  learn_cookie(700);
  const auto syn = open(pattern(0, 5000));
  ASSERT_THAT(syn, IsSyn());
  const std::size_t option_octets = syn->options.octets();
  EXPECT_EQ(syn->payload, pattern(0, 700 - option_octets)) << "options take their part of it";
  EXPECT_EQ(syn->gso_size_octets, 0);
  answer(static_cast<std::uint32_t>(syn->payload.size()), std::nullopt, 700);
  const auto next = next_sent();
  ASSERT_THAT(next, IsData());
  EXPECT_EQ(next->seq, syn->seq + syn->length()) << "the stream goes on";
  EXPECT_EQ(next->payload, pattern(syn->payload.size(), next->payload.size()));
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_ANewCookieReplacesTheOldOne) {
  begin();
  learn_cookie();
  ASSERT_THAT(open("data", 1002), HasPayload("data"));
  const Cookie fresh{{9, 9, 9, 9}, 4};
  answer(0, fresh);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload("data"))) << "again, at once";
  end();
  const auto syn = open("data", 1003);
  ASSERT_THAT(syn, HasPayload("data")) << "a refusal with a new cookie is no failure";
  EXPECT_EQ(syn->options.fast_open, fresh);
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_DataThatWereNotTakenAreAFailureToRemember) {
  begin();
  learn_cookie();
  ASSERT_THAT(open("data", 1002), HasPayload("data"));
  answer(0);  // neither the data nor a cookie
  end();
  const auto syn = open("data", 1003);
  ASSERT_THAT(syn, AllOf(IsSyn(), HasPayload("")));
  EXPECT_FALSE(syn->options.fast_open);
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_AFailureIsForgottenWithTheCachesAge) {
  Config config;
  config.destination_cache_age = 10min;
  begin(config);
  learn_cookie();
  ASSERT_THAT(open("data", 1002), HasPayload("data"));
  answer(0);
  const Instant failed_at = now();
  end();
  advance(failed_at + 10min - 1ns - now());
  auto syn = open("data", 1003);
  EXPECT_FALSE(syn->options.fast_open);
  end();
  advance(1ns);
  syn = open("data", 1004);
  EXPECT_TRUE(syn->options.fast_open);
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_EveryServerHasItsOwnEntry) {
  begin();
  learn_cookie();
  const auto other = try_connect({IpAddress(192, 0, 2, 77), 80});
  ASSERT_TRUE(other);
  const auto syn = next_sent();
  ASSERT_THAT(syn, IsSyn());
  EXPECT_EQ(syn->options.fast_open, Cookie{});
}

TEST_F(FastOpenClient, R_7413_4_2_2_SYNRETX_TheSynIsRepeatedWithoutOptionAndData) {
  begin();
  learn_cookie();
  const auto syn = open("data", 1002);
  ASSERT_THAT(syn, HasPayload("data"));
  advance(1s - 1ns);
  EXPECT_THAT(next_sent(), IsNothing());
  advance(1ns);
  const auto second = next_sent();
  ASSERT_THAT(second, AllOf(IsSyn(), HasSeq(syn->seq), HasPayload("")));
  EXPECT_FALSE(second->options.fast_open);
  answer(0);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasPayload("data"), HasSeq(syn->seq + 1)));
}

// One lost SYN may be chance; two in a row, where plain ones pass, are not.
TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_TheSecondLossInARowIsAFailureToRemember) {
  begin();
  learn_cookie();
  for (const std::uint16_t port : {std::uint16_t{1002}, std::uint16_t{1003}}) {
    ASSERT_THAT(open("data", port), HasPayload("data"));
    advance(1s);
    forget_sent();
    answer(0);
    end();
  }
  EXPECT_FALSE(open("data", 1004)->options.fast_open);
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_ASuccessInBetweenStartsTheCountAnew) {
  begin();
  learn_cookie();
  for (std::uint16_t port = 1002; port < 1008; port += 2) {
    ASSERT_THAT(open("data", port), HasPayload("data"));
    advance(1s);
    forget_sent();
    answer(0);
    end();
    ASSERT_THAT(open("data", port + 1), HasPayload("data"));
    answer(4);
    end();
  }
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_UntilTheAnswerToAPlainSynOthersDoWithoutIt) {
  begin();
  learn_cookie();
  ASSERT_THAT(open("data", 1002), HasPayload("data"));
  const SentSegment lost = syn_;
  const ConnectionId first = id();
  advance(1s);
  forget_sent();
  EXPECT_FALSE(open("data", 1003)->options.fast_open);
  end();
  use(first);
  syn_ = lost;
  answer(0);
  end();
  EXPECT_THAT(open("data", 1004), HasPayload("data"));
}

TEST_F(FastOpenClient, R_7413_4_1_3_CACHE_NoAnswerAtAllIsAFailureAtOnce) {
  begin();
  learn_cookie();
  ASSERT_THAT(open("data", 1002), HasPayload("data"));
  advance(10min - 1s);
  ASSERT_TRUE(take_event(EventKind::Error));
  forget_sent();
  EXPECT_FALSE(open("data", 1003)->options.fast_open);
}

TEST_F(FastOpenClient, R_7413_4_2_2_SYNRETX_TheFirstSynMayHaveArrivedAllTheSame) {
  begin();
  learn_cookie();
  const auto syn = open("data", 1002);
  advance(1s);
  forget_sent();
  answer(4);
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasSeq(syn->seq + 5)));
  end();
  EXPECT_THAT(open("data", 1003), HasPayload("data")) << "it works after all";
}

TEST_F(FastOpenClient, R_9293_3_10_7_3_ACKPART_WhatTheSynAckLeavesOutIsSentAgainAtOnce) {
  begin();
  learn_cookie();
  auto syn = open(pattern(0, 100), 1002);
  ASSERT_THAT(syn, HasPayload(pattern(0, 100)));
  answer(0);  // of the SYN alone
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_THAT(next_sent(),
              AllOf(IsData(), HasSeq(syn->seq + 1), HasPayload(pattern(0, 100)), HasAck(their(0))));
  EXPECT_THAT(next_sent(), IsNothing());
  EXPECT_EQ(info().octets_retransmitted, 100U);
  EXPECT_EQ(info().congestion_window_octets, 10U * info().send_mss_octets) << "no congestion";
  send(segment().to(syn->from).seq(their(0)).ack(syn->seq + 101));
  EXPECT_EQ(info().octets_acknowledged, 100U);
}

TEST_F(FastOpenClient, R_9293_3_10_7_3_ACKPART_APartOfTheDataMayBeAcknowledged) {
  begin();
  learn_cookie();
  const auto syn = open(pattern(0, 100), 1002);
  answer(40);
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(syn->seq + 41), HasPayload(pattern(40, 60))));
}

TEST_F(FastOpenClient, R_9293_3_10_7_3_ACKPART_MoreThanWasSentIsUnacceptable) {
  begin();
  learn_cookie();
  const auto syn = open("data", 1002);
  answer(5);
  EXPECT_EQ(state_of(id()), TcpState::SynSent);
  EXPECT_THAT(next_sent(), AllOf(IsRst(), HasSeq(syn->seq + 6)));
  answer(4);
  EXPECT_EQ(state_of(id()), TcpState::Established);
}

TEST_F(FastOpenClient, CloseAfterDataInTheSyn) {
  begin();
  learn_cookie();
  const auto syn = open("data", 1002);
  ASSERT_TRUE(shutdown_write());
  EXPECT_THAT(next_sent(), IsNothing());
  answer(4);
  EXPECT_THAT(next_sent(), AllOf(IsFin(), HasSeq(syn->seq + 5), HasPayload("")));
  EXPECT_EQ(state_of(id()), TcpState::FinWait1);
}

TEST_F(FastOpenClient, BothOpenAtTheSameTime) {
  begin();
  learn_cookie();
  const auto syn = open("data", 1002);
  send(segment().to(syn->from).syn().seq(peer_iss).mss(1460));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(syn->seq), HasAck(their(0)), HasPayload("")));
  send(segment().to(syn->from).seq(their(0)).ack(syn->seq + 1));
  EXPECT_EQ(state_of(id()), TcpState::Established);
  EXPECT_THAT(next_sent(), AllOf(IsData(), HasSeq(syn->seq + 1), HasPayload("data")));
}

}  // namespace
}  // namespace runnel::test
