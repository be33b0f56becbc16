// Checksums are verified with a sum written out here, not with the stack's.
#include "stack/tcp/header_writer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

constexpr FourTuple kTuple{{IpAddress{192, 0, 2, 2}, 80}, {IpAddress{198, 51, 100, 77}, 50000}};

// RFC 1071, the slow way.
std::uint16_t ones_complement_sum(const std::vector<std::uint8_t>& octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{octets[i]} << 8U : octets[i];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

std::vector<std::uint8_t> pseudo_header(std::size_t segment_octets) {
  return {192,
          0,
          2,
          2,
          198,
          51,
          100,
          77,
          0,
          6,
          static_cast<std::uint8_t>(segment_octets >> 8U),
          static_cast<std::uint8_t>(segment_octets & 0xffU)};
}

std::vector<std::uint8_t> octets_of_frame(const TxFrame& frame) {
  std::vector<std::uint8_t> octets(frame.size());
  frame.copy_to(octets);
  return octets;
}

wire::TcpHeader example() {
  wire::TcpHeader header = header_for(kTuple);
  header.seq = SeqNum{0xdeadbeef};
  header.ack = SeqNum{0x01020304};
  header.flags = {.psh = true, .ack = true};
  header.window = 0xabcd;
  header.options.maximum_segment_size = 1460;
  return header;
}

TEST(HeaderWriter, AHeaderGoesFromTheLocalEndToTheRemoteOne) {
  const wire::TcpHeader header = header_for(kTuple);
  EXPECT_EQ(header.source_port, 80);
  EXPECT_EQ(header.destination_port, 50000);
  EXPECT_EQ(header.flags, wire::TcpFlags{});
  EXPECT_EQ(header.seq.value(), 0U);
  EXPECT_EQ(header.window, 0);
}

TEST(HeaderWriter, WithoutOffloadTheWholeChecksumIsThere) {
  // Slices of odd lengths: the sum must go on in the middle of a 16-bit word.
  for (const std::vector<std::string>& slices :
       {std::vector<std::string>{},
        {"a"},
        {"ab"},
        {"a", "b", "c"},
        {"abc", "de", "f", "ghijk"},
        {std::string(1459, '\xff'), std::string(3, '\xfe')}}) {
    TxFrame frame;
    for (const std::string& slice : slices) frame.append(as_bytes(slice));
    write_tcp_header(frame, kTuple, example(), false);

    const std::vector<std::uint8_t> segment = octets_of_frame(frame);
    std::vector<std::uint8_t> summed = pseudo_header(segment.size());
    summed.insert(summed.end(), segment.begin(), segment.end());
    EXPECT_EQ(ones_complement_sum(summed), 0xffff);
    EXPECT_EQ(frame.meta.checksum, ChecksumStatus::Unchecked);
    EXPECT_EQ(frame.meta.checksum_offset, 0);
  }
}

TEST(HeaderWriter, WithOffloadTheFieldHoldsThePseudoHeadersSum) {
  for (const std::size_t text :
       {std::size_t{0}, std::size_t{1}, std::size_t{1460}, std::size_t{64240}}) {
    const std::string payload(text, 'x');
    TxFrame frame;
    frame.append(as_bytes(payload));
    write_tcp_header(frame, kTuple, example(), true);
    const Bytes header = frame.header();
    const unsigned field = (unsigned{header[16]} << 8U) | header[17];
    EXPECT_EQ(field, ones_complement_sum(pseudo_header(24 + text))) << "not complemented";
    EXPECT_EQ(frame.meta.checksum, ChecksumStatus::Partial);
    EXPECT_EQ(frame.meta.checksum_start, 0) << "until an IP header comes before it";
    EXPECT_EQ(frame.meta.checksum_offset, 16);
  }
}

TEST(HeaderWriter, ALinkThatFinishesThePartialSumGetsTheWholeChecksum) {
  const std::string payload = "an odd number of octets";
  TxFrame partial;
  partial.append(as_bytes(payload));
  write_tcp_header(partial, kTuple, example(), true);
  TxFrame whole;
  whole.append(as_bytes(payload));
  write_tcp_header(whole, kTuple, example(), false);

  std::vector<std::uint8_t> finished = octets_of_frame(partial);
  const auto checksum = static_cast<std::uint16_t>(~ones_complement_sum(finished));
  finished[16] = static_cast<std::uint8_t>(checksum >> 8U);
  finished[17] = static_cast<std::uint8_t>(checksum & 0xffU);
  EXPECT_EQ(finished, octets_of_frame(whole));
}

TEST(HeaderWriter, TheHeaderReadsBackAsItWas) {
  TxFrame frame;
  frame.append(as_bytes("text"));
  write_tcp_header(frame, kTuple, example(), false);
  const std::vector<std::uint8_t> octets = octets_of_frame(frame);
  const auto view = wire::TcpView::parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(wire::TcpHeader::from(*view), example());
  EXPECT_EQ(as_text(view->payload()), "text");
}

}  // namespace
}  // namespace runnel::tcp
