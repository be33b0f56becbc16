// Data in the SYN: what TCP Fast Open (RFC 7413) changes in a connection's opening, on both sides.
//
//    client  SYN, cookie, data ─────────▶  the data are readable at once, in SYN-RECEIVED
//            ◀───────── SYN,ACK of the data
//            ◀───────── answers, as far as the initial window reaches
//            ACK ───────────────────────▶  ESTABLISHED
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"

namespace runnel::tcp {

// --- Server --------------------------------------------------------------------------------------

// FIN is left unacknowledged, and comes again: RFC 9293 knows no way from SYN-RECEIVED to
// CLOSE-WAIT. So is text for which there is no memory.
void Connection::open_fast(const PassiveOpen& open, Segment& syn,
                           const std::optional<wire::TcpFastOpenCookie>& reply, Instant now) {
  open_passive(open, now);
  is_fast_open_ = true;
  fast_open_reply_ = reply;
  is_handshake_pending_ = true;

  syn.flags.fin = false;
  syn.trim_front(1);
  const std::uint32_t beyond = syn.len() - std::min(syn.len(), rcv_.wnd());
  if (beyond > 0) syn.trim_back(beyond);
  if (syn.text.empty()) return;
  if (!make_room_for(syn)) {
    drop(DropReason::NoMemory);
    return;
  }
  accept_in_order(syn, now);
  ++environment_.counters.tcp_fast_opens_passive;
}

// A SYN-ACK that nobody answers is given up as early as a listener's own.
bool Connection::give_up_fast_open(Instant now) {
  if (!is_fast_open_ || retransmissions_ < config_->syn_ack_retransmissions) return false;
  ++environment_.counters.tcp_attempt_fails;
  enter_closed(Errc::timed_out, now);
  return true;
}

// --- Client --------------------------------------------------------------------------------------

std::uint32_t Connection::add_fast_open(wire::TcpOptions& options) noexcept {
  if (state_ != State::SynSent) {
    options.fast_open = fast_open_reply_;
    if (!options.fits()) options.fast_open.reset();
    return 0;
  }
  options.fast_open = fast_open_.option();
  if (!options.fast_open) return 0;
  if (!options.fits()) {
    options.fast_open.reset();
    return 0;
  }
  const std::uint32_t limit =
      fast_open_.text_limit(offered_mss(environment_.link.mtu_octets), options.octets());
  const auto text_octets =
      static_cast<std::uint32_t>(std::min<std::size_t>(send_queue_.size(), limit));
  fast_open_.syn_sent(text_octets);
  return text_octets;
}

// The SYN-ACK: takes none, a part or all of the data that went with the SYN.
void Connection::syn_acknowledged(const Segment& seg) {
  const std::uint32_t acked_octets = distance(snd_.iss + 1, seg.ack);
  fast_open_.syn_acknowledged(seg.options, acked_octets);
  if (acked_octets > 0) ++environment_.counters.tcp_fast_opens_active;
  take_back_syn_data(seg.ack);
  release_acknowledged(seg.ack);
}

// What the peer did not take of them counts as never sent: it leaves with the first segments after
// the handshake, as new data do, and its loss is no sign of congestion (RFC 7413 section 4.2.2).
void Connection::take_back_syn_data(SeqNum ack) {
  if (!is_active_open_ || snd_.nxt <= ack) return;
  octets_retransmitted_ += distance(ack, snd_.nxt);
  ++segments_retransmitted_;
  ++environment_.counters.tcp_retrans_segs;
  snd_.nxt = ack;
}

}  // namespace runnel::tcp
