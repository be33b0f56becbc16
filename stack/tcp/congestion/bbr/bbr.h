// BBRv3: a model of the path instead of an answer to each loss. draft-ietf-ccwg-bbr-06.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runnel/time.h"
#include "stack/tcp/congestion/bbr/arithmetic.h"
#include "stack/tcp/congestion/bbr/constants.h"
#include "stack/tcp/congestion/bbr/dice.h"
#include "stack/tcp/congestion/bbr/filters.h"
#include "stack/tcp/congestion/congestion_control.h"

namespace runnel::tcp::bbr {

// BBR.state
enum class State : std::uint8_t {
  Startup,
  Drain,
  ProbeBwDown,
  ProbeBwCruise,
  ProbeBwRefill,
  ProbeBwUp,
  ProbeRtt,
};

// As the draft writes them: "Startup", "ProbeBW_UP", ...
[[nodiscard]] std::string_view name_of(State state) noexcept;

// BBR.ack_phase: what the ACKs of now say about the last probe for bandwidth.
enum class AckPhase : std::uint8_t {
  Init,           // nothing
  Refilling,      // the pipe is being filled
  ProbeStarting,  // more is in flight, but its ACKs have not come yet
  ProbeFeedback,  // they come
  ProbeStopping,  // less is being sent, and the last of them come
};

// The draft's BBR.*, by its names (sections 2.5 to 2.16). Volumes are octets, rates octets a
// second.
struct Variables {
  State state = State::Startup;
  Percent pacing_gain = kStartupPacingGain;
  Percent cwnd_gain = kDefaultCwndGain;
  bool idle_restart = false;

  // Packet-timed round trips (section 5.5.1).
  std::uint64_t round_count = 0;
  std::uint64_t next_round_delivered = 0;
  bool round_start = false;
  std::uint64_t drain_start_round = 0;

  // The model: rates (section 2.9.1) and volumes (section 2.9.2).
  std::uint64_t max_bw = 0;
  std::uint64_t bw_shortterm = kInfinity;
  std::uint64_t bw = 0;
  std::uint64_t max_inflight = 0;
  std::uint64_t inflight_longterm = kInfinity;
  std::uint64_t inflight_shortterm = kInfinity;

  // The latest round trip, and congestion in it (sections 2.10 and 5.5.10.3).
  std::uint64_t bw_latest = 0;
  std::uint64_t inflight_latest = 0;
  bool is_loss_in_round = false;
  std::uint64_t loss_round_delivered = 0;
  bool loss_round_start = false;

  // Aggregation of ACKs (section 5.5.9).
  std::uint64_t extra_acked = 0;
  Instant extra_acked_interval_start{};
  std::uint64_t extra_acked_delivered = 0;

  // The full pipe (section 5.3.1.2).
  bool full_bw_reached = false;
  bool full_bw_now = false;
  std::uint64_t full_bw = 0;
  std::uint32_t full_bw_count = 0;

  // Probing for bandwidth (section 2.14).
  AckPhase ack_phase = AckPhase::Init;
  bool is_bw_probe_sample = false;
  std::uint64_t bw_probe_up_acked = 0;
  std::uint64_t probe_up_acked_per_inc = kInfinity;
  std::uint32_t bw_probe_up_rounds = 0;
  std::uint64_t rounds_since_probe_up = 0;
  Duration bw_probe_wait{0};
  Instant cycle_stamp{};
  bool prev_probe_too_high = false;
  bool prev_probe_precautionary = false;

  // The round trip (section 2.16). kForever: no sample yet.
  Duration min_rtt = kForever;
  Instant min_rtt_stamp{};
  Duration probe_rtt_min_delay = kForever;
  Instant probe_rtt_min_stamp{};
  bool probe_rtt_expired = false;
  std::optional<Instant> probe_rtt_done_stamp;
  bool probe_rtt_round_done = false;

  // What is restored (sections 2.15 and 5.6.4.4).
  std::uint64_t prior_cwnd = 0;
  std::optional<State> undo_state;
  std::uint64_t undo_bw_shortterm = 0;
  std::uint64_t undo_inflight_shortterm = 0;
  std::uint64_t undo_inflight_longterm = 0;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(state, pacing_gain.value, cwnd_gain.value, idle_restart);
    archive(round_count, next_round_delivered, round_start, drain_start_round);
    archive(max_bw, bw_shortterm, bw, max_inflight, inflight_longterm, inflight_shortterm);
    archive(bw_latest, inflight_latest, is_loss_in_round, loss_round_delivered, loss_round_start);
    archive(extra_acked, extra_acked_interval_start, extra_acked_delivered);
    archive(full_bw_reached, full_bw_now, full_bw, full_bw_count);
    archive(ack_phase, is_bw_probe_sample, bw_probe_up_acked, probe_up_acked_per_inc);
    archive(bw_probe_up_rounds, rounds_since_probe_up, bw_probe_wait, cycle_stamp);
    archive(prev_probe_too_high, prev_probe_precautionary);
    archive(min_rtt, min_rtt_stamp, probe_rtt_min_delay, probe_rtt_min_stamp, probe_rtt_expired);
    archive(probe_rtt_done_stamp, probe_rtt_round_done);
    archive(prior_cwnd, undo_state, undo_bw_shortterm, undo_inflight_shortterm);
    archive(undo_inflight_longterm);
  }
};

// The draft's C.*: of the connection. What BBR itself decides is among it (section 2.4).
struct ConnectionVariables {
  std::uint64_t cwnd = 0;
  std::uint64_t pacing_rate = 0;
  std::uint64_t send_quantum = 0;
  std::uint64_t smss = 0;
  std::uint64_t initial_cwnd = 0;
  std::uint64_t inflight = 0;
  std::uint64_t delivered = 0;
  bool is_cwnd_limited = false;
  bool has_selective_acks = true;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(cwnd, pacing_rate, send_quantum, smss, initial_cwnd, inflight, delivered);
    archive(is_cwnd_limited, has_selective_acks);
  }
};

// The draft's RS.*: of the ACK that is being processed (section 2.3).
struct AckSample {
  std::uint64_t delivery_rate = 0;
  std::uint64_t delivered = 0;
  std::uint64_t prior_delivered = 0;
  std::uint64_t newly_acked = 0;
  std::uint64_t lost = 0;
  std::uint64_t tx_in_flight = 0;
  bool is_app_limited = false;
  base::OptionalDuration rtt;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(delivery_rate, delivered, prior_delivered, newly_acked, lost, tx_in_flight);
    archive(is_app_limited);
    archive(rtt);
  }
};

}  // namespace runnel::tcp::bbr

namespace runnel::tcp {

struct CongestionParameters;

// Theory of operation. BBR sends at the rate at which the path delivers, with as much in flight as
// that takes, and finds out about both by experiments:
//
//     Startup ──▶ Drain ──▶ ProbeBW_DOWN ──▶ CRUISE ──▶ REFILL ──▶ UP ──┐
//        ▲                       ▲                                      │
//        │                       └──────────────────────────────────────┘
//        └── if the pipe was never full ── ProbeRTT ◀── from each of them, every 5 s
//
//  - max_bw is the most that was delivered in this cycle and the one before, min_rtt the shortest
//    round trip of 10 s. Their product, the BDP, is what fills the path without a queue.
//  - A loss rate above 2 % in a probe bounds what may be in flight for long (inflight_longterm);
//  any
//    loss outside of a probe bounds rate and volume until the next one (.._shortterm).
//  - pacing_rate = pacing_gain * bw * 99 %; cwnd = cwnd_gain * BDP and what aggregation needs.
//
// The pseudo-code of the draft is here function by function, under its names, in files by its
// sections:
//
//     bbr.cc            5.2     what happens on ACKs, losses and transmissions, and in which order
//     startup.cc        5.3.1, 5.3.2   Startup, the full pipe, Drain
//     probe_bw.cc       5.3.3   the cycle of probes
//     probe_rtt.cc      5.3.4   min_rtt
//     path_model.cc     5.5.1 to 5.5.9   rounds, max_bw, aggregation
//     loss_response.cc  5.5.10, 5.5.11   losses, marks, and losses that were none
//     control.cc        5.6     pacing rate, quantum, window; and restarting from idle, 5.4
//
// So bbr_, c_ and rs_ stand for the draft's BBR, C and RS. The README of stack/tcp/congestion lists
// what departs from it.
class Bbr final : public CongestionControl {
 public:
  explicit Bbr(const CongestionParameters& parameters) noexcept;

  void begin_with_ssthresh(std::uint64_t) override {}  // there is no slow start to end
  void on_transmit(const TransmitEvent& event) override;
  void on_ack(const AckEvent& event) override;
  void on_loss(const LossEvent& event) override;
  void on_retransmission_timeout(const LossEvent& event) override;
  void on_spurious_recovery(Instant now) override;
  // Restarting from idle, on_transmit() sees to it: the window stays (section 5.4).
  void on_idle_restart(Instant, std::uint64_t) override {}
  void set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) override;
  void on_smss_change(std::uint32_t smss_octets, bool scales_window) override;

  [[nodiscard]] std::uint64_t cwnd_octets() const override { return c_.cwnd; }
  [[nodiscard]] std::uint64_t ssthresh_octets() const override { return UINT64_MAX; }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return c_.pacing_rate; }
  [[nodiscard]] bool governs_recovery() const override { return true; }
  [[nodiscard]] std::string_view phase() const override { return name_of(bbr_.state); }
  [[nodiscard]] bool holds_back() const override { return bbr_.state == bbr::State::ProbeRtt; }

  // For tests and traces: the variables of the draft.
  [[nodiscard]] const bbr::Variables& variables() const noexcept { return bbr_; }
  [[nodiscard]] const bbr::ConnectionVariables& connection() const noexcept { return c_; }
  [[nodiscard]] std::uint64_t inflight(bbr::Percent gain) const noexcept;
  [[nodiscard]] std::uint64_t inflight_with_headroom() const noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(bbr_, c_, rs_, max_bw_filter_, extra_acked_filter_, recent_inflight_, dice_, now_);
    archive(inflight_reached_, has_seen_rtt_, uses_cwnd_in_round_, used_cwnd_in_round_);
    archive(is_in_fast_recovery_, is_in_recovery_, lost_ranges_in_round_, lost_until_);
    archive(marked_in_round_, is_mark_news_, has_uncounted_mark_);
  }

 private:
  using State = bbr::State;

  // --- bbr.cc ----------------------------------------------------------------------------------
  void read(const AckEvent& event) noexcept;
  void update_model_and_state() noexcept;
  void update_control_parameters() noexcept;

  // --- startup.cc ------------------------------------------------------------------------------
  void enter(State state, bbr::Percent pacing_gain, bbr::Percent cwnd_gain) noexcept;
  void enter_startup() noexcept;
  void reset_full_bw() noexcept;
  void check_full_bw_reached() noexcept;
  void check_startup_done() noexcept;
  void check_startup_high_loss() noexcept;
  [[nodiscard]] bool is_startup_loss_too_high() const noexcept;
  void enter_drain() noexcept;
  void check_drain_done() noexcept;

  // --- probe_bw.cc -----------------------------------------------------------------------------
  void enter_probe_bw() noexcept;
  void start_probe_bw_down() noexcept;
  void start_probe_bw_cruise() noexcept;
  void start_probe_bw_refill() noexcept;
  void start_probe_bw_up() noexcept;
  void update_probe_bw_cycle_phase() noexcept;
  [[nodiscard]] bool adapt_long_term_model() noexcept;
  void probe_inflight_longterm_upward() noexcept;
  void raise_inflight_longterm_slope() noexcept;
  void pick_probe_wait() noexcept;
  [[nodiscard]] bool is_time_to_probe_bw() noexcept;
  [[nodiscard]] bool is_time_to_cruise() const noexcept;
  [[nodiscard]] bool is_time_to_go_down() noexcept;
  [[nodiscard]] bool is_reno_coexistence_probe_time() const noexcept;
  [[nodiscard]] bool has_elapsed_in_phase(Duration interval) const noexcept;
  [[nodiscard]] std::uint64_t target_inflight() const noexcept;
  [[nodiscard]] bool is_in_a_probe_bw_state() const noexcept;
  [[nodiscard]] bool is_probing_bw() const noexcept;

  // --- probe_rtt.cc ----------------------------------------------------------------------------
  void update_min_rtt() noexcept;
  void check_probe_rtt() noexcept;
  void enter_probe_rtt() noexcept;
  void handle_probe_rtt() noexcept;
  void check_probe_rtt_done() noexcept;
  void exit_probe_rtt() noexcept;
  [[nodiscard]] std::uint64_t probe_rtt_cwnd() const noexcept;

  // --- path_model.cc ---------------------------------------------------------------------------
  void update_round() noexcept;
  void start_round() noexcept;
  void update_max_bw() noexcept;
  void advance_max_bw_filter() noexcept;
  void update_ack_aggregation() noexcept;
  void bound_bw_for_model() noexcept;
  [[nodiscard]] std::uint64_t bdp_multiple(std::uint64_t bw, bbr::Percent gain) const noexcept;
  [[nodiscard]] std::uint64_t quantization_budget(std::uint64_t inflight_cap) const noexcept;

  // --- loss_response.cc ------------------------------------------------------------------------
  void note_loss(std::uint64_t delivered) noexcept;
  void note_lost_range(const LossEvent& event) noexcept;
  void handle_lost_packet(const LossEvent& event) noexcept;
  void note_marks(const AckEvent& event) noexcept;
  [[nodiscard]] bool is_inflight_too_high(std::uint64_t lost,
                                          std::uint64_t tx_in_flight) const noexcept;
  [[nodiscard]] std::uint64_t flight_of_losses(std::uint64_t tx_in_flight) const noexcept;
  void handle_inflight_too_high(std::uint64_t tx_in_flight, bool is_app_limited) noexcept;
  void update_latest_delivery_signals() noexcept;
  void advance_latest_delivery_signals() noexcept;
  void update_congestion_signals() noexcept;
  void reset_congestion_signals() noexcept;
  void adapt_lower_bounds_from_congestion() noexcept;
  [[nodiscard]] bool is_round_congested() const noexcept;
  void reset_short_term_model() noexcept;
  void save_state_upon_loss() noexcept;

  // --- control.cc ------------------------------------------------------------------------------
  void init_pacing_rate(base::OptionalDuration smoothed_rtt) noexcept;
  void set_pacing_rate_with_gain(bbr::Percent gain) noexcept;
  void set_send_quantum() noexcept;
  void set_cwnd() noexcept;
  void update_max_inflight() noexcept;
  void bound_cwnd_for_model() noexcept;
  void save_cwnd() noexcept;
  void restore_cwnd() noexcept;
  void handle_restart_from_idle(const TransmitEvent& event) noexcept;
  [[nodiscard]] std::uint64_t min_pipe_cwnd() const noexcept;

  bbr::Variables bbr_;
  bbr::ConnectionVariables c_;
  bbr::AckSample rs_;
  bbr::MaxBwFilter max_bw_filter_;
  bbr::WindowedMaxFilter extra_acked_filter_;
  bbr::Dice dice_;
  Instant now_{};

  std::uint64_t inflight_reached_ = 0;  // the most since the last ACK
  bool has_seen_rtt_ = false;           // the pacing rate follows a round trip, not a nominal one
  bool uses_cwnd_in_round_ = false;     // all of it was in flight at some time of this round ...
  bool used_cwnd_in_round_ = false;     // ... and of the one before
  bool is_in_fast_recovery_ = false;
  bool is_in_recovery_ = false;             // InLossRecovery(): fast, or after a timeout
  std::uint32_t lost_ranges_in_round_ = 0;  // discontiguous ones
  std::optional<wire::SeqNum> lost_until_;  // the end of the last of them
  bbr::WindowedMaxFilter recent_inflight_;  // of this round and the one before
  std::uint64_t marked_in_round_ = 0;       // octets that came with CE
  bool is_mark_news_ = false;               // on_ack() has not heard of the mark yet
  bool has_uncounted_mark_ = false;         // in this round, of an unknown number of octets
};

}  // namespace runnel::tcp
