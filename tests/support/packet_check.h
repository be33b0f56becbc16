// What must be true of every packet that a stack emits, whatever it says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runnel/bytes.h"
#include "runnel/packet.h"

namespace runnel::test {

// Checks header checksum, total length, MTU, DF on TCP, and the transport checksum: whole, or
// partial when `meta` says that the link finishes it. With a segment size, each segment must fit
// the MTU. Returns what is wrong, or nothing.
[[nodiscard]] std::optional<std::string> find_fault(Bytes packet, const PacketMeta& meta,
                                                    std::size_t mtu_octets);

}  // namespace runnel::test
