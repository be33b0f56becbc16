#include "stack/ip/address_set.h"

#include <algorithm>

namespace runnel::ip {
namespace {

// Whether an address can be that of one host, as far as can be told without knowing any network.
// 0.0.0.0/8, "this host on this network", is a source before a host knows its address, and never
// anything else (RFC 1122 section 3.2.1.3).
bool is_unicast(const IpAddress& address) noexcept {
  if (!address.is_v4()) return false;
  const std::uint32_t first_octet = address.v4_value() >> 24U;
  return first_octet != 0 && first_octet != 127 &&  // loopback
         first_octet < 224;                         // multicast, reserved, limited broadcast
}

// Whether every host of the network is meant: all host bits set or, in the form that 4.2BSD used,
// all clear (RFC 1122 section 3.3.6). The two addresses of a /31 are hosts (RFC 3021).
bool is_broadcast_of(const IpPrefix& prefix, const IpAddress& address) noexcept {
  if (prefix.length >= 31 || !prefix.contains(address)) return false;
  const std::uint32_t host_bits = address.v4_value() & ~prefix.v4_mask();
  return host_bits == 0 || host_bits == ~prefix.v4_mask();
}

}  // namespace

Result<void> AddressSet::add(const IpPrefix& prefix) {
  if (!is_unicast(prefix.address) || prefix.length > 32 ||
      is_broadcast_of(prefix, prefix.address)) {
    return Errc::invalid_argument;
  }
  if (contains(prefix.address)) return Errc::address_in_use;
  if (prefixes_.size() >= kMostAddresses) return Errc::no_buffer_space;
  prefixes_.push_back(prefix);
  // The two addresses of a /31 are hosts (RFC 3021).
  const std::uint32_t host_bits = prefix.length >= 31 ? 0 : ~prefix.v4_mask();
  networks_.push_back({prefix.address.v4_value(), prefix.v4_mask(), host_bits});
  return {};
}

std::uint16_t AddressSet::index_of(const IpAddress& address) const noexcept {
  const auto found = std::find_if(prefixes_.begin(), prefixes_.end(), [&](const IpPrefix& prefix) {
    return prefix.address == address;
  });
  return static_cast<std::uint16_t>(found - prefixes_.begin());
}

bool AddressSet::contains(const IpAddress& address) const noexcept {
  if (!address.is_v4()) return false;
  const std::uint32_t value = address.v4_value();
  for (const Network& network : networks_) {
    if (network.address == value) return true;
  }
  return false;
}

DestinationClass AddressSet::classify(const IpAddress& destination) const noexcept {
  if (destination.is_multicast()) return DestinationClass::Multicast;
  if (destination.is_limited_broadcast()) return DestinationClass::Broadcast;
  if (!destination.is_v4()) return DestinationClass::Foreign;
  return classify_in_networks(destination.v4_value());
}

// An address of this host may be the broadcast address of another of its networks, if somebody has
// configured it so: then it is still this host's.
DestinationClass AddressSet::classify_in_networks(std::uint32_t address) const noexcept {
  bool is_broadcast = false;
  for (const Network& network : networks_) {
    if (network.address == address) return DestinationClass::Local;
    const std::uint32_t host = address & network.host_bits;
    const bool is_inside = ((address ^ network.address) & network.mask) == 0;
    is_broadcast = is_broadcast || (is_inside && network.host_bits != 0 &&
                                    (host == 0 || host == network.host_bits));
  }
  return is_broadcast ? DestinationClass::Broadcast : DestinationClass::Foreign;
}

bool AddressSet::is_other_host(const IpAddress& source) const noexcept {
  return is_unicast(source) && classify_in_networks(source.v4_value()) == DestinationClass::Foreign;
}

std::optional<IpAddress> AddressSet::source_for(const IpAddress& destination) const noexcept {
  if (contains(destination)) return destination;
  const IpPrefix* best = nullptr;
  for (const IpPrefix& prefix : prefixes_) {
    if (!prefix.contains(destination)) continue;
    if (best == nullptr || prefix.length > best->length) best = &prefix;
  }
  if (best != nullptr) return best->address;
  if (prefixes_.empty()) return std::nullopt;
  return prefixes_.front().address;
}

}  // namespace runnel::ip
