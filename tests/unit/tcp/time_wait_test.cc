// TIME-WAIT: RFC 9293 section 3.10.7.4, and MAY-2 of section 3.6.1.
#include "stack/tcp/time_wait.h"

#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

using Action = TimeWaitAction;

constexpr std::uint32_t kSndNxt = 7001;
constexpr std::uint32_t kWindow = 4000;

class TimeWait : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  TimeWait() {
    record.tuple = LoneConnection::kTuple;
    record.snd_nxt = SeqNum{kSndNxt};
    record.rcv_nxt = SeqNum{GetParam()};
    record.rcv_wnd = kWindow;
  }

  // `seq` from RCV.NXT on.
  Action arrives(wire::TcpFlags flags, std::uint32_t seq, std::string_view text = {}) {
    counters = {};
    Segment seg;
    seg.seq = SeqNum{GetParam() + seq};
    seg.ack = SeqNum{kSndNxt};
    seg.flags = flags;
    seg.text = as_bytes(text);
    return segment_arrives_time_wait(record, seg, counters, Instant{});
  }

  TimeWaitRecord record;
  Counters counters;
};

constexpr std::uint32_t kBefore = UINT32_MAX;  // one before

TEST_P(TimeWait, ThePeersFinAgainIsAcknowledgedAndTimeBeginsAnew) {
  EXPECT_EQ(arrives({.fin = true, .ack = true}, kBefore), Action::AcknowledgeAndRestart);
  EXPECT_EQ(arrives({.fin = true, .ack = true}, kBefore - 3, "abc"), Action::AcknowledgeAndRestart);
  EXPECT_EQ(counters.dropped(DropReason::TcpTimeWait), 1U);
}

TEST_P(TimeWait, AFinThatIsNotThePeersLastOneRestartsNothing) {
  EXPECT_EQ(arrives({.fin = true, .ack = true}, kBefore - 1), Action::Acknowledge);
  EXPECT_EQ(arrives({.fin = true, .ack = true}, 0), Action::Acknowledge);
  EXPECT_EQ(arrives({.fin = true, .ack = true}, kWindow), Action::Acknowledge);
}

TEST_P(TimeWait, OldTextIsAcknowledged) {
  EXPECT_EQ(arrives({.ack = true}, kBefore - 3, "abc"), Action::Acknowledge);
  EXPECT_EQ(arrives({.ack = true}, 0, "abc"), Action::Acknowledge) << "and so is text behind FIN";
}

TEST_P(TimeWait, AnAckWithoutTextIsAnsweredOnlyOutsideTheWindow) {
  EXPECT_EQ(arrives({.ack = true}, kBefore), Action::Acknowledge);
  EXPECT_EQ(arrives({.ack = true}, 0), Action::Drop);
  EXPECT_EQ(arrives({.ack = true}, kWindow - 1), Action::Drop);
  EXPECT_EQ(arrives({.ack = true}, kWindow), Action::Acknowledge);
}

TEST_P(TimeWait, AResetAtRcvNxtEndsIt) {
  EXPECT_EQ(arrives({.rst = true}, 0), Action::Delete);
  EXPECT_EQ(arrives({.rst = true, .ack = true}, 0), Action::Delete);
}

TEST_P(TimeWait, AResetElsewhereInTheWindowIsChallenged) {
  // RFC 9293 section 3.10.7.4, second step, names TIME-WAIT among the states.
  EXPECT_EQ(arrives({.rst = true}, 1), Action::Acknowledge);
  EXPECT_EQ(arrives({.rst = true}, kWindow - 1), Action::Acknowledge);
}

TEST_P(TimeWait, AResetOutsideTheWindowIsSilence) {
  EXPECT_EQ(arrives({.rst = true}, kBefore), Action::Drop);
  EXPECT_EQ(arrives({.rst = true}, kWindow), Action::Drop);
  EXPECT_EQ(arrives({.syn = true, .rst = true}, 100'000), Action::Drop);
}

TEST_P(TimeWait, ASynBeyondEverythingReceivedMayReopen) {
  EXPECT_EQ(arrives({.syn = true}, 0), Action::Reopen) << "FIN, the last that was seen, is before";
  EXPECT_EQ(arrives({.syn = true}, 1), Action::Reopen);
  EXPECT_EQ(arrives({.syn = true}, kWindow), Action::Reopen);
  EXPECT_EQ(arrives({.syn = true}, 0x7fffffff), Action::Reopen);
  EXPECT_EQ(counters.dropped_total(), 0U);
}

TEST_P(TimeWait, AnOldSynIsSilence) {
  EXPECT_EQ(arrives({.syn = true}, kBefore), Action::Drop);
  EXPECT_EQ(arrives({.syn = true}, 0x80000001U), Action::Drop);
  EXPECT_EQ(counters.dropped(DropReason::TcpTimeWait), 1U);
}

TEST_P(TimeWait, ASynWithAckReopensNothing) {
  EXPECT_EQ(arrives({.syn = true, .ack = true}, 1), Action::Acknowledge);
  EXPECT_EQ(arrives({.syn = true, .ack = true}, 100'000), Action::Acknowledge);
}

INSTANTIATE_TEST_SUITE_P(RcvNxt, TimeWait,
                         ::testing::Values(1000U, 0U, 1U, 0xffffffffU, 0xffffffffU - 2000,
                                           0x80000000U));

TEST(TimeWaitRecord, IsSmall) {
  EXPECT_LE(sizeof(TimeWaitRecord), 88U);
}

TEST(TimeWaitRecord, TakesItsNumbersFromTheConnection) {
  LoneConnection host;
  host.bring_to(State::TimeWait);
  const TimeWaitRecord record = TimeWaitRecord::from(host.tcp);
  EXPECT_EQ(record.tuple, LoneConnection::kTuple);
  EXPECT_EQ(record.snd_nxt.value(), host.our(1)) << "behind our FIN";
  EXPECT_EQ(record.rcv_nxt.value(), host.their(1)) << "behind the peer's";
  EXPECT_EQ(record.rcv_wnd, host.tcp.rcv().wnd());
  const wire::TcpHeader ack = record.bare_ack(Instant{});
  EXPECT_EQ(ack.seq.value(), host.our(1));
  EXPECT_EQ(ack.ack.value(), host.their(1));
  EXPECT_EQ(ack.flags, wire::TcpFlags{.ack = true});
  EXPECT_EQ(ack.source_port, 80);
}

TEST(TimeWaitRecord, AnnouncesItsWindowScaled) {
  TimeWaitRecord record;
  record.rcv_wnd = 1'000'000;
  record.rcv_scale = 5;
  EXPECT_EQ(record.bare_ack(Instant{}).window, 31'250);
  record.rcv_scale = 0;
  EXPECT_EQ(record.bare_ack(Instant{}).window, 65535);
}

}  // namespace
}  // namespace runnel::tcp
