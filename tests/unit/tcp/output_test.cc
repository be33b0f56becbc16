// What is sent, and in which pieces: super-packets, Nagle, silly windows, frames that are full.
#include <gtest/gtest.h>

#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1460;

LoneConnectionOptions with_offload() {
  LoneConnectionOptions options;
  options.link.checksum_offload = true;
  options.link.segmentation_offload = true;
  options.peer_window = 65535;
  options.peer_scale = 7;  // 8 MiB
  options.config.initial_window_segments = 255;
  return options;
}

// Opens the peer's scaled window, and lets the initial window be large.
void establish_wide(LoneConnection& host) {
  host.establish();
  host.ack(0);
  host.forget_sent();
}

// Grows cwnd until `octets` may be in flight at once.
void grow_window(LoneConnection& host, std::uint64_t octets) {
  while (host.tcp.info().congestion_window_octets < octets) {
    host.write(host.tcp.writable_octets());
    host.ack(host.tcp.snd().nxt.value() - host.our(0));
  }
  host.ack(host.tcp.snd().nxt.value() - host.our(0));
  ASSERT_EQ(host.tcp.info().in_flight_octets, 0U);
  host.forget_sent();
}

// --- Super-packets -------------------------------------------------------------------------------

TEST(SuperPackets, HoldWholeSegmentsUpToTheLargestIpPacket) {
  LoneConnection host(with_offload());
  establish_wide(host);
  grow_window(host, 200'000);
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
  grow_window(host, 100'000);
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
  EXPECT_EQ(octets, 13U * kSmss) << "19 segments of 20,000 octets are 18,980; cwnd would take more";
}

TEST(SuperPackets, CountAsTheSegmentsThatTheyStandFor) {
  LoneConnection host(with_offload());
  establish_wide(host);
  grow_window(host, 100'000);
  const std::uint64_t before = host.counters.tcp_out_segs;
  host.write(30 * kSmss);
  EXPECT_EQ(host.counters.tcp_out_segs - before, 30U);
}

TEST(SuperPackets, AreRetransmittedAfterATimeoutFirstOneSegmentThenMore) {
  LoneConnection host(with_offload());
  establish_wide(host);
  grow_window(host, 100'000);
  const std::uint32_t una = host.tcp.snd().una.value() - host.our(0);
  host.write(40 * kSmss);
  host.forget_sent();
  host.advance(host.tcp.info().retransmission_timeout);
  auto sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), kSmss);
  host.ack(una + kSmss);
  sent = host.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].text.size(), 2U * kSmss);
  EXPECT_EQ(sent[0].seq.value(), host.our(una + kSmss));
  EXPECT_EQ(sent[0].meta.gso_size_octets, kSmss);
}

// --- A frame holds 40 slices ---------------------------------------------------------------------

// Memory so short that every write makes a chunk of 224 octets.
class ManyChunks : public ::testing::Test {
 protected:
  static constexpr std::size_t kChunk = buffer::SlabPool::kCapacities[0];

  ManyChunks() : host(options()) {
    establish_wide(host);
    grow_window(host, 50'000);
    base_ = host.tcp.snd().nxt.value() - host.our(0);
    begin_ = host.written;
    // A closed window gathers what is written.
    Segment close = host.segment(0, base_);
    close.window = 0;
    host.arrive(close);
    buffer::SlabRef probe = host.pool.acquire(kChunk);
    const std::size_t cost = probe->charged_octets();
    probe = {};
    // Streams may take seven eighths of the budget: leave room for one small block at a time.
    std::size_t ballast = host.budget.stream_room_octets() + host.budget.limit_octets() / 8 - 2 * cost;
    EXPECT_TRUE(host.budget.try_charge(ballast));
    (void)cost;
  }

  static LoneConnectionOptions options() { return with_offload(); }

  LoneConnection host;
  std::uint32_t base_ = 0;
  std::uint64_t begin_ = 0;
};

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
  for (std::uint32_t acked = 0; acked < 100 * kSmss;) {
    host.write(host.tcp.writable_octets());
    acked = host.tcp.snd().nxt.value() - host.our(0);
    host.advance(100ms);
    host.ack(acked);
  }
  host.ack(host.tcp.snd().nxt.value() - host.our(0));
  host.read_offset = 0;
  while (host.tcp.info().send_queue_octets > 0) host.ack(host.tcp.snd().nxt.value() - host.our(0));
  const std::uint64_t cwnd = host.tcp.info().congestion_window_octets;
  ASSERT_GT(cwnd, 14'600U);
  const Duration rto = host.tcp.info().retransmission_timeout;

  host.advance(rto);  // not longer than the timeout: RFC 5681 section 4.1
  host.write(1);
  EXPECT_EQ(host.tcp.info().congestion_window_octets, cwnd);
  host.ack(host.tcp.snd().nxt.value() - host.our(0));
  host.advance(host.tcp.info().retransmission_timeout + 1ns);
  host.write(1);
  EXPECT_EQ(host.tcp.info().congestion_window_octets, 14'600U);
}

}  // namespace
}  // namespace runnel::tcp
