// The offsets, flags and rules are those of the virtio specification 1.2, section 5.1.6.
#include "tun/vnet_header.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runnel::tun {
namespace {

constexpr std::uint8_t kNeedsCsum = 1;
constexpr std::uint8_t kDataValid = 2;

struct Fields {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t hdr_len = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t csum_start = 0;
  std::uint16_t csum_offset = 0;
};

VnetHeader header_of(const Fields& f) {
  const auto low = [](unsigned value) { return static_cast<std::uint8_t>(value); };
  const auto high = [](unsigned value) { return static_cast<std::uint8_t>(value >> 8U); };
  return {f.flags,
          f.gso_type,
          low(f.hdr_len),
          high(f.hdr_len),
          low(f.gso_size),
          high(f.gso_size),
          low(f.csum_start),
          high(f.csum_start),
          low(f.csum_offset),
          high(f.csum_offset)};
}

struct Row {
  std::string what;
  Fields fields;
  std::size_t packet_octets;
  bool is_believed;
  ChecksumStatus checksum = ChecksumStatus::Unchecked;
  std::uint16_t gso_size_octets = 0;
};

TEST(VnetHeader, IncomingHeadersAreBelievedOrRefused) {
  const auto verified = ChecksumStatus::Verified;
  const std::vector<Row> rows = {
      {"nothing known", {}, 40, true},
      {"an empty packet", {}, 0, true},
      {"a flag that nobody knows", {.flags = 0x80}, 40, true},
      {"checksum to be completed", {kNeedsCsum, 0, 0, 0, 20, 16}, 40, true, verified},
      {"checksum seen by a card", {.flags = kDataValid}, 40, true, verified},
      {"both", {kNeedsCsum | kDataValid, 0, 0, 0, 20, 16}, 40, true, verified},
      {"checksum field just inside", {kNeedsCsum, 0, 0, 0, 20, 18}, 40, true, verified},
      {"checksum field just outside", {kNeedsCsum, 0, 0, 0, 20, 19}, 40, false},
      {"sum begins behind the packet", {kNeedsCsum, 0, 0, 0, 41, 0}, 40, false},
      {"offsets that would wrap around", {kNeedsCsum, 0, 0, 0, 0xffff, 0xffff}, 40, false},
      {"offsets without the flag mean nothing", {0, 0, 0, 0, 0xffff, 0xffff}, 40, true},
      {"checksum of an empty packet", {kNeedsCsum, 0, 0, 0, 0, 0}, 0, false},
      {"super-packet", {kNeedsCsum, 1, 40, 1460, 20, 16}, 64280, true, verified, 1460},
      {"super-packet with the ECN mark",
       {kNeedsCsum, 0x81, 40, 1460, 20, 16},
       64280,
       true,
       verified,
       1460},
      {"super-packet of tiny segments", {kNeedsCsum, 1, 40, 1, 20, 16}, 64280, true, verified, 1},
      {"super-packet without a checksum flag",
       {0, 1, 40, 1460, 0, 0},
       64280,
       true,
       ChecksumStatus::Unchecked,
       1460},
      {"the ECN mark alone", {.gso_type = 0x80}, 40, true},
      {"a segment size without segmentation", {.gso_size = 1460}, 40, true},
      {"segments of no octets", {kNeedsCsum, 1, 40, 0, 20, 16}, 64280, false},
      {"headers as long as the packet",
       {kNeedsCsum, 1, 60, 1460, 20, 16},
       60,
       true,
       verified,
       1460},
      {"headers longer than the packet", {kNeedsCsum, 1, 61, 1460, 20, 16}, 60, false},
      {"UDP fragmentation", {kNeedsCsum, 3, 28, 1480, 20, 6}, 9000, false},
      {"TCP over IPv6", {kNeedsCsum, 4, 60, 1440, 40, 16}, 64280, false},
      {"UDP segmentation", {kNeedsCsum, 5, 28, 1472, 20, 6}, 9000, false},
      {"a kind that nobody knows", {kNeedsCsum, 0x7f, 40, 1460, 20, 16}, 64280, false},
      {"a kind that nobody knows, with ECN", {kNeedsCsum, 0xff, 40, 1460, 20, 16}, 64280, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const auto meta = decode_vnet_header(header_of(row.fields), row.packet_octets);
    ASSERT_EQ(meta.has_value(), row.is_believed);
    if (!meta) continue;
    EXPECT_EQ(meta->checksum, row.checksum);
    EXPECT_EQ(meta->gso_size_octets, row.gso_size_octets);
    EXPECT_EQ(meta->checksum_start, 0);
    EXPECT_EQ(meta->checksum_offset, 0);
  }
}

TEST(VnetHeader, AnOrdinaryPacketGetsAHeaderOfZeros) {
  EXPECT_EQ(encode_vnet_header({}, 40), VnetHeader{});
  EXPECT_EQ(encode_vnet_header({.checksum = ChecksumStatus::Verified}, 40), VnetHeader{});
}

TEST(VnetHeader, APartialChecksumIsLeftToTheKernel) {
  const PacketMeta meta{
      .checksum = ChecksumStatus::Partial, .checksum_start = 20, .checksum_offset = 16};
  EXPECT_EQ(encode_vnet_header(meta, 40), header_of({kNeedsCsum, 0, 0, 0, 20, 16}));
}

TEST(VnetHeader, ASuperPacketNamesItsSegmentAndHeaderSizes) {
  const PacketMeta meta{.checksum = ChecksumStatus::Partial,
                        .gso_size_octets = 1448,
                        .checksum_start = 20,
                        .checksum_offset = 16};
  EXPECT_EQ(encode_vnet_header(meta, 52), header_of({kNeedsCsum, 1, 52, 1448, 20, 16}));
}

TEST(VnetHeader, FieldsAreLittleEndian) {
  const PacketMeta meta{.checksum = ChecksumStatus::Partial,
                        .gso_size_octets = 0x0102,
                        .checksum_start = 0x0304,
                        .checksum_offset = 0x0506};
  const VnetHeader expected = {1, 1, 0x08, 0x07, 0x02, 0x01, 0x04, 0x03, 0x06, 0x05};
  EXPECT_EQ(encode_vnet_header(meta, 0x0708), expected);
}

}  // namespace
}  // namespace runnel::tun
