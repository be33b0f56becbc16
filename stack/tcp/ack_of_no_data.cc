// ACKs that say nothing about data: of our SYN or FIN alone, and those that come while nothing is
// in flight because it is the peer who sends. No loss shows in them, and of the SYN's the
// controller only learns the round trip, so they need not go the long way of
// process_acknowledgment().
#include "stack/tcp/connection.h"

namespace runnel::tcp {

// Everything that was sent is acknowledged with this segment, and none of it that was not before is
// data. What goes on beside the sending, a recovery or explicit marks, is left to the long way.
bool Connection::concerns_no_data(const Segment& seg) const noexcept {
  if (seg.ack != snd_.nxt || !seg.options.sack.empty() || unsent() > 0) return false;
  if (!is_syn_acked_) {
    if (snd_.nxt != snd_.iss + 1 || !recovery_.uses_sack()) return false;
  } else if (snd_.una != snd_.nxt && (is_fin_acked_ || data_end() != snd_.una)) {
    return false;
  }
  return recovery_.is_at_ease() && ecn_.feedback() == EcnFeedback::None && !validates_window();
}

void Connection::process_acknowledgment_of_no_data(const Segment& seg, Instant now) {
  if (snd_.una == seg.ack) {  // nothing was in flight: see note_app_limited()
    recovery_.on_app_limited(snd_.una, snd_.nxt);
    return;
  }
  const bool is_of_syn = !is_syn_acked_;
  AckFindings findings;
  findings.newly_acked_octets = 1;
  findings.delivered_octets = 1;
  if (!is_of_syn) findings.rtt_sample = recovery_.on_fin_acknowledged(seg.ack, now);
  take_rtt_sample(seg, findings, time_since_echoed(seg, now), now);
  release_acknowledged(seg.ack);
  path_acknowledged(now);
  if (is_of_syn) respond_to(findings, RecoveryPhase::Open, {}, now);
  make_progress(findings, now);
  trace_acknowledgment(findings, now);
}

}  // namespace runnel::tcp
