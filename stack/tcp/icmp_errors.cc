// An ICMP error quotes one of our segments: RFC 9293 section 3.9.2.2, as RFC 5927 reads it.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"

namespace runnel::tcp {

namespace {

// RFC 1191 section 3 lets a path go down to 68 octets, but nothing real is below this; a forged
// message gains no more than it.
constexpr std::uint16_t kMinimumPathMtu = 552;

}  // namespace

void Connection::icmp_error_arrives(wire::IcmpType type, std::uint8_t code,
                                    std::uint16_t next_hop_mtu, SeqNum quoted_seq,
                                    std::error_code error, Instant now) {
  // Only who sees our segments can quote one that is in flight (RFC 5927 section 4.1).
  if (!(snd_.una <= quoted_seq && quoted_seq < snd_.nxt)) {
    drop(DropReason::IcmpBadSequence);
    return;
  }
  if (type == wire::IcmpType::SourceQuench) return;  // RFC 6633: no longer means anything
  const bool is_unreachable = type == wire::IcmpType::DestinationUnreachable;
  if (is_unreachable && code == wire::kIcmpFragmentationNeeded) {
    const std::uint16_t mtu = std::max(next_hop_mtu, kMinimumPathMtu);
    const std::uint16_t smss_before = smss_;
    if (mtu < path_mtu_) path_mtu_ = mtu;
    update_send_mss();
    if (smss_ < smss_before) {
      if (send_queue_.begin_offset() == 0) {  // the initial window is counted in segments
        congestion_ = AnyCongestionControl(smss_, config_->initial_window_segments);
      }
      recovery_.send_all_again(snd_.una, snd_.nxt);  // what was too large is lost: send it again
    }
    return;
  }
  // A hard error is one only while the connection is being opened (RFC 5927 section 5.2); later
  // it is a router's passing trouble, or an attack.
  const bool is_hard = is_unreachable && (code == wire::kIcmpProtocolUnreachable ||
                                          code == wire::kIcmpPortUnreachable);
  if (is_hard && !is_syn_acked_ && quoted_seq == snd_.iss) {
    ++environment_.counters.tcp_attempt_fails;
    enter_closed(error, now);
    return;
  }
  soft_error_ = error;
  report_once(EventKind::SoftError, error);
}

}  // namespace runnel::tcp
