// How a handshake that a listener has led becomes a connection.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/tcp/ecn/negotiation.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/timestamps.h"

namespace runnel::tcp {

// What a listener's SYN-RECEIVED record knows when the handshake's last ACK arrives.
struct PassiveOpen {
  SeqNum iss;
  SeqNum irs;
  SeqNum rcv_edge;                // RCV.NXT + the window of the SYN-ACK
  std::uint16_t peer_window = 0;  // of the peer's SYN, unscaled
  std::uint16_t peer_mss_octets = kDefaultMssOctets;
  std::optional<std::uint8_t> peer_scale;  // from the peer's SYN; both sides scale, or neither
  bool is_sack_permitted = false;
  EcnHandshake ecn;
  Timestamps timestamps;
  std::optional<Instant> syn_ack_sent_at;  // none after a second SYN,ACK (Karn), or a SYN cookie
  std::uint8_t syn_ack_retransmissions = 0;
};

}  // namespace runnel::tcp
