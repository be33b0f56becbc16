// Asks the kernel about network interfaces, and changes them, through rtnetlink(7).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/ip_address.h"
#include "runnel/unique_fd.h"

namespace runnel::tun {

// What runnel wants to know about one interface.
struct Link {
  int index = 0;
  std::string name;
  bool is_up = false;
  std::uint32_t mtu_octets = 0;
  std::uint32_t queue_packets = 0;  // txqueuelen: towards a program that reads the device
  bool is_tun = false;              // a TUN: not a TAP, not any other kind
  bool is_multi_queue = false;      // a TUN that several descriptors may share
  std::uint64_t lost_packets = 0;   // that found the queue full, or nobody who reads

  friend bool operator==(const Link&, const Link&) = default;
};

struct LinkAddress {
  int link_index = 0;
  IpPrefix prefix;

  friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

// One netlink message: its type, its sequence number and what follows the header.
struct NetlinkMessage {
  std::uint16_t type = 0;
  std::uint32_t sequence = 0;
  Bytes body;
};

// Takes the next message off the front of `datagram`; nothing at the end, or when what is there is
// no whole message.
[[nodiscard]] std::optional<NetlinkMessage> next_message(Bytes& datagram);

// Reads the bodies of RTM_NEWLINK and RTM_NEWADDR messages; nothing when they are malformed, or of
// an address that is not IPv4.
[[nodiscard]] std::optional<Link> parse_link(Bytes body);
[[nodiscard]] std::optional<LinkAddress> parse_ipv4_address(Bytes body);

// A netlink message in the making: a header, a fixed body, then attributes.
class NetlinkRequest {
 public:
  // `flags` are added to NLM_F_REQUEST.
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, Bytes body);

  void add_attribute(std::uint16_t type, Bytes value);
  void set_sequence(std::uint32_t sequence);
  [[nodiscard]] Bytes octets() const noexcept { return octets_; }

 private:
  void append_padded(Bytes octets);
  void update_length();

  std::vector<std::uint8_t> octets_;
};

// A conversation with the kernel, one request at a time. Anybody may ask; changing something needs
// CAP_NET_ADMIN, without which the answer is operation_not_permitted.
class Netlink {
 public:
  // Throws DeviceError when there is no netlink.
  Netlink();

  // Throw DeviceError when the kernel's answer makes no sense.
  [[nodiscard]] std::optional<Link> find_link(const std::string& name);
  [[nodiscard]] std::vector<IpPrefix> ipv4_addresses(int link_index);

  [[nodiscard]] std::error_code set_mtu(int link_index, std::uint32_t octets);
  [[nodiscard]] std::error_code set_queue(int link_index, std::uint32_t packets);
  // REQUIRES: prefix.address is IPv4. An address that is there already is no error.
  [[nodiscard]] std::error_code add_address(int link_index, const IpPrefix& prefix);
  [[nodiscard]] std::error_code set_up(int link_index);

 private:
  using Reader = std::function<void(const NetlinkMessage&)>;
  [[nodiscard]] std::error_code change_link(int link_index, std::uint16_t attribute,
                                            std::uint32_t value);
  // Sends `request` and passes what answers it to `reader`. Returns the kernel's verdict.
  [[nodiscard]] std::error_code exchange(NetlinkRequest& request, const Reader& reader = {});

  UniqueFd socket_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> datagram_;
};

}  // namespace runnel::tun
