// The header that a TUN with IFF_VNET_HDR puts in front of every packet, both ways.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runnel/packet.h"

namespace runnel::tun {

// struct virtio_net_hdr of the virtio specification, section 5.1.6, little-endian:
//
//    0      1         2        4         6           8            10
//    | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset | packet ...
//
// flags        NEEDS_CSUM (1): the transport checksum field holds a partial sum; DATA_VALID (2)
// gso_type     NONE (0), TCPV4 (1) and others; ECN (0x80) is a mark beside them
// hdr_len      a hint: how many octets of headers a super-packet begins with
// gso_size     octets of payload in each segment of a super-packet
// csum_start   where the partial sum begins, csum_offset where it belongs, counted from there
inline constexpr std::size_t kVnetHeaderOctets = 10;
using VnetHeader = std::array<std::uint8_t, kVnetHeaderOctets>;
using VnetHeaderView = std::span<const std::uint8_t, kVnetHeaderOctets>;

// Says what `header` tells about a packet of `packet_octets`, or nothing when it lies: an offset
// outside the packet, a kind of segmentation that runnel did not ask for, or segments of no octets.
//
// How many segments there are is not limited: a peer that announces a tiny MSS makes the kernel
// send super-packets of many hundreds.
[[nodiscard]] std::optional<PacketMeta> decode_vnet_header(VnetHeaderView header,
                                                           std::size_t packet_octets) noexcept;

// The header for an outgoing packet whose IP and TCP headers are `header_octets` long.
[[nodiscard]] VnetHeader encode_vnet_header(const PacketMeta& meta,
                                            std::size_t header_octets) noexcept;

}  // namespace runnel::tun
