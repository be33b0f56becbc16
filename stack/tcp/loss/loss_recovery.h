// Which octets are lost, and what may be sent to repair it: one face for RACK-TLP with PRR, which
// SACK makes possible, and RFC 6582 for peers without it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "runnel/info.h"
#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/loss/ack_findings.h"
#include "stack/tcp/loss/delivery_rate.h"
#include "stack/tcp/loss/dupack_recovery.h"
#include "stack/tcp/loss/prr.h"
#include "stack/tcp/loss/rack.h"
#include "stack/tcp/loss/scoreboard.h"
#include "stack/tcp/loss/spurious_recovery.h"
#include "stack/tcp/loss/tail_loss_probe.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

// Theory of operation. The connection reports what it sends (on_transmit, on_retransmit), what is
// acknowledged (on_ack) and which timer has run out; it asks lost() what to send again and
// window_octets() how much may be in flight. What an ACK has shown comes back as AckFindings, and
// the connection tells the congestion controller: detection and control never meet.
//
//   on_ack:  scoreboard ─▶ RACK: what arrived ─▶ undo? ─▶ RACK: what is lost ─▶ findings
//                                                                                  │
//   regulate:                                   PRR ◀── ssthresh ◀── controller ◀──┘
//
// Phases are those of RFC 5681 and RFC 6582:
//
//   Open ──loss──▶ Recovery ──all of `recover` acknowledged──▶ Open
//     └──timeout──▶ Timeout ───────────────"────────────────▶ Open
class LossRecovery {
 public:
  explicit LossRecovery(SeqNum iss) noexcept : dupack_(iss) {}

  // The connection is opened with this initial sequence number; before anything else.
  void begin(SeqNum iss) noexcept { dupack_ = DupackRecovery(iss); }
  // The handshake has agreed upon SACK: RACK-TLP and PRR. Without, RFC 6582.
  void use_sack(bool agreed) noexcept { uses_sack_ = agreed; }
  [[nodiscard]] bool uses_sack() const noexcept { return uses_sack_; }
  void allow_undo(bool allowed) noexcept { may_undo_ = allowed; }

  // --- Transmissions ---------------------------------------------------------------------------
  // Returns false when there is no memory to remember what was sent: do not send it.
  [[nodiscard]] bool on_transmit(const SeqRange& range, std::uint16_t segment_octets,
                                 Instant now) noexcept;
  // The application has nothing to send, and neither the windows nor a loss hold it back.
  void on_app_limited(SeqNum una, SeqNum nxt) noexcept {
    rate_.on_app_limited(in_flight(una, nxt));
  }
  void on_retransmit(const SeqRange& range, std::uint16_t segment_octets, Instant now) noexcept;
  // What the windows permit has left, or there is no more. ACKs come in batches, and each batch
  // finds the flight of now: what its own ACKs have taken out of it could not be replaced yet.
  void on_flight_sent(SeqNum una, SeqNum nxt) noexcept;

  // --- Acknowledgments -------------------------------------------------------------------------
  struct Ack {
    Instant now;
    SeqNum una;  // before this ACK
    SeqNum ack;
    SeqNum nxt;
    const wire::SackBlocks* sack = nullptr;
    bool is_duplicate = false;            // RFC 5681 section 2
    bool says_nothing = false;            // ... or would be, if anything were outstanding
    base::OptionalInstant echoed_before;  // what the timestamp echoes had left before this
    base::OptionalDuration srtt;
    std::uint32_t smss_octets = 0;
  };
  [[nodiscard]] AckFindings on_ack(const Ack& ack) noexcept;
  // Whether nothing is going on that an ACK without SACK blocks could end.
  [[nodiscard]] bool is_at_ease() const noexcept {
    return phase_ == RecoveryPhase::Open && !tail_loss_.is_outstanding() && !mtu_probe_;
  }
  // The FIN, which was all that was in flight, is acknowledged: returns its round trip, unless it
  // was sent more than once. The rest of on_ack() looks ahead, where there is nothing any more.
  // REQUIRES: is_at_ease().
  [[nodiscard]] base::OptionalDuration on_fin_acknowledged(SeqNum ack, Instant now) noexcept;
  void on_handshake(Duration rtt, Instant now) noexcept { rack_.on_handshake(rtt, now); }
  // A round trip was measured, be it by the echo of a timestamp.
  void on_rtt_sample() noexcept { tail_loss_.on_rtt_sample(); }
  // The controller has heard of the findings: PRR paces what is sent until the next ACK.
  void regulate(const AckFindings& findings, std::uint64_t ssthresh_octets,
                std::uint32_t smss_octets) noexcept;

  // --- Timers ----------------------------------------------------------------------------------
  // The retransmission timer: returns the octets that are declared lost.
  std::uint64_t on_timeout(SeqNum una, SeqNum nxt, Instant now) noexcept;
  // RACK's reordering timer: what was merely late is lost now.
  [[nodiscard]] AckFindings on_reordering_timeout(SeqNum una, SeqNum nxt,
                                                  base::OptionalDuration srtt,
                                                  Instant now) noexcept;
  // Whether a tail loss probe is to be armed rather than the retransmission timer (RFC 8985 section
  // 7.2), and how long after the last transmission.
  [[nodiscard]] bool wants_tail_loss_probe() const noexcept;
  [[nodiscard]] Duration tail_loss_timeout(base::OptionalDuration srtt) const noexcept;
  void on_tail_loss_probe(SeqNum nxt, std::optional<SeqRange> resent) noexcept {
    tail_loss_.on_probe(nxt, resent);
  }

  // What was transmitted last is a probe of the path's MTU: if it alone is lost, the path does not
  // take its size, and nothing is said about congestion (RFC 4821 section 4). It is repaired
  // without a recovery.
  void on_mtu_probe(const SeqRange& range) noexcept { mtu_probe_ = range; }

  // Something else has shown that every outstanding segment of more than `segment_octets` was
  // dropped, without congestion: the path takes only smaller packets (RFC 1191 section 6.4).
  // Without SACK the smaller ones among them are sent again too.
  void send_all_again(SeqNum una, SeqNum nxt, std::uint16_t segment_octets) noexcept;

  // --- What to send ----------------------------------------------------------------------------
  // Whether anything is to be sent again, and the next octets that are.
  [[nodiscard]] bool has_lost() const noexcept {
    return uses_sack_ ? board_.lost_octets() > 0 : dupack_.has_lost();
  }
  [[nodiscard]] std::optional<SeqRange> lost() const noexcept {
    return uses_sack_ ? board_.first_lost() : dupack_.lost();
  }
  // The first retransmission of a recovery does not wait for the congestion window.
  [[nodiscard]] bool must_retransmit() const noexcept {
    return uses_sack_ ? must_retransmit_ : dupack_.must_retransmit();
  }
  // Whether sending SND.UNA again restarts the retransmission timer, so that it never runs out
  // earlier than one RTO after that (RFC 6298 section 5). After the first partial ACK of a recovery
  // without SACK it goes on instead (RFC 6582 section 4).
  [[nodiscard]] bool restarts_timer() const noexcept {
    return uses_sack_ || !dupack_.has_partial_ack();
  }
  // New data come before retransmissions: F-RTO's step 2.
  [[nodiscard]] bool wants_new_data() const noexcept { return forward_rto_.wants_new_data(); }
  void no_new_data() noexcept { forward_rto_.stop(); }
  [[nodiscard]] bool has_sent_new_data(SeqNum nxt) const noexcept { return recover_ < nxt; }

  // How much may be in flight, given the controller's window.
  [[nodiscard]] std::uint64_t window_octets(std::uint64_t cwnd_octets) const noexcept {
    return uses_sack_ && phase_ == RecoveryPhase::Recovery ? prr_.cwnd_octets() : cwnd_octets;
  }
  // Another controller goes on in the middle of a recovery, with a window of its own: what was
  // permitted by the old one's is void, and the next ACK says how much more may leave.
  void restart_regulation(std::uint64_t ssthresh_octets) noexcept;
  // Octets that are believed to be in the network.
  [[nodiscard]] std::uint32_t in_flight(SeqNum una, SeqNum nxt) const noexcept {
    return uses_sack_ ? board_.in_flight_octets() : dupack_.in_flight(una, nxt);
  }

  // Octets that are to be sent again.
  [[nodiscard]] std::uint32_t lost_octets() const noexcept {
    if (uses_sack_) return board_.lost_octets();
    const auto lost = dupack_.lost();
    return lost ? lost->octets() : 0;
  }

  // --- Looking inside --------------------------------------------------------------------------
  [[nodiscard]] RecoveryPhase phase() const noexcept { return phase_; }
  [[nodiscard]] const Scoreboard& board() const noexcept { return board_; }
  [[nodiscard]] const Rack& rack() const noexcept { return rack_; }
  [[nodiscard]] const DeliveryRate& delivery_rate() const noexcept { return rate_; }
  // The ranges that the last ACK or timeout has shown to be lost. Without SACK it is not known how
  // many there are: there is the first of them.
  [[nodiscard]] const buffer::Ring<SentRange>& newly_lost() const noexcept {
    return board_.newly_lost();
  }
  [[nodiscard]] std::uint64_t reneges() const noexcept { return reneges_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(uses_sack_, may_undo_, must_retransmit_, phase_, recover_, reduced_at_);
    archive(nxt_at_first_sack_, flight_sent_, recover_flight_);
    archive(rack_, rate_, tail_loss_, prr_, dupack_, forward_rto_, audit_);
    archive(mtu_probe_, forgiven_probe_, previous_sack_.blocks, previous_sack_.count);
    archive(reneges_);
  }

 private:
  // --- One ACK, step by step -------------------------------------------------------------------
  void update_scoreboard(const Ack& ack, AckFindings& findings) noexcept;
  void apply_sack_blocks(const Ack& ack, AckFindings& findings) noexcept;
  // `echoed_before`: of what the ACK's echo tells about this range, nothing if it tells none.
  void note_delivered(const SentRange& sent, const Ack& ack, base::OptionalInstant echoed_before,
                      AckFindings& findings) noexcept;
  [[nodiscard]] bool is_spurious(const Ack& ack, const AckFindings& findings) noexcept;
  void detect_by_rack(const Ack& ack, AckFindings& findings) noexcept;
  void detect_by_duplicates(const Ack& ack, AckFindings& findings) noexcept;
  // Looks whether the probe is lost; true when it is, and nothing else.
  [[nodiscard]] bool is_mtu_probe_lost_alone(AckFindings& findings) noexcept;
  // The first loss of a recovery without SACK: true when it is the probe's, and so forgiven.
  [[nodiscard]] bool forgives_mtu_probe(SeqNum una, AckFindings& findings) noexcept;
  void begin_recovery(SeqNum una, SeqNum nxt, Instant now) noexcept;
  void take_back(SeqNum una) noexcept;
  // FlightSize of RFC 5681, without what limited transmit has sent since the first SACK or
  // duplicate ACK: `outstanding` by this ACK, or what was in flight before its batch.
  [[nodiscard]] std::uint64_t flight_size(std::uint64_t outstanding) const noexcept {
    return std::max(outstanding, flight_sent_);
  }
  [[nodiscard]] std::uint64_t outstanding_at_first_sack(SeqNum una, SeqNum nxt) const noexcept;

  bool uses_sack_ = false;
  bool may_undo_ = true;
  bool must_retransmit_ = false;
  RecoveryPhase phase_ = RecoveryPhase::Open;
  SeqNum recover_;                 // everything before it was outstanding when the phase began
  Instant reduced_at_{};           // when the controller was last told of a loss
  SeqNum nxt_at_first_sack_;       // SND.NXT when the first octets of the present gap were SACKed
  std::uint64_t flight_sent_ = 0;  // see on_flight_sent(); 0 after a reduction: not known
  std::uint64_t recover_flight_ = 0;  // RecoverFS of RFC 9937

  Scoreboard board_;
  Rack rack_;
  DeliveryRate rate_;
  TailLossProbe tail_loss_;
  ProportionalRateReduction prr_;
  DupackRecovery dupack_;
  ForwardRto forward_rto_;
  RetransmissionAudit audit_;
  std::optional<SeqRange> mtu_probe_;       // until its fate is known
  std::optional<SeqRange> forgiven_probe_;  // being repaired without SACK, and without a response
  wire::SackBlocks previous_sack_;
  std::uint64_t reneges_ = 0;
};

}  // namespace runnel::tcp
