// One line of text for any packet, in the manner of tcpdump.
#pragma once

#include <string>

#include "runnel/bytes.h"
#include "runnel/packet.h"

namespace runnel::wire {

// Describes an IPv4 packet; never throws on bad octets, it says what is wrong with them.
//
//   192.0.2.1.51000 > 192.0.2.2.7: Flags [S], seq 7, win 64240, options [mss 1460,wscale 7], length
//   0 192.0.2.1 > 192.0.2.2: ICMP echo request, id 7, seq 1, length 64
//
// Flags are written as letters: S SYN, F FIN, R RST, P PSH, U URG, E ECE, W CWR, A AE, "." ACK.
// Padding between options is not shown. Checksums are not judged: the link may still owe them.
[[nodiscard]] std::string format_packet(Bytes packet);

// The same for an outgoing frame, with the segment size of a super-packet behind it.
[[nodiscard]] std::string format_frame(const TxFrame& frame);

}  // namespace runnel::wire
