// Raw IPv4 packets for the tests of ip/: written octet by octet, with a checksum of their own, so
// that what is expected does not come from the code under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/ip_address.h"

namespace runnel::ip {

using Octets = std::vector<std::uint8_t>;

// A packet from a peer to this host, unless a test says otherwise.
struct PacketSpec {
  IpAddress source{192, 0, 2, 1};
  IpAddress destination{192, 0, 2, 2};
  std::uint8_t protocol = 17;
  std::uint8_t tos = 0;
  std::uint16_t identification = 7;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::size_t offset_octets = 0;
  std::uint8_t ttl = 64;
  Octets options = {};  // a multiple of 4 octets
  Octets payload = {};
};

// RFC 1071, two octets at a time.
inline std::uint16_t plain_checksum(Bytes octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{octets[i]} << 8U : octets[i];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

inline void put_u16(Octets& octets, std::size_t at, std::size_t value) {
  octets[at] = static_cast<std::uint8_t>(value >> 8U);
  octets[at + 1] = static_cast<std::uint8_t>(value);
}

inline std::size_t get_u16(Bytes octets, std::size_t at) {
  return (std::size_t{octets[at]} << 8U) | octets[at + 1];
}

inline void set_header_checksum(Octets& packet, std::size_t header_octets) {
  put_u16(packet, 10, 0);
  put_u16(packet, 10, plain_checksum(Bytes{packet}.first(header_octets)));
}

inline Octets build(const PacketSpec& spec) {
  const std::size_t header_octets = 20 + spec.options.size();
  Octets packet(header_octets);
  packet[0] = static_cast<std::uint8_t>(0x40U | (header_octets / 4));
  packet[1] = spec.tos;
  put_u16(packet, 2, header_octets + spec.payload.size());
  put_u16(packet, 4, spec.identification);
  put_u16(packet, 6,
          (spec.dont_fragment ? 0x4000U : 0U) | (spec.more_fragments ? 0x2000U : 0U) |
              spec.offset_octets / 8);
  packet[8] = spec.ttl;
  packet[9] = spec.protocol;
  for (std::size_t i = 0; i < 4; ++i) {
    packet[12 + i] = spec.source.octets()[12 + i];
    packet[16 + i] = spec.destination.octets()[12 + i];
  }
  for (std::size_t i = 0; i < spec.options.size(); ++i) packet[20 + i] = spec.options[i];
  set_header_checksum(packet, header_octets);
  packet.insert(packet.end(), spec.payload.begin(), spec.payload.end());
  return packet;
}

// `count` octets that tell their place: a piece in the wrong place is seen.
inline Octets pattern(std::size_t count, std::size_t begin = 0) {
  Octets octets(count);
  for (std::size_t i = 0; i < count; ++i) {
    octets[i] = static_cast<std::uint8_t>((begin + i) * 31 + ((begin + i) >> 8U));
  }
  return octets;
}

inline Octets to_octets(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace runnel::ip
