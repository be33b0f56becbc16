// One TCP connection, from SYN-SENT or SYN-RECEIVED to its end: the only owner of a TCB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "runnel/buffer.h"
#include "runnel/bytes.h"
#include "runnel/config.h"
#include "runnel/event.h"
#include "runnel/info.h"
#include "runnel/packet.h"
#include "runnel/result.h"
#include "runnel/time.h"
#include "stack/base/rate_limiter.h"
#include "stack/buffer/reassembly_queue.h"
#include "stack/buffer/send_queue.h"
#include "stack/buffer/slice_queue.h"
#include "stack/tcp/congestion/any_congestion_control.h"
#include "stack/tcp/congestion/start_window.h"
#include "stack/tcp/congestion/window_validation.h"
#include "stack/tcp/delayed_ack.h"
#include "stack/tcp/ecn/connection_ecn.h"
#include "stack/tcp/environment.h"
#include "stack/tcp/fast_open.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/hibernation.h"
#include "stack/tcp/icmp_report.h"
#include "stack/tcp/keepalive.h"
#include "stack/tcp/loss/loss_recovery.h"
#include "stack/tcp/mtu_search.h"
#include "stack/tcp/pacer.h"
#include "stack/tcp/passive_open.h"
#include "stack/tcp/path_estimate.h"
#include "stack/tcp/path_mtu.h"
#include "stack/tcp/receive_buffer.h"
#include "stack/tcp/rest_patterns.h"
#include "stack/tcp/rtt_estimator.h"
#include "stack/tcp/sack_reporter.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/send_buffer.h"
#include "stack/tcp/shared_config.h"
#include "stack/tcp/tcb.h"
#include "stack/tcp/timer_kind.h"
#include "stack/tcp/timestamps.h"
#include "stack/tcp/transition.h"
#include "stack/tcp/urgent.h"
#include "stack/tcp/user_timeout.h"
#include "stack/tcp/window_probe.h"
#include "stack/timer/timer_table.h"
#include "stack/wire/icmpv4.h"

namespace runnel::tcp {

// Theory of operation. The stack around a connection calls it for three reasons, which are the
// three parts of RFC 9293 section 3.10, each in files of its own:
//
//    the application asks    user_calls.cc       3.10.1 - 3.10.6
//    a segment arrives       segment_arrives.cc  3.10.7, with handshake.cc for SYN-SENT,
//                            check_ack.cc for the fifth step, receive_text.cc for the seventh
//    a timer expires         timeouts.cc         3.10.8, with recovery_timer.cc for when
//
// None of them transmits. They change the TCB, and poll_transmit() (output.cc) then finds out
// what is to be sent, one frame a call, until it returns false. So whatever a batch of segments
// brings is acknowledged once, and an acknowledgment rides on the application's answer.
//
// INVARIANT: snd.una <= snd.nxt. `send_queue_` begins at the first unacknowledged octet of data:
// offset_of() translates between sequence numbers and its 64-bit offsets.
// INVARIANT: rcv.nxt <= rcv.edge, and rcv.edge never moves left.
class Connection {
 public:
  // `environment` must outlive the connection.
  Connection(Environment& environment, ConnectionId id, const FourTuple& tuple,
             SharedConfig config);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- Opening, once, before anything else -----------------------------------------------------
  // What is known of the path; before the opening itself.
  void begin_with(const PathEstimate& known, Instant now);
  void open_active(SeqNum iss, Instant now, std::uint32_t timestamp_offset = 0);
  void open_passive(const PassiveOpen& open, Instant now);
  // Fast Open (RFC 7413): the peer's SYN, with text perhaps, came with a valid cookie. The SYN-ACK
  // is this connection's to send, with `reply` as its option.
  void open_fast(const PassiveOpen& open, Segment& syn,
                 const std::optional<wire::TcpFastOpenCookie>& reply, Instant now);

  // --- The application's calls; see <runnel/stack.h> ------------------------------------------
  [[nodiscard]] Result<std::size_t> write(Bytes data, Instant now);
  [[nodiscard]] Result<std::size_t> write(Buffer& data, Instant now);
  [[nodiscard]] Result<Buffer> take(std::size_t most, Instant now);
  // What take() would take, and leaves.
  [[nodiscard]] Result<Buffer> share(std::size_t most) const;
  [[nodiscard]] Result<std::size_t> read(MutableBytes out, Instant now);
  [[nodiscard]] Result<Bytes> peek() const;
  Result<void> consume(std::size_t octets, Instant now);
  [[nodiscard]] Result<std::size_t> write_urgent(Bytes data, Instant now);
  [[nodiscard]] Result<std::uint8_t> read_urgent();
  Result<void> shutdown_write(Instant now);
  void close(Instant now);
  void abort(Instant now);
  void set_nagle(bool enabled) noexcept { nagle_ = enabled; }
  Result<void> set_congestion_control(CongestionAlgorithm algorithm, Instant now) noexcept;
  void set_keepalive(bool enabled, Instant now) noexcept;
  void set_user_timeout(Duration timeout, Instant now) noexcept;
  void set_inactivity_timeout(Duration inactivity, Instant now) noexcept;
  void set_linger(std::optional<Duration> linger) noexcept { linger_ = linger; }
  void set_dscp(std::uint8_t dscp) noexcept { ip_fields_.dscp = dscp; }

  // --- The link's side -------------------------------------------------------------------------
  // Processes a segment; `seg` is cut to what is new as it goes along.
  void segment_arrives(Segment& seg, Instant now);
  // An ICMP error that quotes a segment of this connection.
  void icmp_error_arrives(const IcmpReport& report, Instant now);
  // Handles every timer that is due.
  void timeouts(Instant now);
  // Fills `frame` with the next segment (TCP header and payload, no IP header) to be sent now.
  [[nodiscard]] bool poll_transmit(TxFrame& frame, Instant now);
  // Aborts because the memory that it holds is needed elsewhere (RFC 6429 section 4).
  void shed(Instant now);
  // A write that failed for lack of memory may be tried again.
  void memory_is_available();
  [[nodiscard]] bool is_waiting_to_write() const noexcept {
    return wants_to_write_ && !is_given_up_ && !is_fin_queued_ && state_ != State::Closed;
  }
  // The earliest of the timers.
  [[nodiscard]] Instant next_deadline() const noexcept { return timers_.earliest(); }

  // --- Hibernating: hibernation.cc -------------------------------------------------------------
  // Whether everything that the connection knows fits into a small record: nothing is in flight,
  // nothing waits to be sent, read or acknowledged.
  [[nodiscard]] bool may_hibernate() const noexcept;
  // Makes the record; the connection is then good for nothing any more but to be destroyed. False
  // when there is no memory for it: the connection stays what it was. REQUIRES: may_hibernate().
  [[nodiscard]] bool hibernate(IdleRecord& record);
  // Becomes again what the record was made of, to the octet. REQUIRES: constructed with the same
  // arguments, and not opened.
  void wake(const IdleRecord& record);
  // After wake(): the record holds again, with what it was promised. The connection is good for
  // nothing any more, as after hibernate(). REQUIRES: nothing has changed since.
  void leave_to(const IdleRecord& record) noexcept;

  // --- Looking inside --------------------------------------------------------------------------
  [[nodiscard]] ConnectionId id() const noexcept { return id_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const FourTuple& tuple() const noexcept { return tuple_; }
  [[nodiscard]] const TcpConfig& config() const noexcept { return *config_; }
  [[nodiscard]] const SendSequence& snd() const noexcept { return snd_; }
  [[nodiscard]] const ReceiveSequence& rcv() const noexcept { return rcv_; }
  [[nodiscard]] const Timestamps& timestamps() const noexcept { return timestamps_; }
  // What the connection has learned about the path since the last time, for those that come after
  // it (RFC 9040): when it ends well; about Fast Open already at the end of the handshake, about
  // the path's MTU at once.
  [[nodiscard]] bool has_path_report() const noexcept {
    return is_path_report_due_ || is_path_mtu_report_due_ || fast_open_.has_lesson();
  }
  [[nodiscard]] PathEstimate take_path_report() noexcept;
  [[nodiscard]] bool is_syn_acked() const noexcept { return is_syn_acked_; }
  [[nodiscard]] bool was_reset() const noexcept { return error_ == Errc::connection_reset; }
  // The application has called close() or abort().
  [[nodiscard]] bool is_given_up() const noexcept { return is_given_up_; }
  // Something that arrived is to be acknowledged by the next segment.
  [[nodiscard]] bool owes_ack() const noexcept { return ack_now_; }
  [[nodiscard]] std::size_t writable_octets() const noexcept;
  [[nodiscard]] std::size_t readable_octets() const noexcept;
  [[nodiscard]] const ConnectionEcn& ecn() const noexcept { return ecn_; }
  [[nodiscard]] const IpFields& ip_fields() const noexcept { return ip_fields_; }
  [[nodiscard]] TcpInfo info() const noexcept;
  [[nodiscard]] const timer::TimerTable<TimerKind>& timers() const noexcept { return timers_; }
  // Since when the peer's window has been closed for data that wait; kNever while it is open.
  [[nodiscard]] Instant persisting_since() const noexcept {
    return state_ == State::Closed ? kNever : window_probe_.closed_since();
  }
  // What its queues cost of the memory budget.
  [[nodiscard]] std::size_t held_octets() const noexcept;

  // Whether events of this kind are not repeated while one of them waits to be fetched.
  [[nodiscard]] static constexpr bool is_told_once(EventKind kind) noexcept {
    return kind == EventKind::Readable || kind == EventKind::Writable ||
           kind == EventKind::SoftError || kind == EventKind::Urgent || kind == EventKind::Timeout;
  }
  // The application has fetched an event of this kind: the next one may be queued.
  void event_fetched(EventKind kind) noexcept {
    pending_events_ = static_cast<std::uint16_t>(pending_events_ & ~bit_of(kind));
  }

 private:
  // What a step of segment processing decided: whether the next step is to be taken.
  enum class Verdict : std::uint8_t { Continue, Discard };

  // --- connection.cc: state and events ---------------------------------------------------------
  void set_state(State to, Instant now);
  // Deletes the TCB's contents; an error is told to the application before Closed.
  void enter_closed(std::error_code error, Instant now);
  void enter_time_wait(Instant now);
  // Sends a RST at `seq`, beside the connection's own output.
  void send_reset(SeqNum seq, Instant now);
  void report(EventKind kind, std::error_code error = {});
  // The same, unless one of this kind waits to be fetched.
  void report_once(EventKind kind, std::error_code error = {});
  void drop(DropReason reason) const noexcept { environment_.counters.drop(reason); }
  [[nodiscard]] static constexpr std::uint16_t bit_of(EventKind kind) noexcept {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(kind));
  }

  // --- hibernation.cc --------------------------------------------------------------------------
  template <typename Archive>
  void archive(Archive& archive);
  // Notes where the connection's words differ from those of a pattern, and returns how many it has.
  [[nodiscard]] std::size_t compare(const RestPatterns::Words& pattern, Instant reference,
                                    base::WordDifferences& differences);
  void restore(const RestPatterns::Words& words, Instant reference);
  void wake_to(Bytes octets, const IdleRecord::Header& header);

  // --- handshake.cc ----------------------------------------------------------------------------
  void segment_arrives_syn_sent(Segment& seg, Instant now);
  void learn_from_syn(const Segment& seg, Instant now);
  // The SYN was acknowledged: data may flow.
  void enter_established(Instant now);
  [[nodiscard]] bool transmit_handshake(TxFrame& frame, Instant now);

  // The peer's SYN comes again.
  void syn_arrives_again(const Segment& seg, Instant now);

  // --- path_estimate.cc ------------------------------------------------------------------------
  void begin_with_shared_ssthresh();

  // --- syn_data.cc: Fast Open ------------------------------------------------------------------
  // Adds the option to the first SYN or SYN-ACK; returns how many octets of data go with it.
  [[nodiscard]] std::uint32_t add_fast_open(wire::TcpOptions& options) noexcept;
  void syn_acknowledged(const Segment& seg);
  void take_back_syn_data(SeqNum ack);
  [[nodiscard]] bool give_up_fast_open(Instant now);

  // --- segment_arrives.cc: the steps of 3.10.7.4 -----------------------------------------------
  void segment_arrives_otherwise(Segment& seg, Instant now);
  [[nodiscard]] Verdict check_timestamps(const Segment& seg, Instant now);  // before the first
  [[nodiscard]] Verdict check_sequence_number(Segment& seg, Instant now);   // first
  [[nodiscard]] Verdict check_rst(const Segment& seg, Instant now);         // second
  [[nodiscard]] Verdict check_syn(const Segment& seg, Instant now);         // fourth
  [[nodiscard]] Verdict check_ack(const Segment& seg, Instant now);         // fifth
  void process_text(Segment& seg, Instant now);                             // seventh
  void process_fin(Instant now);                                            // eighth
  void send_challenge_ack(Instant now);

  // --- check_ack.cc ----------------------------------------------------------------------------
  [[nodiscard]] Verdict check_ack_syn_received(const Segment& seg, Instant now);
  [[nodiscard]] bool says_nothing_new(const Segment& seg) const noexcept;
  void process_acknowledgment(const Segment& seg, bool says_nothing, Instant now);
  void take_rtt_sample(const Segment& seg, const AckFindings& findings,
                       base::OptionalDuration since_echoed, Instant now) noexcept;
  void update_send_window(const Segment& seg, Instant now);
  void release_acknowledged(SeqNum ack) noexcept;
  // How many samples like that of `ack` share the weight of one in a round trip: see RttEstimator.
  [[nodiscard]] std::uint32_t expected_rtt_samples(SeqNum ack) const noexcept;
  // How long ago the segment left whose timestamp this one echoes, in whole ticks.
  [[nodiscard]] base::OptionalDuration time_since_echoed(const Segment& seg,
                                                         Instant now) const noexcept;
  void make_progress(const AckFindings& findings, Instant now);
  void advance_state_by_ack(Instant now);
  // The send buffer follows the congestion window; Writable, if somebody waits for it.
  void make_room_for_writer();

  // --- ack_of_no_data.cc: the short way through the fifth step ---------------------------------
  [[nodiscard]] bool concerns_no_data(const Segment& seg) const noexcept;
  void process_acknowledgment_of_no_data(const Segment& seg, Instant now);

  // --- congestion_response.cc: what the congestion controller hears ----------------------------
  // SMSS is known, and how often our SYN was lost.
  void begin_congestion_control(unsigned lost_syns, Instant now);
  [[nodiscard]] CongestionParameters congestion_parameters(Instant now) const noexcept;
  // Tells the controller, PRR and the counters what was found.
  void respond_to(const AckFindings& findings, RecoveryPhase phase_before,
                  const ConnectionEcn::Report& marks, Instant now);
  void respond_to_losses(const AckFindings& findings, Instant now);
  [[nodiscard]] AckEvent ack_event(const AckFindings& findings, RecoveryPhase phase_before,
                                   Instant now) const noexcept;
  [[nodiscard]] std::uint64_t begin_loss_response(const AckFindings& findings, Instant now);
  [[nodiscard]] bool is_answered_already() const noexcept;
  void respond_to_timeout(Instant now);
  void note_start_window_loss(SeqNum seq) noexcept;
  // After an idle time.
  void restart_congestion_window(Instant now);
  // Not that of a controller with a model of the path: it looks after unused windows by itself.
  [[nodiscard]] bool validates_window() const noexcept {
    return validation_.is_enabled() && !congestion_->governs_recovery();
  }
  void validate_congestion_window(Instant now);

  // --- pacing.cc -------------------------------------------------------------------------------
  [[nodiscard]] bool is_pacing_worth_it() const noexcept;
  void update_pacing_rate() noexcept;
  [[nodiscard]] bool is_held_by_pacer(Instant now) noexcept;
  void note_app_limited() noexcept;

  // --- tracing.cc ------------------------------------------------------------------------------
  void trace_transmission(SeqNum seq, std::size_t octets, bool again, Instant now) const;
  void trace_acknowledgment(const AckFindings& findings, Instant now) const;
  [[nodiscard]] SendingState sending_state() const noexcept;
  [[nodiscard]] std::string_view phase() const noexcept;

  // --- ecn_feedback.cc: explicit congestion notification --------------------------------------
  void note_marks(const Segment& seg, Instant now);
  void acknowledge_before(const Segment& seg, Instant now);
  [[nodiscard]] std::optional<wire::TcpAccEcn> acc_ecn_option() const noexcept;
  [[nodiscard]] std::size_t acc_ecn_octets() const noexcept;
  void add_ecn_bits(wire::TcpFlags& flags, bool is_pure_ack) const noexcept;
  void respond_to_marks(std::uint64_t in_flight_before_octets, Instant now);

  // --- recovery_timer.cc: the one timer that watches over what is in flight --------------------
  // The retransmission timer begins anew (RFC 6298 section 5), unless a probe or a look at what is
  // late comes first.
  void restart_recovery_timer(Instant now) noexcept;
  // The same without beginning anew, when something that it depends on has changed.
  void arm_recovery_timer() noexcept;
  void look_again_at(Instant when, Instant now) noexcept;
  [[nodiscard]] bool is_recovery_timer_set() const noexcept;
  [[nodiscard]] RecoveryTimer recovery_timer() const noexcept;

  // --- user_calls.cc ---------------------------------------------------------------------------
  // Why nothing can be written any more, if so.
  [[nodiscard]] std::error_code write_refusal() const noexcept;
  // What every write ends with, `taken` of `given` octets being in the send queue.
  [[nodiscard]] Result<std::size_t> written(std::size_t taken, std::size_t given, bool was_idle,
                                            Instant now);

  // --- receive_text.cc -------------------------------------------------------------------------
  void note_fin(Segment& seg);
  void accept_in_order(const Segment& seg, Instant now);
  void accept_out_of_order(const Segment& seg);
  // Has octets reported that have arrived before.
  void report_duplicate(SeqNum left, SeqNum right) noexcept;
  [[nodiscard]] bool make_room_for(const Segment& seg);
  [[nodiscard]] std::uint64_t receive_offset_of(SeqNum seq) const noexcept;

  // --- urgent.cc -------------------------------------------------------------------------------
  void process_urgent(const Segment& seg);  // sixth
  [[nodiscard]] std::size_t octets_before_gap() const noexcept;
  bool skip_urgent_octet() noexcept;  // true: there was one
  // The offset of the first octet in the incoming stream that was not read.
  [[nodiscard]] std::uint64_t read_offset() const noexcept {
    return received_offset_ - receive_queue_.size();
  }

  // --- receive_window.cc -----------------------------------------------------------------------
  void acknowledge_text(const Segment& seg, Instant now);
  void acknowledge_now() noexcept { ack_now_ = true; }
  // Where the window's right edge may be put now.
  [[nodiscard]] SeqNum best_edge() const noexcept;
  void application_has_read(std::size_t octets, Instant now);
  // The largest window in octets that the other connections leave to this one: see WindowShare.
  [[nodiscard]] std::size_t most_to_announce() const noexcept;
  // The text of the largest segment that the peer may send, in octets.
  [[nodiscard]] std::uint16_t largest_segment() const noexcept;
  // How much of the receive buffer is not filled with text in order.
  [[nodiscard]] std::size_t free_octets() const noexcept;
  // The header's window field for a segment that leaves now, and for a SYN; announces it.
  [[nodiscard]] std::uint16_t announce_window() noexcept;
  [[nodiscard]] std::uint16_t announce_syn_window() noexcept;

  // --- path_mtu_discovery.cc -------------------------------------------------------------------
  void start_path_mtu_discovery(Instant now) noexcept;
  // Computes SMSS anew, after a change of the path's MTU or of the options of every segment.
  void update_send_mss() noexcept;
  [[nodiscard]] std::uint16_t mss_within(std::uint16_t packet_octets) const noexcept;
  [[nodiscard]] std::uint16_t path_header_octets() const noexcept;
  [[nodiscard]] std::uint16_t largest_useful_packet() const noexcept;
  void use_path_mtu() noexcept;
  void too_big_arrives(const IcmpReport& report, Instant now);
  [[nodiscard]] bool is_about_probe_alone(const IcmpReport& report) const noexcept;
  void look_above_later(Instant now) noexcept;
  void forget_old_path_mtu(Instant now) noexcept;
  void path_acknowledged(Instant now) noexcept;
  void tell_others_of_path_mtu(bool was_searching) noexcept;
  void path_timed_out(Instant now) noexcept;
  void path_probe_lost(const AckFindings& findings, Instant now) noexcept;
  enum class MtuProbe : std::uint8_t {
    NotNow,
    Wait,  // there will be room for it when more is acknowledged: nothing else should take that
    Sent,
  };
  [[nodiscard]] MtuProbe transmit_mtu_probe(TxFrame& frame, Instant now);

  // --- output.cc -------------------------------------------------------------------------------
  [[nodiscard]] bool transmit_data(TxFrame& frame, Instant now);
  [[nodiscard]] bool transmit_lost(TxFrame& frame, Instant now);
  [[nodiscard]] bool transmit_new(TxFrame& frame, Instant now);
  [[nodiscard]] bool transmit_fin_alone(TxFrame& frame, Instant now);
  [[nodiscard]] bool transmit_tail_loss_probe(TxFrame& frame, Instant now);
  // How many octets of new data may leave in one segment now; 0 when none should.
  struct Permission {
    std::uint32_t octets = 0;
    bool fin = false;
  };
  [[nodiscard]] Permission new_data_permission();
  void tell_controller_of(std::uint64_t octets, std::uint64_t in_flight_before, bool again,
                          Instant now);
  [[nodiscard]] bool send_new(TxFrame& frame, const Permission& permission, Instant now);
  void send_again(TxFrame& frame, const SeqRange& range, Instant now);
  [[nodiscard]] std::uint32_t usable_window() const noexcept;
  [[nodiscard]] std::uint32_t cwnd_room() const noexcept;
  [[nodiscard]] std::uint32_t maximum_text_octets() const noexcept;
  [[nodiscard]] std::uint16_t segment_octets_of(const TxFrame& frame) const noexcept;

  // --- emission.cc -----------------------------------------------------------------------------
  // How much text one segment holds that leaves now: SMSS, less the options that not every segment
  // carries.
  [[nodiscard]] std::uint32_t text_limit() const noexcept;
  // Writes one segment: `text_octets` of data from `seq` on, fewer when the frame has no room for
  // more slices (FIN and PSH then stay for the segment after it). Returns its SEG.LEN.
  std::uint32_t emit(TxFrame& frame, SeqNum seq, wire::TcpFlags flags, std::uint32_t text_octets,
                     Instant now);
  // The same for a header that has its sequence number, flags and what its caller wants to say of
  // options; the rest is filled in.
  std::uint32_t emit(TxFrame& frame, wire::TcpHeader& header, std::uint32_t text_octets,
                     Instant now);
  // How many SACK blocks the next segment carries.
  [[nodiscard]] std::size_t sack_block_count() const noexcept;
  [[nodiscard]] std::uint32_t user_timeout_option_octets() const noexcept;
  // What SACK and AccECN may take of a header, as far as text comes first.
  [[nodiscard]] std::size_t extra_option_space() const noexcept;
  void add_options(wire::TcpHeader& header, Instant now);
  void add_text(TxFrame& frame, wire::TcpHeader& header, SeqNum seq, std::uint32_t octets,
                std::uint32_t limit);
  void acknowledgment_sent(const wire::TcpHeader& header, bool is_pure_ack) noexcept;

  // --- probes.cc -------------------------------------------------------------------------------
  [[nodiscard]] bool transmit_probe(TxFrame& frame, Instant now);
  void arm_persist_if_blocked(Instant now);
  void persist_timeout(Instant now);
  [[nodiscard]] Duration persist_interval() const noexcept;
  void keepalive_timeout(Instant now);
  [[nodiscard]] Duration keepalive_idle() const noexcept;

  // --- timeouts.cc -----------------------------------------------------------------------------
  void user_timeout(Instant now);
  void retransmission_timeout(Instant now);
  void reordering_timeout(Instant now);
  void inactivity_timeout(Instant now);
  [[nodiscard]] bool give_up_if_unanswered(Duration limit, Instant now);
  void restart_user_timeout(Instant now) noexcept;
  void user_timeout_option_arrives(const wire::TcpUserTimeout& option, Instant now) noexcept;
  [[nodiscard]] Duration user_timeout_in_force() const noexcept {
    return user_timeout_.in_force(rtt_.timeout());
  }
  void linger_timeout(Instant now);
  void limit_fin_wait_2(Instant now) noexcept;
  void payload_moved(Instant now) noexcept { last_moved_ = now; }

  // --- Sequence numbers of the outgoing stream -------------------------------------------------
  // The first octet of data that is not acknowledged: SND.UNA, or behind it while SYN is not.
  [[nodiscard]] SeqNum data_una() const noexcept { return is_syn_acked_ ? snd_.una : snd_.una + 1; }
  // Behind the last octet that the application has written: where FIN is, or will be.
  [[nodiscard]] SeqNum data_end() const noexcept {
    return data_una() + static_cast<std::uint32_t>(send_queue_.size());
  }
  [[nodiscard]] std::uint64_t offset_of(SeqNum seq) const noexcept {
    return send_queue_.begin_offset() + distance(data_una(), seq);
  }
  [[nodiscard]] bool is_fin_sent() const noexcept {
    return is_fin_acked_ || (is_fin_queued_ && data_end() < snd_.nxt);
  }
  [[nodiscard]] std::uint32_t in_flight() const noexcept {
    return recovery_.in_flight(data_una(), snd_.nxt);
  }
  // Octets, and FIN, that wait for their first transmission.
  [[nodiscard]] std::uint32_t unsent() const noexcept {
    if (is_fin_sent()) return 0;
    return distance(snd_.nxt, data_end()) + (is_fin_queued_ ? 1U : 0U);
  }
  [[nodiscard]] bool may_send_data() const noexcept {
    return state_ == State::Established || state_ == State::CloseWait ||
           state_ == State::FinWait1 || state_ == State::Closing || state_ == State::LastAck ||
           (state_ == State::SynReceived && is_fast_open_);
  }

  Environment& environment_;
  ConnectionId id_;
  FourTuple tuple_;
  SharedConfig config_;

  SendSequence snd_;
  ReceiveSequence rcv_;
  Timestamps timestamps_;
  // Eff.snd.MSS of RFC 9293 section 3.7.1, in octets of text, and what it is made of: see
  // update_send_mss().
  std::uint16_t smss_ = 0;
  std::uint16_t peer_mss_ = kDefaultMssOctets;
  PathMtu path_mtu_;
  MtuSearch mtu_search_;
  BlackHoleDetector black_hole_;
  TooBigPause too_big_pause_;
  State state_ = State::Closed;

  bool is_active_open_ = false;
  bool is_sack_permitted_ = false;     // both SYNs said so
  bool is_handshake_pending_ = false;  // a SYN or SYN-ACK is to be (re)transmitted
  bool is_syn_sent_ = false;           // SYN or SYN-ACK, at least once
  bool is_fast_open_ = false;          // a passive open by Fast Open: data may flow in SYN-RECEIVED
  bool is_syn_acked_ = false;
  bool is_fin_queued_ = false;  // the application has ended its stream
  bool is_fin_acked_ = false;
  bool is_fin_received_ = false;  // and everything before it
  bool is_given_up_ = false;      // the application has called close() or abort()
  bool nagle_ = true;
  bool wants_to_write_ = false;  // a write fell short: Writable is owed

  // Acknowledging.
  bool ack_now_ = false;
  DelayedAck delayed_ack_;
  std::optional<SeqNum> peer_fin_;  // FIN's sequence number, once seen

  // Sending.
  WindowProbe window_probe_;
  Keepalive keepalive_;
  bool override_sws_ = false;          // the next segment may be a silly one
  bool probe_tail_now_ = false;        // the tail loss probe is due
  bool is_cwnd_limited_ = false;       // the last segment not sent was held back by cwnd alone
  std::uint16_t retransmissions_ = 0;  // of the oldest segment
  Instant unanswered_since_ = kNever;  // since when retransmissions or probes have had no answer
  Instant last_sent_{};                // data
  Instant last_heard_{};               // any acceptable segment
  Instant last_moved_{};               // payload, either way
  UserTimeout user_timeout_;
  std::optional<Duration> linger_;
  Duration inactivity_{0};
  IpFields ip_fields_;
  ConnectionEcn ecn_;
  UrgentSender urgent_sender_;
  UrgentReceiver urgent_receiver_;

  // When the SYN or SYN,ACK left; none once it was sent again (Karn's rule).
  std::optional<Instant> syn_sent_at_;
  bool is_syn_ack_repeated_ = false;  // by the listener

  // Sharing with other connections to the host.
  std::uint64_t shared_ssthresh_octets_ = 0;  // what this one began with; 0: nothing
  bool is_path_report_due_ = false;
  bool is_path_mtu_report_due_ = false;
  std::uint16_t told_path_mtu_octets_ = 0;
  FastOpenClient fast_open_;
  std::optional<wire::TcpFastOpenCookie> fast_open_reply_;  // for the first SYN-ACK

  RttEstimator rtt_;
  LossRecovery recovery_;
  Instant rto_started_at_{};     // when the retransmission timer was last begun anew
  Instant probe_base_{};         // when new data last left or were acknowledged
  Instant look_again_ = kNever;  // when something that is late will be lost
  StartWindow start_window_;
  AnyCongestionControl congestion_;
  WindowValidation validation_;
  Pacer pacer_;
  timer::TimerTable<TimerKind> timers_;
  base::RateLimiter challenge_acks_;

  buffer::SendQueue send_queue_;
  buffer::SliceQueue receive_queue_;
  buffer::ReassemblyQueue out_of_order_;
  SackReporter sack_reporter_;
  SendBuffer send_buffer_;
  ReceiveBuffer receive_buffer_;
  std::uint64_t received_offset_ = 0;  // of rcv.nxt in the incoming stream
  WindowShare::Round counted_round_ = 0;

  std::error_code error_;       // what ended the connection
  std::error_code soft_error_;  // the last ICMP report, returned when the connection times out
  std::uint16_t pending_events_ = 0;

  // For info(). The delivery rate is that of the last sample.
  std::uint64_t delivery_rate_octets_ = 0;  // per second; 0: not yet
  bool is_delivery_app_limited_ = false;
  std::uint64_t octets_retransmitted_ = 0;
  std::uint64_t segments_retransmitted_ = 0;
  std::uint32_t timeouts_count_ = 0;
  std::uint32_t fast_retransmits_ = 0;
  std::uint32_t tail_loss_probes_ = 0;
  std::uint32_t spurious_recoveries_ = 0;
  std::uint32_t duplicates_reported_ = 0;
};

}  // namespace runnel::tcp
