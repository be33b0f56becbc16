// Explicit congestion notification between the segments and what knows about it: marks that came,
// marks that the peer has reported, and what of it a header carries. RFC 3168, RFC 9768, RFC 8257.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/header_writer.h"

namespace runnel::tcp {

// --- Receiving -----------------------------------------------------------------------------------

// An acceptable segment: what its IP header says goes back to the peer.
void Connection::note_marks(const Segment& seg, Instant now) {
  const auto advice = ecn_.segment_arrived(seg, delayed_ack_.is_text_waiting());
  if (advice.acknowledge_now) acknowledge_now();
  if (advice.acknowledge_before) acknowledge_before(seg, now);
}

// Text that has waited for an ACK came under another ECE than the segment that arrives now: it has
// an ACK of its own, ahead of the connection's other output (RFC 8257 section 3.2).
void Connection::acknowledge_before(const Segment& seg, Instant now) {
  wire::TcpHeader header = header_for(tuple_);
  header.seq = snd_.nxt;
  header.ack = rcv_.nxt;
  header.flags.ack = true;
  header.flags.ece = seg.ecn != Ecn::Ce;
  header.window = announce_window();
  if (timestamps_.is_agreed()) header.options.timestamps = timestamps_.option(true, now);
  timestamps_.on_ack_sent(rcv_.nxt);
  environment_.segments.send(tuple_, header, ip_fields_);
}

// --- Sending -------------------------------------------------------------------------------------

// The AccECN option of the next segment. Two SACK blocks come before it, because what is lost
// matters more than what is marked; a third and a fourth come after it (RFC 9768 section 3.2.3.3).
std::optional<wire::TcpAccEcn> Connection::acc_ecn_option() const noexcept {
  if (ecn_.feedback() != EcnFeedback::Accurate) return std::nullopt;
  std::size_t blocks = 0;
  if (is_sack_permitted_) {
    blocks = sack_reporter_.block_count(out_of_order_, ConnectionEcn::kSackBlocksFirst);
  }
  const std::size_t space = extra_option_space();
  const std::size_t taken = std::min(space, wire::sack_option_octets(blocks));
  const bool is_first_data = snd_.nxt == snd_.iss + 1 && unsent() > 0;
  return ecn_.option(space - taken, is_first_data);
}

std::size_t Connection::acc_ecn_octets() const noexcept {
  const auto option = acc_ecn_option();
  return option ? acc_ecn_option_octets(*option) : 0;
}

// AE, CWR and ECE of a segment without SYN; `flags.cwr` stands for what is the caller's to say.
void Connection::add_ecn_bits(wire::TcpFlags& flags, bool is_pure_ack) const noexcept {
  const EcnBits bits = ecn_.ack_bits(is_pure_ack);
  if (ecn_.feedback() == EcnFeedback::Accurate) {
    set_ecn_bits(flags, bits);
  } else {
    flags.ece = bits != kNoEcnBits;
  }
}

// --- What the peer has reported ------------------------------------------------------------------

void Connection::respond_to_marks(std::uint64_t in_flight_before_octets, Instant now) {
  if (congestion_->cwnd_octets() <= smss_) {
    // The window cannot become smaller, so the rate does: new data wait for a whole timeout (RFC
    // 3168 section 6.1.2).
    timers_.set(TimerKind::EcnPause, now + rtt_.timeout());
    if (snd_.una < snd_.nxt) restart_recovery_timer(now);
    ecn_.reduced_for_mark(snd_.nxt);
    return;
  }
  if (!ecn_.response().is_due()) return;
  LossEvent event;
  event.now = now;
  event.cause = LossEvent::Cause::EcnMark;
  event.in_flight_before_octets = in_flight_before_octets;
  event.total_lost_octets = recovery_.delivery_rate().lost_octets();
  event.delivered_octets = recovery_.delivery_rate().delivered_octets();
  event.begin = event.end = snd_.una;
  congestion_->on_loss(event);
  ecn_.reduced_for_mark(snd_.nxt);
}

}  // namespace runnel::tcp
