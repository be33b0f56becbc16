// What the congestion controller is told of: the handshake, what acknowledgments show, losses, and
// silence. RFC 5681, RFC 6928, RFC 7661.
#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::begin_congestion_control(unsigned lost_syns) {
  start_window_.begin(snd_.iss + 1, smss_, lost_syns);
  congestion_ = AnyCongestionControl(smss_, start_window_.initial_octets(smss_));
  begin_with_shared_ssthresh();
}

// --- Acknowledgments -----------------------------------------------------------------------------

void Connection::respond_to(const AckFindings& findings, RecoveryPhase phase_before, Instant now) {
  if (findings.is_spurious) {
    ++spurious_recoveries_;
    ++environment_.counters.tcp_spurious_recoveries;
    congestion_->on_spurious_recovery(now);
    validation_.on_spurious_recovery();
  }
  if (findings.loss_began || findings.has_probe_repaired) respond_to_loss(findings, now);
  if (findings.newly_acked_octets > 0) {
    AckEvent event;
    event.now = now;
    event.newly_acked_octets = findings.newly_acked_octets;
    event.in_flight_before_octets = findings.in_flight_before_octets;
    event.after_timeout = phase_before == RecoveryPhase::Timeout;
    event.counts_once = !config_->slow_start_counts_all_octets;
    event.in_recovery =
        phase_before == RecoveryPhase::Recovery || recovery_.phase() == RecoveryPhase::Recovery;
    event.app_limited = !is_cwnd_limited_;
    event.rtt_sample = findings.rtt_sample;
    congestion_->on_ack(event);
    start_window_.on_acknowledged(snd_.una);
    if (validation_.is_enabled() && rtt_.has_sample()) validation_.on_ack(event, rtt_.smoothed());
  }
  if (validation_.is_enabled()) validate_congestion_window(now);
  recovery_.regulate(findings, congestion_->ssthresh_octets(), smss_);
}

// Whether the window that the controller has is what the path was lately seen to carry.
void Connection::validate_congestion_window(Instant now) {
  const WindowValidation::Window window{congestion_->cwnd_octets(), congestion_->ssthresh_octets()};
  const bool has_recovered =
      validation_.is_recovering() && recovery_.phase() == RecoveryPhase::Open;
  const auto next = has_recovered
                        ? validation_.on_recovered(window, smss_)
                        : validation_.review(window, start_window_.initial_octets(smss_), now);
  if (next) congestion_->set_window(next->cwnd_octets, next->ssthresh_octets);
}

// --- Losses --------------------------------------------------------------------------------------

void Connection::respond_to_loss(const AckFindings& findings, Instant now) {
  if (findings.is_lost_retransmission) ++environment_.counters.tcp_lost_retransmissions;
  if (findings.loss_began) {
    ++fast_retransmits_;
    ++environment_.counters.tcp_fast_retransmits;
  }
  // A tail loss probe has repaired what is acknowledged by now.
  const auto lost = recovery_.lost();
  note_start_window_loss(lost ? lost->begin : snd_.una - 1);
  const std::uint64_t flight =
      validation_.is_enabled()
          ? validation_.on_loss(findings.flight_octets, congestion_->cwnd_octets(), now)
          : findings.flight_octets;
  congestion_->on_loss({now, findings.newly_lost_octets, flight});
}

void Connection::respond_to_timeout(Instant now) {
  note_start_window_loss(snd_.una);
  validation_.on_timeout();
  const std::uint32_t flight = distance(snd_.una, snd_.nxt);
  congestion_->on_retransmission_timeout({now, flight, flight});
}

void Connection::note_start_window_loss(SeqNum seq) noexcept {
  if (start_window_.on_lost(seq, snd_.nxt)) ++environment_.counters.tcp_initial_window_losses;
}

// --- Silence -------------------------------------------------------------------------------------

// Nothing is in flight, and something is about to be sent. After an idle RTO nothing is known about
// the path's present state (RFC 5681 section 4.1), unless the window is validated by other means.
void Connection::restart_congestion_window(Instant now) {
  if (last_sent_ == Instant{}) return;
  if (validation_.is_enabled()) {
    validate_congestion_window(now);
  } else if (now - last_sent_ > rtt_.timeout()) {
    congestion_->on_idle_restart(now, start_window_.restart_octets(smss_));
    start_window_.restart(snd_.nxt, congestion_->cwnd_octets());
  }
}

}  // namespace runnel::tcp
