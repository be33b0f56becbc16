#include "tests/support/bbr_path.h"

#include <algorithm>

namespace runnel::test {

namespace {

constexpr std::uint64_t kReorderingThreshold = 3;
constexpr Duration kTimeout = std::chrono::seconds(1);

tcp::CongestionParameters parameters_of(const BbrPath::Options& options, Instant now) {
  tcp::CongestionParameters parameters;
  parameters.smss_octets = options.smss_octets;
  parameters.initial_window_octets = options.initial_window_octets;
  parameters.seed = options.seed;
  parameters.smoothed_rtt = options.round_trip;
  parameters.now = now;
  parameters.has_selective_acks = options.has_selective_acks;
  return parameters;
}

Duration time_for(std::uint64_t octets, std::uint64_t bits_per_second) {
  return Duration(static_cast<Duration::rep>(octets * 8 * 1'000'000'000 / bits_per_second));
}

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

BbrPath::BbrPath(const Options& options)
    : options_(options), bbr_(parameters_of(options, Instant(std::chrono::seconds(1)))) {
  delivered_at_ = first_sent_at_ = last_progress_ = data_at_ = tokens_at_ = now_;
}

std::uint64_t BbrPath::bdp_octets() const noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(options_.bits_per_second) / 8 *
                                    seconds(options_.round_trip));
}

// --- Time ----------------------------------------------------------------------------------------

void BbrPath::run_for(Duration time) {
  (void)run_until([] { return false; }, time);
}

bool BbrPath::run_until(const std::function<bool()>& is_reached, Duration most) {
  const Instant limit = now_ + most;
  while (!is_reached()) {
    if (limit <= now_) return false;
    step(limit);
  }
  return true;
}

void BbrPath::step(Instant limit) {
  check_app_limited();
  earn_data();
  while (may_send()) send();
  Instant next = limit;
  if (has_room() && next_data() <= next_send_) next = std::min(next, next_send_);
  if (now_ < next_data()) next = std::min(next, next_data());
  if (!arrivals_.empty()) next = std::min(next, arrivals_.top().at);
  if (!queue_.empty()) next = std::min(next, departs_at_);
  const Instant timeout = last_progress_ + kTimeout;
  if (inflight_ > 0) next = std::min(next, timeout);
  now_ = std::max(now_, next);
  if (!queue_.empty() && departs_at_ <= now_) {
    depart();
  } else if (!arrivals_.empty() && arrivals_.top().at <= now_) {
    acknowledge();
  } else if (inflight_ > 0 && timeout <= now_) {
    time_out();
  }
}

// --- The application -----------------------------------------------------------------------------

void BbrPath::earn_data() noexcept {
  if (application_rate) {
    data_octets_ += static_cast<double>(*application_rate) * seconds(now_ - data_at_);
  }
  data_at_ = now_;
}

// When there is a packet's worth of data.
Instant BbrPath::next_data() const noexcept {
  if (!application_rate || options_.smss_octets <= data_octets_) return now_;
  if (*application_rate == 0) return kNever;
  const double missing = options_.smss_octets - data_octets_;
  const double wait = missing / static_cast<double>(*application_rate) * 1e9;
  return now_ + Duration(static_cast<Duration::rep>(wait) + 1);
}

// --- Sending -------------------------------------------------------------------------------------

bool BbrPath::has_room() const noexcept {
  return inflight_ + options_.smss_octets <= bbr_.cwnd_octets();
}

// CheckIfApplicationLimited(): before the application writes, and before an acknowledgment counts.
void BbrPath::check_app_limited() noexcept {
  if (now_ < next_data() && has_room() && next_send_ <= now_) {
    app_limited_ = std::max<std::uint64_t>(delivered_ + inflight_, 1);
  }
}

bool BbrPath::may_send() noexcept {
  check_app_limited();
  const bool has_data = next_data() <= now_;
  is_cwnd_limited_ = has_data && !has_room();
  return has_data && has_room() && next_send_ <= now_;
}

void BbrPath::send() {
  if (application_rate) data_octets_ -= options_.smss_octets;
  bbr_.on_transmit({now_, options_.smss_octets, inflight_, false, app_limited_ != 0});
  // OnPacketSent()
  if (inflight_ == 0) {
    first_sent_at_ = delivered_at_ = last_progress_ = now_;
  }
  inflight_ += options_.smss_octets;
  Packet packet;
  packet.id = next_id_++;
  packet.sent_at = now_;
  packet.snapshot = {delivered_,    lost_,          inflight_,
                     delivered_at_, first_sent_at_, app_limited_ != 0};
  packets_.push_back(packet);
  carry(packet);
  const std::uint64_t rate = std::max<std::uint64_t>(1, *bbr_.pacing_rate());
  next_send_ = std::max(now_, next_send_) + time_for(options_.smss_octets, 8 * rate);
}

void BbrPath::carry(const Packet& packet) {
  if (loses(packet.id)) return;
  if (policer_bits_per_second > 0) {
    tokens_ += static_cast<double>(policer_bits_per_second) / 8 * seconds(now_ - tokens_at_);
    tokens_ = std::min(tokens_, static_cast<double>(policer_burst_octets));
    tokens_at_ = now_;
    if (tokens_ < options_.smss_octets) return;
    tokens_ -= options_.smss_octets;
  }
  // The packet that is being sent takes no room in the queue.
  if (!queue_.empty() && options_.queue_octets < queue_.size() * options_.smss_octets) return;
  queue_.push_back(packet.id);
  if (queue_.size() == 1) begin_departure();
}

void BbrPath::begin_departure() {
  departs_at_ = now_ + time_for(options_.smss_octets, options_.bits_per_second);
}

void BbrPath::depart() {
  const std::uint64_t id = queue_.front();
  queue_.pop_front();
  if (!queue_.empty()) begin_departure();
  const Duration delay = delays(id);
  Instant at = now_ + options_.round_trip + delay;
  if (delay == Duration{0}) at = last_arrival_ = std::max(at, last_arrival_);  // in order
  if (aggregation > Duration{0}) {
    const auto ticks = (at.time_since_epoch() + aggregation - Duration{1}) / aggregation;
    at = Instant(ticks * aggregation);
  }
  arrivals_.push({at, id});
}

// --- Acknowledgments -----------------------------------------------------------------------------

BbrPath::Packet* BbrPath::find(std::uint64_t id) noexcept {
  if (packets_.empty() || id < packets_.front().id) return nullptr;
  return &packets_[id - packets_.front().id];
}

void BbrPath::acknowledge() {
  tcp::AckEvent event;
  event.now = now_;
  event.in_flight_before_octets = inflight_;
  const bool was_recovering = recovery_ends_.has_value();
  bool is_spurious = false;
  while (!arrivals_.empty() && arrivals_.top().at <= now_) {
    Packet* const packet = find(arrivals_.top().id);
    arrivals_.pop();
    if (packet == nullptr || packet->fate == Packet::Fate::Acked) continue;
    is_spurious = is_spurious || packet->fate == Packet::Fate::Lost;
    note_acked(*packet, event);
  }
  if (is_spurious) {
    recovery_ends_.reset();
    is_timeout_ = false;
    bbr_.on_spurious_recovery(now_);
  }
  if (event.ce_marked_octets > 0) tell_marks(event, event.ce_marked_octets);
  detect_losses();
  event.has_recovered = was_recovering && recovery_ends_ && *recovery_ends_ <= highest_acked_;
  event.in_recovery = recovery_ends_ && !is_timeout_;
  event.after_timeout = recovery_ends_ && is_timeout_;
  if (event.has_recovered) {
    recovery_ends_.reset();
    is_timeout_ = false;
  }
  event.in_flight_octets = inflight_;
  event.delivered_octets = delivered_;
  event.lost_octets = lost_;
  event.smoothed_rtt = last_round_trip_;
  event.app_limited = !is_cwnd_limited_;
  take_sample(event);
  if (event.newly_delivered_octets > 0) bbr_.on_ack(event);
  // HandleProbeRTT(): MarkConnectionAppLimited()
  if (bbr_.holds_back()) app_limited_ = std::max<std::uint64_t>(delivered_ + inflight_, 1);
  while (!packets_.empty() && packets_.front().id < undecided_from_ &&
         packets_.front().sent_at + std::chrono::seconds(3) < now_) {
    packets_.pop_front();
  }
  observe();
}

// UpdateRateSample()
void BbrPath::note_acked(Packet& packet, tcp::AckEvent& event) {
  if (packet.fate == Packet::Fate::InFlight) inflight_ -= options_.smss_octets;
  packet.fate = Packet::Fate::Acked;
  delivered_ += options_.smss_octets;
  delivered_at_ = last_progress_ = now_;
  event.newly_delivered_octets += options_.smss_octets;
  event.newly_acked_octets += options_.smss_octets;
  if (marks(packet.id)) event.ce_marked_octets += options_.smss_octets;
  highest_acked_ = std::max(highest_acked_, packet.id);
  if (!newest_ || newest_->id < packet.id) newest_ = packet;
}

// GenerateRateSample()
void BbrPath::take_sample(tcp::AckEvent& event) {
  if (app_limited_ != 0 && app_limited_ < delivered_) app_limited_ = 0;
  if (!newest_) return;
  const Packet packet = *newest_;
  newest_.reset();
  const Duration send_elapsed = packet.sent_at - packet.snapshot.first_sent_at;
  const Duration ack_elapsed = delivered_at_ - packet.snapshot.delivered_at;
  first_sent_at_ = std::max(first_sent_at_, packet.sent_at);
  last_round_trip_ = now_ - packet.sent_at;
  minimum_round_trip_ = std::min(minimum_round_trip_, last_round_trip_);

  sample_ = {};
  sample_.interval = std::max(send_elapsed, ack_elapsed);
  sample_.prior_delivered_octets = packet.snapshot.delivered_octets;
  sample_.delivered_octets = delivered_ - packet.snapshot.delivered_octets;
  sample_.lost_octets = lost_ - packet.snapshot.lost_octets;
  sample_.tx_in_flight_octets = packet.snapshot.in_flight_octets;
  sample_.is_app_limited = packet.snapshot.is_app_limited;
  sample_.rtt = last_round_trip_;
  if (minimum_round_trip_ <= sample_.interval && sample_.interval > Duration{0}) {
    sample_.octets_per_second = static_cast<std::uint64_t>(
        static_cast<double>(sample_.delivered_octets) / seconds(sample_.interval));
  }
  event.rate = &sample_;
  event.rtt_sample = last_round_trip_;
}

// --- Losses --------------------------------------------------------------------------------------

void BbrPath::detect_losses() {
  for (; undecided_from_ + kReorderingThreshold <= highest_acked_; ++undecided_from_) {
    Packet& packet = *find(undecided_from_);
    if (packet.fate != Packet::Fate::InFlight) continue;
    packet.fate = Packet::Fate::Lost;
    inflight_ -= options_.smss_octets;
    lost_ += options_.smss_octets;
    tcp::LossEvent event;
    event.now = now_;
    event.calls_for_response = !recovery_ends_;
    event.lost_octets = options_.smss_octets;
    event.in_flight_before_octets = inflight_ + options_.smss_octets;
    event.sent = packet.snapshot;
    const auto begin = static_cast<std::uint32_t>(packet.id * options_.smss_octets);
    event.begin = wire::SeqNum{begin};
    event.end = wire::SeqNum{begin + options_.smss_octets};
    event.total_lost_octets = lost_;
    event.delivered_octets = delivered_;
    if (!recovery_ends_) recovery_point_ = next_id_;
    // As TCP: what was lost before the recovery point has to be repaired, which takes a round trip.
    if (!recovery_ends_ || packet.id < recovery_point_) recovery_ends_ = next_id_;
    bbr_.on_loss(event);
  }
}

// A response is due once a round trip.
void BbrPath::tell_marks(tcp::AckEvent& event, std::uint64_t octets) {
  event.ce_marked_octets = counts_marks ? octets : 0;
  if (highest_acked_ < next_mark_response_) return;
  next_mark_response_ = next_id_;
  tcp::LossEvent loss;
  loss.now = now_;
  loss.cause = tcp::LossEvent::Cause::EcnMark;
  loss.in_flight_before_octets = event.in_flight_before_octets;
  loss.total_lost_octets = lost_;
  loss.delivered_octets = delivered_;
  bbr_.on_loss(loss);
}

void BbrPath::time_out() {
  last_progress_ = now_;
  tcp::LossEvent event;
  event.now = now_;
  event.lost_octets = event.in_flight_before_octets = inflight_;
  for (Packet& packet : packets_) {
    if (packet.fate != Packet::Fate::InFlight) continue;
    packet.fate = Packet::Fate::Lost;
    lost_ += options_.smss_octets;
  }
  inflight_ = 0;
  undecided_from_ = next_id_;
  event.total_lost_octets = lost_;
  event.delivered_octets = delivered_;
  recovery_ends_ = recovery_point_ = next_id_;
  is_timeout_ = true;
  bbr_.on_retransmission_timeout(event);
  observe();
}

}  // namespace runnel::test
