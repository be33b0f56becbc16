#include "stack/tcp/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "stack/tcp/handshake.h"
#include "stack/tcp/reset.h"

namespace runnel::tcp {

Connection::Connection(Environment& environment, ConnectionId id, const FourTuple& tuple,
                       SharedConfig config)
    : environment_(environment),
      id_(id),
      tuple_(tuple),
      config_(std::move(config)),
      smss_(kDefaultMssOctets),
      path_mtu_(environment.link.mtu_octets, config_->path_mtu_floor_octets),
      mtu_search_(*config_),
      black_hole_(*config_),
      nagle_(config_->nagle),
      delayed_ack_(config_->quick_acks),
      keepalive_(config_->keepalive),
      user_timeout_(*config_),
      ip_fields_(IpFields::of(*config_)),
      ecn_(*config_, environment.counters),
      urgent_sender_(config_->urgent_pointer),
      urgent_receiver_(config_->urgent_inline, config_->urgent_pointer),
      rtt_(*config_),
      recovery_(SeqNum{}),
      start_window_(*config_),
      congestion_(config_->congestion_control, *config_, smss_,
                  start_window_.initial_octets(smss_)),
      validation_(config_->idle_restart == IdleRestart::Rfc7661),
      challenge_acks_(environment.challenge_acks_per_second),
      send_buffer_(*config_, environment.pool.budget()),
      receive_buffer_(*config_, environment.pool.budget()) {}

void Connection::set_state(State to, Instant now) {
  assert(is_legal(state_, to));
  const State from = std::exchange(state_, to);
  if (environment_.trace != nullptr) environment_.trace->on_state_change({now, id_, from, to});
}

void Connection::enter_closed(std::error_code error, Instant now) {
  if (state_ == State::Closed) return;
  // Not after a RST, which anybody might have sent, nor a timeout: then something is odd.
  is_path_report_due_ = !error && is_syn_acked_ && config_->share_measurements;
  if (state_ == State::SynSent && error && error != Errc::connection_refused) {
    fast_open_.unanswered();
  }
  set_state(State::Closed, now);
  timers_.cancel_all();
  environment_.window_share.forget(counted_round_);
  send_queue_.clear();
  out_of_order_.clear();
  if (error || is_given_up_) receive_queue_.clear();
  ack_now_ = false;
  error_ = error;
  if (error) report(EventKind::Error, error);
  report(EventKind::Closed);
}

void Connection::enter_time_wait(Instant now) {
  is_path_report_due_ = config_->share_measurements;
  set_state(State::TimeWait, now);
  timers_.cancel_all();  // the record that takes over has its own
  report(EventKind::Closed);
}

void Connection::send_reset(SeqNum seq, Instant now) {
  wire::TcpHeader header = reset_at(tuple_, seq);
  if (timestamps_.is_agreed()) header.options.timestamps = timestamps_.option(false, now);
  environment_.segments.send(tuple_, header, ip_fields_);
}

void Connection::report(EventKind kind, std::error_code error) {
  environment_.events.push({kind, id_, {}, error});
}

void Connection::report_once(EventKind kind, std::error_code error) {
  assert(is_told_once(kind));
  if (kind == EventKind::SoftError && !config_->soft_error_events) return;
  if ((pending_events_ & bit_of(kind)) != 0) return;
  pending_events_ = static_cast<std::uint16_t>(pending_events_ | bit_of(kind));
  report(kind, error);
}

void Connection::memory_is_available() {
  if (!wants_to_write_ || writable_octets() == 0) return;
  wants_to_write_ = false;
  report_once(EventKind::Writable);
}

std::size_t Connection::writable_octets() const noexcept {
  if (is_fin_queued_ || state_ == State::Closed) return 0;
  return send_buffer_.octets() - std::min(send_buffer_.octets(), send_queue_.size());
}

std::size_t Connection::held_octets() const noexcept {
  return send_queue_.charged_octets() + receive_queue_.charged_octets() +
         out_of_order_.charged_octets();
}

std::size_t Connection::readable_octets() const noexcept {
  const auto gap = urgent_receiver_.gap();
  return receive_queue_.size() - (gap && *gap < received_offset_ ? 1 : 0);
}

TcpInfo Connection::info() const noexcept {
  TcpInfo info;
  info.state = state_;
  info.local = tuple_.local;
  info.remote = tuple_.remote;
  info.send_mss_octets = smss_;
  info.path_mtu_octets = path_mtu_.octets();
  info.receive_mss_octets = offered_mss(environment_.link.receive_mtu_octets);
  info.send_window_scale = snd_.scale;
  info.receive_window_scale = rcv_.scale;
  info.has_timestamps = timestamps_.is_agreed();
  info.has_sack = is_sack_permitted_;
  info.send_window_octets = snd_.wnd;
  info.receive_window_octets = rcv_.wnd();
  info.congestion_window_octets = congestion_->cwnd_octets();
  info.slow_start_threshold_octets = congestion_->ssthresh_octets();
  info.in_flight_octets = in_flight();
  info.congestion_control = congestion_.algorithm();
  info.pacing_rate_octets = pacer_.rate();
  info.delivery_rate_octets = delivery_rate_octets_;
  info.is_delivery_app_limited = is_delivery_app_limited_;
  info.smoothed_rtt = rtt_.smoothed();
  info.rtt_variation = rtt_.variation();
  info.retransmission_timeout = rtt_.timeout();
  info.octets_acknowledged = send_queue_.begin_offset();
  info.octets_sent = std::min(offset_of(snd_.nxt), send_queue_.end_offset());
  info.octets_received = received_offset_;
  info.octets_retransmitted = octets_retransmitted_;
  info.segments_retransmitted = segments_retransmitted_;
  info.retransmission_timeouts = timeouts_count_;
  info.fast_retransmits = fast_retransmits_;
  info.tail_loss_probes = tail_loss_probes_;
  info.spurious_recoveries = spurious_recoveries_;
  info.duplicates_reported = duplicates_reported_;
  info.has_sack = recovery_.uses_sack();
  info.ecn = ecn_.feedback();
  info.sends_ecn_capable = ecn_.sends_ect();
  info.ce_marks_received = ecn_.marks_received();
  info.ce_marks_reported = ecn_.marks_reported();
  info.ecn_responses = ecn_.responses();
  info.recovery_phase = recovery_.phase();
  info.recovery_timer = recovery_timer();
  info.minimum_rtt = recovery_.rack().minimum_rtt().value_or(Duration{0});
  info.reordering_window = recovery_.rack().reordering_window();
  info.lost_octets = recovery_.lost_octets();
  info.sacked_octets = recovery_.board().sacked_octets();
  info.send_queue_octets = send_queue_.size();
  info.receive_queue_octets = receive_queue_.size();
  info.out_of_order_octets = out_of_order_.octets();
  info.user_timeout = user_timeout_in_force();
  info.peer_user_timeout = user_timeout_.remote();
  info.urgent_octets = static_cast<std::size_t>(urgent_receiver_.octets_from(read_offset()));
  info.send_buffer_octets = send_buffer_.octets();
  info.receive_buffer_octets = receive_buffer_.octets();
  return info;
}

}  // namespace runnel::tcp
