// The timers beside the retransmission timer's own rules: RFC 9293 sections 3.8.3, 3.8.4, 3.8.6.1.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1460;

// Closes the peer's window while `waiting` octets wait.
void close_window(LoneConnection& host, std::size_t waiting) {
  host.establish();
  host.options.peer_window = 0;
  host.ack(0);
  host.write(waiting);
  ASSERT_TRUE(host.take_sent().empty());
}

void answer_probe(LoneConnection& host) {
  host.ack(0);
  EXPECT_TRUE(host.take_sent().empty()) << "the window is still closed";
}

// The times between what is sent, from `from` on.
std::vector<Duration> gaps(LoneConnection& host, Instant from) {
  std::vector<Duration> out;
  for (const Sent& one : host.take_sent()) {
    out.push_back(one.at - from);
    from = one.at;
  }
  return out;
}

// --- Persist -------------------------------------------------------------------------------------

TEST(Persist, TheIntervalDoublesFromTheTimeoutToItsMaximum) {
  LoneConnection host;
  close_window(host, 100);
  const Instant start = host.now;
  host.advance(200s);
  const std::vector<Duration> expected = {300ms,  600ms,   1200ms,  2400ms, 4800ms,
                                          9600ms, 19200ms, 38400ms, 60s,    60s};
  EXPECT_EQ(gaps(host, start), expected);
}

TEST(Persist, TheIntervalKeepsDoublingThoughThePeerAnswers) {
  LoneConnection host;
  close_window(host, 100);
  Instant last = host.now;
  for (const Duration gap : {300ms, 600ms, 1200ms, 2400ms, 4800ms}) {
    host.advance(gap - 1ns);
    EXPECT_TRUE(host.take_sent().empty()) << "too early";
    host.advance(1ns);
    EXPECT_EQ(gaps(host, last), std::vector<Duration>{gap});
    last = host.now;
    answer_probe(host);
  }
}

TEST(Persist, AProbeIsTheNextOctetAndNotANewOneEachTime) {
  LoneConnection host;
  close_window(host, 100);
  host.advance(1s);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  for (const Sent& probe : sent) {
    EXPECT_EQ(probe.text, "a");
    EXPECT_EQ(probe.seq.value(), host.our(0));
  }
  EXPECT_EQ(host.counters.tcp_zero_window_probes, 2U);
}

TEST(Persist, AnswersToProbesAreNoSignOfLoss) {
  LoneConnection host;
  close_window(host, 100);
  for (int i = 0; i < 10; ++i) {
    host.advance(60s);
    host.forget_sent();
    host.ack(0);
  }
  EXPECT_EQ(host.tcp.info().congestion_window_octets, 14'600U);
  EXPECT_EQ(host.counters.tcp_fast_retransmits, 0U);
  EXPECT_EQ(host.counters.tcp_retransmission_timeouts, 0U);
}

TEST(Persist, WhenTheWindowOpensEverythingFollowsAtOnce) {
  LoneConnection host;
  close_window(host, 2000);
  host.advance(1s);
  host.forget_sent();
  host.options.peer_window = 65535;
  host.ack(0);  // the probe's octet was not taken
  EXPECT_EQ(host.text_sent(), LoneConnection::pattern(0, kSmss)) << "Nagle holds the rest";
  host.ack(kSmss);
  EXPECT_EQ(host.text_sent(), LoneConnection::pattern(0, 2000));
}

TEST(Persist, AProbesOctetMayBeAcknowledgedAfterTheWindowHasOpened) {
  // The window opens a little, by a segment that crosses the probe, whose octet is then taken: an
  // ACK of what was sent is no ACK of what was not.
  LoneConnection host;
  close_window(host, 2000);
  host.advance(300ms);
  ASSERT_EQ(host.take_sent().size(), 1U);
  host.options.peer_window = 10;  // too little to be used at once
  host.ack(0);
  host.forget_sent();
  host.ack(1);
  EXPECT_EQ(host.tcp.snd().una.value(), host.our(1));
  EXPECT_EQ(host.counters.dropped(DropReason::TcpUnacceptableAck), 0U);
}

TEST(Persist, APeerThatDoesNotAnswerIsGivenUpAfterR2) {
  LoneConnection host;
  close_window(host, 100);
  const Instant first_probe = host.now + 300ms;
  host.advance(host.options.config.r2);
  EXPECT_EQ(host.tcp.state(), State::Established);
  host.advance(61s);  // at the probe that falls due then
  EXPECT_EQ(host.tcp.state(), State::Closed);
  EXPECT_EQ(host.events.error_of(EventKind::Error), Errc::timed_out);
  EXPECT_GE(host.now - first_probe, host.options.config.r2);
}

TEST(Persist, APeerThatAnswersIsNeverGivenUp) {
  LoneConnection host;
  close_window(host, 100);
  for (int i = 0; i < 24 * 60; ++i) {
    host.advance(60s);
    host.ack(0);
  }
  EXPECT_EQ(host.tcp.state(), State::Established);
}

TEST(Persist, AFinIsProbedTooAndTakenWhenTheWindowIsClosed) {
  LoneConnection host;
  close_window(host, 0);
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  host.pump();
  host.advance(300ms);
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].flags.fin);
  EXPECT_EQ(sent[0].seq.value(), host.our(0));
  host.ack(1);
  EXPECT_EQ(host.tcp.state(), State::FinWait2);
}

// --- Keepalive -----------------------------------------------------------------------------------

LoneConnectionOptions with_keepalive() {
  LoneConnectionOptions options;
  options.config.keepalive = true;
  return options;
}

TEST(Keepalive, ProbesAfterTheIdleTimeThenEveryIntervalThenGivesUp) {
  LoneConnection host(with_keepalive());
  host.establish();
  const Instant heard = host.now;
  host.advance(2h - 1ns);
  EXPECT_TRUE(host.take_sent().empty());
  host.advance(1ns + 8 * 75s);
  std::vector<Duration> expected(9, 75s);
  expected[0] = 2h;
  for (const Sent& probe : host.sent) {
    EXPECT_EQ(probe.seq.value(), host.our(0) - 1);
    EXPECT_EQ(probe.len(), 0U);
    EXPECT_TRUE(probe.flags.ack);
  }
  EXPECT_EQ(gaps(host, heard), expected);
  host.advance(75s - 1ns);
  EXPECT_EQ(host.tcp.state(), State::Established);
  host.advance(1ns);
  EXPECT_EQ(host.tcp.state(), State::Closed);
  EXPECT_EQ(host.events.error_of(EventKind::Error), Errc::timed_out);
  EXPECT_EQ(host.resets.list.size(), 1U);
}

TEST(Keepalive, AnAnswerBeginsTheIdleTimeAnew) {
  LoneConnection host(with_keepalive());
  host.establish();
  host.advance(2h + 7 * 75s);
  EXPECT_EQ(host.take_sent().size(), 8U);
  host.ack(0);
  host.advance(2h - 1ns);
  EXPECT_TRUE(host.take_sent().empty());
  host.advance(1ns);
  EXPECT_EQ(host.take_sent().size(), 1U);
}

TEST(Keepalive, LeavesUnansweredDataToR2) {
  LoneConnection host(with_keepalive());
  host.establish();
  host.advance(2h - 1s);
  host.write(10);
  host.advance(16min);
  EXPECT_EQ(host.tcp.state(), State::Closed);
  EXPECT_EQ(host.events.error_of(EventKind::Error), Errc::timed_out);
  EXPECT_EQ(host.counters.tcp_keepalive_probes, 0U);
}

TEST(Keepalive, GoesOnAfterOurHalfIsClosed) {
  LoneConnection host(with_keepalive());
  host.bring_to(State::FinWait2);
  host.advance(2h);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].seq.value(), host.our(0)) << "SND.NXT - 1";
}

TEST(Keepalive, MayBeSwitchedOnLate) {
  LoneConnection host;
  host.establish();
  host.advance(3h);
  host.tcp.set_keepalive(true, host.now);
  host.advance(Duration{0});
  EXPECT_EQ(host.take_sent().size(), 1U) << "nothing was heard for longer than the idle time";
}

// --- User timeout --------------------------------------------------------------------------------

TEST(UserTimeout, CountsFromTheFirstOctetThatWaits) {
  LoneConnectionOptions options;
  options.config.user_timeout = 10s;
  LoneConnection host(options);
  host.establish();
  host.advance(1h);  // nothing waits
  ASSERT_EQ(host.tcp.state(), State::Established);
  host.write(10);
  host.advance(4s);
  host.write(10);  // does not move the deadline
  host.advance(6s - 1ns);
  EXPECT_EQ(host.tcp.state(), State::Established);
  host.advance(1ns);
  EXPECT_EQ(host.tcp.state(), State::Closed);
  EXPECT_EQ(host.events.error_of(EventKind::Error), Errc::timed_out);
  ASSERT_EQ(host.resets.list.size(), 1U);
  EXPECT_EQ(host.resets.list[0].seq, host.tcp.snd().nxt);
}

TEST(UserTimeout, AnAckOfNewDataBeginsItAnew) {
  LoneConnection host;
  host.establish();
  host.tcp.set_user_timeout(10s, host.now);
  host.write(2 * kSmss);
  host.advance(9s);
  host.ack(kSmss);
  host.advance(10s - 1ns);
  EXPECT_EQ(host.tcp.state(), State::Established);
  host.advance(1ns);
  EXPECT_EQ(host.tcp.state(), State::Closed);
}

TEST(UserTimeout, WatchesOverALoneFinToo) {
  LoneConnection host;  // a FIN is unacknowledged like any octet
  host.establish();
  host.tcp.set_user_timeout(10s, host.now);
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  host.pump();
  host.advance(10s);
  EXPECT_EQ(host.tcp.state(), State::Closed);
}

TEST(UserTimeout, MayBeTakenBack) {
  LoneConnection host;
  host.establish();
  host.tcp.set_user_timeout(10s, host.now);
  host.write(10);
  host.tcp.set_user_timeout(Duration{0}, host.now);
  host.advance(60s);
  EXPECT_EQ(host.tcp.state(), State::Established);
}

TEST(UserTimeout, TellsTheLastIcmpErrorInstead) {
  LoneConnection host;
  host.establish();
  host.tcp.set_user_timeout(10s, host.now);
  host.write(10);
  host.tcp.icmp_error_arrives({wire::IcmpType::DestinationUnreachable, 1, 0, SeqNum{host.our(0)},
                               1500, Errc::host_unreachable},
                              host.now);
  host.advance(10s);
  EXPECT_EQ(host.events.error_of(EventKind::Error), Errc::host_unreachable);
}

// --- Inactivity ----------------------------------------------------------------------------------

TEST(Inactivity, IsToldEachTimeNothingMovesForSoLong) {
  LoneConnection host;
  host.establish();
  host.tcp.set_inactivity_timeout(5s, host.now);
  host.advance(5s - 1ns);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 0U);
  host.advance(1ns);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 1U);
  host.advance(20s);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 1U) << "not again until it is fetched";
  host.fetch_events();
  host.advance(5s);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 1U);
}

TEST(Inactivity, PayloadEitherWayPutsItOff) {
  LoneConnection host;
  host.establish();
  host.tcp.set_inactivity_timeout(5s, host.now);
  host.advance(4s);
  host.write(1);
  host.ack(1);
  host.advance(4s);
  host.arrive(host.text(0, "x"));
  host.advance(5s - 1ns);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 0U);
  host.advance(1ns);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 1U);
}

TEST(Inactivity, BareAcksDoNotPutItOff) {
  LoneConnection host;
  host.establish();
  host.tcp.set_inactivity_timeout(5s, host.now);
  host.advance(4s);
  host.ack(0);
  host.advance(1s);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 1U);
}

TEST(Inactivity, MayBeSwitchedOff) {
  LoneConnection host;
  host.establish();
  host.tcp.set_inactivity_timeout(5s, host.now);
  host.tcp.set_inactivity_timeout(Duration{0}, host.now);
  host.advance(1h);
  EXPECT_EQ(host.events.count(EventKind::Timeout), 0U);
}

// --- FIN-WAIT-2 and after ------------------------------------------------------------------------

TEST(FinWait2, EndsByItselfOnlyWhenTheApplicationHasClosed) {
  LoneConnection half_closed;
  half_closed.bring_to(State::FinWait2);
  half_closed.advance(24h);
  EXPECT_EQ(half_closed.tcp.state(), State::FinWait2);
  half_closed.tcp.close(half_closed.now);
  half_closed.advance(60s - 1ns);
  EXPECT_EQ(half_closed.tcp.state(), State::FinWait2);
  half_closed.advance(1ns);
  EXPECT_EQ(half_closed.tcp.state(), State::Closed);
}

TEST(Timers, NoneIsLeftInTimeWaitAndClosed) {
  for (const State state : {State::TimeWait, State::LastAck}) {
    LoneConnection host(with_keepalive());
    host.bring_to(state);
    if (state == State::LastAck) host.ack(1);
    EXPECT_EQ(host.tcp.next_deadline(), kNever);
    EXPECT_EQ(host.pool.live_count(), 0U);
  }
}

}  // namespace
}  // namespace runnel::tcp
