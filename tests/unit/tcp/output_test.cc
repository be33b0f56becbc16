// What is sent, and in which pieces: super-packets, Nagle, silly windows, frames that are full.
#include <gtest/gtest.h>

#include <new>

#include "tests/unit/tcp/lone_connection.h"

namespace {

bool has_small_blocks_only = false;

bool is_larger_block(std::size_t octets) {
  for (std::size_t i = 1; i < runnel::buffer::SlabPool::kCapacities.size(); ++i) {
    if (octets == sizeof(runnel::buffer::Slab) + runnel::buffer::SlabPool::kCapacities[i]) {
      return true;
    }
  }
  return false;
}

}  // namespace

// The stack allocates with nothrow only.
void* operator new(std::size_t octets, const std::nothrow_t&) noexcept {
  if (has_small_blocks_only && is_larger_block(octets)) return nullptr;
  try {
    return ::operator new(octets);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1460;

LoneConnectionOptions with_offload() {
  LoneConnectionOptions options;
  options.link.checksum_offload = true;
  options.link.segmentation_offload = true;
  options.peer_scale = 7;                        // a window of 8 MiB
  options.config.initial_window_segments = 255;  // and no cwnd in the way
  return options;
}

// The window of the SYN was not scaled; the next one is.
void establish_wide(LoneConnection& host) {
  host.establish();
  host.ack(0);
  host.forget_sent();
}

// --- Super-packets -------------------------------------------------------------------------------

TEST(SuperPackets, HoldWholeSegmentsUpToTheLargestIpPacket) {
  LoneConnection host(with_offload());
  establish_wide(host);
  host.write(100 * kSmss);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 3U);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    EXPECT_EQ(sent[i].text.size(), 44U * kSmss) << "65,535 less headers, in whole segments";
    EXPECT_EQ(sent[i].meta.gso_size_octets, kSmss);
    EXPECT_EQ(sent[i].meta.checksum, ChecksumStatus::Partial);
    EXPECT_FALSE(sent[i].flags.psh);
  }
  EXPECT_EQ(sent[2].text.size(), 12U * kSmss);
  EXPECT_TRUE(sent[2].flags.psh) << "PSH is for the last octet";
}

TEST(SuperPackets, OneSegmentIsNone) {
  LoneConnection host(with_offload());
  establish_wide(host);
  host.write(kSmss);
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].meta.gso_size_octets, 0);
  host.ack(kSmss);
  host.write(kSmss + 1);
  sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U) << "the tail goes along, since nothing else is outstanding";
  EXPECT_EQ(sent[0].text.size(), kSmss + 1);
  EXPECT_EQ(sent[0].meta.gso_size_octets, kSmss);
}

TEST(SuperPackets, HaveALimitOfTheirOwn) {
  LoneConnectionOptions options = with_offload();
  options.link.gso_maximum_octets = 16384;
  LoneConnection host(options);
  establish_wide(host);
  host.write(60'000);
  for (const Sent& one : host.take_sent()) EXPECT_LE(one.text.size() + 40, 16384U);
  EXPECT_EQ(host.tcp.info().in_flight_octets, 59'860U) << "41 segments; Nagle holds the rest";
}

TEST(SuperPackets, AreNotMadeWithoutOffload) {
  LoneConnection host;
  host.establish();
  host.write(10 * kSmss);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 10U);
  for (const Sent& one : sent) {
    EXPECT_EQ(one.text.size(), kSmss);
    EXPECT_EQ(one.meta.gso_size_octets, 0);
  }
}

TEST(SuperPackets, StayInsideBothWindows) {
  LoneConnectionOptions options = with_offload();
  options.peer_window = 20'000;
  options.peer_scale.reset();
  options.config.initial_window_segments = 20;
  LoneConnection host(options);
  host.establish();
  host.write(100'000);
  std::uint32_t octets = 0;
  for (const Sent& one : host.take_sent()) {
    EXPECT_EQ(one.text.size() % kSmss, 0U);
    octets += one.len();
  }
  EXPECT_EQ(octets, 13U * kSmss) << "14 would be more than 20,000 octets";
}

TEST(SuperPackets, CountAsTheSegmentsThatTheyStandFor) {
  LoneConnection host(with_offload());
  establish_wide(host);
  const std::uint64_t before = host.counters.tcp_out_segs;
  host.write(30 * kSmss);
  EXPECT_EQ(host.counters.tcp_out_segs - before, 30U);
}

TEST(SuperPackets, AreRetransmittedAfterATimeoutFirstOneSegmentThenMore) {
  LoneConnection host(with_offload());
  establish_wide(host);
  host.write(40 * kSmss);
  host.forget_sent();
  host.advance(host.tcp.info().retransmission_timeout);
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), kSmss);
  host.ack(kSmss);
  sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 2U * kSmss);
  EXPECT_EQ(sent[0].seq.value(), host.our(kSmss));
  EXPECT_EQ(sent[0].meta.gso_size_octets, kSmss);
}

// --- A frame holds 40 slices ---------------------------------------------------------------------

// While the peer's window is closed, the system has memory for the smallest blocks alone, so that
// 224 octets make a chunk.
class ManyChunks : public ::testing::Test {
 protected:
  static constexpr std::size_t kChunk = buffer::SlabPool::kCapacities[0];

  ManyChunks() : host(with_offload()) {
    establish_wide(host);
    Segment closed = host.segment(0, 0);
    closed.window = 0;
    host.arrive(closed);
  }

  void write_chunks(std::size_t count) {
    has_small_blocks_only = true;
    const std::size_t written = host.write(count * kChunk);
    has_small_blocks_only = false;
    ASSERT_EQ(written, count * kChunk);
    ASSERT_EQ(host.pool.live_count(), count);
    ASSERT_TRUE(host.take_sent().empty());
  }

  LoneConnection host;
};

TEST_F(ManyChunks, FinAndPushWaitForTheLastOctet) {
  write_chunks(TxFrame::kMaxSlices + 5);
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  host.ack(0);
  EXPECT_EQ(host.text_sent(), LoneConnection::pattern(0, 45 * kChunk));
  const auto sent = host.take_sent();
  ASSERT_GE(sent.size(), 2U);
  SeqNum next{host.our(0)};
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_LE(sent[i].slices, TxFrame::kMaxSlices);
    EXPECT_EQ(sent[i].seq, next);
    EXPECT_EQ(sent[i].flags.fin, i + 1 == sent.size());
    EXPECT_EQ(sent[i].flags.psh, i + 1 == sent.size());
    next += sent[i].len();
  }
}

TEST_F(ManyChunks, AFrameThatIsCutStillHoldsWholeSegments) {
  // RFC 9293 section 3.8.6.2.1: a small segment in the middle of the data is a silly one.
  write_chunks(TxFrame::kMaxSlices + 5);
  host.ack(0);
  ASSERT_FALSE(host.sent.empty());
  EXPECT_EQ(host.sent.front().text.size() % kSmss, 0U);
}

TEST_F(ManyChunks, WhatIsRetransmittedIsCutInTheSameWay) {
  write_chunks(TxFrame::kMaxSlices + 5);
  ASSERT_TRUE(host.tcp.shutdown_write(host.now));
  host.ack(0);
  host.forget_sent();
  host.advance(host.tcp.info().retransmission_timeout);
  for (int i = 0; i < 20 && host.tcp.state() != State::FinWait2; ++i) {
    ASSERT_FALSE(host.sent.empty());
    const Sent last = host.sent.back();
    const std::uint32_t acked = (last.seq + last.len()).value() - host.our(0);
    EXPECT_EQ(last.text, LoneConnection::pattern(acked - last.len(), last.text.size()));
    host.forget_sent();
    host.ack(acked);
  }
  EXPECT_EQ(host.tcp.state(), State::FinWait2);
}

// --- Nagle and silly windows ---------------------------------------------------------------------

TEST(Nagle, ASuperPacketLeavesItsTailBehindWhileDataIsOutstanding) {
  LoneConnection host(with_offload());
  establish_wide(host);
  host.write(10);
  EXPECT_EQ(host.take_sent().size(), 1U);
  host.write(3 * kSmss);  // 10 octets in flight, then three segments less
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 3U * kSmss);
  host.write(kSmss + 100);
  sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), kSmss);
  host.ack(10 + 4 * kSmss);
  sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 100U);
}

TEST(Nagle, HoldsHalfOfTheLargestWindowBackToo) {
  // RFC 9293 section 3.8.6.2.1, condition 3: its bracket asks for SND.NXT = SND.UNA with Nagle.
  LoneConnectionOptions options;
  options.peer_window = 1000;  // never a full segment
  LoneConnection host(options);
  host.establish();
  host.write(5000);
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 1000U);
  host.ack(500);
  EXPECT_TRUE(host.take_sent().empty()) << "500 octets are outstanding";
  host.ack(1000);
  sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 1000U);
}

TEST(SillyWindow, HalfOfTheLargestWindowIsUsedWithoutNagle) {
  LoneConnectionOptions options;
  options.peer_window = 1000;
  options.config.nagle = false;
  LoneConnection host(options);
  host.establish();
  host.write(5000);
  host.forget_sent();
  host.ack(499);
  EXPECT_TRUE(host.take_sent().empty()) << "less than half of the largest window";
  host.ack(500);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 500U);
}

TEST(SillyWindow, AWindowThatOpensBySillyStepsIsUsedAfterTheOverride) {
  LoneConnection host;
  host.establish();
  host.write(10 * kSmss);
  host.forget_sent();
  Segment small = host.segment(0, 10 * kSmss);
  small.window = 100;
  host.arrive(small);
  host.write(1000);
  EXPECT_TRUE(host.take_sent().empty());
  host.advance(200ms - 1ns);
  EXPECT_TRUE(host.take_sent().empty());
  host.advance(1ns);
  const auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 100U);
}

TEST(ShrinkingWindow, IsSurvivedAndWhatWasSentIsNotForgotten) {
  LoneConnection host;  // RFC 9293 section 3.8.6, MUST-34
  host.establish();
  host.write(20 * kSmss);
  host.forget_sent();
  Segment shrunk = host.segment(0, kSmss);
  shrunk.window = 10;  // nine segments are outstanding
  host.arrive(shrunk);
  EXPECT_TRUE(host.take_sent().empty());
  EXPECT_EQ(host.tcp.info().in_flight_octets, 9U * kSmss);
  host.ack(10 * kSmss);
  EXPECT_EQ(host.text_sent(), LoneConnection::pattern(10 * kSmss, host.text_sent().size()));
  EXPECT_GE(host.text_sent().size(), 10U * kSmss - 1);
}

// --- Idle restart --------------------------------------------------------------------------------

TEST(IdleRestart, TheWindowIsTheInitialOneAgainAfterATimeoutOfSilence) {
  LoneConnection host;
  host.establish();
  for (int round = 0; round < 3; ++round) {
    host.write(40 * kSmss);
    host.ack_everything();
  }
  const std::uint64_t cwnd = host.tcp.info().congestion_window_octets;
  ASSERT_GT(cwnd, 14'600U);

  host.advance(host.tcp.info().retransmission_timeout);  // not longer: RFC 5681 section 4.1
  host.write(1);
  EXPECT_EQ(host.tcp.info().congestion_window_octets, cwnd);
  host.ack_everything();
  host.advance(host.tcp.info().retransmission_timeout + 1ns);
  host.write(1);
  EXPECT_EQ(host.tcp.info().congestion_window_octets, 14'600U);
}

}  // namespace
}  // namespace runnel::tcp
