// RSTs: what they look like, RFC 9293 sections 3.5.2 and 3.10.7.1.
#pragma once

#include <optional>

#include "stack/tcp/segment.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

// The RST that answers a segment for a connection that does not exist: with SEQ = SEG.ACK when the
// segment has an ACK, else with SEQ = 0 and ACK = SEG.SEQ + SEG.LEN. None for a RST.
[[nodiscard]] std::optional<wire::TcpHeader> reset_answering(const FourTuple& tuple,
                                                             const Segment& seg) noexcept;

// The RST that ends a connection: SEQ = SND.NXT, no ACK (section 3.10.5).
[[nodiscard]] wire::TcpHeader reset_at(const FourTuple& tuple, SeqNum snd_nxt) noexcept;

}  // namespace runnel::tcp
