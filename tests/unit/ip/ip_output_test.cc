#include "stack/ip/ip_output.h"

#include <gtest/gtest.h>
#include <tins/ip.h>
#include <tins/ip_reassembler.h>
#include <tins/rawpdu.h>

#include <algorithm>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/random.h"
#include "stack/ip/reassembly.h"
#include "tests/unit/ip/packet_builder.h"

namespace runnel::ip {
namespace {

wire::Ipv4Header fragmentable_header() {
  wire::Ipv4Header header;
  header.dscp = 10;
  header.ecn = 1;
  header.identification = 0xbeef;
  header.ttl = 33;
  header.protocol = wire::kProtocolIcmp;
  header.source = {192, 0, 2, 2};
  header.destination = {192, 0, 2, 1};
  return header;
}

class IpOutput : public ::testing::Test {
 protected:
  base::MemoryBudget budget_{std::size_t{8} << 20U};
  buffer::SlabPool pool_{budget_};
};

TEST(PrependHeader, PutsTheHeaderBeforeWhatIsThere) {
  TxFrame frame;
  frame.clear();
  const Octets transport = pattern(20);
  const Octets payload = pattern(100, 20);
  std::copy(transport.begin(), transport.end(), frame.prepend(20).begin());
  frame.append(payload);
  wire::Ipv4Header header = fragmentable_header();
  header.dont_fragment = true;
  prepend_header(frame, header);

  Octets packet(frame.size());
  frame.copy_to(packet);
  ASSERT_EQ(packet.size(), 140U);
  const Tins::IP seen(packet.data(), static_cast<std::uint32_t>(packet.size()));
  EXPECT_EQ(seen.tot_len(), 140);
  EXPECT_EQ(seen.src_addr().to_string(), "192.0.2.2");
  EXPECT_EQ(seen.dst_addr().to_string(), "192.0.2.1");
  EXPECT_EQ(seen.flags(), Tins::IP::DONT_FRAGMENT);
  EXPECT_EQ(seen.ttl(), 33);
  EXPECT_EQ(plain_checksum(Bytes{packet}.first(20)), 0);
  EXPECT_EQ(to_octets(Bytes{packet}.subspan(20)), pattern(120));
}

TEST(PrependHeader, MovesTheStartOfAPartialChecksumOnly) {
  for (const auto status :
       {ChecksumStatus::Unchecked, ChecksumStatus::Verified, ChecksumStatus::Partial}) {
    TxFrame frame;
    frame.clear();
    (void)frame.prepend(20);
    frame.meta.checksum = status;
    frame.meta.checksum_offset = 16;
    prepend_header(frame, fragmentable_header());
    EXPECT_EQ(frame.meta.checksum_start, status == ChecksumStatus::Partial ? 20 : 0);
    EXPECT_EQ(frame.meta.checksum_offset, 16);
  }
}

TEST(PrependHeader, TakesTheLargestSuperPacket) {
  TxFrame frame;
  frame.clear();
  const Octets payload = pattern(65515);
  frame.append(payload);
  prepend_header(frame, fragmentable_header());
  EXPECT_EQ(frame.size(), 65535U);
  EXPECT_EQ(get_u16(frame.header(), 2), 65535U);
}

TEST_F(IpOutput, LeavesAPacketThatFitsAsItIs) {
  wire::Ipv4Header header = fragmentable_header();
  for (const bool dont_fragment : {false, true}) {
    header.dont_fragment = dont_fragment;
    for (const std::size_t size : {0U, 1U, 1479U, 1480U}) {
      const auto packets = make_packets(header, pattern(size), 1500, pool_);
      ASSERT_EQ(packets.size(), 1U);
      PacketSpec same;
      same.source = header.source;
      same.destination = header.destination;
      same.protocol = 1;
      same.tos = 10 << 2 | 1;
      same.identification = 0xbeef;
      same.dont_fragment = dont_fragment;
      same.ttl = 33;
      same.payload = pattern(size);
      EXPECT_EQ(to_octets(packets[0].bytes()), build(same));
    }
  }
}

TEST_F(IpOutput, Rfc791_3_2_CutsOnMultiplesOfEight) {
  const auto packets = make_packets(fragmentable_header(), pattern(3000), 1500, pool_);
  ASSERT_EQ(packets.size(), 3U);
  const std::size_t lengths[] = {1480, 1480, 40};
  std::size_t at = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const Bytes packet = packets[i].bytes();
    ASSERT_EQ(packet.size(), 20 + lengths[i]);
    EXPECT_EQ(get_u16(packet, 2), packet.size());
    EXPECT_EQ(get_u16(packet, 4), 0xbeefU);
    EXPECT_EQ(get_u16(packet, 6), (i < 2 ? 0x2000U : 0U) | at / 8);
    EXPECT_EQ(plain_checksum(packet.first(20)), 0);
    EXPECT_EQ(to_octets(packet.subspan(20)), pattern(lengths[i], at));
    at += lengths[i];
  }
}

TEST_F(IpOutput, OneOctetTooManyMakesASecondPacket) {
  const auto packets = make_packets(fragmentable_header(), pattern(1481), 1500, pool_);
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(packets[0].length, 1500U);
  EXPECT_EQ(packets[1].length, 21U);
}

TEST_F(IpOutput, Rfc6864_4_3_NeverCutsWhatMustNotBeFragmented) {
  wire::Ipv4Header header = fragmentable_header();
  header.dont_fragment = true;
  EXPECT_TRUE(make_packets(header, pattern(1481), 1500, pool_).empty());
}

TEST_F(IpOutput, CutsAFragmentIntoFragmentsOfTheSameDatagram) {
  wire::Ipv4Header header = fragmentable_header();
  header.fragment_offset_octets = 800;
  header.more_fragments = true;
  const auto packets = make_packets(header, pattern(160), 100, pool_);
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(get_u16(packets[0].bytes(), 6), 0x2000U | 100U);
  EXPECT_EQ(get_u16(packets[1].bytes(), 6), 0x2000U | 110U);
}

TEST_F(IpOutput, MakesNothingWhenTheBudgetIsSpentHalfWay) {
  for (const std::size_t octets : {0U, 300U, 3000U, 4000U}) {
    base::MemoryBudget budget(octets);
    buffer::SlabPool pool(budget);
    EXPECT_TRUE(make_packets(fragmentable_header(), pattern(4000), 1500, pool).empty());
    EXPECT_EQ(pool.live_count(), 0U);
    EXPECT_EQ(budget.used_octets(), 0U);
  }
  base::MemoryBudget budget(0);
  buffer::SlabPool pool(budget);
  EXPECT_TRUE(make_packets(fragmentable_header(), pattern(4), 1500, pool).empty());
}

// Sizes around every boundary of small MTUs, the largest, and samples in between.
std::vector<std::size_t> sampled_sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 200; ++size) sizes.push_back(size);
  for (std::size_t size = 1470; size <= 1490; ++size) sizes.push_back(size);
  for (std::size_t size = 2955; size <= 2965; ++size) sizes.push_back(size);
  SeededRandom random(791);
  for (int i = 0; i < 25; ++i) sizes.push_back(random.below(65516));
  for (std::size_t size = 65508; size <= 65515; ++size) sizes.push_back(size);
  return sizes;
}

TEST_F(IpOutput, WhatItCutsTheReassemblerPutsTogether) {
  Config config;
  config.reassembly_fragments_per_datagram = 2000;  // 65,515 octets at an MTU of 68 are 1365
  config.reassembly_memory_octets = std::size_t{4} << 20U;
  Counters counters;
  Reassembler reassembler(config, pool_, counters);
  const wire::Ipv4Header header = fragmentable_header();
  for (const std::size_t mtu :
       {68U, 69U, 71U, 75U, 76U, 77U, 100U, 296U, 576U, 1280U, 1499U, 1500U}) {
    for (const std::size_t size : sampled_sizes()) {
      const Octets payload = pattern(size);
      const auto packets = make_packets(header, payload, mtu, pool_);
      ASSERT_EQ(packets.size() == 1, size + 20 <= mtu);
      std::optional<buffer::Slice> whole;
      for (const buffer::Slice& packet : packets) {
        ASSERT_LE(packet.length, mtu);
        ASSERT_FALSE(whole) << "complete before its last fragment";
        const auto view = wire::Ipv4View::parse(packet.bytes());
        ASSERT_TRUE(view && view->has_valid_checksum());
        whole = view->is_fragment() ? reassembler.add(*view, Instant{}) : packet;
      }
      ASSERT_TRUE(whole) << "mtu " << mtu << ", size " << size;
      const auto view = wire::Ipv4View::parse(whole->bytes());
      ASSERT_TRUE(view && view->has_valid_checksum());
      ASSERT_EQ(wire::Ipv4Header::from(*view), header);
      ASSERT_TRUE(std::equal(payload.begin(), payload.end(), view->payload().begin(),
                             view->payload().end()));
    }
  }
  EXPECT_EQ(counters.dropped_total(), 0U);
  EXPECT_EQ(reassembler.datagram_count(), 0U);
  EXPECT_EQ(pool_.live_count(), 0U);
}

TEST_F(IpOutput, WhatItCutsLibtinsPutsTogether) {
  wire::Ipv4Header header = fragmentable_header();
  header.protocol = 250;  // libtins keeps the payload of a protocol that it does not know
  for (const std::size_t size : {1481U, 4008U, 20000U, 65515U}) {
    const Octets payload = pattern(size);
    Tins::IPv4Reassembler reassembler;
    const auto packets = make_packets(header, payload, 1006, pool_);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const Bytes octets = packets[i].bytes();
      Tins::IP packet(octets.data(), static_cast<std::uint32_t>(octets.size()));
      const auto status = reassembler.process(packet);
      if (i + 1 < packets.size()) {
        ASSERT_EQ(status, Tins::IPv4Reassembler::FRAGMENTED);
      } else {
        ASSERT_EQ(status, Tins::IPv4Reassembler::REASSEMBLED);
        const auto* raw = packet.find_pdu<Tins::RawPDU>();
        ASSERT_NE(raw, nullptr);
        EXPECT_EQ(raw->payload(), payload);
      }
    }
  }
}

}  // namespace
}  // namespace runnel::ip
