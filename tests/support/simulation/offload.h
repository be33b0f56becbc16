// What a network card does for its host: cutting super-packets, putting segments together again,
// checksums; and what a router does to packets: the one message that it writes, and marks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "tests/support/simulation/packet_pool.h"

namespace runnel::test {

// How many segments a super-packet of this segment size stands for.
[[nodiscard]] std::size_t segment_count(Bytes super_packet, std::size_t gso_size_octets);

// Writes segment `index` of a super-packet: its sequence number, lengths, flags (FIN and PSH belong
// to the last one, CWR to the first) and IP checksum; the TCP checksum is not finished.
void write_segment(Bytes super_packet, std::size_t gso_size_octets, std::size_t index,
                   SimPacket& out);

// Appends `next` to `head` if both are segments of one stream that follow each other and say the
// same in every other respect, and no shorter one ends `head`.
[[nodiscard]] bool coalesce(SimPacket& head, const SimPacket& next);

// Computes the TCP checksum of a packet of which somebody vouches for the octets.
void finish_checksum(SimPacket& packet);

// An ICMP message, from a router, that `packet` needed to be fragmented (RFC 1191).
void write_fragmentation_needed(Bytes packet, std::uint16_t mtu_octets, SimPacket& out);

// Sets CE in the IP header of a packet that allows it (ECT(0) or ECT(1), RFC 3168 section 5); false
// when it does not.
bool mark_congestion(SimPacket& packet);

}  // namespace runnel::test
