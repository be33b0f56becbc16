// ICMP errors that quote a connection: RFC 9293 section 3.9.2.2, RFC 5927, RFC 1191.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

using wire::IcmpType;

constexpr std::uint32_t kSmss = 1460;

void error_arrives(LoneConnection& host, IcmpType type, std::uint8_t code, std::uint32_t quoted,
                   std::uint16_t mtu = 0) {
  host.tcp.icmp_error_arrives({type, code, mtu, SeqNum{quoted}, 1500, Errc::host_unreachable},
                              host.now);
  host.pump();
}

TEST(IcmpError, EndsAnOpenOnlyWhenItIsHardAndQuotesTheSyn) {
  struct Case {
    IcmpType type;
    std::uint8_t code;
    bool ends;
  };
  for (const Case& c :
       {Case{IcmpType::DestinationUnreachable, 0, false},
        Case{IcmpType::DestinationUnreachable, 1, false},
        Case{IcmpType::DestinationUnreachable, 2, true},
        Case{IcmpType::DestinationUnreachable, 3, true},
        Case{IcmpType::DestinationUnreachable, 5, false}, Case{IcmpType::TimeExceeded, 0, false},
        Case{IcmpType::ParameterProblem, 2, false}, Case{IcmpType::SourceQuench, 0, false}}) {
    LoneConnection host;
    host.tcp.open_active(SeqNum{host.options.iss}, host.now);
    host.pump();
    error_arrives(host, c.type, c.code, host.options.iss);
    EXPECT_EQ(host.tcp.state(), c.ends ? State::Closed : State::SynSent) << int{c.code};
  }
}

TEST(IcmpError, MustQuoteWhatIsInFlight) {
  LoneConnection host;
  host.tcp.open_active(SeqNum{host.options.iss}, host.now);
  host.pump();
  for (const std::uint32_t quoted : {host.options.iss - 1, host.options.iss + 1, 0U}) {
    error_arrives(host, IcmpType::DestinationUnreachable, 3, quoted);
    EXPECT_EQ(host.tcp.state(), State::SynSent);
  }
  EXPECT_EQ(host.counters.dropped(DropReason::IcmpBadSequence), 3U);
  EXPECT_EQ(host.events.count(EventKind::SoftError), 0U);
}

TEST(IcmpError, IsSoftInEverySynchronizedState) {
  for (const State state : {State::Established, State::FinWait1, State::CloseWait}) {
    LoneConnection host;
    host.bring_to(state);
    host.tcp.set_nagle(false);
    if (state != State::FinWait1) host.write(10);
    error_arrives(host, IcmpType::DestinationUnreachable, 3, host.tcp.snd().una.value());
    EXPECT_EQ(host.tcp.state(), state) << name_of(state);
    EXPECT_EQ(host.events.count(EventKind::SoftError), 1U);
  }
}

TEST(FragmentationNeeded, LowersTheSegmentSizeAndSendsAgainWhatWasTooLarge) {
  LoneConnection host;
  host.establish();
  host.write(3 * kSmss);
  host.forget_sent();
  error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(0), 1000);
  EXPECT_EQ(host.tcp.info().send_mss_octets, 960);
  ASSERT_FALSE(host.sent.empty()) << "without waiting for a timeout";
  EXPECT_EQ(host.sent.front().seq.value(), host.our(0));
  for (const Sent& one : host.sent) EXPECT_LE(one.text.size(), 960U);
  EXPECT_EQ(host.text_sent(), LoneConnection::pattern(0, host.text_sent().size()));
  host.ack_everything();
  EXPECT_EQ(host.tcp.info().octets_acknowledged, 3U * kSmss);
}

TEST(FragmentationNeeded, NeverGoesBelowTheFloor) {
  for (const std::uint16_t mtu :
       {std::uint16_t{20}, std::uint16_t{68}, std::uint16_t{551}, std::uint16_t{552}}) {
    LoneConnection host;
    host.establish();
    host.write(3 * kSmss);
    error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(0), mtu);
    EXPECT_EQ(host.tcp.info().send_mss_octets, 512) << mtu;
  }
}

TEST(FragmentationNeeded, NeverRaisesTheSegmentSize) {
  for (const std::uint16_t mtu : {std::uint16_t{1500}, std::uint16_t{9000}}) {
    LoneConnection host;
    host.establish();
    host.write(3 * kSmss);
    host.forget_sent();
    error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(0), mtu);
    EXPECT_EQ(host.tcp.info().send_mss_octets, kSmss);
    EXPECT_TRUE(host.take_sent().empty());
  }
}

TEST(FragmentationNeeded, IsBelievedOnlyWhenItQuotesWhatIsInFlight) {
  LoneConnection host;
  host.establish();
  host.write(3 * kSmss);
  error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(0) - 1, 1000);
  error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(3 * kSmss), 1000);
  EXPECT_EQ(host.tcp.info().send_mss_octets, kSmss);
}

TEST(FragmentationNeeded, IsNoSignOfCongestion) {
  LoneConnection host;
  host.establish();
  host.write(3 * kSmss);
  const std::uint64_t ssthresh = host.tcp.info().slow_start_threshold_octets;
  error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(0), 1000);
  EXPECT_EQ(host.tcp.info().slow_start_threshold_octets, ssthresh);
}

TEST(FragmentationNeeded, InTheInitialWindowScalesTheCongestionWindow) {
  LoneConnection host;  // RFC 5681 section 3.1: cwnd by the ratio of the new size to the old
  host.establish();
  host.write(3 * kSmss);
  error_arrives(host, IcmpType::DestinationUnreachable, 4, host.our(0), 770);
  EXPECT_EQ(host.tcp.info().send_mss_octets, 730);
  EXPECT_LE(host.tcp.info().congestion_window_octets, 7300U);
}

}  // namespace
}  // namespace runnel::tcp
