#include "runnel/ip_address.h"

#include "runnel/endpoint.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

TEST(IpAddress, ParsesDottedQuads) {
  EXPECT_EQ(IpAddress::parse_v4("192.0.2.1"), IpAddress(192, 0, 2, 1));
  EXPECT_EQ(IpAddress::parse_v4("0.0.0.0"), IpAddress());
  EXPECT_EQ(IpAddress::parse_v4("255.255.255.255"), IpAddress(255, 255, 255, 255));
  EXPECT_EQ(IpAddress::parse_v4("10.20.30.40")->v4_value(), 0x0a141e28U);
}

TEST(IpAddress, RejectsWhatIsNoDottedQuad) {
  for (const char* text : {"",           ".",
                           "...",        "1",
                           "1.2.3",      "1.2.3.",
                           ".1.2.3.4",   "1.2.3.4.",
                           "1.2.3.4.5",  "1..3.4",
                           "256.0.0.1",  "1.2.3.256",
                           "1.2.3.1000", "99999999999.1.1.1",
                           "01.2.3.4",   "1.2.3.04",
                           "00.0.0.0",   "1.2.3.4 ",
                           " 1.2.3.4",   "1.2.3.4x",
                           "1.2.3.-4",   "1.2.3.+4",
                           "0x1.2.3.4",  "a.b.c.d",
                           "1,2,3,4",    "1.2.3.4/24",
                           "::1",        "::ffff:1.2.3.4",
                           "localhost"}) {
    EXPECT_FALSE(IpAddress::parse_v4(text)) << '"' << text << '"';
  }
  EXPECT_FALSE(IpAddress::parse_v4(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddress, PrintsWhatItParses) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "10.0.0.255", "255.255.255.255"}) {
    EXPECT_EQ(IpAddress::parse_v4(text)->to_string(), text);
  }
  EXPECT_EQ((Endpoint{IpAddress(192, 0, 2, 1), 7}.to_string()), "192.0.2.1:7");
}

TEST(IpAddress, ComparesAsNumbers) {
  EXPECT_LT(IpAddress(9, 255, 255, 255), IpAddress(10, 0, 0, 0));
  EXPECT_EQ(IpAddress::from_v4(0xc0000201U), IpAddress(192, 0, 2, 1));
}

TEST(IpAddress, KnowsSpecialAddressesAtTheirEdges) {
  EXPECT_TRUE(IpAddress(0, 0, 0, 0).is_unspecified());
  EXPECT_FALSE(IpAddress(0, 0, 0, 1).is_unspecified());
  EXPECT_FALSE(IpAddress(126, 255, 255, 255).is_loopback());
  EXPECT_TRUE(IpAddress(127, 0, 0, 0).is_loopback());
  EXPECT_TRUE(IpAddress(127, 255, 255, 255).is_loopback());
  EXPECT_FALSE(IpAddress(128, 0, 0, 0).is_loopback());
  EXPECT_FALSE(IpAddress(223, 255, 255, 255).is_multicast());
  EXPECT_TRUE(IpAddress(224, 0, 0, 0).is_multicast());
  EXPECT_TRUE(IpAddress(239, 255, 255, 255).is_multicast());
  EXPECT_FALSE(IpAddress(240, 0, 0, 0).is_multicast());
  EXPECT_FALSE(IpAddress(239, 255, 255, 255).is_reserved());
  EXPECT_TRUE(IpAddress(240, 0, 0, 0).is_reserved());
  EXPECT_FALSE(IpAddress(255, 255, 255, 254).is_limited_broadcast());
  EXPECT_TRUE(IpAddress(255, 255, 255, 255).is_limited_broadcast());
}

IpAddress v6(std::array<std::uint16_t, 8> groups) {
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = 0; i < 8; ++i) {
    octets[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8U);
    octets[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
  }
  return IpAddress::from_v6(octets);
}

TEST(IpAddress, KnowsItsFamily) {
  EXPECT_TRUE(IpAddress(192, 0, 2, 1).is_v4());
  EXPECT_TRUE(v6({0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201}).is_v4());
  EXPECT_TRUE(v6({0, 0, 0, 0, 0, 0, 0, 1}).is_v6());
  EXPECT_TRUE(v6({0x2001, 0xdb8, 0, 0, 0, 0xffff, 0, 1}).is_v6());
}

TEST(IpAddress, KnowsSpecialAddressesOfIpv6) {
  EXPECT_TRUE(v6({}).is_unspecified());
  EXPECT_TRUE(v6({0, 0, 0, 0, 0, 0, 0, 1}).is_loopback());
  EXPECT_FALSE(v6({1, 0, 0, 0, 0, 0, 0, 1}).is_loopback());
  EXPECT_TRUE(v6({0xff02, 0, 0, 0, 0, 0, 0, 1}).is_multicast());
  EXPECT_FALSE(v6({0xfe80, 0, 0, 0, 0, 0, 0, 1}).is_multicast());
  EXPECT_FALSE(v6({0xffff, 0, 0, 0, 0, 0, 0xffff, 0xffff}).is_limited_broadcast());
}

TEST(IpAddress, PrintsIpv6InItsCanonicalForm) {  // RFC 5952 section 4
  EXPECT_EQ(v6({}).to_string(), "::");
  EXPECT_EQ(v6({0, 0, 0, 0, 0, 0, 0, 1}).to_string(), "::1");
  EXPECT_EQ(v6({0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}).to_string(), "2001:db8::1");
  EXPECT_EQ(v6({0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}).to_string(), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(v6({0x2001, 0, 0, 1, 0, 0, 0, 1}).to_string(), "2001:0:0:1::1");
  EXPECT_EQ(v6({0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}).to_string(), "2001:db8::1:0:0:1");
  EXPECT_EQ(v6({0xfe80, 0, 0, 0, 0, 0, 0, 0}).to_string(), "fe80::");
  EXPECT_EQ(v6({1, 2, 3, 4, 5, 6, 7, 0xabcd}).to_string(), "1:2:3:4:5:6:7:abcd");
}

TEST(IpPrefix, ParsesCidrNotation) {
  EXPECT_EQ(IpPrefix::parse_v4("192.0.2.2/24"), (IpPrefix{IpAddress(192, 0, 2, 2), 24}));
  EXPECT_EQ(IpPrefix::parse_v4("0.0.0.0/0")->length, 0);
  EXPECT_EQ(IpPrefix::parse_v4("192.0.2.2/32")->length, 32);
  EXPECT_EQ(IpPrefix::parse_v4("192.0.2.2/24")->to_string(), "192.0.2.2/24");
}

TEST(IpPrefix, RejectsWhatIsNoCidrNotation) {
  for (const char* text :
       {"", "/", "/24", "192.0.2.2", "192.0.2.2/", "192.0.2.2/33", "192.0.2.2/-1", "192.0.2.2/024",
        "192.0.2.2/00", "192.0.2.2/24 ", "192.0.2.2/24/24", "192.0.2/24", "192.0.2.2 /24",
        "192.0.2.2/a", "192.0.2.2/999999999999", "192.0.2.2/255.255.255.0"}) {
    EXPECT_FALSE(IpPrefix::parse_v4(text)) << '"' << text << '"';
  }
}

TEST(IpPrefix, KnowsItsMaskAndNetwork) {
  const IpAddress address(192, 0, 2, 130);
  EXPECT_EQ((IpPrefix{address, 0}.v4_mask()), 0U);
  EXPECT_EQ((IpPrefix{address, 1}.v4_mask()), 0x80000000U);
  EXPECT_EQ((IpPrefix{address, 24}.v4_mask()), 0xffffff00U);
  EXPECT_EQ((IpPrefix{address, 32}.v4_mask()), 0xffffffffU);
  EXPECT_EQ((IpPrefix{address, 24}.network()), IpAddress(192, 0, 2, 0));
  EXPECT_EQ((IpPrefix{address, 25}.network()), IpAddress(192, 0, 2, 128));
  EXPECT_EQ((IpPrefix{address, 0}.network()), IpAddress());
}

TEST(IpPrefix, ContainsWhatSharesItsNetwork) {
  const IpPrefix prefix{IpAddress(192, 0, 2, 130), 25};
  EXPECT_TRUE(prefix.contains(IpAddress(192, 0, 2, 128)));
  EXPECT_TRUE(prefix.contains(IpAddress(192, 0, 2, 255)));
  EXPECT_FALSE(prefix.contains(IpAddress(192, 0, 2, 127)));
  EXPECT_FALSE(prefix.contains(IpAddress(192, 0, 3, 130)));
  EXPECT_TRUE((IpPrefix{IpAddress(), 0}.contains(IpAddress(8, 8, 8, 8))));
  EXPECT_FALSE((IpPrefix{IpAddress(), 0}.contains(v6({0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}))));
}

TEST(IpPrefix, HasADirectedBroadcastWhereThereAreHostsToHearIt) {
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 2), 24}.directed_broadcast()),
            IpAddress(192, 0, 2, 255));
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 5), 30}.directed_broadcast()), IpAddress(192, 0, 2, 7));
  EXPECT_FALSE((IpPrefix{IpAddress(192, 0, 2, 2), 31}.directed_broadcast()));
  EXPECT_FALSE((IpPrefix{IpAddress(192, 0, 2, 2), 32}.directed_broadcast()));
}

TEST(IpPrefix, FindsTheFirstOtherHost) {
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 2), 24}.first_other_host()), IpAddress(192, 0, 2, 1));
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 1), 24}.first_other_host()), IpAddress(192, 0, 2, 2));
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 6), 30}.first_other_host()), IpAddress(192, 0, 2, 5));
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 4), 31}.first_other_host()), IpAddress(192, 0, 2, 5));
  EXPECT_EQ((IpPrefix{IpAddress(192, 0, 2, 5), 31}.first_other_host()), IpAddress(192, 0, 2, 4));
  EXPECT_FALSE((IpPrefix{IpAddress(192, 0, 2, 5), 32}.first_other_host()));
}

}  // namespace
}  // namespace runnel
