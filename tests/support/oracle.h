// A second opinion on every packet: libtins, a packet library that shares no code with the stack.
#pragma once

#include <string>

#include "runnel/bytes.h"
#include "runnel/packet.h"

namespace runnel::test {

// Parses an IPv4 packet (TCP, ICMP, anything else, or a fragment) with libtins and with the stack's
// own views, and compares every field and option. Returns what differs, one line each; empty when
// both understand the same.
//
// libtins verifies no checksums, so this does, with a loop of its own: the IPv4 header's always,
// the transport's as `checksum` says:
//   Unchecked  the field holds the whole checksum
//   Partial    the field holds the pseudo-header's sum, which the link completes
//   Verified   the field is not looked at
[[nodiscard]] std::string explain_difference(Bytes packet,
                                             ChecksumStatus checksum = ChecksumStatus::Unchecked);

// The same for a packet that a stack emitted, which must hold more: no option that is unknown or
// malformed, reserved bits and option padding of zero (RFC 9293 section 3.1).
[[nodiscard]] std::string explain_fault_in_emitted(
    Bytes packet, ChecksumStatus checksum = ChecksumStatus::Unchecked);

// Fails the running test unless explain_fault_in_emitted() has nothing to say.
void expect_same_meaning_in_libtins(Bytes packet,
                                    ChecksumStatus checksum = ChecksumStatus::Unchecked);

}  // namespace runnel::test
