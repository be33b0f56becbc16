#include "tun/netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "runnel/tun_device.h"
#include "stack/base/byte_order.h"

namespace runnel::tun {
namespace {

// The kernel fills datagrams of a dump up to 32 KiB.
constexpr std::size_t kDatagramOctets = std::size_t{64} << 10U;
constexpr timeval kAnswerTimeout{.tv_sec = 5, .tv_usec = 0};

constexpr std::size_t padded(std::size_t octets) noexcept {
  return (octets + 3U) & ~std::size_t{3};
}

// Copies a value of the kernel's out of octets that need not be aligned.
template <typename T>
std::optional<T> read_value(Bytes octets) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  if (octets.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, octets.data(), sizeof(T));
  return value;
}

template <typename T>
Bytes as_octets(const T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(T)};
}

Bytes skip(Bytes octets, std::size_t count) noexcept {
  return octets.subspan(std::min(octets.size(), padded(count)));
}

struct Attribute {
  unsigned type;
  Bytes value;
};

std::optional<Attribute> next_attribute(Bytes& attributes) noexcept {
  const auto header = read_value<nlattr>(attributes);
  if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > attributes.size()) {
    return std::nullopt;
  }
  const Bytes value = attributes.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr));
  attributes = skip(attributes, header->nla_len);
  return Attribute{header->nla_type & static_cast<unsigned>(NLA_TYPE_MASK), value};
}

Bytes find_attribute(Bytes attributes, unsigned type) noexcept {
  while (const auto attribute = next_attribute(attributes)) {
    if (attribute->type == type) return attribute->value;
  }
  return {};
}

// A string attribute, with or without the zero octet that should end it.
std::string_view text_of(Bytes value) noexcept {
  const std::string_view text = as_text(value);
  return text.substr(0, text.find('\0'));
}

std::uint8_t flag_of(Bytes value) noexcept {
  return value.empty() ? std::uint8_t{0} : value[0];
}

}  // namespace

std::optional<NetlinkMessage> next_message(Bytes& datagram) {
  const auto header = read_value<nlmsghdr>(datagram);
  if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
    return std::nullopt;
  }
  const Bytes body = datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
  datagram = skip(datagram, header->nlmsg_len);
  return NetlinkMessage{header->nlmsg_type, header->nlmsg_seq, body};
}

std::optional<Link> parse_link(Bytes body) {
  const auto info = read_value<ifinfomsg>(body);
  if (!info) return std::nullopt;
  const Bytes attributes = skip(body, sizeof(ifinfomsg));
  Link link;
  link.index = info->ifi_index;
  link.is_up = (info->ifi_flags & IFF_UP) != 0;
  link.name = text_of(find_attribute(attributes, IFLA_IFNAME));
  link.mtu_octets = read_value<std::uint32_t>(find_attribute(attributes, IFLA_MTU)).value_or(0);
  link.queue_packets =
      read_value<std::uint32_t>(find_attribute(attributes, IFLA_TXQLEN)).value_or(0);
  const Bytes kind = find_attribute(attributes, IFLA_LINKINFO);
  const Bytes details = find_attribute(kind, IFLA_INFO_DATA);
  // TAPs are of the kind "tun" too.
  link.is_tun = text_of(find_attribute(kind, IFLA_INFO_KIND)) == "tun" &&
                flag_of(find_attribute(details, IFLA_TUN_TYPE)) != IFF_TAP;
  link.is_multi_queue = flag_of(find_attribute(details, IFLA_TUN_MULTI_QUEUE)) != 0;
  // The beginning of rtnl_link_stats64, which has grown over time; the last is `tx_dropped`.
  const auto statistics =
      read_value<std::array<std::uint64_t, 8>>(find_attribute(attributes, IFLA_STATS64));
  if (statistics) link.lost_packets = statistics->back();
  return link;
}

std::optional<LinkAddress> parse_ipv4_address(Bytes body) {
  const auto info = read_value<ifaddrmsg>(body);
  if (!info || info->ifa_family != AF_INET || info->ifa_prefixlen > 32) return std::nullopt;
  // IFA_ADDRESS is the peer's on a point-to-point link, IFA_LOCAL is always ours.
  const Bytes local = find_attribute(skip(body, sizeof(ifaddrmsg)), IFA_LOCAL);
  if (local.size() != sizeof(std::uint32_t)) return std::nullopt;
  return LinkAddress{
      static_cast<int>(info->ifa_index),
      {IpAddress::from_v4(base::load_be<std::uint32_t>(local)), info->ifa_prefixlen}};
}

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags, Bytes body) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  append_padded(as_octets(header));
  append_padded(body);
  update_length();
}

void NetlinkRequest::add_attribute(std::uint16_t type, Bytes value) {
  nlattr header{};
  header.nla_type = type;
  header.nla_len = static_cast<std::uint16_t>(sizeof(header) + value.size());
  append_padded(as_octets(header));
  append_padded(value);
  update_length();
}

void NetlinkRequest::set_sequence(std::uint32_t sequence) {
  std::memcpy(octets_.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
}

void NetlinkRequest::append_padded(Bytes octets) {
  octets_.insert(octets_.end(), octets.begin(), octets.end());
  octets_.resize(padded(octets_.size()));
}

void NetlinkRequest::update_length() {
  const auto length = static_cast<std::uint32_t>(octets_.size());
  std::memcpy(octets_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof(length));
}

Netlink::Netlink()
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)),
      datagram_(kDatagramOctets) {
  if (!socket_ || ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout,
                               sizeof(kAnswerTimeout)) != 0) {
    throw DeviceError(std::string("cannot talk to the kernel about interfaces (rtnetlink): ") +
                      std::strerror(errno));
  }
}

std::optional<Link> Netlink::find_link(const std::string& name) {
  NetlinkRequest request(RTM_GETLINK, NLM_F_ACK, as_octets(ifinfomsg{}));
  // With the zero octet that ends the string.
  request.add_attribute(IFLA_IFNAME, {as_bytes(name).data(), name.size() + 1});
  std::optional<Link> found;
  const std::error_code error = exchange(request, [&](const NetlinkMessage& message) {
    if (message.type == RTM_NEWLINK) found = parse_link(message.body);
  });
  if (error == std::errc::no_such_device) return std::nullopt;
  if (error || !found) {
    throw DeviceError(name + ": cannot ask the kernel about it: " +
                      (error ? error.message() : "unintelligible answer"));
  }
  return found;
}

std::vector<IpPrefix> Netlink::ipv4_addresses(int link_index) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP, as_octets(body));
  std::vector<IpPrefix> prefixes;
  const std::error_code error = exchange(request, [&](const NetlinkMessage& message) {
    if (message.type != RTM_NEWADDR) return;
    const auto address = parse_ipv4_address(message.body);
    if (address && address->link_index == link_index) prefixes.push_back(address->prefix);
  });
  if (error) throw DeviceError("cannot ask the kernel for addresses: " + error.message());
  return prefixes;
}

std::error_code Netlink::set_mtu(int link_index, std::uint32_t octets) {
  return change_link(link_index, IFLA_MTU, octets);
}

std::error_code Netlink::set_queue(int link_index, std::uint32_t packets) {
  return change_link(link_index, IFLA_TXQLEN, packets);
}

std::error_code Netlink::change_link(int link_index, std::uint16_t attribute, std::uint32_t value) {
  ifinfomsg body{};
  body.ifi_index = link_index;
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, as_octets(body));
  request.add_attribute(attribute, as_octets(value));
  return exchange(request);
}

std::error_code Netlink::add_address(int link_index, const IpPrefix& prefix) {
  assert(prefix.address.is_v4());
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = prefix.length;
  body.ifa_index = static_cast<std::uint32_t>(link_index);
  NetlinkRequest request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, as_octets(body));
  std::array<std::uint8_t, 4> octets{};
  base::store_be(octets, 0, prefix.address.v4_value());
  request.add_attribute(IFA_LOCAL, octets);
  request.add_attribute(IFA_ADDRESS, octets);
  const std::error_code error = exchange(request);
  return error == std::errc::file_exists ? std::error_code{} : error;
}

std::error_code Netlink::set_up(int link_index) {
  ifinfomsg body{};
  body.ifi_index = link_index;
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, as_octets(body));
  return exchange(request);
}

std::error_code Netlink::exchange(NetlinkRequest& request, const Reader& reader) {
  const auto last_error = [] { return std::error_code(errno, std::system_category()); };
  request.set_sequence(++sequence_);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const Bytes octets = request.octets();
  if (::sendto(socket_.get(), octets.data(), octets.size(), 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) < 0) {
    return last_error();
  }
  // Ends with the kernel's verdict: NLMSG_DONE after a dump, NLMSG_ERROR (0: done) otherwise.
  for (;;) {
    sockaddr_nl sender{};
    socklen_t sender_length = sizeof(sender);
    const ssize_t size = ::recvfrom(socket_.get(), datagram_.data(), datagram_.size(), 0,
                                    reinterpret_cast<sockaddr*>(&sender), &sender_length);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return last_error();
    if (sender.nl_pid != 0) continue;  // not from the kernel
    Bytes datagram{datagram_.data(), static_cast<std::size_t>(size)};
    while (const auto message = next_message(datagram)) {
      if (message->sequence != sequence_) continue;
      if (message->type == NLMSG_DONE || message->type == NLMSG_ERROR) {
        return {-read_value<int>(message->body).value_or(0), std::system_category()};
      }
      if (reader) reader(*message);
    }
  }
}

}  // namespace runnel::tun
