// Acknowledgments: fast recovery as the sender does it, windows, and who may acknowledge what.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1460;

// Ten segments in flight, cwnd full, more data waiting.
void fill_window(LoneConnection& host) {
  host.establish();
  host.write(100 * kSmss);
  ASSERT_EQ(host.take_sent().size(), 10U);
}

void duplicate_acks(LoneConnection& host, int count, std::uint32_t at = 0) {
  for (int i = 0; i < count; ++i) host.ack(at);
}

TEST(FastRetransmit, TheFirstTwoDuplicatesSendOneNewSegmentEach) {
  LoneConnection host;  // RFC 3042
  fill_window(host);
  for (std::uint32_t i = 0; i < 2; ++i) {
    host.ack(0);
    const auto sent = host.take_sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].seq.value(), host.our((10 + i) * kSmss));
  }
  EXPECT_EQ(host.tcp.info().congestion_window_octets, 10U * kSmss) << "cwnd stays";
}

TEST(FastRetransmit, TheThirdSendsTheFirstSegmentAgain) {
  LoneConnection host;
  fill_window(host);
  duplicate_acks(host, 2);
  host.forget_sent();
  host.ack(0);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].seq.value(), host.our(0));
  EXPECT_EQ(sent[0].text.size(), kSmss);
  EXPECT_EQ(host.counters.tcp_fast_retransmits, 1U);
}

TEST(FastRetransmit, WhatLimitedTransmitSentDoesNotCountAsFlight) {
  LoneConnection host;  // RFC 5681 section 3.2, step 2
  fill_window(host);
  duplicate_acks(host, 3);
  EXPECT_EQ(host.tcp.info().slow_start_threshold_octets, 5U * kSmss);
}

// The peer's ACKs come all at once, before anything can be sent for the first of them: two segments
// are acknowledged, the third is lost, and three behind it have arrived.
void ack_and_show_a_hole_in_one_batch(LoneConnection& host) {
  host.arrive_without_answer(host.segment(0, 2 * kSmss));
  for (std::uint32_t i = 0; i < 3; ++i) {
    Segment seg = host.segment(0, 2 * kSmss);
    if (host.options.peer_sack) {
      seg.options.sack.count = 1;
      seg.options.sack.blocks[0] = {SeqNum{host.our(3 * kSmss)}, SeqNum{host.our((4 + i) * kSmss)}};
    }
    host.arrive_without_answer(seg);
  }
  host.pump();
}

TEST(FastRetransmit, TheFlightIsTheOneBeforeTheBatchOfAcks) {
  for (const bool peer_sack : {false, true}) {
    LoneConnectionOptions options;
    options.peer_sack = peer_sack;
    LoneConnection host(options);
    fill_window(host);
    ack_and_show_a_hole_in_one_batch(host);
    EXPECT_EQ(host.counters.tcp_fast_retransmits, 1U);
    EXPECT_EQ(host.tcp.info().slow_start_threshold_octets, 5U * kSmss) << "SACK " << peer_sack;
  }
}

TEST(FastRetransmit, TheFlightOfASenderWithNothingMoreIsWhatIsLeftOfIt) {
  for (const bool peer_sack : {false, true}) {
    LoneConnectionOptions options;
    options.peer_sack = peer_sack;
    LoneConnection host(options);
    host.establish();
    host.write(10 * kSmss);
    host.ack(2 * kSmss);  // nothing follows: eight segments are in flight
    ack_and_show_a_hole_in_one_batch(host);
    EXPECT_EQ(host.counters.tcp_fast_retransmits, 1U);
    EXPECT_EQ(host.tcp.info().slow_start_threshold_octets, 4U * kSmss) << "SACK " << peer_sack;
  }
}

TEST(FastRetransmit, ForgedDuplicatesBuyNoMoreThanWasOutstanding) {
  LoneConnection host;
  fill_window(host);
  duplicate_acks(host, 1000);
  EXPECT_LE(host.tcp.snd().nxt.value() - host.our(0), 20U * kSmss);
}

TEST(FastRetransmit, AFullAckLeavesTheThreshold) {
  LoneConnection host;
  fill_window(host);
  duplicate_acks(host, 9);
  const std::uint64_t ssthresh = host.tcp.info().slow_start_threshold_octets;
  host.ack(host.tcp.snd().nxt.value() - host.our(0));
  EXPECT_LE(host.tcp.info().congestion_window_octets, ssthresh);
  EXPECT_EQ(host.counters.tcp_fast_retransmits, 1U);
  EXPECT_EQ(host.counters.tcp_retrans_segs, 1U);
}

TEST(FastRetransmit, EachPartialAckRepairsOneMoreHole) {
  LoneConnection host;
  fill_window(host);
  duplicate_acks(host, 7);
  host.forget_sent();
  host.ack(3 * kSmss);
  ASSERT_FALSE(host.sent.empty());
  EXPECT_EQ(host.sent.front().seq.value(), host.our(3 * kSmss));
  host.forget_sent();
  host.ack(5 * kSmss);
  ASSERT_FALSE(host.sent.empty());
  EXPECT_EQ(host.sent.front().seq.value(), host.our(5 * kSmss));
  EXPECT_EQ(host.counters.tcp_retrans_segs, 3U);
}

TEST(FastRetransmit, ItIsMeasuredByNobody) {
  LoneConnection host;  // Karn's rule
  fill_window(host);
  const Duration rto = host.tcp.info().retransmission_timeout;
  duplicate_acks(host, 3);
  host.advance(250ms);
  host.ack(10 * kSmss);
  EXPECT_EQ(host.tcp.info().retransmission_timeout, rto);
}

TEST(DuplicateAck, IsNoneWhenAnythingInItIsNew) {
  // RFC 5681 section 2: outstanding data, no text, no SYN or FIN, the same ACK, the same window.
  LoneConnection host;
  fill_window(host);
  for (int i = 0; i < 10; ++i) {
    Segment seg = host.segment(0, 0);
    seg.window = static_cast<std::uint16_t>(65535 - i - 1);
    host.arrive(seg);
  }
  for (std::uint32_t i = 0; i < 10; ++i) {
    Segment seg = host.text(i, "x");
    seg.window = 65525;
    host.arrive(seg);
  }
  EXPECT_EQ(host.counters.tcp_fast_retransmits, 0U);
}

TEST(DuplicateAck, IsNoneWhenNothingIsOutstanding) {
  LoneConnection host;
  host.establish();
  duplicate_acks(host, 10);
  host.write(kSmss);
  EXPECT_EQ(host.counters.tcp_fast_retransmits, 0U);
}

TEST(Ack, OfWhatWasNeverSentIsAnsweredAndChangesNothing) {
  LoneConnection host;
  fill_window(host);
  const SeqNum nxt = host.tcp.snd().nxt;
  host.ack(nxt.value() - host.our(0) + 1);
  EXPECT_EQ(host.tcp.snd().una.value(), host.our(0));
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].seq, nxt);
  host.ack(nxt.value() - host.our(0));
  EXPECT_EQ(host.tcp.snd().una, nxt) << "one octet less is everything";
}

TEST(Ack, OlderThanAnyWindowIsAnsweredAndItsTextDropped) {
  // RFC 5961 section 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK.
  LoneConnectionOptions options;
  options.peer_window = 10'000;
  LoneConnection host(options);
  host.establish();
  host.write(5000);
  host.ack_everything();
  const std::uint32_t una = host.tcp.snd().una.value() - host.our(0);
  host.forget_sent();

  Segment old = host.segment(0, una - 10'001);
  old.text = as_bytes("x");
  host.arrive(old);
  EXPECT_EQ(host.tcp.readable_octets(), 0U);
  EXPECT_EQ(host.take_sent().size(), 1U);
  EXPECT_EQ(host.counters.dropped(DropReason::TcpUnacceptableAck), 1U);

  old.ack = SeqNum{host.our(una - 10'000)};
  host.arrive(old);
  EXPECT_EQ(host.tcp.readable_octets(), 1U);
}

TEST(SendWindow, FollowsTheOrderOfSendingNotOfArrival) {
  LoneConnection host;
  host.establish();
  host.arrive(host.text(0, "ab"));
  Segment newer = host.segment(2, 0);
  newer.window = 3000;
  host.arrive(newer);
  EXPECT_EQ(host.tcp.snd().wnd, 3000U);
  Segment older = host.segment(1, 0);
  older.text = as_bytes("bc");  // part of it is new: it is acceptable
  older.window = 100;
  host.arrive(older);
  EXPECT_EQ(host.tcp.snd().wnd, 3000U);
}

TEST(SendWindow, IsScaledButNotInTheSyn) {
  LoneConnectionOptions options;
  options.peer_window = 1000;
  options.peer_scale = 4;
  LoneConnection host(options);
  host.establish();
  EXPECT_EQ(host.tcp.snd().wnd, 1000U);
  host.ack(0);
  EXPECT_EQ(host.tcp.snd().wnd, 16'000U);
  EXPECT_EQ(host.tcp.snd().max_wnd, 16'000U);
}

TEST(AckDivision, OfOneWindowGrowsNoMoreThanOneAckDoes) {
  std::uint64_t honest = 0;
  for (const std::uint32_t pieces : {1U, 4U, 1460U}) {
    LoneConnection host;
    fill_window(host);
    for (std::uint32_t i = 1; i <= 10 * pieces; ++i) host.ack(i * (kSmss / pieces));
    const std::uint64_t cwnd = host.tcp.info().congestion_window_octets;
    if (pieces == 1) honest = cwnd;
    EXPECT_LE(cwnd, honest + kSmss) << pieces;
  }
}

TEST(SoftErrors, AreToldOnceUntilTheyAreFetched) {
  LoneConnection host;  // the event queue is bounded, whatever arrives
  fill_window(host);
  for (int i = 0; i < 1000; ++i) {
    host.tcp.icmp_error_arrives({wire::IcmpType::DestinationUnreachable, 1, 0, SeqNum{host.our(0)},
                                 1500, Errc::host_unreachable},
                                host.now);
  }
  EXPECT_EQ(host.events.count(EventKind::SoftError), 1U);
  host.fetch_events();
  host.tcp.icmp_error_arrives({wire::IcmpType::DestinationUnreachable, 0, 0, SeqNum{host.our(0)},
                               1500, Errc::network_unreachable},
                              host.now);
  EXPECT_EQ(host.events.error_of(EventKind::SoftError), Errc::network_unreachable);
}

}  // namespace
}  // namespace runnel::tcp
