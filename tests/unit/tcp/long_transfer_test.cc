// More than 4 GiB each way, in super-packets: sequence numbers wrap, 64-bit offsets do not.
#include <gtest/gtest.h>

#include <cstring>

#include "runnel/random.h"
#include "tests/unit/tcp/lone_connection.h"

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1460;
constexpr std::uint64_t kTotal = (std::uint64_t{1} << 32U) + (std::uint64_t{200} << 20U);

// A stream whose period is a prime, so that neither block sizes nor 2^32 are multiples of it.
class Stream {
 public:
  static constexpr std::size_t kPeriod = 999'983;
  static constexpr std::size_t kMost = std::size_t{1} << 20U;  // of one view

  Stream() : octets_(kPeriod + kMost) {
    SeededRandom random(1);
    for (std::size_t i = 0; i < kPeriod; ++i) octets_[i] = static_cast<std::uint8_t>(random.next());
    for (std::size_t i = kPeriod; i < octets_.size(); ++i) octets_[i] = octets_[i - kPeriod];
  }
  [[nodiscard]] Bytes at(std::uint64_t offset, std::size_t count) const {
    return Bytes(octets_).subspan(static_cast<std::size_t>(offset % kPeriod), count);
  }
  [[nodiscard]] bool is_at(std::uint64_t offset, Bytes octets) const {
    return std::memcmp(at(offset, octets.size()).data(), octets.data(), octets.size()) == 0;
  }

 private:
  std::vector<std::uint8_t> octets_;
};

LoneConnectionOptions wide() {
  LoneConnectionOptions options;
  options.link.checksum_offload = true;
  options.link.segmentation_offload = true;
  options.peer_scale = 7;
  options.iss = 0xfff00000;
  options.irs = 0xfff80000;
  return options;
}

// Takes what is sent, without copies, and checks it. Returns the octets of the payload.
std::uint64_t check_output(LoneConnection& host, const Stream& stream, std::uint64_t& offset) {
  TxFrame frame;
  std::uint64_t octets = 0;
  while (host.tcp.poll_transmit(frame, host.now)) {
    if (frame.payload_octets() == 0) continue;
    const auto view = wire::TcpView::parse(frame.header());
    EXPECT_EQ(view->seq().value(), host.our(static_cast<std::uint32_t>(offset)));
    for (const Bytes slice : frame.payload()) {
      EXPECT_TRUE(stream.is_at(offset, slice)) << "at " << offset;
      offset += slice.size();
      octets += slice.size();
    }
    if (::testing::Test::HasFailure()) break;
  }
  return octets;
}

TEST(LongTransfer, OutOfThisSideIsByteExactAndStillFindsALoss) {
  const Stream stream;
  LoneConnection host(wide());
  host.establish();
  host.ack(0);
  host.forget_sent();
  std::uint64_t sent = 0;
  std::uint64_t written = 0;
  while (sent < kTotal && !HasFailure()) {
    const std::size_t room = std::min(host.tcp.writable_octets(), Stream::kMost);
    written += *host.tcp.write(stream.at(written, room), host.now);
    ASSERT_GT(check_output(host, stream, sent), 0U);
    Segment ack = host.segment(0, static_cast<std::uint32_t>(sent));
    host.arrive_without_answer(ack);
    host.now += 1ms;
  }
  EXPECT_EQ(host.tcp.info().octets_sent, sent);
  EXPECT_EQ(host.counters.tcp_retrans_segs, 0U);

  // At several places 4 GiB on: three duplicate ACKs bring the first segment again.
  const std::uint64_t una = sent;
  written += *host.tcp.write(stream.at(written, 100 * kSmss), host.now);
  check_output(host, stream, sent);
  for (int i = 0; i < 2; ++i) {
    host.arrive_without_answer(host.segment(0, static_cast<std::uint32_t>(una)));
    check_output(host, stream, sent);
  }
  host.arrive(host.segment(0, static_cast<std::uint32_t>(una)));
  ASSERT_FALSE(host.sent.empty());
  EXPECT_EQ(host.sent.front().seq.value(), host.our(static_cast<std::uint32_t>(una)));
  EXPECT_TRUE(stream.is_at(una, as_bytes(host.sent.front().text)));
}

TEST(LongTransfer, AFastRetransmitWorksAtEveryGibibyte) {
  const Stream stream;
  LoneConnection host(wide());
  host.establish();
  host.ack(0);
  host.forget_sent();
  std::uint64_t sent = 0;
  std::uint64_t written = 0;
  while (sent < (std::uint64_t{5} << 29U) && !HasFailure()) {  // 2.5 GiB
    const std::size_t room = std::min(host.tcp.writable_octets(), Stream::kMost);
    written += *host.tcp.write(stream.at(written, room), host.now);
    check_output(host, stream, sent);
    host.arrive_without_answer(host.segment(0, static_cast<std::uint32_t>(sent)));
  }
  written += *host.tcp.write(stream.at(written, 20 * kSmss), host.now);
  const std::uint64_t una = sent;
  check_output(host, stream, sent);
  for (int i = 0; i < 3; ++i) host.arrive(host.segment(0, static_cast<std::uint32_t>(una)));
  EXPECT_EQ(host.counters.tcp_fast_retransmits, 1U);
}

TEST(LongTransfer, IntoThisSideIsByteExact) {
  const Stream stream;
  LoneConnection host(wide());
  host.establish();
  constexpr std::size_t kSuper = 44 * kSmss;
  std::uint64_t received = 0;
  std::vector<std::uint8_t> out(kSuper);
  for (std::uint64_t offset = 0; offset < kTotal && !HasFailure(); offset += kSuper) {
    Segment seg = host.segment(static_cast<std::uint32_t>(offset), 0);
    seg.text = stream.at(offset, kSuper);
    seg.segment_count = 44;
    host.arrive_without_answer(seg);
    TxFrame frame;
    ASSERT_TRUE(host.tcp.poll_transmit(frame, host.now));
    ASSERT_EQ(wire::TcpView::parse(frame.header())->ack().value(),
              host.their(static_cast<std::uint32_t>(offset + kSuper)));
    const auto octets = host.tcp.read(out, host.now);
    ASSERT_TRUE(octets);
    ASSERT_EQ(*octets, kSuper);
    ASSERT_TRUE(stream.is_at(received, out));
    received += *octets;
  }
  EXPECT_EQ(host.tcp.info().octets_received, received);
  EXPECT_GT(received, std::uint64_t{1} << 32U);
}

}  // namespace
}  // namespace runnel::tcp
