// What the congestion controller is told of: the handshake, what acknowledgments show, losses, and
// silence. RFC 5681, RFC 6928, RFC 7661.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::begin_congestion_control(unsigned lost_syns, Instant now) {
  start_window_.begin(snd_.iss + 1, smss_, lost_syns);
  congestion_.choose(congestion_.algorithm(), *config_, congestion_parameters(now));
  begin_with_shared_ssthresh();
  update_pacing_rate();
}

CongestionParameters Connection::congestion_parameters(Instant now) const noexcept {
  CongestionParameters parameters;
  parameters.smss_octets = smss_;
  parameters.initial_window_octets = start_window_.initial_octets(smss_);
  parameters.seed = std::uint64_t{snd_.iss.value()} << 32U | rcv_.irs.value();
  if (rtt_.has_sample()) parameters.smoothed_rtt = rtt_.smoothed();
  parameters.now = now;
  parameters.has_selective_acks = is_sack_permitted_;
  return parameters;
}

// Another controller goes on with the window that the old one had reached, and does not begin to
// double it.
Result<void> Connection::set_congestion_control(CongestionAlgorithm algorithm,
                                                Instant now) noexcept {
  if (!AnyCongestionControl::is_permitted(algorithm, *config_)) return Errc::invalid_argument;
  if (algorithm == congestion_.algorithm()) return {};
  const std::uint64_t cwnd = congestion_->cwnd_octets();
  const std::uint64_t ssthresh = congestion_->ssthresh_octets();
  congestion_.choose(algorithm, *config_, congestion_parameters(now));
  if (is_syn_acked_) congestion_->set_window(cwnd, std::min(ssthresh, cwnd));
  recovery_.restart_regulation(congestion_->ssthresh_octets());
  update_pacing_rate();
  return {};
}

// --- Acknowledgments -----------------------------------------------------------------------------

void Connection::respond_to(const AckFindings& findings, RecoveryPhase phase_before,
                            const ConnectionEcn::Report& marks, Instant now) {
  if (findings.is_spurious) {
    ++spurious_recoveries_;
    ++environment_.counters.tcp_spurious_recoveries;
    if (ecn_.response().may_be_undone()) congestion_->on_spurious_recovery(now);
    validation_.on_spurious_recovery();
  }
  respond_to_losses(findings, now);
  if (marks.is_congestion) respond_to_marks(findings.in_flight_before_octets, now);
  if (findings.rate) {
    delivery_rate_octets_ = findings.rate->octets_per_second;
    is_delivery_app_limited_ = findings.rate->is_app_limited;
  }
  if (findings.delivered_octets > 0) {
    AckEvent event = ack_event(findings, phase_before, now);
    event.ce_marked_octets = marks.octets;
    congestion_->on_ack(event);
    if (congestion_->holds_back()) recovery_.on_app_limited(snd_.una, snd_.nxt);
    if (findings.newly_acked_octets > 0) {
      start_window_.on_acknowledged(snd_.una);
      if (validates_window() && rtt_.has_sample()) validation_.on_ack(event, rtt_.smoothed());
    }
  }
  if (validates_window()) validate_congestion_window(now);
  recovery_.regulate(findings, congestion_->ssthresh_octets(), smss_);
  update_pacing_rate();
}

AckEvent Connection::ack_event(const AckFindings& findings, RecoveryPhase phase_before,
                               Instant now) const noexcept {
  AckEvent event;
  event.now = now;
  event.newly_acked_octets = findings.newly_acked_octets;
  event.newly_delivered_octets = static_cast<std::uint64_t>(findings.delivered_octets);
  event.newly_lost_octets = findings.newly_lost_octets;
  event.in_flight_before_octets = findings.in_flight_before_octets;
  event.in_flight_octets = in_flight();
  event.delivered_octets = recovery_.delivery_rate().delivered_octets();
  event.lost_octets = recovery_.delivery_rate().lost_octets();
  event.una = snd_.una;
  event.nxt = snd_.nxt;
  event.rtt_sample = findings.rtt_sample;
  if (rtt_.has_sample()) event.smoothed_rtt = rtt_.smoothed();
  if (findings.rate) event.rate = &*findings.rate;
  event.in_recovery =
      phase_before == RecoveryPhase::Recovery || recovery_.phase() == RecoveryPhase::Recovery;
  event.after_timeout = phase_before == RecoveryPhase::Timeout;
  event.has_recovered = findings.has_recovered;
  event.counts_once = !config_->slow_start_counts_all_octets;
  event.app_limited = !is_cwnd_limited_;
  event.is_paced = is_pacing_worth_it();
  return event;
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

// Every range that was lost is told, the first one of a round trip as such.
void Connection::respond_to_losses(const AckFindings& findings, Instant now) {
  const bool calls_for_response = findings.loss_began || findings.has_probe_repaired;
  if (!calls_for_response && recovery_.newly_lost().empty()) return;
  LossEvent event;
  event.now = now;
  event.calls_for_response = calls_for_response && !is_answered_already();
  event.total_lost_octets = recovery_.delivery_rate().lost_octets();
  event.delivered_octets = recovery_.delivery_rate().delivered_octets();
  event.begin = event.end = snd_.una;
  if (calls_for_response) {
    event.in_flight_before_octets = begin_loss_response(findings, now);
    if (event.calls_for_response) ecn_.reduced_for_loss(snd_.nxt);
    if (recovery_.newly_lost().empty()) {  // without SACK, or a tail loss probe has repaired it
      event.lost_octets = findings.newly_lost_octets;
      if (!recovery_.board().empty()) event.sent = recovery_.board()[0].delivery;
      congestion_->on_loss(event);
      return;
    }
  }
  event.total_lost_octets -= findings.newly_lost_octets;
  for (std::size_t i = 0; i < recovery_.newly_lost().count(); ++i) {
    const SentRange& lost = recovery_.newly_lost()[i];
    event.lost_octets = lost.octets();
    event.total_lost_octets += lost.octets();
    event.sent = lost.delivery;
    event.begin = lost.range.begin;
    event.end = lost.range.end;
    congestion_->on_loss(event);
    event.calls_for_response = false;
  }
}

// A mark has had the window reduced after what is lost now had left: it is the same congestion (RFC
// 3168 section 6.1.2). Not to DCTCP, which answers marks by less than it answers losses.
bool Connection::is_answered_already() const noexcept {
  const auto lost = recovery_.lost();
  return ecn_.response().is_for_mark() && lost && ecn_.response().covers(lost->begin) &&
         !uses_dctcp(*config_);
}

// Counts a loss to which the controller has to respond; returns the FlightSize for it.
std::uint64_t Connection::begin_loss_response(const AckFindings& findings, Instant now) {
  if (findings.is_lost_retransmission) ++environment_.counters.tcp_lost_retransmissions;
  if (findings.loss_began) {
    ++fast_retransmits_;
    ++environment_.counters.tcp_fast_retransmits;
  }
  // A tail loss probe has repaired what is acknowledged by now.
  const auto lost = recovery_.lost();
  note_start_window_loss(lost ? lost->begin : snd_.una - 1);
  if (!validates_window()) return findings.flight_octets;
  return validation_.on_loss(findings.flight_octets, congestion_->cwnd_octets(), now);
}

void Connection::respond_to_timeout(Instant now) {
  note_start_window_loss(snd_.una);
  validation_.on_timeout();
  const std::uint32_t flight = distance(snd_.una, snd_.nxt);
  LossEvent event;
  event.now = now;
  event.lost_octets = event.in_flight_before_octets = flight;
  event.total_lost_octets = recovery_.delivery_rate().lost_octets();
  event.delivered_octets = recovery_.delivery_rate().delivered_octets();
  event.begin = event.end = snd_.una;
  congestion_->on_retransmission_timeout(event);
  ecn_.reduced_for_loss(snd_.nxt);
  update_pacing_rate();
}

void Connection::note_start_window_loss(SeqNum seq) noexcept {
  if (start_window_.on_lost(seq, snd_.nxt)) ++environment_.counters.tcp_initial_window_losses;
}

// --- Silence -------------------------------------------------------------------------------------

// Nothing is in flight, and something is about to be sent. After an idle RTO nothing is known about
// the path's present state (RFC 5681 section 4.1), unless the window is validated by other means.
void Connection::restart_congestion_window(Instant now) {
  if (last_sent_ == Instant{} || congestion_->governs_recovery()) return;
  if (validates_window()) {
    validate_congestion_window(now);
  } else if (now - last_sent_ > rtt_.timeout()) {
    congestion_->on_idle_restart(now, start_window_.restart_octets(smss_));
    start_window_.restart(snd_.nxt, congestion_->cwnd_octets());
  }
}

}  // namespace runnel::tcp
