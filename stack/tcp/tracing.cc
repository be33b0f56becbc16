// What a sink of traces is shown of a connection that sends.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::trace_transmission(SeqNum seq, std::size_t octets, bool again, Instant now) const {
  if (environment_.trace == nullptr || octets == 0 || !is_syn_acked_) return;
  Transmission record;
  record.at = now;
  record.connection = id_;
  record.offset = offset_of(seq);
  record.octets = static_cast<std::uint32_t>(octets);
  record.is_retransmission = again;
  record.state = sending_state();
  environment_.trace->on_transmission(record);
}

void Connection::trace_acknowledgment(const AckFindings& findings, Instant now) const {
  const bool had_outstanding = findings.newly_acked_octets > 0 || snd_.una < snd_.nxt;
  if (environment_.trace == nullptr || !had_outstanding || !is_syn_acked_) return;
  Acknowledgment record;
  record.at = now;
  record.connection = id_;
  record.newly_delivered_octets =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, findings.delivered_octets));
  record.rtt_sample = findings.rtt_sample;
  record.state = sending_state();
  environment_.trace->on_acknowledgment(record);
}

SendingState Connection::sending_state() const noexcept {
  SendingState state;
  state.una_offset = send_queue_.begin_offset();
  // FIN has a sequence number, but is no octet of the stream.
  state.nxt_offset = offset_of(min(snd_.nxt, data_end()));
  state.in_flight_octets = in_flight();
  state.congestion_window_octets = congestion_->cwnd_octets();
  const std::uint64_t ssthresh = congestion_->ssthresh_octets();
  if (ssthresh != UINT64_MAX) state.slow_start_threshold_octets = ssthresh;
  if (rtt_.has_sample()) state.smoothed_rtt = rtt_.smoothed();
  state.delivery_rate_octets = delivery_rate_octets_;
  state.pacing_rate_octets = pacer_.rate();
  state.phase = phase();
  return state;
}

// The controller's own word for it. Where another part of the connection decides what is sent, its
// word instead.
std::string_view Connection::phase() const noexcept {
  if (!congestion_->governs_recovery()) {
    if (recovery_.phase() == RecoveryPhase::Recovery) return "Recovery";
    if (recovery_.phase() == RecoveryPhase::Timeout) return "Timeout";
  }
  return congestion_->phase();
}

}  // namespace runnel::tcp
