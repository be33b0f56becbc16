// RFC 5681 section 3.2, RFC 6582 and RFC 3042, seen through the octets in flight.
#include "stack/tcp/loss/dupack_recovery.h"

#include <vector>

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::tcp {
namespace {

using Finding = DupackRecovery::Finding;
using Phase = DupackRecovery::Phase;

constexpr std::uint32_t kSmss = 1000;

// A sender with SND.UNA and SND.NXT. Octet n of the data has sequence number ISS + 1 + n.
struct Sender {
  explicit Sender(std::uint32_t iss_value = 0)
      : iss(iss_value), una(iss + 1), nxt(iss + 1), recovery(iss) {}

  void send_segments(std::uint32_t count) { nxt += count * kSmss; }
  Finding duplicate_ack() { return recovery.on_duplicate_ack(una, nxt, kSmss); }
  Finding duplicate_acks(int count) {
    Finding last = Finding::Nothing;
    for (int i = 0; i < count; ++i) last = duplicate_ack();
    return last;
  }
  Finding ack_octets(std::uint32_t octets) {
    una += octets;
    return recovery.on_new_ack(una, octets, kSmss);
  }
  Finding ack_segments(std::uint32_t count) { return ack_octets(count * kSmss); }
  void retransmit_all() {
    while (const auto lost = recovery.lost()) {
      recovery.on_retransmit(min(lost->begin + kSmss, lost->end));
    }
  }
  [[nodiscard]] std::uint32_t in_flight() const { return recovery.in_flight(una, nxt); }
  [[nodiscard]] SeqNum segment(std::uint32_t i) const { return iss + 1 + i * kSmss; }
  void expect_lost(SeqNum begin, SeqNum end) const {
    const auto lost = recovery.lost();
    ASSERT_TRUE(lost);
    EXPECT_EQ(lost->begin.value(), begin.value());
    EXPECT_EQ(lost->end.value(), end.value());
  }

  SeqNum iss;
  SeqNum una;
  SeqNum nxt;
  DupackRecovery recovery;
};

TEST(DupackRecovery, BeginsWithNothingLost) {
  const Sender sender;
  EXPECT_EQ(sender.recovery.phase(), Phase::Open);
  EXPECT_FALSE(sender.recovery.lost());
  EXPECT_FALSE(sender.recovery.must_retransmit());
  EXPECT_EQ(sender.in_flight(), 0U);
}

TEST(DupackRecovery, TheThirdDuplicateAckDeclaresTheFirstSegmentLost) {
  Sender sender;
  sender.send_segments(10);
  EXPECT_EQ(sender.duplicate_ack(), Finding::Nothing);
  EXPECT_EQ(sender.duplicate_ack(), Finding::Nothing);
  EXPECT_FALSE(sender.recovery.lost());
  EXPECT_EQ(sender.duplicate_ack(), Finding::Loss);
  EXPECT_EQ(sender.recovery.phase(), Phase::FastRecovery);
  sender.expect_lost(sender.segment(0), sender.segment(1));
  EXPECT_TRUE(sender.recovery.must_retransmit());
  EXPECT_EQ(sender.duplicate_ack(), Finding::Nothing) << "one loss is reported once";
}

TEST(DupackRecovery, AnAckOfNewDataBetweenThemBeginsTheCountAnew) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(2);
  EXPECT_EQ(sender.ack_segments(1), Finding::Nothing);
  EXPECT_EQ(sender.duplicate_acks(2), Finding::Nothing);
  EXPECT_EQ(sender.duplicate_ack(), Finding::Loss);
}

TEST(DupackRecovery, LessThanASegmentOutstandingIsLostAsItIs) {
  Sender sender;
  sender.nxt += 10;
  EXPECT_EQ(sender.duplicate_acks(3), Finding::Loss);
  sender.expect_lost(sender.una, sender.nxt);
}

TEST(DupackRecovery, EachDuplicateAckTakesOneSegmentOutOfFlight) {
  Sender sender;
  sender.send_segments(10);
  EXPECT_EQ(sender.in_flight(), 10'000U);
  sender.duplicate_ack();  // limited transmit: RFC 3042 permits one new segment for each of these
  EXPECT_EQ(sender.in_flight(), 9'000U);
  sender.duplicate_ack();
  EXPECT_EQ(sender.in_flight(), 8'000U);
  sender.duplicate_ack();
  EXPECT_EQ(sender.in_flight(), 6'000U) << "three have left, one is lost";
  sender.retransmit_all();
  EXPECT_EQ(sender.in_flight(), 7'000U) << "the lost one flies again";
  EXPECT_FALSE(sender.recovery.must_retransmit());
  sender.duplicate_acks(6);
  EXPECT_EQ(sender.in_flight(), 1'000U);
}

TEST(DupackRecovery, ForgedDuplicateAcksNeverEmptyTheNetwork) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(3);
  sender.retransmit_all();
  sender.duplicate_acks(10'000);
  EXPECT_EQ(sender.in_flight(), kSmss);
}

// What a sender does that fills cwnd whenever in_flight() permits it. Returns how many new segments
// 10,000 duplicate ACKs buy.
std::uint32_t segments_bought_by_forged_acks(std::uint32_t outstanding_segments) {
  Sender sender;
  sender.send_segments(outstanding_segments);
  std::uint32_t cwnd = outstanding_segments * kSmss;
  std::uint32_t bought = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (sender.duplicate_ack() == Finding::Loss) {
      cwnd = std::max(outstanding_segments * kSmss / 2, 2 * kSmss);
    }
    sender.retransmit_all();
    while (sender.in_flight() + kSmss <= cwnd) {
      sender.send_segments(1);
      ++bought;
    }
  }
  return bought;
}

TEST(DupackRecovery, ForgedDuplicateAcksBuyNoMoreSegmentsThanWereOutstanding) {
  // RFC 5681 section 3.2, the note to step 4: inflation may be limited to the number of outstanding
  // segments. What recovery itself sends must not raise that limit, or there is none.
  for (const std::uint32_t outstanding : {4U, 5U, 10U, 40U}) {
    EXPECT_LE(segments_bought_by_forged_acks(outstanding), outstanding);
  }
}

TEST(DupackRecovery, AFullAckEndsRecovery) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(9);
  sender.retransmit_all();
  EXPECT_EQ(sender.ack_segments(10), Finding::Recovered);
  EXPECT_EQ(sender.recovery.phase(), Phase::Open);
  EXPECT_FALSE(sender.recovery.lost());
  EXPECT_EQ(sender.in_flight(), 0U);
}

TEST(DupackRecovery, RecoverIsWhatWasSentWhenTheThirdDuplicateAckCame) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(3);
  sender.retransmit_all();
  sender.send_segments(3);  // new data, sent in recovery, is not waited for
  EXPECT_EQ(sender.ack_octets(10 * kSmss - 1), Finding::PartialAck);
  EXPECT_EQ(sender.ack_octets(1), Finding::Recovered);
  EXPECT_EQ(sender.in_flight(), 3'000U);
}

TEST(DupackRecovery, APartialAckDeclaresTheNextSegmentLost) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(7);  // two more are missing
  sender.retransmit_all();
  EXPECT_EQ(sender.in_flight(), 3'000U);
  EXPECT_EQ(sender.ack_segments(4), Finding::PartialAck);
  sender.expect_lost(sender.segment(4), sender.segment(5));
  EXPECT_TRUE(sender.recovery.must_retransmit());
  EXPECT_TRUE(sender.recovery.is_first_partial_ack());
  sender.retransmit_all();
  // Six outstanding, of which four had been counted as gone already.
  EXPECT_EQ(sender.in_flight(), 2'000U);
  EXPECT_EQ(sender.ack_segments(3), Finding::PartialAck);
  EXPECT_FALSE(sender.recovery.is_first_partial_ack()) << "the timer restarts at the first alone";
  sender.expect_lost(sender.segment(7), sender.segment(8));
}

TEST(DupackRecovery, WhatIsLostByAPartialAckEndsAtRecover) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(3);
  sender.retransmit_all();
  sender.send_segments(1);
  EXPECT_EQ(sender.ack_octets(9 * kSmss + 1), Finding::PartialAck);
  sender.expect_lost(sender.una, sender.segment(10));
}

TEST(DupackRecovery, TheFirstPartialAckIsFirstInEveryRecovery) {
  Sender sender;
  for (int round = 0; round < 2; ++round) {
    sender.send_segments(10);
    sender.duplicate_acks(3);
    EXPECT_FALSE(sender.recovery.is_first_partial_ack());
    EXPECT_EQ(sender.ack_segments(1), Finding::PartialAck);
    EXPECT_TRUE(sender.recovery.is_first_partial_ack());
    EXPECT_EQ(sender.ack_segments(9), Finding::Recovered);
    sender.send_segments(1);  // so that the next recovery begins beyond this one
    sender.ack_segments(1);
  }
}

TEST(DupackRecovery, PermitsWhatTheInflatedWindowOfRfc6582Permits) {
  SeededRandom random(1);
  for (int run = 0; run < 500; ++run) {
    Sender sender(static_cast<std::uint32_t>(random.next()));
    const auto segments = static_cast<std::uint32_t>(8 + random.below(40));
    sender.send_segments(segments);
    std::vector<std::uint32_t> holes = {0};  // what is lost, and one in four of the others
    for (std::uint32_t i = 1; i < segments; ++i) {
      if (random.below(4) == 0 && segments - holes.size() > 4) holes.push_back(i);
    }
    holes.push_back(segments);

    // RFC 6582 section 3.2: what may be sent is cwnd less everything from SND.UNA to SND.NXT.
    const std::uint32_t ssthresh = segments / 2 * kSmss;
    std::int64_t cwnd = ssthresh;
    const auto compare = [&] {
      const std::int64_t permitted = cwnd - distance(sender.una, sender.nxt);
      ASSERT_EQ(std::int64_t{ssthresh} - sender.in_flight(), permitted) << "run " << run;
    };
    for (std::size_t arrived = 1; arrived <= segments - (holes.size() - 1); ++arrived) {
      sender.duplicate_ack();
      cwnd += kSmss;
      if (arrived < 3) continue;
      sender.retransmit_all();
      compare();
    }
    for (std::size_t i = 1; i + 1 < holes.size(); ++i) {
      const std::uint32_t count = holes[i] - holes[i - 1];
      ASSERT_EQ(sender.ack_segments(count), Finding::PartialAck);
      sender.retransmit_all();
      cwnd += kSmss - std::int64_t{count} * kSmss;
      compare();
    }
    EXPECT_EQ(sender.ack_octets(distance(sender.una, sender.nxt)), Finding::Recovered);
  }
}

TEST(DupackRecovery, APartialAckOfLessThanASegmentPermitsNothing) {
  Sender sender;  // RFC 6582 section 3.2 step 3: the window is deflated and nothing is added back
  sender.send_segments(10);
  sender.duplicate_acks(5);
  sender.retransmit_all();
  const std::uint32_t before = sender.in_flight();
  EXPECT_EQ(sender.ack_octets(kSmss - 1), Finding::PartialAck);
  sender.retransmit_all();
  EXPECT_EQ(sender.in_flight(), before);
}

TEST(DupackRecovery, DuplicateAcksBelowRecoverDeclareNothingAfterATimeout) {
  Sender sender;
  sender.send_segments(10);
  sender.recovery.on_timeout(sender.una, sender.nxt);
  EXPECT_EQ(sender.duplicate_acks(3), Finding::Nothing);
  sender.retransmit_all();
  sender.ack_segments(5);
  EXPECT_EQ(sender.duplicate_acks(3), Finding::Nothing);
  EXPECT_EQ(sender.recovery.phase(), Phase::Timeout);
}

TEST(DupackRecovery, DuplicateAcksAtRecoverDeclareNothing) {
  // RFC 6582 section 3.2 step 2: fast retransmit only when the ACK covers more than `recover`. At
  // that point exactly they may be the echo of segments that were sent twice.
  Sender sender;
  sender.send_segments(10);
  sender.recovery.on_timeout(sender.una, sender.nxt);
  sender.retransmit_all();
  ASSERT_EQ(sender.ack_segments(10), Finding::Recovered);
  sender.send_segments(4);
  EXPECT_EQ(sender.duplicate_acks(3), Finding::Nothing);
  EXPECT_EQ(sender.recovery.phase(), Phase::Open);
  sender.ack_octets(1);
  EXPECT_EQ(sender.duplicate_acks(3), Finding::Loss) << "one octet further they mean a loss";
}

TEST(DupackRecovery, TheVeryFirstSegmentCanBeLost) {
  Sender sender;  // RFC 6582 section 3.2 step 1: recover is the initial sequence number
  sender.send_segments(4);
  EXPECT_EQ(sender.duplicate_acks(3), Finding::Loss);
}

TEST(DupackRecovery, ATimeoutDeclaresEverythingLost) {
  Sender sender;
  sender.send_segments(10);
  sender.recovery.on_timeout(sender.una, sender.nxt);
  EXPECT_EQ(sender.recovery.phase(), Phase::Timeout);
  EXPECT_TRUE(sender.recovery.must_retransmit());
  sender.expect_lost(sender.segment(0), sender.segment(10));
  EXPECT_EQ(sender.in_flight(), 0U);

  sender.recovery.on_retransmit(sender.segment(1));
  EXPECT_FALSE(sender.recovery.must_retransmit());
  sender.expect_lost(sender.segment(1), sender.segment(10));
  EXPECT_EQ(sender.in_flight(), kSmss);
}

TEST(DupackRecovery, AfterATimeoutAnAckTakesWhatItCoversFromTheLost) {
  Sender sender;
  sender.send_segments(10);
  sender.recovery.on_timeout(sender.una, sender.nxt);
  sender.recovery.on_retransmit(sender.segment(1));
  EXPECT_EQ(sender.ack_segments(4), Finding::Nothing);
  sender.expect_lost(sender.segment(4), sender.segment(10));
  EXPECT_EQ(sender.in_flight(), 0U);
  EXPECT_EQ(sender.ack_segments(6), Finding::Recovered);
  EXPECT_FALSE(sender.recovery.lost());
}

TEST(DupackRecovery, ATimeoutEndsFastRecovery) {
  Sender sender;
  sender.send_segments(10);
  sender.duplicate_acks(5);
  sender.retransmit_all();
  sender.send_segments(2);
  sender.recovery.on_timeout(sender.una, sender.nxt);
  EXPECT_EQ(sender.recovery.phase(), Phase::Timeout);
  sender.expect_lost(sender.segment(0), sender.segment(12));
  EXPECT_EQ(sender.in_flight(), 0U);
  sender.retransmit_all();
  EXPECT_EQ(sender.ack_segments(11), Finding::Nothing) << "recover is what was sent by then";
  EXPECT_EQ(sender.ack_segments(1), Finding::Recovered);
}

TEST(DupackRecovery, RetransmittingASuperPacketTakesAllOfItFromTheLost) {
  Sender sender;
  sender.send_segments(10);
  sender.recovery.on_timeout(sender.una, sender.nxt);
  sender.recovery.on_retransmit(sender.segment(7));
  EXPECT_EQ(sender.in_flight(), 7 * kSmss);
  sender.recovery.on_retransmit(sender.segment(10));
  EXPECT_FALSE(sender.recovery.lost());
  EXPECT_EQ(sender.in_flight(), 10 * kSmss);
}

TEST(DupackRecovery, WorksAcrossTheWrapOfSequenceNumbers) {
  for (const std::uint32_t iss :
       {0xffffffffU, 0xfffffffeU, 0xffffec77U, 0x7fffffffU, 0x7fffec77U}) {
    Sender sender(iss);
    sender.send_segments(10);
    EXPECT_EQ(sender.duplicate_acks(3), Finding::Loss);
    sender.retransmit_all();
    EXPECT_EQ(sender.in_flight(), 7'000U);
    EXPECT_EQ(sender.ack_segments(5), Finding::PartialAck);
    sender.retransmit_all();
    EXPECT_EQ(sender.ack_segments(5), Finding::Recovered);
    sender.send_segments(10);
    sender.recovery.on_timeout(sender.una, sender.nxt);
    sender.retransmit_all();
    EXPECT_EQ(sender.ack_segments(10), Finding::Recovered);
  }
}

TEST(DupackRecovery, ALossIsFoundAfterGibibytesWithoutOne) {
  // `recover` is a sequence number too: left where the last recovery was, it seems to lie ahead
  // once SND.UNA is more than 2^31 octets past it.
  for (const std::uint64_t gibibytes : {1U, 2U, 3U, 4U, 5U, 6U, 7U}) {
    Sender sender;
    for (std::uint64_t sent = 0; sent < gibibytes << 30U; sent += 1U << 20U) {
      sender.nxt += 1U << 20U;
      sender.ack_octets(1U << 20U);
    }
    sender.send_segments(10);
    EXPECT_EQ(sender.duplicate_acks(3), Finding::Loss) << gibibytes << " GiB";
    sender.expect_lost(sender.una, sender.una + kSmss);
  }
}

}  // namespace
}  // namespace runnel::tcp
