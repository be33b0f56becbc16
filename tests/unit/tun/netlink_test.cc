// Messages are written out octet by octet after rtnetlink(7); the kernel's own are in
// tun_device_test.cc.
#include "tun/netlink.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace runnel::tun {
namespace {

static_assert(std::endian::native == std::endian::little, "the literals below are little-endian");

using Octets = std::vector<std::uint8_t>;

Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// ifinfomsg: family, pad, type, index, flags, change.
Octets link_body(std::uint8_t index, std::uint8_t flags) {
  return {0, 0, 0xfe, 0xff, index, 0, 0, 0, flags, 0x10, 0, 0, 0, 0, 0, 0};
}
const Octets kName = {9, 0, 3, 0, 't', 'u', 'n', '0', 0, 0, 0, 0};  // IFLA_IFNAME
const Octets kMtu = {8, 0, 4, 0, 0x28, 0x23, 0, 0};                 // IFLA_MTU 9000
// IFLA_LINKINFO { IFLA_INFO_KIND "tun", IFLA_INFO_DATA { IFLA_TUN_TYPE, IFLA_TUN_MULTI_QUEUE } },
// with the flag that marks attributes as nested on one of them, as some kernels do.
Octets tun_info(std::uint8_t type, std::uint8_t multi_queue) {
  return Octets{32, 0, 18, 0x80, 8, 0, 1, 0, 't', 'u', 'n', 0} +
         Octets{20, 0, 2, 0, 5, 0, 3, 0, type, 0, 0, 0, 5, 0, 7, 0, multi_queue, 0, 0, 0};
}

TEST(ParseLink, ReadsATun) {
  const auto link = parse_link(link_body(7, 0x51) + kName + kMtu + tun_info(1, 0));
  const Link expected{
      .index = 7, .name = "tun0", .is_up = true, .mtu_octets = 9000, .is_tun = true};
  EXPECT_EQ(link, expected);
}

TEST(ParseLink, ReadsTheLengthOfTheQueue) {
  const Octets queue = {8, 0, 13, 0, 0xe8, 3, 0, 0};  // IFLA_TXQLEN 1000
  EXPECT_EQ(parse_link(link_body(1, 0) + queue)->queue_packets, 1000U);
  EXPECT_EQ(parse_link(link_body(1, 0))->queue_packets, 0U);
}

TEST(ParseLink, ReadsWhatWasLost) {
  Octets statistics(4 + 25 * 8);  // IFLA_STATS64
  statistics[0] = 4 + 25 * 8;
  statistics[2] = 23;
  statistics[4 + 7 * 8] = 5;  // tx_dropped
  EXPECT_EQ(parse_link(link_body(1, 0) + statistics)->lost_packets, 5U);
  EXPECT_EQ(parse_link(link_body(1, 0))->lost_packets, 0U);
}

TEST(ParseLink, TellsUpFromDown) {
  EXPECT_TRUE(parse_link(link_body(1, 0x01))->is_up);
  EXPECT_FALSE(parse_link(link_body(1, 0x50))->is_up);
}

TEST(ParseLink, TellsMultiQueueDevices) {
  EXPECT_TRUE(parse_link(link_body(1, 0) + tun_info(1, 1))->is_multi_queue);
  EXPECT_FALSE(parse_link(link_body(1, 0) + tun_info(1, 0))->is_multi_queue);
}

TEST(ParseLink, ATapOrAnotherKindIsNoTun) {
  EXPECT_FALSE(parse_link(link_body(1, 0) + tun_info(2, 0))->is_tun);
  EXPECT_FALSE(parse_link(link_body(1, 0) + kName)->is_tun);
  const Octets veth = {16, 0, 18, 0, 9, 0, 1, 0, 'v', 'e', 't', 'h', 0, 0, 0, 0};
  EXPECT_FALSE(parse_link(link_body(1, 0) + veth)->is_tun);
}

TEST(ParseLink, NoTruncationAndNoLengthLeadsOutside) {
  const Octets whole = link_body(7, 0x51) + kName + kMtu + tun_info(1, 1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(parse_link(cut).has_value(), size >= 16) << size;
    // Every octet in turn, so every length, with values that lie.
    for (const int lie : {0, 1, 3, 5, 0x7f, 0xff}) {
      Octets lying = whole;
      lying[size] = static_cast<std::uint8_t>(lie);
      EXPECT_TRUE(parse_link(lying).has_value());
    }
  }
}

// ifaddrmsg: family, prefix length, flags, scope, index.
Octets address_body(std::uint8_t family, std::uint8_t length) {
  return {family, length, 0x80, 0, 7, 0, 0, 0};
}
const Octets kPeer = {8, 0, 1, 0, 192, 0, 2, 99};  // IFA_ADDRESS
const Octets kLocal = {8, 0, 2, 0, 192, 0, 2, 1};  // IFA_LOCAL

TEST(ParseIpv4Address, TakesTheLocalSideOfAPointToPointLink) {
  const LinkAddress expected{7, {IpAddress(192, 0, 2, 1), 24}};
  EXPECT_EQ(parse_ipv4_address(address_body(2, 24) + kPeer + kLocal), expected);
}

TEST(ParseIpv4Address, RefusesWhatIsNotAnIpv4Address) {
  EXPECT_FALSE(parse_ipv4_address(address_body(10, 64) + kLocal)) << "IPv6";
  EXPECT_TRUE(parse_ipv4_address(address_body(2, 32) + kLocal));
  EXPECT_FALSE(parse_ipv4_address(address_body(2, 33) + kLocal)) << "a prefix of 33 bits";
  EXPECT_FALSE(parse_ipv4_address(address_body(2, 24) + kPeer)) << "no local address";
  EXPECT_FALSE(parse_ipv4_address(address_body(2, 24) + Octets{7, 0, 2, 0, 192, 0, 2, 0}));
  EXPECT_FALSE(parse_ipv4_address(Octets{2, 24, 0, 0, 7, 0, 0}));
  EXPECT_FALSE(parse_ipv4_address({}));
}

// nlmsghdr: length, type, flags, sequence, port.
TEST(NextMessage, TakesOneAfterTheOther) {
  const Octets datagram = Octets{17, 0, 0, 0, 16, 0, 2, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0, 0, 0} +
                          Octets{16, 0, 0, 0, 3, 0, 2, 0, 6, 0, 0, 0, 0, 0, 0, 0};
  Bytes rest(datagram);
  const auto first = next_message(rest);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->type, 16);
  EXPECT_EQ(first->sequence, 5U);
  EXPECT_EQ(Octets(first->body.begin(), first->body.end()), Octets{0xaa});
  const auto second = next_message(rest);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->type, 3);
  EXPECT_TRUE(second->body.empty());
  EXPECT_FALSE(next_message(rest));
}

TEST(NextMessage, LengthsThatLieEndTheDatagram) {
  for (const unsigned length : {0U, 15U, 17U, 255U}) {
    Octets datagram = {0, 0, 0, 0, 16, 0, 2, 0, 5, 0, 0, 0, 0, 0, 0, 0};
    datagram[0] = static_cast<std::uint8_t>(length);
    Bytes rest(datagram);
    EXPECT_FALSE(next_message(rest)) << length;
  }
  const Octets truncated(15, 16);
  Bytes rest(truncated);
  EXPECT_FALSE(next_message(rest));
}

TEST(NetlinkRequest, IsWhatRtnetlinkExpects) {
  const Octets body = {2, 24, 0, 0, 7, 0, 0, 0};
  NetlinkRequest request(20, 0x604, body);
  request.add_attribute(2, Octets{192, 0, 2, 1});
  request.add_attribute(3, Octets{'t', 0});
  request.set_sequence(0x01020304);
  const Octets expected = Octets{40, 0, 0, 0, 20, 0, 0x05, 0x06, 4, 3, 2, 1, 0, 0, 0, 0} + body +
                          Octets{8, 0, 2, 0, 192, 0, 2, 1} + Octets{6, 0, 3, 0, 't', 0, 0, 0};
  EXPECT_EQ(Octets(request.octets().begin(), request.octets().end()), expected);
}

}  // namespace
}  // namespace runnel::tun
