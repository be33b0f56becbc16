// LISTEN, and SYN-RECEIVED as long as it belongs to a listener: RFC 9293 sections 3.10.7.2 and
// 3.10.7.4. A half-open connection is a small record, not a TCB.
#pragma once

#include <cstdint>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/handle.h"
#include "runnel/time.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/environment.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/timestamps.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

// What a listener does with a segment for which there is no connection.
enum class ListenAction : std::uint8_t {
  Drop,
  Reset,        // answer with a RST
  CheckCookie,  // an ACK: it may bring a SYN cookie back
  Answer,       // a SYN: make a record and send SYN,ACK
};

// `expects_cookies`: the listener has sent SYN cookies that are good still. Without them every ACK
// is reset unseen (RFC 4987 appendix A), so that nobody can guess cookies at leisure.
[[nodiscard]] ListenAction segment_arrives_listen(const Segment& seg, bool expects_cookies,
                                                  Counters& counters) noexcept;

// A handshake of which the last ACK is outstanding.
struct SynReceivedRecord {
  static constexpr std::uint8_t kNoScale = 0xff;

  FourTuple tuple;
  ListenerId listener;
  SeqNum iss;
  SeqNum irs;
  std::uint16_t peer_window = 0;      // the SYN's, unscaled
  std::uint16_t peer_mss_octets = 0;  // the SYN's MSS option, or the default
  Instant sent_at{};                  // when the SYN,ACK left; kNever: no round trip can be told
  std::uint16_t window = 0;           // our SYN,ACK's
  std::uint8_t peer_scale = kNoScale;
  std::uint8_t retransmissions = 0;
  bool is_sack_permitted = false;
  EcnHandshake ecn;
  Timestamps timestamps;

  [[nodiscard]] static SynReceivedRecord from_syn(const FourTuple& tuple, const Segment& syn,
                                                  SeqNum iss, ListenerId listener,
                                                  const TcpConfig& config);
  // Takes up the SYN's offer of timestamps, if it makes one and `config` has them.
  void agree_on_timestamps(const Segment& syn, const TcpConfig& config,
                           std::uint32_t timestamp_offset, Instant now) noexcept;

  [[nodiscard]] wire::TcpHeader syn_ack(const TcpConfig& config, const LinkLimits& link,
                                        Instant now) const;
  // The bare ACK that answers a segment outside the window.
  [[nodiscard]] wire::TcpHeader bare_ack(const TcpConfig& config, Instant now) const;
  [[nodiscard]] wire::TcpHeader reset_at(SeqNum seq, Instant now) const;
  // How long the SYN,ACK waits for its answer: 1 s, doubled with each retransmission.
  [[nodiscard]] Duration timeout(const TcpConfig& config) const noexcept;
  [[nodiscard]] PassiveOpen promote() const noexcept;
};
// Peers decide how many there are (RFC 4987 section 3.5).
static_assert(sizeof(SynReceivedRecord) <= 96);

enum class SynReceivedAction : std::uint8_t {
  Drop,
  ResendSynAck,    // the SYN came again
  Acknowledge,     // out of the window, or a challenge
  Reset,           // an ACK of what was not sent
  ReturnToListen,  // RST at RCV.NXT: forget the record
  Establish,       // promote the record and let the connection process the segment
};

[[nodiscard]] SynReceivedAction segment_arrives_syn_received(const SynReceivedRecord& record,
                                                             const TcpConfig& config,
                                                             const Segment& seg, Counters& counters,
                                                             Instant now) noexcept;

}  // namespace runnel::tcp
