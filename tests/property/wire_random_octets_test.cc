// Whatever octets arrive, parsers return views within them and terminate.
#include <array>
#include <memory>

#include <gtest/gtest.h>

#include "runnel/random.h"
#include "stack/wire/icmpv4.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel {
namespace {

constexpr int kPackets = 1'000'000;
constexpr std::size_t kMaxOctets = 160;

bool is_within(Bytes whole, Bytes part) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void check_options(const wire::TcpView& tcp) {
  wire::TcpOptionReader reader{tcp.option_octets()};
  std::size_t count = 0;
  while (const auto option = reader.next()) {
    ASSERT_TRUE(is_within(tcp.option_octets(), option->body));
    ASSERT_LE(++count, wire::kTcpMaxOptionOctets / 2);
  }
  // What was understood survives being written again, when it still fits with our alignment.
  wire::TcpOptions options = tcp.options();
  ASSERT_EQ(options.is_malformed, reader.is_malformed());
  if (!options.fits()) return;
  std::array<std::uint8_t, wire::kTcpMaxOptionOctets> octets;
  const std::size_t size = options.write(octets);
  options.has_unknown = options.is_malformed = false;
  ASSERT_EQ(wire::TcpOptions::parse(Bytes(octets).first(size)), options);
}

void check_tcp(Bytes octets) {
  const auto tcp = wire::TcpView::parse(octets);
  if (!tcp) return;
  ASSERT_TRUE(is_within(octets, tcp->option_octets()));
  ASSERT_TRUE(is_within(octets, tcp->payload()));
  ASSERT_EQ(tcp->header_octets() + tcp->payload().size(), octets.size());
  ASSERT_EQ(wire::TcpHeader::from(*tcp).flags, tcp->flags());
  (void)tcp->has_valid_checksum(IpAddress(192, 0, 2, 1), IpAddress(192, 0, 2, 2));
  check_options(*tcp);
}

void check_icmp(Bytes octets) {
  const auto icmp = wire::Icmpv4View::parse(octets);
  ASSERT_EQ(icmp.has_value(), octets.size() >= wire::kIcmpHeaderOctets);
  if (!icmp) return;
  ASSERT_TRUE(is_within(octets, icmp->body()));
  (void)icmp->has_valid_checksum();
  if (const auto quote = wire::Ipv4View::parse_quote(icmp->body())) {
    ASSERT_TRUE(is_within(icmp->body(), quote->payload()));
  }
}

void check_packet(Bytes octets) {
  const auto ip = wire::Ipv4View::parse(octets);
  const auto quote = wire::Ipv4View::parse_quote(octets);
  if (ip) {
    ASSERT_TRUE(quote);
    ASSERT_TRUE(is_within(octets, ip->packet()));
    ASSERT_TRUE(is_within(octets, ip->options()));
    ASSERT_TRUE(is_within(octets, ip->payload()));
    ASSERT_EQ(ip->header_octets() + ip->payload().size(), ip->total_octets());
    (void)ip->has_valid_checksum();
    (void)ip->has_source_route();
    check_tcp(ip->payload());
    check_icmp(ip->payload());
  } else if (quote) {
    ASSERT_TRUE(is_within(octets, quote->payload()));
    (void)quote->has_source_route();
  }
  check_tcp(octets);
  check_icmp(octets);
}

TEST(WireOnRandomOctets, ViewsStayWithinThem) {
  SeededRandom random{1};
  // The packet ends where its memory ends: a sanitizer sees the first octet read beyond it.
  const auto memory = std::make_unique<std::array<std::uint8_t, kMaxOctets>>();
  int parsed = 0;
  for (int i = 0; i < kPackets; ++i) {
    const std::size_t size = random.below(kMaxOctets + 1);
    const MutableBytes octets = MutableBytes(*memory).last(size);
    std::uint64_t word = 0;
    for (std::size_t at = 0; at < size; ++at, word >>= 8U) {
      if (at % 8 == 0) word = random.next();
      octets[at] = static_cast<std::uint8_t>(word);
    }
    // Most would fail at the first check: three of four get a header that leads further.
    if (size >= 20 && random.below(4) != 0) {
      octets[0] = static_cast<std::uint8_t>(0x40U | (5 + random.below(11)));
      octets[2] = 0;
      octets[3] = static_cast<std::uint8_t>(random.below(3) == 0 ? random.below(256) : size);
      const std::size_t transport = std::size_t{octets[0] & 0x0fU} * 4;
      if (transport + 12 < size) octets[transport + 12] |= 0x50;
      // Small numbers are likely option kinds and lengths.
      for (std::size_t at = transport + 20; at < size; ++at) {
        if (random.below(2) == 0) octets[at] &= 0x0fU;
      }
    }
    check_packet(octets);
    if (testing::Test::HasFatalFailure()) FAIL() << "packet " << i;
    parsed += wire::Ipv4View::parse(octets).has_value() ? 1 : 0;
  }
  EXPECT_GT(parsed, kPackets / 5) << "the test has to reach the code behind the first checks";
}

}  // namespace
}  // namespace runnel
