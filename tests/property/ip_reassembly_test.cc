// Random storms of fragments, against a model that is too simple to be wrong.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "runnel/random.h"
#include "stack/ip/icmp.h"
#include "stack/ip/ip_output.h"
#include "tests/unit/ip/reassembly_tester.h"

namespace runnel::ip {
namespace {

using std::chrono::seconds;

template <typename T>
void shuffle(std::vector<T>& items, SeededRandom& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

// A fragment of the kind that attackers send: near or on other ones' boundaries.
Piece random_piece(SeededRandom& random) {
  const std::size_t begin = 8 * random.below(12);
  const bool more = begin == 0 || random.below(3) != 0;
  const std::size_t length = random.below(10) == 0 ? random.below(40) : 8 * random.below(5);
  // Mostly the true octets, so that duplicates happen.
  return {begin, pattern(length, begin + (random.below(20) == 0 ? 1 : 0)), more};
}

TEST(IpReassemblyProperty, DoesWhatTheModelDoesInRandomStorms) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    ReassemblyTester tester;
    std::map<std::uint16_t, ReassemblyModel> models;
    for (int i = 0; i < 60; ++i) {
      const auto id = static_cast<std::uint16_t>(random.below(4));
      const Piece piece = random_piece(random);
      const auto expected = models[id].add(piece);
      const auto whole = tester.add(piece, Instant{}, id);
      ASSERT_EQ(whole.has_value(), expected.has_value());
      if (whole) {
        ASSERT_EQ(payload_of(*whole), *expected);
      }
    }
    tester.expect_empty_after_timeout(Instant{});
  }
}

TEST(IpReassemblyProperty, HonestDatagramsShuffledTogetherWithDuplicatesAllArrive) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    ReassemblyTester tester;
    std::map<std::uint16_t, Octets> sent;
    std::vector<Octets> packets;
    for (std::uint16_t id = 0; id < 12; ++id) {
      wire::Ipv4Header header;
      header.identification = id;
      header.protocol = wire::kProtocolUdp;
      header.source = {192, 0, 2, 1};
      header.destination = {192, 0, 2, 2};
      sent[id] = pattern(600 + random.below(5000), id);
      for (const auto& slice : make_packets(header, sent[id], 596, tester.pool_)) {
        packets.push_back(to_octets(slice.bytes()));
      }
    }
    shuffle(packets, random);
    std::size_t arrived = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      // A duplicate of a packet of a datagram that is complete would begin a new one.
      for (int repeat = 0; repeat < 2; ++repeat) {
        const auto whole = tester.add_packet(packets[i]);
        if (!whole) continue;
        ++arrived;
        const auto id = static_cast<std::uint16_t>(get_u16(whole->bytes(), 4));
        ASSERT_EQ(payload_of(*whole), sent[id]);
        break;
      }
    }
    EXPECT_EQ(arrived, sent.size());
    EXPECT_EQ(tester.counters_.dropped_total(), 0U);
    tester.expect_empty_after_timeout(Instant{});
  }
}

// Whatever the octets: nothing is read outside of them, limits hold, and what comes out is a
// packet.
TEST(IpReassemblyProperty, SurvivesRandomPacketsUnderTightLimits) {
  Config config;
  config.reassembly_memory_octets = 24'000;
  config.reassembly_fragments_per_datagram = 5;
  SeededRandom random(1);
  ReassemblyTester tester(config, 60'000);
  Instant now{};
  for (int i = 0; i < 200'000; ++i) {
    PacketSpec spec;
    spec.source = IpAddress::from_v4(0x0b000000U + static_cast<std::uint32_t>(random.below(5)));
    spec.identification = static_cast<std::uint16_t>(random.below(3));
    spec.protocol = random.below(4) == 0 ? 6 : 17;
    spec.tos = static_cast<std::uint8_t>(random.next());
    spec.offset_octets = 8 * (random.below(4) == 0 ? random.below(8192) : random.below(6));
    spec.more_fragments = spec.offset_octets == 0 || random.below(2) == 0;
    spec.options = Octets(4 * random.below(11), 1);
    spec.payload = pattern(random.below(8) == 0 ? random.below(2000) : 8 * random.below(4));
    if (const auto whole = tester.add(spec, now)) {
      const auto view = wire::Ipv4View::parse(whole->bytes());
      ASSERT_TRUE(view && view->has_valid_checksum() && !view->is_fragment());
      ASSERT_EQ(view->total_octets(), whole->length);
    }
    if (random.below(50) == 0) {
      now += Duration{static_cast<std::int64_t>(random.below(20'000'000'000))};
      for (const auto& first : tester.reassembler_.advance(now)) {
        const auto view = wire::Ipv4View::parse(first.bytes());
        ASSERT_TRUE(view && view->has_valid_checksum());
        ASSERT_EQ(view->fragment_offset_octets(), 0U);
        ASSERT_LE(make_icmp_error(*view, wire::IcmpType::TimeExceeded, 1).size(), 556U);
      }
      ASSERT_TRUE(tester.reassembler_.next_deadline() > now);
    }
  }
  EXPECT_GT(tester.counters_.ip_reasm_oks, 100U);
  EXPECT_GT(tester.dropped(DropReason::FragmentMemory), 0U);
  EXPECT_GT(tester.dropped(DropReason::FragmentTooMany), 0U);
  tester.expect_empty_after_timeout(now);
}

TEST(IpReassemblyProperty, ReadsIcmpErrorsWithRandomOctetsOnlyWhenTheyQuoteUs) {
  AddressSet addresses;
  ASSERT_TRUE(addresses.add({{192, 0, 2, 2}, 24}));
  SeededRandom random(2);
  std::size_t taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    PacketSpec quoted;
    quoted.source = {192, 0, 2, 2};
    quoted.options = Octets(4 * random.below(11), 1);
    quoted.payload = pattern(random.below(40));
    Octets quote = build(quoted);
    quote.resize(random.below(quote.size() + 1));
    for (std::uint64_t flips = random.below(4); flips > 0 && !quote.empty(); --flips) {
      quote[random.below(quote.size())] ^= static_cast<std::uint8_t>(random.next());
    }
    PacketSpec spec;
    spec.protocol = wire::kProtocolIcmp;
    spec.payload = {3, 3, 0, 0, 0, 0, 0, 0};
    spec.payload.insert(spec.payload.end(), quote.begin(), quote.end());
    const Octets packet = build(spec);
    const auto view = wire::Ipv4View::parse(packet);
    ASSERT_TRUE(view);
    const auto message = wire::Icmpv4View::parse(view->payload());
    ASSERT_TRUE(message);
    if (const auto error = parse_icmp_error(*view, *message, addresses)) {
      ++taken;
      ASSERT_GE(error->quoted_payload.size(), 8U);
      ASSERT_GE(error->quoted_payload.data(), packet.data());
      ASSERT_LE(error->quoted_payload.data() + error->quoted_payload.size(),
                packet.data() + packet.size());
      ASSERT_EQ(error->quoted_header.source, IpAddress(192, 0, 2, 2));
    }
  }
  EXPECT_GT(taken, 1000U);
}

}  // namespace
}  // namespace runnel::ip
