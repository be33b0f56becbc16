// The addresses of this host, and what an address means to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "runnel/ip_address.h"
#include "runnel/result.h"

namespace runnel::ip {

enum class DestinationClass : std::uint8_t {
  Local,      // one of this host's unicast addresses
  Broadcast,  // limited, or all host bits set or clear in one of its networks
  Multicast,
  Foreign,
};

// INVARIANT: every prefix holds a unicast IPv4 address, none twice.
class AddressSet {
 public:
  static constexpr std::size_t kMostAddresses = UINT16_MAX;

  // Errors: invalid_argument, address_in_use, no_buffer_space; see Stack::add_address().
  Result<void> add(const IpPrefix& prefix);

  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] DestinationClass classify(const IpAddress& destination) const noexcept;

  // Whether a packet from `source` may be answered at all: the unicast address of another host,
  // neither in 0.0.0.0/8, loopback, multicast, reserved nor the broadcast address of one of this
  // host's networks (RFC 1122 section 3.2.1.3, RFC 9293 section 3.9.2.3).
  [[nodiscard]] bool is_other_host(const IpAddress& source) const noexcept;

  // The local address to send from: the destination itself when it is local, else the address in
  // the smallest network that has the destination, else the first; none when the set is empty.
  [[nodiscard]] std::optional<IpAddress> source_for(const IpAddress& destination) const noexcept;

  // Where a local address stands among prefixes(), for ever; prefixes().size() when it is none.
  [[nodiscard]] std::uint16_t index_of(const IpAddress& address) const noexcept;
  [[nodiscard]] const std::vector<IpPrefix>& prefixes() const noexcept { return prefixes_; }

 private:
  // A prefix as every packet asks for it. An address is that of the network's every host when its
  // bits below the mask are all clear or all set; `host_bits` is 0 where none is.
  struct Network {
    std::uint32_t address;
    std::uint32_t mask;
    std::uint32_t host_bits;
  };

  // What a unicast IPv4 address is in the networks: Local, Broadcast or Foreign.
  [[nodiscard]] DestinationClass classify_in_networks(std::uint32_t address) const noexcept;

  std::vector<IpPrefix> prefixes_;
  std::vector<Network> networks_;  // the same, in the same order
};

}  // namespace runnel::ip
